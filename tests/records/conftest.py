"""Both databases for the tests of the records: for each test without rows, with the schema or without tables."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from records.database import Database
from records.engines import new_engine
from records.migrate import migrate
from records.tables import metadata
from tests.support.postgres_roles import grants


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema, to be copied."""
    file = tmp_path_factory.mktemp("template") / "cmi.db"
    _run(migrate(_file_url(file)))
    return file


@pytest.fixture(scope="session")
def postgres_records(postgres_url: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with the schema, which tests use one after the other."""
    name = f"cmi_records_{uuid.uuid4().hex}"
    server = make_url(postgres_url)
    url = _text(server.set(database=name))

    async def make() -> None:
        await execute(server, f"CREATE DATABASE {name}")
        await execute(server, f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        await migrate(url)
        for grant in grants(owner=str(server.username), application=name):
            await execute(make_url(url), grant)

    async def drop() -> None:
        await execute(server, f"DROP DATABASE {name} WITH (FORCE)")
        await execute(server, f"DROP ROLE {name}")

    _run(make())
    yield url
    _run(drop())


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database without tables, on each of the two."""
    if request.param == "sqlite":
        yield _file_url(tmp_path / "records" / "cmi.db")
        return
    server = make_url(request.getfixturevalue("postgres_url"))
    name = f"cmi_test_{uuid.uuid4().hex}"
    await execute(server, f"CREATE DATABASE {name}")
    yield _text(server.set(database=name))
    await execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database with the schema, on each of the two."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "cmi.db")
        yield _file_url(tmp_path / "cmi.db")
        return
    shared = request.getfixturevalue("postgres_records")
    yield shared
    await _leave_as_it_was(make_url(shared))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The same, open. On PostgreSQL with the rights of the application's role, which has the name of the database."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(username=parsed.database, password=parsed.database)
    opened = Database(_text(parsed))
    yield opened
    await opened.close()


@pytest.fixture
async def owned_database(url: str) -> AsyncIterator[Database]:
    """The same, open, with the right to make and change tables."""
    opened = Database(url)
    yield opened
    await opened.close()


async def _leave_as_it_was(url: URL) -> None:
    """End what is still connected, drop the tables that a test made, delete all rows.

    A copy of the database for each test would cost ten times as much.
    """
    async with _connection(url) as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        found = await connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        names = set(found) - {"alembic_version"}
        for name in names - metadata.tables.keys():
            await connection.execute(text(f"DROP TABLE {name}"))
        kept = sorted(names & metadata.tables.keys())
        rows = ", ".join(f"EXISTS (SELECT 1 FROM {name})" for name in kept)
        has_rows = (await connection.execute(text(f"SELECT {rows}"))).one()
        filled = [name for name, has in zip(kept, has_rows, strict=True) if has]
        if filled:
            await connection.execute(text(f"TRUNCATE {', '.join(filled)} RESTART IDENTITY CASCADE"))


async def execute(server: URL, statement: str) -> None:
    """Execute one statement, which no transaction surrounds."""
    async with _connection(server) as connection:
        await connection.execute(text(statement))


@asynccontextmanager
async def _connection(url: URL) -> AsyncIterator[AsyncConnection]:
    engine = new_engine(url, pooled=False).execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Apart from the loop of the test that asked first for the fixture."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def _file_url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
