"""Logs failures that are to be expected in one line every few minutes, not each attempt with a traceback."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

SAY_AGAIN = 300.0  # seconds


@dataclass
class _Trouble:
    """Attempts of one activity that failed for one reason: when that was said last, whether a success has come since,
    and how many there were of which nothing was said."""

    said_at: float
    lasts: bool = True
    unsaid: int = 0


class ExpectedFailures(Interceptor):
    """Watches the activities of a worker for failures of the category `BENIGN`, which the SDK logs for debugging only.

    The first one of an activity and a type of failure is a warning at once. While more come, there is another one
    every `SAY_AGAIN` seconds, with how many there were. The activity's first success after a warning is noted, too.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._troubles: dict[tuple[str, str], _Trouble] = {}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Implements `Interceptor.intercept_activity`."""
        return _Inbound(next, self)

    def failed(self, name: str, error: ApplicationError) -> None:
        """An attempt at the activity `name` failed."""
        now, kind = self._clock(), error.type or ""
        known = self._troubles.get((name, kind))
        if known is not None and now - known.said_at < SAY_AGAIN:
            known.unsaid += 1
            return
        attempts = 1 + (known.unsaid if known is not None else 0)
        self._troubles[name, kind] = _Trouble(said_at=now)
        activity.logger.warning(
            "%s fails and is tried again, for example: %s",
            name,
            error.message,
            extra={"type": kind, "attempts": attempts},
        )

    def succeeded(self, name: str) -> None:
        """An attempt at the activity `name` did not fail."""
        for (failed, kind), trouble in self._troubles.items():
            if failed == name and trouble.lasts:
                trouble.lasts = False
                activity.logger.info("%s succeeds again", name, extra={"type": kind})


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, failures: ExpectedFailures) -> None:
        super().__init__(next)
        self._failures = failures

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        name = activity.info().activity_type
        try:
            result = await super().execute_activity(input)
        except ApplicationError as error:
            if error.category is ApplicationErrorCategory.BENIGN:
                self._failures.failed(name, error)
            raise
        self._failures.succeeded(name)
        return result
