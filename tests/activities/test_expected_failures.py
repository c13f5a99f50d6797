"""What the log has of failures that are to be expected: few lines, no tracebacks."""

import logging
from dataclasses import replace
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.expected_failures import LOG_AGAIN, ExpectedFailures
from activities.failures import without_contents
from contracts import activities
from temporal.calls import NoAnswer


class Attempts(ActivityInboundInterceptor):
    """Attempts at activities under a clock, which fail with what is told."""

    def __init__(self) -> None:
        self.now = 0.0
        self._inbound = ExpectedFailures(lambda: self.now).intercept_activity(self)
        self._error: Exception | None = None

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if self._error is not None:
            raise self._error

    async def succeed(self, name: str = activities.SEND_MAIL) -> None:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, activity_type=name)
        await environment.run(self._inbound.execute_activity, None)

    async def fail(self, error: Exception, name: str = activities.SEND_MAIL) -> None:
        self._error = error
        with pytest.raises(type(error)):
            await self.succeed(name)
        self._error = None


def away(number: int = 1, kind: str = "MailServerUnavailable") -> ApplicationError:
    return ApplicationError(
        f"mail SP-{number}: the mail server is away",
        type=kind,
        category=ApplicationErrorCategory.BENIGN,
    )


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, int | None]]:
    """Level, text and number of attempts of what was logged since the last time."""
    found = [
        (each.levelname, each.getMessage().partition(" (")[0], getattr(each, "attempts", None))
        for each in caplog.records
    ]
    assert not any(each.exc_info for each in caplog.records)
    caplog.clear()
    return found


async def test_the_first_is_told_at_once_and_the_rest_every_few_minutes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    attempts = Attempts()
    for number in range(1, 101):
        await attempts.fail(away(number))
    text = "send_mail fails and is tried again, for example: mail SP-{}: the mail server is away"
    assert lines(caplog) == [("WARNING", text.format(1), 1)]
    attempts.now += LOG_AGAIN
    await attempts.fail(away(7))
    assert lines(caplog) == [("WARNING", text.format(7), 100)]


async def test_each_activity_and_each_reason_is_told(caplog: pytest.LogCaptureFixture) -> None:
    attempts = Attempts()
    for _ in range(2):
        await attempts.fail(away())
        await attempts.fail(away(kind="OperationalError"))
        await attempts.fail(away(), activities.SEND_SETTLEMENT_MAIL)
    assert len(lines(caplog)) == 3


async def test_that_it_is_over_is_told_once_and_coming_and_going_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    attempts = Attempts()
    await attempts.fail(away())
    await attempts.succeed(activities.REQUEST_SHIPPING)
    assert len(lines(caplog)) == 1
    await attempts.succeed()
    await attempts.succeed()
    assert lines(caplog) == [("INFO", "send_mail succeeds again", None)]
    for _ in range(10):
        await attempts.fail(away())
        await attempts.succeed()
    assert lines(caplog) == []


async def test_a_mistake_of_ours_is_left_to_the_sdk(caplog: pytest.LogCaptureFixture) -> None:
    """It logs each, with its traceback."""
    attempts = Attempts()
    await attempts.fail(ApplicationError("records of SP-1: KeyError", type="KeyError"))
    await attempts.fail(KeyError("SP-1"))
    assert lines(caplog) == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (httpx.ReadTimeout("quoted"), True),
        (NoAnswer(), True),
        (OSError(28, "No space left on device"), True),
        (KeyError("SP-1"), False),
        (AssertionError(), False),
        (RuntimeError(), False),
    ],
)
def test_who_is_away_is_expected_and_what_is_broken_is_not(
    error: Exception, expected: bool
) -> None:
    with pytest.raises(ApplicationError) as failure, without_contents("records of SP-1"):
        raise error
    assert (failure.value.category is ApplicationErrorCategory.BENIGN) == expected
    assert failure.value.message == f"records of SP-1: {type(error).__name__}"
