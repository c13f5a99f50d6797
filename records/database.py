"""The database behind the records: SQLite on one machine, PostgreSQL in production. Connections and transactions."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from functools import wraps
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from records import limits
from records.engines import WRITING, new_engine, sqlite_engine_of_threads
from settings.database import CONNECTIONS, Connections

logger = logging.getLogger("cmi.records")

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Each = TypeVar("_Each")
_PARAMETERS = 1000  # of one statement; SQLite takes 32766

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_READERS = 4
"""Threads of one process in which transactions read from SQLite."""


def to_the_end(
    work: Callable[_Arguments, Coroutine[Any, Any, _Result]],
) -> Callable[_Arguments, Coroutine[Any, Any, _Result]]:
    """Run a write to its end even if its caller is cancelled; the caller is cancelled afterwards.

    A transaction that is cancelled inside SQLite's driver may stay open and keep the lock that all others wait for.
    """

    @wraps(work)
    async def whole(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        task = asyncio.ensure_future(work(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is not None:
                logger.warning(
                    "write failed after its caller was cancelled",
                    extra={"cause": repr(task.exception())},
                )
            raise

    return whole


class Database:
    """The database of the records, with a pool of connections. Each process and event loop has one.

    `read` and `write` take a transaction as one ordinary function. On SQLite it runs as a whole in another thread;
    `reading` and `writing` let their caller await between statements, but switch threads several times for each
    statement. So frequent transactions use `read` and `write`.

    Every transaction has a limit in seconds (`limits.LIMIT_SECONDS` if none is given). After that it raises an error
    for which `is_away` is true.

    `connections`: how many, and their limits, on PostgreSQL.

    `url` names SQLAlchemy's async driver, as `Settings.database_url` does. Raises `ValueError` for another one, and for
    an SQLite database in memory, whose connections cannot have separate transactions.
    """

    def __init__(self, url: str, connections: Connections = CONNECTIONS) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = new_engine(self.url, connections)
        self._threads = _Threads(self.url) if self.is_sqlite else None
        # Within one process SQLite's writers queue up here, because SQLite itself would make them poll. A writer in
        # the queue does not hold the turn yet, so a writer with `first` waits only for the running one.
        self._queue = asyncio.Lock()
        self._turn = asyncio.Lock()

    async def read(
        self,
        work: Callable[[Connection], _Result],
        *,
        at_one_moment: bool = False,
        limit: float | None = None,
    ) -> _Result:
        """Call `work` with a connection in a read-only transaction, and return its result.

        `at_one_moment` is as in `reading`.
        On SQLite it runs in another thread, so it must touch nothing that the event loop's thread changes.
        """
        if self._threads is not None:
            return await self._threads.read(work, limits.until(limit))
        async with self.reading(at_one_moment=at_one_moment, limit=limit) as connection:
            return await connection.run_sync(work)

    async def write(
        self,
        work: Callable[[Connection], _Result],
        *,
        limit: float | None = None,
        first: bool = False,
    ) -> _Result:
        """Like `read`, in a transaction that writes: committed at the end, rolled back if anything is raised.

        Once started it runs to its end, even if the caller is cancelled. `first`: on SQLite it runs before the other
        waiting writers of this process.
        """
        if self._threads is not None:
            deadline = limits.until(limit)
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
        """A read-only transaction. `at_one_moment`: all its statements see the same state of the database."""
        async with self._transaction(limits.until(limit), writing=False) as connection:
            if at_one_moment and not self.is_sqlite:
                await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            yield connection

    @asynccontextmanager
    async def writing(self, *, limit: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end, rolled back if anything is raised."""
        deadline = limits.until(limit)
        async with AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._in_turn(deadline))
            yield await stack.enter_async_context(self._transaction(deadline, writing=True))

    @asynccontextmanager
    async def _in_turn(self, deadline: float, first: bool = False) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(limits.left(deadline)):
                if not first:
                    await stack.enter_async_context(self._queue)
                await stack.enter_async_context(self._turn)
            yield

    @asynccontextmanager
    async def _transaction(
        self, deadline: float, *, writing: bool
    ) -> AsyncIterator[AsyncConnection]:
        # Never cancel inside SQLite's driver: a transaction may stay open there (see `to_the_end`). The driver keeps to
        # the deadline itself.
        bounded = not self.is_sqlite
        loop = asyncio.get_running_loop()
        ends = loop.time() + limits.left(deadline)
        connected = min(ends, loop.time() + limits.CONNECT_SECONDS)
        token = limits.deadline.set(deadline)
        try:
            async with asyncio.timeout_at(connected if bounded else None) as patience:
                async with self.engine.connect() as connection:
                    if bounded:
                        patience.reschedule(ends)
                    await connection.execution_options(**{WRITING: writing})
                    async with connection.begin():
                        yield connection
        finally:
            limits.deadline.reset(token)

    async def ping(self) -> None:
        """Check that the database answers. Raises an error for which `is_away` is true if it does not."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
        if self._threads is not None:
            await self._threads.close()


class _Threads:
    """Threads that run whole transactions on SQLite: one writes, a few read."""

    def __init__(self, url: URL) -> None:
        self._engine = sqlite_engine_of_threads(url)
        self._writer = ThreadPoolExecutor(1, "cmi-writer")
        self._readers = ThreadPoolExecutor(_READERS, "cmi-reader")

    async def read(self, work: Callable[[Connection], _Result], deadline: float) -> _Result:
        # In the caller's context, which has its trace.
        job = self._readers.submit(copy_context().run, self._transact, work, deadline, False)
        result = asyncio.wrap_future(job)
        try:
            async with asyncio.timeout(limits.left(deadline)):
                return await asyncio.shield(result)
        except TimeoutError:
            if job.cancel():  # no thread was free in time
                raise
            return await result

    async def write(self, work: Callable[[Connection], _Result], deadline: float) -> _Result:
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(
            self._writer, copy_context().run, self._transact, work, deadline, True
        )
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            # The turn ends when the transaction does, even if its caller no longer waits.
            await asyncio.wait([done])
            if done.exception() is not None:
                logger.warning(
                    "write failed after its caller stopped waiting",
                    extra={"cause": repr(done.exception())},
                )
            raise

    def _transact(
        self, work: Callable[[Connection], _Result], deadline: float, writing: bool
    ) -> _Result:
        if not limits.left(deadline):
            raise TimeoutError("no thread was free")
        limits.deadline.set(deadline)  # for this thread
        with self._engine.connect() as connection:
            connection.execution_options(**{WRITING: writing})
            with connection.begin():
                return work(connection)

    async def close(self) -> None:
        """Wait for running transactions, and close the connections."""
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown)
        self._engine.dispose()


def chunks(values: Iterable[_Each]) -> Iterable[list[_Each]]:
    """The values in lists that are short enough for the parameters of one statement."""
    rest = iter(values)
    while some := list(islice(rest, _PARAMETERS)):
        yield some


def storable(text: str) -> bool:
    """Whether a text can be stored. PostgreSQL refuses any other even as a parameter of a query."""
    return _UNSTORABLE.search(text) is None
