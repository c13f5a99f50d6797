"""The database behind the records: SQLite on one machine, PostgreSQL in production. Connections and transactions."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiosqlite
from sqlalchemy import Connection, Engine, create_engine, event, text
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

LIMIT_SECONDS = 5.0
"""How long a transaction may take, from asking for it to its end, unless its caller gives another limit.

On PostgreSQL that is the whole of it: connecting, waiting for locks, the statements, the commit. On SQLite it is the
whole of the waiting, for this process's other writers and for other processes; what comes after that waits for nobody,
and is not cut off.
"""
LONG_SECONDS = 60.0
"""The limit of the few transactions that write thousands of rows."""
CONNECT_SECONDS = 2.0
"""How much of that a connection to PostgreSQL may take, a check of a pooled one included."""
_READERS = 4
"""Threads of one process in which transactions read from SQLite."""

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

    `read` and `write` take a transaction as one ordinary function. On SQLite it runs as a whole in another thread;
    `reading` and `writing`, which let their caller await between statements, go there and back several times for each
    statement. So the former are for what is done often.

    Every transaction has a limit in seconds (`LIMIT_SECONDS` if none is given). When it is over they raise what
    `is_away` recognises.

    `url` names SQLAlchemy's async driver, as `Settings.database_url` does. Raises `ValueError` for another one, and for
    an SQLite database in memory: two transactions at a time could not be told apart there.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = new_engine(self.url)
        self._threads = _Threads(self.url) if self.is_sqlite else None
        # Within one process SQLite's writers queue up here; SQLite itself would let them try again and again. Who is in
        # the line waits for the turn alone, so that a writer that comes `first` waits for the one at work, not for the
        # line.
        self._line = asyncio.Lock()
        self._turn = asyncio.Lock()

    async def read(
        self,
        work: Callable[[Connection], _Result],
        *,
        at_one_moment: bool = False,
        limit: float | None = None,
    ) -> _Result:
        """What `work` returns, called with a connection in a transaction that only reads, as by `reading`.

        On SQLite it runs in another thread, so it must touch nothing that the event loop's thread changes.
        """
        if self._threads is not None:
            return await self._threads.read(work, _until(limit))
        async with self.reading(at_one_moment=at_one_moment, limit=limit) as connection:
            return await connection.run_sync(work)

    async def write(
        self,
        work: Callable[[Connection], _Result],
        *,
        limit: float | None = None,
        first: bool = False,
    ) -> _Result:
        """The same in a transaction that writes: committed at the end, rolled back if anything is raised.

        Once begun it comes to its end, also if the caller gives up waiting. `first`: before the other writers of this
        process that wait on SQLite.
        """
        if self._threads is not None:
            deadline = _until(limit)
            async with self._in_turn(deadline, first):
                return await self._threads.write(work, deadline)
        return await self._write_in_loop(work, limit)

    @to_the_end
    async def _write_in_loop(
        self, work: Callable[[Connection], _Result], limit: float | None
    ) -> _Result:
        async with self.writing(limit=limit) as connection:
            return await connection.run_sync(work)

    @asynccontextmanager
    async def reading(
        self, *, at_one_moment: bool = False, limit: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads; `at_one_moment`: no statement of it sees more than the first one."""
        async with self._transaction(_until(limit), writing=False) as connection:
            if at_one_moment and not self.is_sqlite:
                await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            yield connection

    @asynccontextmanager
    async def writing(self, *, limit: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end, rolled back if anything is raised."""
        deadline = _until(limit)
        async with AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._in_turn(deadline))
            yield await stack.enter_async_context(self._transaction(deadline, writing=True))

    @asynccontextmanager
    async def _in_turn(self, deadline: float, first: bool = False) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(_left(deadline)):
                if not first:
                    await stack.enter_async_context(self._line)
                await stack.enter_async_context(self._turn)
            yield

    @asynccontextmanager
    async def _transaction(
        self, deadline: float, *, writing: bool
    ) -> AsyncIterator[AsyncConnection]:
        # Never cut off inside SQLite's driver: a transaction may stay open there (see `to_the_end`). It keeps to the
        # deadline by itself.
        bounded = not self.is_sqlite
        loop = asyncio.get_running_loop()
        ends = loop.time() + _left(deadline)
        connected = min(ends, loop.time() + CONNECT_SECONDS)
        token = _deadline.set(deadline)
        try:
            async with asyncio.timeout_at(connected if bounded else None) as patience:
                async with self.engine.connect() as connection:
                    if bounded:
                        patience.reschedule(ends)
                    await connection.execution_options(**{_WRITING: writing})
                    async with connection.begin():
                        yield connection
        finally:
            _deadline.reset(token)

    async def ping(self) -> None:
        """Ask the database for an answer. Raises what `is_away` recognises if there is none."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()
        if self._threads is not None:
            await self._threads.close()


class _Threads:
    """Threads in which whole transactions on SQLite run: one that writes, a few that read."""

    def __init__(self, url: URL) -> None:
        self._engine = _sqlite_engine_of_threads(url)
        self._writer = ThreadPoolExecutor(1, "cmi-writer")
        self._readers = ThreadPoolExecutor(_READERS, "cmi-reader")

    async def read(self, work: Callable[[Connection], _Result], deadline: float) -> _Result:
        job = self._readers.submit(self._transact, work, deadline, False)
        result = asyncio.wrap_future(job)
        try:
            async with asyncio.timeout(_left(deadline)):
                return await asyncio.shield(result)
        except TimeoutError:
            if job.cancel():  # no thread was free in time
                raise
            return await result

    async def write(self, work: Callable[[Connection], _Result], deadline: float) -> _Result:
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._writer, self._transact, work, deadline, True)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            # The turn ends when the transaction does, whoever has given up waiting.
            await asyncio.wait([done])
            if done.exception() is not None:
                logger.warning("given up and failed", extra={"cause": repr(done.exception())})
            raise

    def _transact(
        self, work: Callable[[Connection], _Result], deadline: float, writing: bool
    ) -> _Result:
        if not _left(deadline):
            raise TimeoutError("no thread was free")
        _deadline.set(deadline)  # for this thread
        with self._engine.connect() as connection:
            connection.execution_options(**{_WRITING: writing})
            with connection.begin():
                return work(connection)

    async def close(self) -> None:
        """Wait for what is under way, and close the connections."""
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown)
        self._engine.dispose()


