"""Temporal's own variables and its configuration file: what they say, and which mistakes are named."""

from pathlib import Path

import pytest

from settings import Settings, SettingsError
from settings.production import Finding, findings
from settings.temporal import is_encrypted, temporal_connection
from tests.settings.test_production import FIT

FILE = """[profile.default]
address = "temporal.haendler.ch:7233"
api_key = "secret-of-the-file"
[profile.default.tls]
disabled = true
[profile.cloud]
address = "europe.api.temporal.io:7233"
namespace = "orders.a1b2c"
api_key = "secret-of-the-file"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "temporal.toml"
    path.write_text(FILE)
    return str(path)


def test_a_profile_of_the_file_and_variables_above_it(file: str) -> None:
    given = {"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_PROFILE": "cloud"}
    connection = temporal_connection(given)
    assert connection["target_host"] == "europe.api.temporal.io:7233"
    assert connection["namespace"] == "orders.a1b2c"
    assert is_encrypted(connection)
    assert temporal_connection({**given, "TEMPORAL_NAMESPACE": "n"})["namespace"] == "n"


def test_an_empty_variable_is_not_set() -> None:
    empty = {"TEMPORAL_API_KEY": "", "TEMPORAL_ADDRESS": " ", "TEMPORAL_CONFIG_FILE": ""}
    assert temporal_connection(empty) == {"target_host": "localhost:7233"}


def test_production_looks_at_the_file(file: str) -> None:
    settings = Settings.from_env(FIT)
    found = findings(settings, "web", temporal={"TEMPORAL_CONFIG_FILE": file})
    assert [each.finding for each in found] == [Finding.TEMPORAL_PLAIN, Finding.TEMPORAL_OUTSIDE]
    assert "secret-of-the-file" not in "".join(map(str, found))
    chosen = {"TEMPORAL_CONFIG_FILE": file, "TEMPORAL_PROFILE": "cloud"}
    assert findings(settings, "web", temporal=chosen) == ()


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("TEMPORAL_CONFIG_FILE", {"TEMPORAL_CONFIG_FILE": "/missing/temporal.toml"}),
        ("TEMPORAL_CONFIG_FILE", {"TEMPORAL_CONFIG_FILE": "broken"}),
        ("TEMPORAL_PROFILE", {"TEMPORAL_PROFILE": "of-another-desk"}),
        ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "/missing"}),
        ("TEMPORAL_TLS_CLIENT_KEY_PATH", {"TEMPORAL_TLS_CLIENT_CERT_DATA": "certificate"}),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", {"TEMPORAL_TLS_CLIENT_KEY_DATA": "key"}),
    ],
)
def test_a_mistake_is_named(variable: str, given: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('[profile.default]\napi_key = "secret-of-the-file\n')
    env = {name: str(broken) if value == "broken" else value for name, value in given.items()}
    with pytest.raises(SettingsError, match=rf"^{variable}: ") as wrong:
        temporal_connection(env)
    assert "secret-of-the-file" not in str(wrong.value)
