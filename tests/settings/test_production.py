"""What `CMI_PRODUCTION=on` refuses: each finding, the table of the docs, the real processes."""

import asyncio
import base64
import contextlib
import os
import re
import sys
from pathlib import Path

import httpx
import pytest

from contracts.keys import new_key
from development.embedded import free_port
from records.database import Database
from records.migrate import migrate
from settings import Settings
from settings.production import Finding, findings, is_sample_address
from tests.support.processes import Process, run_python
from use_cases.accounts import Accounts

ROOT = Path(__file__).parents[2]
DATABASE_PASSWORD, SMTP_PASSWORD = "Lq7rT2mZx9Vb", "vK4w-91pZ"
FIT = {
    "CMI_PRODUCTION": "on",
    "CMI_DATABASE_URL": f"postgresql://cmi:{DATABASE_PASSWORD}@database/cmi",
    "CMI_SMTP_URL": f"smtps://cmi:{SMTP_PASSWORD}@mail.haendler.ch",
    "CMI_MAIL_FROM": "CMI <cmi@haendler.ch>",
    "CMI_MAIL_OPERATIONS": "service@haendler.ch",
    "CMI_MAIL_ACCOUNTING": "buchhaltung@haendler.ch",
    "CMI_COMPANY_NAME": "Haendler AG",
    "CMI_PUBLIC_URL": "https://cmi.haendler.ch",
    "CMI_ENCRYPTION_KEYS": new_key("2026-11"),
    "CMI_SECRET_KEY": "5bK0y8Z2tqWcJ7dXhR3nLmVfPaGsE9u4",
}


def key(content: bytes) -> str:
    return base64.b64encode(content).decode()


def found(env: dict[str, str], process: str = "web") -> list[Finding]:
    settings = Settings.from_env({**FIT, **env})
    assert process in ("web", "worker")
    return [each.finding for each in findings(settings, process, temporal=env)]  # type: ignore[arg-type]


WRONG: list[tuple[Finding, dict[str, str]]] = [
    (Finding.PUBLIC_HTTP, {"CMI_PUBLIC_URL": "http://cmi.haendler.ch"}),
    (Finding.PUBLIC_HTTP, {"CMI_PUBLIC_URL": ""}),
    (Finding.UI_HTTP, {"CMI_TEMPORAL_UI_URL": "http://temporal.haendler.ch"}),
    (Finding.WAREHOUSE_HTTP, {"CMI_WAREHOUSE_URL": "http://lager.haendler.ch/ship"}),
    (Finding.SHOP_HTTP, {"CMI_SHOP_WEBHOOK_URL": "http://shop.haendler.ch/notices"}),
    (Finding.NO_KEYS, {"CMI_ENCRYPTION_KEYS": ""}),
    (Finding.WEAK_KEYS, {"CMI_ENCRYPTION_KEYS": f"a:{key(bytes(32))}"}),
    (Finding.WEAK_KEYS, {"CMI_ENCRYPTION_KEYS": f"a:{key(b'our secret key of 32 characters!')}"}),
    (Finding.WEAK_KEYS, {"CMI_ENCRYPTION_KEYS": f"{new_key('a')},old:{key(b'ab' * 16)}"}),
    (Finding.PLAIN, {"CMI_ENCRYPTION_ACCEPT_PLAIN": "on"}),
    (Finding.NO_SECRET_KEY, {"CMI_SECRET_KEY": ""}),
    (Finding.WEAK_SECRET_KEY, {"CMI_SECRET_KEY": "development-only-development-only"}),
    (Finding.WEAK_SECRET_KEY, {"CMI_SECRET_KEY": "x" * 40}),
    (Finding.WEAK_SECRET_KEY, {"CMI_SECRET_KEY": "abcdefgh12345678" * 2}),
    (Finding.DATABASE_PASSWORD, {"CMI_DATABASE_URL": "postgresql://cmi:development-only@db/cmi"}),
    (Finding.DATABASE_PASSWORD, {"CMI_DATABASE_URL": "postgresql://cmi:short@db/cmi"}),
    (
        Finding.DATABASE_PASSWORD,
        {"CMI_DATABASE_URL": "postgresql://application1:Application1@db/cmi"},
    ),
    (Finding.DATABASE_PASSWORD, {"CMI_DATABASE_URL": "postgresql://cmi@db/cmi?password=cmi"}),
    (
        Finding.DATABASE_PASSWORD,
        {"CMI_DATABASE_URL": "postgresql://db/cmi?user=application1&password=Application1"},
    ),
    (Finding.FACTOR_EXEMPT, {"CMI_FACTOR_EXEMPT": "anna.meier@haendler.ch"}),
    (Finding.SMTP_PLAIN, {"CMI_SMTP_URL": f"smtp://cmi:{SMTP_PASSWORD}@mail.haendler.ch"}),
    (Finding.SMTP_PASSWORD, {"CMI_SMTP_URL": "smtps://cmi:changeme@mail.haendler.ch"}),
    (Finding.TOKENS, {"CMI_WAREHOUSE_TOKEN": "token"}),
    (Finding.TOKENS, {"CMI_SHOP_WEBHOOK_TOKEN": "development-only"}),
    (Finding.MAIL_ADDRESSES, {"CMI_MAIL_FROM": ""}),
    (Finding.MAIL_ADDRESSES, {"CMI_MAIL_OPERATIONS": "service@retailer.example"}),
    (Finding.MAIL_ADDRESSES, {"CMI_MAIL_ACCOUNTING": "accounting@localhost"}),
    (Finding.COMPANY, {"CMI_COMPANY_NAME": ""}),
    (Finding.PROXIES, {"CMI_TRUSTED_PROXIES": "0.0.0.0/0"}),
    (Finding.PROXIES, {"CMI_TRUSTED_PROXIES": "10.0.0.1, ::/0"}),
    (Finding.PROXIES, {"CMI_TRUSTED_PROXIES": "0.0.0.0/1,128.0.0.0/1"}),
    (Finding.PROXIES, {"CMI_TRUSTED_PROXIES": "::ffff:0.0.0.0/96"}),
    (Finding.TEMPORAL_PLAIN, {"TEMPORAL_API_KEY": "k", "TEMPORAL_TLS": "false"}),
    (Finding.TEMPORAL_OUTSIDE, {"TEMPORAL_ADDRESS": "temporal.haendler.ch:7233"}),
    (Finding.TEMPORAL_OUTSIDE, {"TEMPORAL_ADDRESS": "8.8.8.8:7233", "TEMPORAL_TLS": "false"}),
]


