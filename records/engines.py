"""SQLAlchemy's engines for SQLite and PostgreSQL, and how a connection to SQLite is set up."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection

from records import limits
from settings.database import Connections

WRITING = "cmi_writing"
"""The execution option of a connection whose transactions write."""


_RESTED = "cmi_rested_since"
_CHECK_AFTER = 1.0
"""Seconds after which a pooled connection to PostgreSQL that was not used is checked. It costs more than a read."""


def new_engine(url: URL, connections: Connections | None = None) -> AsyncEngine:
    """An engine for either database. Its error texts contain no values, which may be personal data.

    Without `connections` there is no pool and no limit for statements: for migrations and tests.

    The folder of an SQLite file is created. Raises `ValueError` for any other URL.
    """
    if url.drivername == "sqlite+aiosqlite":
        return _sqlite_engine(url, connections is not None)
    if url.drivername == "postgresql+asyncpg":
        return _postgres_engine(url, connections)
    raise ValueError(
        f"expected postgresql+asyncpg:// or sqlite+aiosqlite:///, not {url.drivername}://"
    )


def _postgres_engine(url: URL, connections: Connections | None) -> AsyncEngine:
    server_settings = {
        "application_name": "cmi",
        "jit": "off",
    }  # compiling costs more than it saves
    options: dict[str, Any] = {"poolclass": NullPool}
    if connections is not None:
        options = {"pool_size": connections.pool, "max_overflow": 0, "pool_use_lifo": True}
        for name, seconds in (
            ("statement_timeout", connections.statement_seconds),
            ("lock_timeout", connections.lock_seconds),
            ("idle_in_transaction_session_timeout", connections.idle_seconds),
        ):
            server_settings[name] = f"{seconds * 1000:.0f}"
    engine = create_async_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": limits.CONNECT_SECONDS, "server_settings": server_settings},
        **options,
    )
    if connections is not None:
        _check_rested(engine)
    return engine


def _check_rested(engine: AsyncEngine) -> None:
    """Check a pooled connection that was idle before it is used, and replace all pooled ones if the server is gone."""

    @event.listens_for(engine.sync_engine, "checkin")
    def _returned(connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info[_RESTED] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _taken(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        since = entry.info.pop(_RESTED, None)
        if since is None or time.monotonic() - since < _CHECK_AFTER:
            return
        try:
            engine.sync_engine.dialect.do_ping(connection)
        except engine.sync_engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _sqlite_engine(url: URL, pooled: bool) -> AsyncEngine:
    _check_file(url)
    engine = create_async_engine(
        url,
        **_SQLITE_OPTIONS,
        **({"pool_timeout": limits.LIMIT_SECONDS} if pooled else {"poolclass": NullPool}),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        connection.run_async(_prepare_in_loop)

    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def sqlite_engine_of_threads(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), pool_timeout=limits.LIMIT_SECONDS, **_SQLITE_OPTIONS
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        _prepare_in_thread(connection)

    event.listen(engine, "begin", _begin_sqlite)
    return engine


_SQLITE_OPTIONS: dict[str, Any] = {
    "hide_parameters": True,
    # Python's driver starts no transactions: it would start them late and have to upgrade locks; see _begin_sqlite.
    "connect_args": {"timeout": 0, "isolation_level": None},
}


def _check_file(url: URL) -> None:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("expected the path of a file after sqlite+aiosqlite:///")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes fails if another one wrote meanwhile, however long it waits. So a
    # transaction that writes takes the lock at its start, and waits for writers of other processes only here.
    writing = connection.get_execution_options().get(WRITING)
    connection.exec_driver_sql(
        f"PRAGMA busy_timeout = {limits.left(limits.deadline.get()) * 1000:.0f}"
    )
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


# With WAL, readers and the writer do not wait for each other. A power cut may lose the last commits, but does not
# corrupt the file (docs/traps.md, "Costs").
_WAL = "PRAGMA journal_mode = WAL"
_PRAGMAS = (
    f"PRAGMA busy_timeout = {limits.LIMIT_SECONDS * 1000:.0f}",  # until a transaction sets its own
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # erased data are overwritten, not only unlinked
    "PRAGMA cache_size = -16384",  # KiB, for each connection
)
# SQLite ignores the busy timeout when two processes create the same file and set WAL, so it is retried here.
_WAL_AGAIN = 0.02


async def _prepare_in_loop(connection: aiosqlite.Connection) -> None:
    give_up = limits.deadline.get() or limits.until(None)
    while True:
        try:
            await connection.execute_fetchall(_WAL)
            break
        except aiosqlite.OperationalError:
            if not limits.left(give_up):
                raise
            await asyncio.sleep(_WAL_AGAIN)
    for pragma in _PRAGMAS:
        await connection.execute_fetchall(pragma)


def _prepare_in_thread(connection: sqlite3.Connection) -> None:
    give_up = limits.deadline.get() or limits.until(None)
    while True:
        try:
            connection.execute(_WAL).fetchall()
            break
        except sqlite3.OperationalError:
            if not limits.left(give_up):
                raise
            time.sleep(_WAL_AGAIN)
    for pragma in _PRAGMAS:
        connection.execute(pragma).fetchall()
