"""Connections and transactions: many writers, other processes, and a database that is away."""

import asyncio
import inspect
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from contracts.activities import Snapshot
from records.database import Database
from records.failures import causes, is_away
from records.limits import CONNECT_SECONDS, LIMIT_SECONDS
from records.orders import Orders
from tests.support.builders import lived
from tests.support.processes import run_python


async def _count_up(database: Database, times: int) -> None:
    for _ in range(times):
        async with database.writing() as connection:
            n = (await connection.execute(text("SELECT n FROM counter"))).scalar_one()
            await connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})


async def test_a_transaction_is_whole_or_nothing(database: Database) -> None:
    insert = text(
        "INSERT INTO mails VALUES ('k', '', '', '', '', '', '', 1, '2026-10-05T00:00:00.000000Z', null, null, null)"
    )

    async def fail_afterwards() -> None:
        async with database.writing() as connection:
            await connection.execute(insert)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_afterwards()
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM mails"))).scalar_one() == 0
    await database.ping()


async def test_a_broken_rule_is_not_away_and_shows_no_values(database: Database) -> None:
    insert = text(
        "INSERT INTO documents (sp_id, document, pinned) VALUES ('nobody', :document, '')"
    )

    async def break_it() -> None:
        async with database.writing() as connection:
            await connection.execute(insert, {"document": "Regula Müller"})

    with pytest.raises(IntegrityError) as caught:
        await break_it()
    assert not is_away(caught.value)
    assert "Regula" not in str(caught.value)


def test_an_error_that_is_its_own_cause_is_not_away() -> None:
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__cause__, second.__cause__ = second, first
    assert not is_away(first)
    assert list(causes(first)) == [first, second]


def test_an_error_while_another_one_was_handled_is_not_away() -> None:
    mistake = ValueError("a mistake in the handler")
    mistake.__context__ = TimeoutError()
    assert not is_away(mistake)
    mistake.__cause__ = mistake.__context__
    assert is_away(mistake)


async def test_a_transaction_as_a_function_is_whole_or_nothing(owned_database: Database) -> None:
    database = owned_database

    def put(connection: Connection, *, fails: bool = False) -> int:
        connection.execute(text("INSERT INTO orders_twice VALUES (1)"))
        if fails:
            raise RuntimeError
        return number(connection)

    def number(connection: Connection) -> int:
        found = connection.execute(text("SELECT count(*) FROM orders_twice")).scalar_one()
        assert isinstance(found, int)
        return found

    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE orders_twice (n INTEGER)"))
    with pytest.raises(RuntimeError):
        await database.write(lambda connection: put(connection, fails=True))
    assert await database.read(number) == 0
    assert await database.write(put) == 1
    assert await database.read(number) == 1


async def test_a_function_that_its_caller_gives_up_comes_to_its_end(
    owned_database: Database,
) -> None:
    database = owned_database
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE counter (n INTEGER)"))
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def slowly(connection: Connection) -> None:
        connection.execute(text("INSERT INTO counter VALUES (1)"))
        loop.call_soon_threadsafe(begun.set)
        if database.is_sqlite:
            assert go_on.wait(5)

    task = asyncio.create_task(database.write(slowly))
    await begun.wait()
    task.cancel()
    waiting = asyncio.create_task(database.write(slowly))
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await waiting
    async with database.reading() as connection:
        found = await connection.execute(text("SELECT count(*) FROM counter"))
        assert found.scalar_one() == 2


@pytest.mark.parametrize(
    "url",
    ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "mysql+asyncmy://h/d", "sqlite:///x"],
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Database(url)


# --- SQLite ------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cmi.db"


