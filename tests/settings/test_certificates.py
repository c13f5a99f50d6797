"""When the certificates end that the environment names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from settings import SettingsError
from settings.certificates import Certificates
from tests.support.tls import Authority, Pair


def days(certificates: Certificates) -> dict[str, int]:
    """In how many days each ends."""
    now = datetime.now(UTC)
    return {
        name: round((end - now) / timedelta(days=1)) for name, end in certificates.ends().items()
    }


@pytest.fixture
def long(tmp_path: Path) -> Authority:
    """An authority whose certificates are valid for ninety days."""
    return Authority(tmp_path, "long", timedelta(days=90))


@pytest.fixture
def short(tmp_path: Path) -> Authority:
    """An authority whose certificates are valid for five days."""
    return Authority(tmp_path, "short", timedelta(days=5))


def towards_temporal(authority: Authority, client: Pair) -> dict[str, str]:
    return {
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.certificate),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(client.certificate),
        "TEMPORAL_TLS_CLIENT_KEY_PATH": str(client.key),
    }


def test_without_certificates_there_is_nothing() -> None:
    assert Certificates({}).ends() == {}
    assert Certificates({"TEMPORAL_TLS": "true", "PGSSLCERT": " "}).ends() == {}


def test_those_towards_temporal_are_the_ones_that_the_process_began_with(
    long: Authority, short: Authority
) -> None:
    client = short.issue("client")
    certificates = Certificates(towards_temporal(long, client))
    assert days(certificates) == {"temporal_client": 5, "temporal_authority": 90}
    client.certificate.write_bytes(long.issue("renewed").certificate.read_bytes())
    assert days(certificates)["temporal_client"] == 5


def test_a_profile_of_temporals_file_names_them_too(tmp_path: Path, short: Authority) -> None:
    client = short.issue("client")
    file = tmp_path / "temporal.toml"
    file.write_text(
        "[profile.default.tls]\n"
        f'client_cert_path = "{client.certificate}"\nclient_key_path = "{client.key}"\n'
    )
    assert days(Certificates({"TEMPORAL_CONFIG_FILE": str(file)})) == {"temporal_client": 5}


def test_those_towards_postgresql_are_read_each_time(long: Authority, short: Authority) -> None:
    client = short.issue("client").certificate
    env = {"PGSSLCERT": str(client), "PGSSLROOTCERT": str(long.certificate)}
    certificates = Certificates(env)
    assert days(certificates) == {"postgresql_client": 5, "postgresql_authority": 90}
    client.write_bytes(long.issue("renewed").certificate.read_bytes())
    assert days(certificates)["postgresql_client"] == 90


def test_a_chain_ends_with_its_first_and_authorities_with_their_last(
    tmp_path: Path, long: Authority, short: Authority
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(long.certificate.read_bytes() + short.certificate.read_bytes())
    env = {"PGSSLCERT": str(both), "PGSSLROOTCERT": str(both)}
    assert days(Certificates(env)) == {"postgresql_client": 5, "postgresql_authority": 90}


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_cannot_be_read_is_left_out(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "client.pem"
    if content is not None:
        path.write_bytes(content)
    assert Certificates({"PGSSLCERT": str(path)}).ends() == {}


def test_a_missing_file_towards_temporal_is_named(tmp_path: Path, short: Authority) -> None:
    env = towards_temporal(short, short.issue("client"))
    env["TEMPORAL_TLS_CLIENT_CERT_PATH"] = str(tmp_path / "gone.pem")
    with pytest.raises(SettingsError, match=r"TEMPORAL_TLS_CLIENT_CERT_PATH"):
        Certificates(env)
