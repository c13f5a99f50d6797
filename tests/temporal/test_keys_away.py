"""What the log has while the database with the orders' keys is away."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from contracts.keys import WrappedKey
from development.embedded import free_port
from records.data_keys import DataKeyRecords, DataKeysAway
from records.database import Database
from records.failures import is_away
from temporal.keys_away import LOG_AGAIN, KeysAwayFilter


@pytest_asyncio.fixture
async def keys() -> AsyncIterator[DataKeyRecords]:
    """Keys in a database that nobody serves."""
    database = Database(f"postgresql+asyncpg://cmi@127.0.0.1:{free_port()}/cmi")
    yield DataKeyRecords(database)
    await database.close()


async def failure(keys: DataKeyRecords) -> ApplicationError:
    """How the SDK fails an activity whose arguments it cannot decrypt."""
    try:
        try:
            await keys.get("SP-1")
        except DataKeysAway as error:
            raise ApplicationError("Failed decoding arguments") from error
    except ApplicationError as error:
        return error
    raise AssertionError


class Log:
    """A logger with the filter, under a clock; what it has logged, as level, text and attempts."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 0.0
        self._caplog = caplog
        self._filter = KeysAwayFilter(lambda: self.now)
        self._logger = logging.getLogger("tests.keys_away")

    def error(self, error: BaseException) -> list[tuple[str, str, int | None]]:
        """Log a failure as the SDK does, and return what came of it."""
        self._caplog.clear()
        with self._caplog.filtering(self._filter):
            self._logger.error("Completing activity as failed", exc_info=error)
        return [
            (each.levelname, each.getMessage(), getattr(each, "attempts", None))
            for each in self._caplog.records
        ]


async def test_it_is_a_warning_every_few_minutes_without_a_traceback(
    caplog: pytest.LogCaptureFixture, keys: DataKeyRecords
) -> None:
    log, error = Log(caplog), await failure(keys)
    text = (
        "tasks of orders fail and are tried again, for example: "
        "key of SP-1: the database is away (ConnectionRefusedError)"
    )
    assert log.error(error) == [("WARNING", text, 1)]
    assert caplog.records[0].exc_info is None
    for _ in range(20):
        assert log.error(error) == []
    log.now = LOG_AGAIN
    assert log.error(error) == [("WARNING", text, 21)]


async def test_at_the_level_debug_each_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture, keys: DataKeyRecords
) -> None:
    caplog.set_level(logging.DEBUG)
    log, error = Log(caplog), await failure(keys)
    log.error(error)
    assert log.error(error) == [("DEBUG", "Completing activity as failed", None)]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    "error", [KeyError("SP-1"), ConnectionRefusedError(), ApplicationError("Failed decoding")]
)
def test_another_failure_stays_an_error(caplog: pytest.LogCaptureFixture, error: Any) -> None:
    assert [level for level, _, _ in Log(caplog).error(error)] == ["ERROR"]


def test_a_failure_that_is_its_own_cause_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = RuntimeError("in a circle")
    error.__cause__ = error
    assert [level for level, _, _ in Log(caplog).error(error)] == ["ERROR"]


async def test_a_key_that_cannot_be_made_is_one_of_a_database_that_is_away(
    keys: DataKeyRecords,
) -> None:
    with pytest.raises(DataKeysAway) as caught:
        await keys.put("SP-1", WrappedKey("k", b""))
    assert is_away(caught.value)
