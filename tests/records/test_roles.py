"""The roles of scripts/postgresql_roles.sql: the application's reads and writes rows and can do nothing else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import insert
from sqlalchemy.engine import URL, make_url

from records.database import Database
from records.migrate import check_current, migrate
from records.partners import Partner, Partners
from records.production import database_findings
from records.tables.accounts import users
from settings.production import Finding
from tests.support.databases import execute
from tests.support.postgres_roles import PASSWORDS, make_roles, run_file

INSUFFICIENT_PRIVILEGE = "42501"
DATABASES = ("cmi", "temporal", "temporal_visibility")
ROLES = {
    "cmi_owner": "DB_OWNER_PASSWORD",
    "cmi_app": "DB_APP_PASSWORD",
    "temporal": "TEMPORAL_DB_PASSWORD",
}


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[URL]:
    """A server with the roles and databases of the file."""
    found = make_url(postgres_url)
    make_roles(found)
    yield found
    for name in DATABASES:
        await execute(found, f"DROP DATABASE {name} WITH (FORCE)")
    for role in ROLES:
        await execute(found, f"DROP ROLE {role}")


def as_role(server: URL, role: str, database: str = "cmi") -> str:
    password = PASSWORDS[ROLES[role]]
    url = server.set(username=role, password=password, database=database)
    return url.render_as_string(hide_password=False)


def partner() -> Partner:
    path = Path(__file__).parents[2] / "examples" / "partners" / "elektro-huber.json"
    return Partner.model_validate_json(path.read_text(encoding="utf-8"))


async def refused(url: str, statement: str) -> str:
    """The code of the error with which PostgreSQL refuses a statement, or the connection."""
    with pytest.raises(asyncpg.PostgresError) as caught:
        await execute(make_url(url), statement)
    return str(caught.value.sqlstate)


async def test_the_application_reads_and_writes_what_the_owner_migrated(server: URL) -> None:
    await migrate(as_role(server, "cmi_owner"))
    database = Database(as_role(server, "cmi_app"))
    try:
        assert await check_current(database) is None
        known = partner()
        await Partners(database).put(known, datetime.now(UTC))
        assert await Partners(database).get(known.partner_id) is not None
    finally:
        await database.close()


FORBIDDEN = (
    "CREATE TABLE mine (id integer)",
    "CREATE TEMPORARY TABLE mine (id integer)",
    "DROP TABLE users",
    "ALTER TABLE users ADD COLUMN mine text",
    "ALTER TABLE users DISABLE TRIGGER ALL",
    "TRUNCATE timeline",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION pgcrypto",
    "CREATE ROLE mine SUPERUSER",
    "CREATE DATABASE mine",
    "ALTER ROLE cmi_app SUPERUSER",
    "SET ROLE cmi_owner",
    "GRANT cmi_owner TO cmi_app",
    "COPY users TO PROGRAM 'cat'",
    "COPY users TO '/tmp/users'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
)


async def test_the_application_can_do_nothing_else(server: URL) -> None:
    await migrate(as_role(server, "cmi_owner"))
    application = as_role(server, "cmi_app")
    states = {statement: await refused(application, statement) for statement in FORBIDDEN}
    assert states == dict.fromkeys(FORBIDDEN, INSUFFICIENT_PRIVILEGE)


def test_nothing_is_made_without_a_password(postgres_url: str) -> None:
    done = run_file(make_url(postgres_url), {**PASSWORDS, "TEMPORAL_DB_PASSWORD": ""})
    assert done.returncode != 0
    assert "the three passwords are not set" in done.stderr


async def test_each_role_is_kept_to_its_databases(server: URL) -> None:
    for role, name in (
        ("temporal", "cmi"),
        ("cmi_app", "temporal"),
        ("cmi_owner", "temporal_visibility"),
    ):
        assert await refused(as_role(server, role, name), "SELECT 1") == INSUFFICIENT_PRIVILEGE
    for name in ("temporal", "temporal_visibility"):
        await execute(make_url(as_role(server, "temporal", name)), "CREATE TABLE t (id integer)")
    made = await refused(as_role(server, "temporal", "temporal"), "CREATE DATABASE mine")
    assert made == INSUFFICIENT_PRIVILEGE


async def test_production_refuses_the_owner_and_a_superuser(server: URL) -> None:
    application, owner = as_role(server, "cmi_app"), as_role(server, "cmi_owner")
    superuser = server.set(database="cmi").render_as_string(hide_password=False)
    assert await database_findings(application) == ()  # no tables yet
    await migrate(owner)
    assert await database_findings(application) == ()
    for url in (owner, superuser):
        assert [each.finding for each in await database_findings(url)] == [Finding.DATABASE_ROLE]
    await execute(server.set(database="cmi"), "GRANT cmi_owner TO cmi_app")
    assert [each.finding for each in await database_findings(application)] == [
        Finding.DATABASE_ROLE
    ]


async def test_production_refuses_sample_logins(database: Database) -> None:
    def login(address: str) -> dict[str, object]:
        return {
            "user_id": address,
            "role": "operations",
            "email": address,
            "email_key": address,
            "name": "Anna Meier",
            "language": "de",
            "totp_confirmed": False,
            "created_at": datetime.now(UTC),
        }

    async with database.writing() as connection:
        await connection.execute(insert(users), [login("anna.meier@haendler.ch")])
    url = database.url.render_as_string(hide_password=False)
    assert await database_findings(url) == ()
    async with database.writing() as connection:
        await connection.execute(insert(users), [login("anna.meier@retailer.example")])
    assert [each.finding for each in await database_findings(url)] == [Finding.SAMPLE_LOGINS]


async def test_a_database_that_is_away_is_not_waited_for_if_there_is_more_to_say() -> None:
    nobody = "postgresql+asyncpg://cmi@127.0.0.1:1/cmi"
    assert await database_findings(nobody, waits=False) == ()


async def test_a_database_without_rows_or_tables_is_fit(empty_url: str) -> None:
    found = [each.finding for each in await database_findings(empty_url)]
    # the tests' own database is a superuser's
    assert found == ([Finding.DATABASE_ROLE] if empty_url.startswith("postgresql") else [])
