"""Both databases for the tests of the records: for each test one of its own, with the schema or empty."""

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

from records.database import Database
from records.engines import new_engine
from records.migrate import migrate
from tests.needs import require
from tests.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL; the test is skipped if there is none."""
    require("postgresql")
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema, to be copied."""
    file = tmp_path_factory.mktemp("template") / "cmi.db"
    _run(migrate(_file_url(file)))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a PostgreSQL database with the schema, to be copied."""
    name = f"cmi_template_{uuid.uuid4().hex}"
    server = make_url(postgres_url)

    async def make() -> None:
        await _execute(server, f"CREATE DATABASE {name}")
        await migrate(_text(server.set(database=name)))

    _run(make())
    yield name
    _run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database without tables, on each of the two."""
    if request.param == "sqlite":
        yield _file_url(tmp_path / "records" / "cmi.db")
        return
    async with _copy(request.getfixturevalue("postgres_url"), "template1") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database with the schema, on each of the two."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "cmi.db")
        yield _file_url(tmp_path / "cmi.db")
        return
    template = request.getfixturevalue("postgres_template")
    async with _copy(request.getfixturevalue("postgres_url"), template) as url:
        yield url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The same, open."""
    opened = Database(url)
    yield opened
    await opened.close()


@asynccontextmanager
async def _copy(server_url: str, template: str) -> AsyncIterator[str]:
    server = make_url(server_url)
    name = f"cmi_test_{uuid.uuid4().hex}"
    await _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _text(server.set(database=name))
    finally:
        await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: URL, statement: str) -> None:
    engine = new_engine(server, pooled=False).execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Apart from the loop of the test that asked first for the fixture."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def _file_url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
