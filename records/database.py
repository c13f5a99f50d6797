"""The database behind the records: SQLite on one machine, PostgreSQL in production. Connections and transactions."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiosqlite
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

logger = logging.getLogger("cmi.records")

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Each = TypeVar("_Each")
_PARAMETERS = 1000  # of one statement; SQLite takes 32766

CONNECT_SECONDS = 2.0
"""How long a connection to PostgreSQL may take, a check of a pooled one included, before the database is away."""
TRANSACTION_SECONDS = 5.0
"""How long a transaction on PostgreSQL may take from then on: a server that vanished says nothing by itself."""
BUSY_SECONDS = 5.0
"""How long a transaction on SQLite waits for that of another process."""

_WRITING = "cmi_writing"
writing_options = {_WRITING: True}
_SQLITE_AWAY = {
    5,  # SQLITE_BUSY: another process writes for too long
    6,  # SQLITE_LOCKED
    10,  # SQLITE_IOERR
    13,  # SQLITE_FULL
    14,  # SQLITE_CANTOPEN
}
_POSTGRES_AWAY = {
    "25006",  # read only: a standby that is not in charge (yet)
    "53300",  # too many connections
    "57P01",  # shut down
    "57P02",
    "57P03",  # starting up
}


def to_the_end(
    work: Callable[_Arguments, Coroutine[Any, Any, _Result]],
) -> Callable[_Arguments, Coroutine[Any, Any, _Result]]:
    """Let what writes come to its end, also if its caller gives up waiting; the caller hears of it afterwards.

    A transaction that is cut off in SQLite's driver may stay open, and with it the lock that all others wait for.
    """

    @wraps(work)
    async def whole(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        task = asyncio.ensure_future(work(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is not None:
                logger.warning("given up and failed", extra={"cause": repr(task.exception())})
            raise

    return whole


class Database:
    """Where the records are. One for each process and event loop; it keeps a pool of connections.

    `url` names SQLAlchemy's async driver, as `Settings.database_url` does. Raises `ValueError` for another one, and for
    an SQLite database in memory: two transactions at a time could not be told apart there.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = new_engine(self.url)
        # Within one process writers queue up here, in order; SQLite itself would let them try again and again.
        self._turn: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if self.is_sqlite else nullcontext()
        )

    @asynccontextmanager
    async def reading(self, *, at_one_moment: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads; `at_one_moment`: no statement of it sees more than the first one."""
        async with self._transaction(writing=False) as connection:
            if at_one_moment and not self.is_sqlite:
                await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end, rolled back if anything is raised."""
        async with self._turn, self._transaction(writing=True) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, *, writing: bool) -> AsyncIterator[AsyncConnection]:
        bounded = not self.is_sqlite
        async with asyncio.timeout(CONNECT_SECONDS if bounded else None) as patience:
            async with self.engine.connect() as connection:
                if bounded:
                    patience.reschedule(asyncio.get_running_loop().time() + TRANSACTION_SECONDS)
                await connection.execution_options(**{_WRITING: writing})
                async with connection.begin():
                    yield connection

    async def ping(self) -> None:
        """Ask the database for an answer. Raises what `is_away` recognises if there is none."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()


def new_engine(url: URL, *, pooled: bool = True) -> AsyncEngine:
    """An engine for either database, whose errors show no values (they are personal data).

    SQLite's folder is created. Raises `ValueError` for any other URL.
    """
    if url.drivername == "sqlite+aiosqlite":
        return _sqlite_engine(url, pooled)
    if url.drivername == "postgresql+asyncpg":
        options = (
            {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10, "pool_use_lifo": True}
            if pooled
            else {"poolclass": NullPool}
        )
        return create_async_engine(
            url,
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "server_settings": {"application_name": "cmi"},
            },
            **options,
        )
    raise ValueError(
        f"expected postgresql+asyncpg:// or sqlite+aiosqlite:///, not {url.drivername}://"
    )


def _sqlite_engine(url: URL, pooled: bool) -> AsyncEngine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("expected the path of a file after sqlite+aiosqlite:///")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        hide_parameters=True,
        # No transactions by Python's driver: it begins them late, and so has to upgrade locks; see _begin.
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        **({} if pooled else {"poolclass": NullPool}),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        connection.run_async(_prepare_sqlite)

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes then may find that another wrote meanwhile, and no waiting helps.
        # So whoever means to write says so at once.
        writing = connection.get_execution_options().get(_WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


async def _prepare_sqlite(connection: aiosqlite.Connection) -> None:
    # With WAL readers and the writer do not wait for each other. A power cut may take the last commits with it, but
    # leaves the file whole (DESIGN 9).
    deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
            break
        except aiosqlite.OperationalError:
            # Two processes that make the same new file do not wait for each other here, in spite of the timeout.
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.02)
    await connection.execute_fetchall("PRAGMA synchronous = NORMAL")
    await connection.execute_fetchall("PRAGMA foreign_keys = ON")
    await connection.execute_fetchall("PRAGMA cache_size = -16384")  # KiB, for each connection


def chunks(values: Iterable[_Each]) -> Iterable[list[_Each]]:
    """The values in pieces that fit into the parameters of one statement."""
    rest = iter(values)
    while some := list(islice(rest, _PARAMETERS)):
        yield some


def storable(text: str) -> bool:
    """Whether a text can be in the database at all; PostgreSQL does not even take the question otherwise."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def is_away(error: BaseException) -> bool:
    """Whether an error of the records means that the database cannot be reached or used just now: try again later.

    True for refused and lost connections, time that ran out, a PostgreSQL that starts or stops, an SQLite file that is
    locked, unreadable or without room on its disk. False for what will fail the same way next time.
    """
    return any(_is_away(each) for each in _causes(error))


def _is_away(error: BaseException) -> bool:
    if isinstance(error, OSError | TimeoutError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and (state.startswith("08") or state in _POSTGRES_AWAY):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _SQLITE_AWAY


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what its driver said, and what that came from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = (found.orig if isinstance(found, DBAPIError) else None) or found.__cause__