@asynccontextmanager
async def _sqlite(file: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{file}")
    yield database
    await database.close()


async def test_sqlite_is_set_up_as_it_should_be(file: Path) -> None:
    async with _sqlite(file) as database, database.reading() as connection:
        for pragma, wanted in (
            ("journal_mode", "wal"),
            ("synchronous", 1),
            ("foreign_keys", 1),
        ):
            assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one() == wanted


async def test_a_reader_waits_for_its_own_limit(file: Path) -> None:
    """Also after a writer on the same connection that had less time left."""
    async with _sqlite(file) as database:
        await database.write(lambda connection: connection.execute(text("SELECT 1")), limit=0.5)
        waits = await database.read(
            lambda connection: connection.execute(text("PRAGMA busy_timeout")).scalar_one()
        )
        assert 4000 < waits <= 5000


async def test_no_increment_is_lost_between_processes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read, then write: the case in which late locks fail with "database is locked" at once."""
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 100.0)  # a busy machine is no failure
    code = (
        "import asyncio, sys\n"
        "from sqlalchemy import text\n"
        "from records import limits\n"
        "from records.database import Database\n"
        "limits.LIMIT_SECONDS = 100.0\n"
        f"{inspect.getsource(_count_up)}\n"
        "async def main():\n"
        "    database = Database(sys.argv[1])\n"
        "    await asyncio.gather(*(_count_up(database, 20) for _ in range(5)))\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    async with _sqlite(file) as database:
        async with database.writing() as connection:
            await connection.execute(text("CREATE TABLE counter (n INTEGER)"))
            await connection.execute(text("INSERT INTO counter VALUES (0)"))
        command = ["-c", code, f"sqlite+aiosqlite:///{file}"]
        _, *others = await asyncio.gather(
            asyncio.gather(*(_count_up(database, 20) for _ in range(5))),
            *(run_python(command, dict(os.environ)) for _ in range(2)),
        )
        for done in others:
            assert done.returncode == 0, done.stderr
        async with database.reading() as connection:
            assert (await connection.execute(text("SELECT n FROM counter"))).scalar_one() == 300


async def test_a_reader_sees_one_moment_and_does_not_wait_for_writers(file: Path) -> None:
    async with _sqlite(file) as database:
        async with database.writing() as connection:
            await connection.execute(text("CREATE TABLE counter (n INTEGER)"))
            await connection.execute(text("INSERT INTO counter VALUES (0)"))
        async with database.reading() as reader:
            assert (await reader.execute(text("SELECT n FROM counter"))).scalar_one() == 0
            await asyncio.wait_for(_count_up(database, 1), 2)
            assert (await reader.execute(text("SELECT n FROM counter"))).scalar_one() == 0
        async with database.writing() as writer:
            await writer.execute(text("UPDATE counter SET n = 7"))
            async with asyncio.timeout(2), database.reading() as reader:
                assert (await reader.execute(text("SELECT n FROM counter"))).scalar_one() == 1


async def test_a_file_that_is_locked_too_long_is_away(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 0.2)
    async with _sqlite(file) as database:
        await database.ping()
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DBAPIError, match="locked") as caught:
            async with database.writing():
                pytest.fail("there was no lock")
        assert is_away(caught.value)
        await database.ping()  # readers go on
        other.execute("ROLLBACK")
        other.close()
        async with database.writing():
            pass


async def test_all_writers_of_a_locked_file_end_with_the_limit(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait in turn, but not each for as long as all before it."""
    async with _sqlite(file) as database:
        async with database.writing() as connection:
            await connection.execute(text("CREATE TABLE counter (n INTEGER)"))
            await connection.execute(text("INSERT INTO counter VALUES (0)"))
        monkeypatch.setattr("records.limits.LIMIT_SECONDS", 1.0)

        async def as_function() -> None:
            await database.write(lambda c: c.execute(text("UPDATE counter SET n = n + 1")))

        with _locked(file):
            begun = time.monotonic()
            writers = (work() for work in (lambda: _count_up(database, 1), as_function) * 4)
            errors = await asyncio.gather(*writers, return_exceptions=True)
            assert all(isinstance(error, BaseException) and is_away(error) for error in errors)
            assert time.monotonic() - begun < 2
            assert await database.read(_count) == 0  # readers go on
        await asyncio.gather(_count_up(database, 1), as_function())
        assert await database.read(_count) == 2


async def test_a_file_that_is_locked_when_it_is_opened(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _sqlite(file) as database:
        await database.ping()
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 0.5)
    # Exclusive as a whole, so that nobody even reads.
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("CREATE TABLE mine (n INTEGER)")
    async with _sqlite(file) as database:
        begun = time.monotonic()
        calls = (database.ping(), database.read(_count), database.write(_count))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, BaseException) and is_away(error) for error in errors)
        assert time.monotonic() - begun < 2
        other.close()
        await database.ping()


async def test_who_comes_first_waits_for_the_one_at_work_alone(file: Path) -> None:
    async with _sqlite(file) as database:
        done: list[str] = []

        async def write(name: str, *, first: bool = False) -> None:
            await database.write(lambda _: done.append(name), first=first)

        async with asyncio.TaskGroup() as group, database.writing():
            for number in range(3):
                group.create_task(write(f"other {number}"))
            await asyncio.sleep(0)
            group.create_task(write("first", first=True))
            await asyncio.sleep(0)
        assert done == ["first", "other 0", "other 1", "other 2"]


async def test_who_waits_in_the_line_too_long_leaves_it_to_the_others(
    file: Path,
) -> None:
    async with _sqlite(file) as database:
        async with database.writing():
            with pytest.raises(TimeoutError):
                await database.write(_count, limit=0.05)
            with pytest.raises(TimeoutError):
                await database.write(_count, limit=0.05, first=True)
        await database.write(lambda connection: connection.execute(text("SELECT 1")), limit=1)


