"""The environment of a process: defaults, what is refused and in which words, and that no secret shows."""

from pathlib import Path

import pytest

from domain.settlements.lines import VAT_RATES
from settings import Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_env({})
    assert settings.database_url == "sqlite+aiosqlite:///var/cmi.db"
    assert (settings.smtp.host, settings.smtp.port, settings.smtp.security) == (
        "localhost",
        2525,
        "none",
    )
    assert settings.operations_language == "de"
    assert settings.warehouse_dir == Path("var/warehouse")
    assert not settings.sandbox
    assert settings.drain.total_seconds() == 20
    assert settings.policy is None
    assert settings.encryption_keys is None


def test_an_empty_variable_is_not_set_and_foreign_ones_are_left_alone() -> None:
    env = {
        "CMI_POLICY": "",
        "CMI_LOG_LEVEL": "  ",
        "CMI_WEB_PORT": "tcp://10.0.0.1:80",
        "PATH": "/bin",
    }
    assert Settings.from_env(env) == Settings.from_env({})


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("postgresql://u:p@h/cmi", "postgresql+asyncpg://u:p@h/cmi"),
        ("postgres://u:p@h:5432/cmi", "postgresql+asyncpg://u:p@h:5432/cmi"),
        ("postgresql+asyncpg://h/cmi", "postgresql+asyncpg://h/cmi"),
        ("postgresql://h/cmi?a=b&sslmode=require", "postgresql+asyncpg://h/cmi?a=b&ssl=require"),
        ("sqlite:///var/x.db", "sqlite+aiosqlite:///var/x.db"),
        ("sqlite:////abs/x.db", "sqlite+aiosqlite:////abs/x.db"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    ],
)
def test_database_urls_get_the_name_of_the_async_driver(given: str, normal: str) -> None:
    assert Settings.from_env({"CMI_DATABASE_URL": given}).database_url == normal