@pytest.mark.parametrize("process", ["web", "worker"])
def test_what_is_fit_for_production_has_no_finding(process: str) -> None:
    assert found({}, process) == []
    usual = {
        "CMI_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8,192.168.7.1,::ffff:172.16.0.0/108",
        "CMI_WAREHOUSE_URL": "http://localhost:9000",
        "CMI_SMTP_URL": "smtp://relay",
        "CMI_DATABASE_URL": "postgresql:///cmi",
        "TEMPORAL_API_KEY": "k",
        "TEMPORAL_ADDRESS": "eu-central-1.aws.api.temporal.io:7233",
    }
    assert found(usual, process) == []
    for inside in ("temporal:7233", "temporal.cmi.svc.cluster.local:7233", "10.0.0.7:7233"):
        assert found({"TEMPORAL_ADDRESS": inside}, process) == []
    assert found({"CMI_DATABASE_URL": "sqlite:///var/cmi.db"}, process) == []


@pytest.mark.parametrize(("finding", "env"), WRONG)
def test_each_finding(finding: Finding, env: dict[str, str]) -> None:
    assert found(env) == [finding]


def test_each_finding_of_the_settings_has_a_case() -> None:
    of_others = {Finding.SANDBOX, Finding.DATABASE_ROLE, Finding.SAMPLE_LOGINS}
    assert {finding for finding, _ in WRONG} == set(Finding) - of_others


def test_workers_need_no_secret_key_and_a_machine_that_confines() -> None:
    assert found({"CMI_SECRET_KEY": ""}, "worker") == []
    (one,) = findings(Settings.from_env(FIT), "worker", lacking=("landlock", "seccomp"))
    assert one.finding == Finding.SANDBOX
    assert "landlock, seccomp" in str(one)


def test_random_keys_are_never_weak() -> None:
    for _ in range(500):
        env = {"CMI_ENCRYPTION_KEYS": new_key("a"), "CMI_SECRET_KEY": os.urandom(16).hex()}
        assert found(env) == []


def test_sample_addresses() -> None:
    for sample in (
        "a@localhost",
        "A <a@B.Example>",
        "a@x.test",
        "a@sub.example.com",
        "a@b.invalid.",
    ):
        assert is_sample_address(sample), sample
    for real in ("a@example.ch", "a@notexample.com", "localhost@haendler.ch"):
        assert not is_sample_address(real), real


