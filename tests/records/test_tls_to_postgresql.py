"""PostgreSQL that demands TLS and a certificate of the client: libpq's variables name the files."""

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from records.database import Database
from records.failures import is_away
from settings import Settings
from tests.records.test_point_in_time import Cluster, cluster
from tests.support.needs import needs
from tests.support.tls import Authority, Pair

__all__ = ["cluster"]  # the fixture
pytestmark = needs("postgresql")


def _demand_certificates(cluster: Cluster, server: Pair, clients: Authority) -> None:
    """Restart the server so that it takes only connections with a certificate of `clients`."""
    for path in (server.certificate, server.key, clients.certificate):
        shutil.copy(path, cluster.data)
        kept = cluster.data / path.name
        kept.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(kept, "postgres")
    cluster.configure(
        "ssl = on",
        f"ssl_cert_file = '{server.certificate.name}'",
        f"ssl_key_file = '{server.key.name}'",
        f"ssl_ca_file = '{clients.certificate.name}'",
    )
    rule = "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n"
    (cluster.data / "pg_hba.conf").write_text(rule)
    cluster.stop()
    cluster.start()


async def _ask(url: str) -> int:
    """What the database says to `SELECT 1`."""
    database = Database(Settings.from_env({"CMI_DATABASE_URL": url}).database_url)
    try:
        async with database.reading() as connection:
            return int((await connection.execute(text("SELECT 1"))).scalar_one())
    finally:
        await database.close()


async def test_certificates_towards_postgresql(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, strangers = Authority(tmp_path, "authority"), Authority(tmp_path, "strangers")
    _demand_certificates(cluster, authority.issue("server"), authority)
    url = f"postgresql://cmi@127.0.0.1:{cluster.port}/postgres?sslmode=verify-full"
    client, stranger = authority.issue("client"), strangers.issue("stranger")

    def use(root: Authority, pair: Pair) -> None:
        monkeypatch.setenv("PGSSLROOTCERT", str(root.certificate))
        monkeypatch.setenv("PGSSLCERT", str(pair.certificate))
        monkeypatch.setenv("PGSSLKEY", str(pair.key))

    use(authority, client)
    assert await _ask(url) == 1
    for root, pair in ((authority, stranger), (strangers, client)):
        use(root, pair)
        with pytest.raises((OSError, DBAPIError)) as refused:
            await _ask(url)
        assert is_away(refused.value), refused.value