def test_smtp_urls_are_taken_apart() -> None:
    smtp = Settings.from_env({"CMI_SMTP_URL": "smtp+starttls://us%40er:p%3Aw@mail.example.ch"}).smtp
    assert (smtp.host, smtp.port, smtp.security, smtp.username) == (
        "mail.example.ch",
        587,
        "starttls",
        "us@er",
    )
    assert smtp.password is not None
    assert smtp.password.get_secret_value() == "p:w"
    assert Settings.from_env({"CMI_SMTP_URL": "smtps://[::1]"}).smtp.port == 465
    assert Settings.from_env({"CMI_SMTP_URL": "smtp://h:1025/"}).smtp.port == 1025


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CMI_LOG_FORMAT", "xml", "CMI_LOG_FORMAT: must be 'text' or 'json', not 'xml'"),
        ("CMI_SANDBOX", "perhaps", "CMI_SANDBOX: must be on or off, not 'perhaps'"),
        (
            "CMI_MAX_CACHED_WORKFLOWS",
            "0",
            "CMI_MAX_CACHED_WORKFLOWS: must be greater than or equal to 1, not '0'",
        ),
        (
            "CMI_MAX_CACHED_WORKFLOWS",
            "many",
            "CMI_MAX_CACHED_WORKFLOWS: must be a valid integer, not 'many'",
        ),
        (
            "CMI_OPERATIONS_LANGUAGE",
            "rm",
            "CMI_OPERATIONS_LANGUAGE: must be 'de', 'fr', 'it' or 'en', not 'rm'",
        ),
        (
            "CMI_PUBLIC_URL",
            "cmi.example.ch",
            "CMI_PUBLIC_URL: must be http:// or https://, then a host, not 'cmi.exa",
        ),
        ("CMI_WAREHOUSE_URL", "http://h:99999", "CMI_WAREHOUSE_URL: must be http://"),
        ("CMI_MAIL_FROM", "nobody", "CMI_MAIL_FROM: must be a mail address"),
        ("CMI_MAIL_FROM", "a@b\r\nBcc: c@d", "CMI_MAIL_FROM: must be a mail address"),
        (
            "CMI_DATABASE_URL",
            "mysql://h/x",
            "CMI_DATABASE_URL: must begin with postgresql:// or sqlite:///",
        ),
        ("CMI_DATABASE_URL", "sqlite://x.db", "CMI_DATABASE_URL: must be sqlite:///relative/path"),
        ("CMI_SMTP_URL", "http://h", "CMI_SMTP_URL: must be smtp://"),
        ("CMI_SMTP_URL", "smtp://h:port", "CMI_SMTP_URL: must be smtp://"),
        (
            "CMI_DRAIN_SECONDS",
            "-1",
            "CMI_DRAIN_SECONDS: must be greater than or equal to 0, not '-1'",
        ),
        (
            "CMI_BUILD_ID",
            "1.4.0",
            "CMI_BUILD_ID: needs CMI_DEPLOYMENT_NAME beside it",
        ),
        (
            "CMI_DEPLOYMENT_NAME",
            "cmi",
            "CMI_DEPLOYMENT_NAME: needs CMI_BUILD_ID beside it",
        ),
        (
            "CMI_DEPLOYMENT_NAME",
            "cmi.ch",
            "CMI_DEPLOYMENT_NAME: must be letters, digits, - and _, 63 at the most, not 'cmi.ch'",
        ),
        ("CMI_BUILD_ID", "a:b", "CMI_BUILD_ID: must be letters, digits, and . _ + -, 63 at the"),
        ("CMI_DATABSE_URL", "x", "CMI_DATABSE_URL is not known; CMI_DATABASE_URL is meant?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_names_the_variable(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env({name: value})
    text = str(refusal.value)
    assert text.startswith(says)
    assert "\n" not in text


def test_a_build_is_named_whole_or_not_at_all() -> None:
    named = Settings.from_env({"CMI_DEPLOYMENT_NAME": "cmi", "CMI_BUILD_ID": "2026-12-01_3f9c2e1"})
    assert (named.deployment_name, named.build_id) == ("cmi", "2026-12-01_3f9c2e1")
    standard = Settings.from_env({})
    assert (standard.deployment_name, standard.build_id) == (None, None)


def test_every_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError, match=r"CMI_LOG_LEVEL: .*; CMI_SANDBOX: "):
        Settings.from_env({"CMI_LOG_LEVEL": "loud", "CMI_SANDBOX": "x"})


def test_no_secret_shows_in_a_repr_or_an_error() -> None:
    env = {
        "CMI_DATABASE_URL": "postgresql://u:geheim@h/cmi",
        "CMI_SMTP_URL": "smtp://u:geheim@h",
        "CMI_WAREHOUSE_TOKEN": "geheim",
        "CMI_ENCRYPTION_KEYS": "k:" + "geheim" * 7 + "A",
    }
    settings = Settings.from_env(env)
    assert "geheim" not in f"{settings!r} {settings} {settings.smtp!r}"
    for name in ("CMI_DATABASE_URL", "CMI_SMTP_URL"):
        with pytest.raises(SettingsError) as refusal:
            Settings.from_env({name: "x" + env[name]})
        assert "geheim" not in str(refusal.value)
        assert refusal.value.__cause__ is None


def test_every_variable_has_a_meaning() -> None:
    variables = Settings.variables()
    assert ("CMI_SANDBOX", "off") in [(name, default) for name, default, _ in variables]
    assert all(meaning and "\n" not in meaning for _, _, meaning in variables)


def test_rates_of_vat_hold_from_a_day_on() -> None:
    rates = Settings(vat_rates="2024-01-01=8.1, 2018-01-01=7.7").vat_percentages
    assert rates == VAT_RATES == Settings().vat_percentages


@pytest.mark.parametrize(
    "text", ["8.1", "2024-01-01=x", "2024-13-01=8.1", "2024-01-01=8.1,2024-01-01=8", ","]
)
def test_rates_of_vat_that_cannot_be(text: str) -> None:
    with pytest.raises(SettingsError, match=r"CMI_VAT_RATES: must be day=percent pairs"):
        Settings.from_env({"CMI_VAT_RATES": text})