def production_table() -> str:
    """The table of findings, as it stands in docs/operations.md between its two marks."""
    rows = ["| variable | refused, because it | instead |", "| --- | --- | --- |"]
    for each in Finding:
        names = re.sub(r"\b[A-Z]+_[A-Z_]+\b", r"`\g<0>`", each.subject)
        rows.append(f"| {names} | {each.problem} | {each.remedy} |")
    return "\n".join(rows)


def test_the_docs_list_what_is_refused() -> None:
    """To mend it, put the output of `python -m tests.settings.test_production` between the marks."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    listed = re.search(r"<!-- production -->\n(.*)\n<!-- /production -->", text, re.DOTALL)
    assert listed, "the marks are missing"
    assert listed.group(1) == production_table()


COMMANDS = {"web": ["-m", "web"], "worker": ["worker.py"]}


@pytest.mark.parametrize("process", COMMANDS)
async def test_the_process_names_everything_and_no_secret_and_ends_with_2(
    process: str, tmp_path: Path
) -> None:
    secrets = {
        "CMI_DATABASE_URL": f"sqlite:///{tmp_path / 'cmi.db'}",
        "CMI_SMTP_URL": "smtp://cmi:hunter2hunter@mail.haendler.ch",
        "CMI_ENCRYPTION_KEYS": f"a:{key(b'our secret key of 32 characters!')}",
        "CMI_SECRET_KEY": "development-only-development-only",
        "CMI_TRUSTED_PROXIES": "0.0.0.0/0",
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith("CMI_")}
    done = await run_python(COMMANDS[process], {**env, "CMI_PRODUCTION": "on", **secrets})
    assert done.returncode == 2, done.stderr
    first, *lines = done.stderr.splitlines()
    assert first.startswith("CMI_PRODUCTION is on")
    expected = (
        *("CMI_PUBLIC_URL", "CMI_ENCRYPTION_KEYS", "CMI_SECRET_KEY", "CMI_SMTP_URL"),
        *("CMI_MAIL_FROM", "CMI_MAIL_OPERATIONS", "CMI_MAIL_ACCOUNTING", "CMI_COMPANY_NAME"),
        "CMI_TRUSTED_PROXIES",
    )
    assert [re.split(r"[ :]", line)[0] for line in lines if line.startswith("CMI_")] == [*expected]
    for secret in ("hunter2", "development-only", "our secret", key(b"our secret key")[:12]):
        assert secret not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def start_web(folder: Path, **changes: str) -> Process:
    """Start a web process that is fit for production, on a database of this folder."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CMI_")}
    env = {
        **plain,
        **FIT,
        "CMI_DATABASE_URL": f"sqlite:///{folder / 'cmi.db'}",
        "CMI_SMTP_URL": "smtps://cmi:vK4w-91pZ@127.0.0.1:1",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        **changes,
    }
    web = Process([sys.executable, *COMMANDS["web"]], env, folder / "web.log")
    web.start()
    return web


async def test_a_web_process_that_is_fit_serves(tmp_path: Path) -> None:
    port = free_port()
    web = start_web(tmp_path, CMI_HTTP_PORT=str(port), CMI_TRUSTED_PROXIES="127.0.0.1")
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"X-Forwarded-Proto": "https"}
        ) as http:
            async with asyncio.timeout(60):
                while True:
                    assert web.is_running, web.text
                    with contextlib.suppress(httpx.TransportError):
                        answer = await http.get("/login")
                        break
                    await asyncio.sleep(0.1)
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"]
        assert "Secure" in answer.headers["Set-Cookie"]
    finally:
        web.kill()


async def test_a_database_with_sample_logins_is_refused(tmp_path: Path) -> None:
    settings = Settings.from_env({"CMI_DATABASE_URL": f"sqlite:///{tmp_path / 'cmi.db'}"})
    await migrate(settings.database_url)
    database = Database(settings.database_url)
    accounts = Accounts(database, settings)
    try:
        await accounts.first_operations_login("anna.meier@retailer.example")
    finally:
        await accounts.close()
        await database.close()
    web = start_web(tmp_path)
    assert await web.exit_code() == 2
    assert Finding.SAMPLE_LOGINS.problem in web.text
    assert len(web.text.splitlines()) == 2


async def test_the_command_for_development_starts_nothing(tmp_path: Path) -> None:
    command = ["dev.py", "--data-dir", str(tmp_path / "dev")]
    done = await run_python(command, {**os.environ, "CMI_PRODUCTION": "on"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "CMI_PRODUCTION: must be off, since this is for development\n"


if __name__ == "__main__":
    print(production_table())
