"""The database of the tests: PostgreSQL, or SQLite with `CMI_TEST_DATABASE=sqlite` or where PostgreSQL is missing.

Only `tests/records/` runs on both, whatever is chosen.
"""

import asyncio
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from records.database import Database
from records.engines import new_engine
from records.migrate import migrate
from records.tables import metadata
from scripts.system_packages import why_missing
from tests.support.needs import require
from tests.support.postgres import running_postgres
from tests.support.postgres_roles import grants

_open = ExitStack()

_LARGE = 1 << 20
"""A table of more bytes is truncated. That makes new files for the table and its indexes, which takes 2 ms of processor
time. Deleting a few rows takes 0.1 ms, but leaves them in the files."""


@cache
def chosen() -> str:
    """`postgresql` or `sqlite`. Raises `ValueError` for another choice."""
    kind = os.environ.get("CMI_TEST_DATABASE", "").strip()
    if kind not in ("", "postgresql", "sqlite"):
        raise ValueError(f"CMI_TEST_DATABASE must be postgresql or sqlite, not {kind}")
    return kind or ("sqlite" if why_missing("postgresql") else "postgresql")


@cache
def postgres_server() -> URL:
    """A PostgreSQL server, until `end_servers`. The test is skipped if there is none."""
    require("postgresql")
    return make_url(_open.enter_context(running_postgres()))


def end_servers() -> None:
    """End what this process has started."""
    _open.close()


class Copy(NamedTuple):
    """A database with the schema and without rows, for two roles on PostgreSQL.

    Attributes:
        url: for the application, which reads and writes rows (`scripts/postgresql_roles.sql`).
        owner: for who may make and change tables.
    """

    url: str
    owner: str


@asynccontextmanager
async def records_copy(folder: Path, kind: str | None = None) -> AsyncIterator[Copy]:
    """A database of this kind, the chosen one if none is named, while the block lasts. SQLite's file is in `folder`."""
    if (kind or chosen()) == "sqlite":
        shutil.copy(sqlite_template(), folder / "cmi.db")
        url = f"sqlite+aiosqlite:///{folder / 'cmi.db'}"
        yield Copy(url, url)
        return
    copy = await _copy()
    try:
        yield copy
    finally:
        await _drop(copy)


@asynccontextmanager
async def records_of_a_test(folder: Path, kind: str | None = None) -> AsyncIterator[Copy]:
    """The same. On PostgreSQL it is one database that is emptied after each test, which costs less than a copy."""
    if (kind or chosen()) == "sqlite":
        async with records_copy(folder, "sqlite") as copy:
            yield copy
        return
    copy, connection = _shared_copy(), _emptying_connection()
    yield copy
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_empty(connection), _background()))


@cache
def sqlite_template() -> Path:
    """An SQLite file with the schema, to be copied."""
    folder = _open.enter_context(tempfile.TemporaryDirectory(prefix="cmi-template-"))
    file = Path(folder) / "cmi.db"
    run_apart(migrate(f"sqlite+aiosqlite:///{file}"))
    return file


@cache
def _postgres_template() -> str:
    """The name of a database with the schema, to be copied, and of the application's role."""
    name = f"cmi_template_{uuid.uuid4().hex}"
    server = postgres_server()
    url = server.set(database=name)

    async def make() -> None:
        await execute(server, f"CREATE DATABASE {name}")
        await execute(server, f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        await migrate(as_text(url))
        for grant in grants(owner=str(server.username), application=name):
            await execute(url, grant)

    async def drop() -> None:
        await execute(server, f"DROP DATABASE {name} WITH (FORCE)")
        await execute(server, f"DROP ROLE {name}")

    run_apart(make())
    _open.callback(lambda: run_apart(drop()))
    return name


@cache
def _shared_copy() -> Copy:
    made: list[Copy] = []

    async def make() -> None:
        made.append(await _copy())

    run_apart(make())
    _open.callback(lambda: run_apart(_drop(made[0])))
    return made[0]


async def _copy() -> Copy:
    template = _postgres_template()
    name = f"cmi_{uuid.uuid4().hex}"
    async with _connection_to(postgres_server()) as connection:
        # Files are copied, which costs a third of the other strategy.
        strategy = "STRATEGY FILE_COPY" if connection.get_server_version() >= (15,) else ""
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
    owner = postgres_server().set(database=name)
    return Copy(as_text(owner.set(username=template, password=template)), as_text(owner))


async def _drop(copy: Copy) -> None:
    name = make_url(copy.owner).database
    await execute(postgres_server(), f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def kept_from_writers(database: Database) -> AsyncIterator[None]:
    """Nobody else can write to the records meanwhile, as when another process is at it; everybody can read."""
    if database.is_sqlite:
        async with database.writing():
            yield
        return
    engine = new_engine(database.url)
    async with engine.begin() as connection:
        names = ", ".join(metadata.tables)
        await connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        yield
    await engine.dispose()


@cache
def _background() -> asyncio.AbstractEventLoop:
    """A loop in a thread of its own. A connection in it outlasts the tests, each of which has a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="databases", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    _open.callback(end)
    return loop


@cache
def _emptying_connection() -> asyncpg.Connection:
    """The owner's connection to the shared copy. A new one for each test would cost 8 ms of processor time."""

    async def connect() -> asyncpg.Connection:
        url = make_url(_shared_copy().owner)
        opened = await asyncpg.connect(as_text(url.set(drivername="postgresql")))
        # Rows are deleted without triggers, and in any sequence of tables, in spite of foreign keys.
        await opened.execute("SET session_replication_role = replica")
        return opened

    def wait_for(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, _background()).result()

    connection = wait_for(connect())
    _open.callback(lambda: wait_for(connection.close()))
    return connection


async def _empty(connection: asyncpg.Connection) -> None:
    """End what else is connected to the database, drop the tables that a test made, delete all rows."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    # The sizes of the files cost much less than a look into each table.
    rows = await connection.fetch(
        "SELECT relname, pg_relation_size(oid) AS size, pg_table_size(oid) AS whole FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    found = {row["relname"]: row for row in rows if row["relname"] != "alembic_version"}
    for name in found.keys() - metadata.tables.keys():
        await connection.execute(f"DROP TABLE {name}")
    filled = sorted(name for name in found.keys() & metadata.tables.keys() if found[name]["size"])
    if not filled:
        return
    large = [name for name in filled if found[name]["whole"] > _LARGE]
    # The lock waits for a transaction that was about to end.
    statements = [f"LOCK TABLE {', '.join(filled)} IN EXCLUSIVE MODE"]
    statements += [f"DELETE FROM {name}" for name in filled if name not in large]
    statements += [f"TRUNCATE {', '.join(large)} CASCADE"] if large else []
    statements.append("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'")
    async with connection.transaction():
        await connection.execute("; ".join(statements))


async def execute(url: URL, statement: str) -> None:
    """Execute one statement on PostgreSQL, which no transaction surrounds."""
    async with _connection_to(url) as connection:
        await connection.execute(statement)


@asynccontextmanager
async def _connection_to(url: URL) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(as_text(url.set(drivername="postgresql")))
    try:
        yield connection
    finally:
        await connection.close()


def run_apart(work: Coroutine[Any, Any, None]) -> None:
    """Run it apart from the loop of the test that asked for it first."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def as_text(url: URL) -> str:
    """The URL with its password."""
    return url.render_as_string(hide_password=False)