def _count(connection: Connection) -> int:
    found = connection.execute(text("SELECT n FROM counter")).scalar_one()
    assert isinstance(found, int)
    return found


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Another process writes to the file meanwhile."""
    code = (
        "import sqlite3, sys\n"
        "held = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "held.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            other.communicate()


async def test_a_file_that_cannot_be_opened_is_away(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    async with _sqlite(tmp_path) as database:  # a folder
        with pytest.raises(DBAPIError) as caught:
            await database.ping()
    assert is_away(caught.value)
    # aiosqlite's thread of a connection that was not made still wants to tell the loop that it ends
    for thread in set(threading.enumerate()) - others:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 10)


# --- PostgreSQL --------------------------------------------------------------------------------------------------


class Wire:
    """A connection to PostgreSQL that can be cut (`refuse`) or freeze without a word (`frozen`)."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def refuse(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        await self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._flowing.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


@pytest.fixture
async def wire(postgres_url: str) -> AsyncIterator[Wire]:
    target = make_url(postgres_url)
    wire = Wire(target.host or "127.0.0.1", target.port or 5432)
    await wire.open()
    yield wire
    await wire.close()


@pytest.fixture
async def remote(postgres_url: str, wire: Wire) -> AsyncIterator[Database]:
    url = make_url(postgres_url).set(host="127.0.0.1", port=wire.port)
    database = Database(url.render_as_string(hide_password=False))
    yield database
    wire.thaw()
    await database.close()


async def _expect_away(database: Database, seconds: float) -> None:
    begun = time.monotonic()
    (error,) = await asyncio.gather(database.ping(), return_exceptions=True)
    assert error is not None
    assert is_away(error), repr(error)
    assert time.monotonic() - begun < seconds


async def test_a_server_that_went_away_and_came_back(remote: Database, wire: Wire) -> None:
    await remote.ping()
    await wire.refuse()
    await _expect_away(remote, 2)
    await wire.open()
    await remote.ping()


async def test_a_server_that_says_nothing_is_away(remote: Database, wire: Wire) -> None:
    wire.freeze()
    await _expect_away(remote, CONNECT_SECONDS + 3)
    wire.thaw()
    await remote.ping()


async def test_pooled_connections_to_a_server_that_fell_silent(
    remote: Database, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.gather(*(remote.ping() for _ in range(5)))
    wire.freeze()
    with monkeypatch.context() as patch:
        patch.setattr("records.limits.LIMIT_SECONDS", 1.0)
        # they were used a moment ago, so they are not checked before
        await asyncio.gather(*(_expect_away(remote, 1 + 5) for _ in range(5)))
    wire.thaw()
    await remote.ping()


async def test_a_server_that_falls_silent_in_a_transaction(
    remote: Database, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 1.0)
    assert LIMIT_SECONDS > 1
    begun = time.monotonic()

    async def freeze_in_between() -> None:
        async with remote.writing() as connection:
            await connection.execute(text("SELECT 1"))
            wire.freeze()
            await connection.execute(text("SELECT 2"))

    with pytest.raises(TimeoutError) as caught:
        await freeze_in_between()
    assert is_away(caught.value)
    assert time.monotonic() - begun < 7
    wire.thaw()
    await remote.ping()


async def test_a_lock_that_is_held_too_long_is_away(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres_url)
    async with database.writing() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS counter"))
        await connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        await connection.execute(text("INSERT INTO counter VALUES (0)"))
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 1.0)

    def up(connection: Connection) -> None:
        connection.execute(text("UPDATE counter SET n = n + 1"))

    async with database.writing(limit=20) as holder:
        await holder.execute(text("LOCK TABLE counter IN ACCESS EXCLUSIVE MODE"))
        begun = time.monotonic()
        calls = (_count_up(database, 1), database.write(up), database.read(_count))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, BaseException) and is_away(error) for error in errors)
        assert time.monotonic() - begun < 2
    await database.write(up)
    assert await database.read(_count) == 1
    await database.close()


async def test_a_transaction_may_be_given_more_time(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 0.5)
    database = Database(postgres_url)

    def slowly(connection: Connection) -> None:
        connection.execute(text("SELECT pg_sleep(1)"))

    with pytest.raises(TimeoutError):
        await database.write(slowly)
    await database.write(slowly, limit=10)
    await database.close()


async def test_a_connection_that_the_server_ended_is_away(remote: Database) -> None:
    async def end_me() -> None:
        async with remote.reading() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DBAPIError) as caught:
        await end_me()
    assert is_away(caught.value)
    await remote.ping()


async def test_a_write_that_is_given_up_leaves_no_lock(database: Database) -> None:
    """A local activity that takes too long is cut off in the middle of its transaction."""
    orders = Orders(database)
    for number in range(60):
        order, events = lived(sp_id=f"SP-{number}")
        task = asyncio.create_task(orders.save(Snapshot(order=order, events=events)))
        await asyncio.sleep(number % 12 / 2000)
        task.cancel()
        await asyncio.wait([task])
        order, events = lived(sp_id=f"SP-after-{number}")
        async with asyncio.timeout(2):
            await orders.save(Snapshot(order=order, events=events))