_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""By when (`time.monotonic`) the transaction that is begun must have stopped waiting."""


def _until(limit: float | None) -> float:
    return time.monotonic() + (LIMIT_SECONDS if limit is None else limit)


def _left(deadline: float | None) -> float:
    """The seconds until then, 0 if it is over."""
    return LIMIT_SECONDS if deadline is None else max(deadline - time.monotonic(), 0)


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
    _check_file(url)
    engine = create_async_engine(
        url,
        **_SQLITE_OPTIONS,
        **({"pool_timeout": LIMIT_SECONDS} if pooled else {"poolclass": NullPool}),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        connection.run_async(_prepare_in_loop)

    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _sqlite_engine_of_threads(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), pool_timeout=LIMIT_SECONDS, **_SQLITE_OPTIONS
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        _prepare_in_thread(connection)

    event.listen(engine, "begin", _begin_sqlite)
    return engine


_SQLITE_OPTIONS: dict[str, Any] = {
    "hide_parameters": True,
    # No transactions by Python's driver: it begins them late, and so has to upgrade locks; see _begin_sqlite.
    "connect_args": {"timeout": 0, "isolation_level": None},
}


def _check_file(url: URL) -> None:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("expected the path of a file after sqlite+aiosqlite:///")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes then may find that another wrote meanwhile, and no waiting helps. So
    # whoever means to write says so at once, and waits here for writers of other processes, nowhere later.
    writing = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_left(_deadline.get()) * 1000:.0f}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


# With WAL, readers and the writer do not wait for each other. A power cut may lose the last commits, but the file stays
# whole (docs/traps.md, "Costs").
_WAL = "PRAGMA journal_mode = WAL"
_PRAGMAS = (
    f"PRAGMA busy_timeout = {LIMIT_SECONDS * 1000:.0f}",  # until a transaction sets its own
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16384",  # KiB, for each connection
)
# Two processes that make the same new file do not wait for each other when they set WAL, in spite of the timeout.
_WAL_AGAIN = 0.02


async def _prepare_in_loop(connection: aiosqlite.Connection) -> None:
    deadline = _deadline.get() or _until(None)
    while True:
        try:
            await connection.execute_fetchall(_WAL)
            break
        except aiosqlite.OperationalError:
            if not _left(deadline):
                raise
            await asyncio.sleep(_WAL_AGAIN)
    for pragma in _PRAGMAS:
        await connection.execute_fetchall(pragma)


def _prepare_in_thread(connection: sqlite3.Connection) -> None:
    deadline = _deadline.get() or _until(None)
    while True:
        try:
            connection.execute(_WAL).fetchall()
            break
        except sqlite3.OperationalError:
            if not _left(deadline):
                raise
            time.sleep(_WAL_AGAIN)
    for pragma in _PRAGMAS:
        connection.execute(pragma).fetchall()


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
