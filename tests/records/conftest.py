"""Both databases for the tests of the records: for each test without rows, with the schema or without tables."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from records.database import Database
from tests.support.databases import (
    Copy,
    as_text,
    execute,
    postgres_server,
    records_copy,
    records_of_a_test,
)


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The URL of a file that does not exist."""
    return f"sqlite+aiosqlite:///{tmp_path / 'records' / 'cmi.db'}"


@pytest.fixture
async def empty_postgres_url() -> AsyncIterator[str]:
    """The URL of a PostgreSQL database without tables."""
    server = postgres_server()
    name = f"cmi_test_{uuid.uuid4().hex}"
    await execute(server, f"CREATE DATABASE {name}")
    yield as_text(server.set(database=name))
    await execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["empty_sqlite_url", "empty_postgres_url"], ids=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables, on each of the two."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
async def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The owner's URL of a migrated database that no other test uses, on each of the two."""
    async with records_copy(tmp_path, request.param) as made:
        yield made.owner


@pytest.fixture(params=["sqlite", "postgresql"])
async def copy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Copy]:
    """A database with the schema, on each of the two."""
    async with records_of_a_test(tmp_path, request.param) as made:
        yield made


@pytest.fixture
async def database(copy: Copy) -> AsyncIterator[Database]:
    """The same, open. On PostgreSQL with the rights of the application's role."""
    opened = Database(copy.url)
    yield opened
    await opened.close()


@pytest.fixture
async def owned_database(copy: Copy) -> AsyncIterator[Database]:
    """The same, open, with the right to make and change tables."""
    opened = Database(copy.owner)
    yield opened
    await opened.close()
