"""Logs expected failures with one line every few minutes, instead of a traceback for each attempt."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

LOG_AGAIN = 300.0  # seconds


@dataclass
class _Failing:
    """An activity that fails for one reason.

    `logged_at`: when that was last logged. `lasts`: whether it still fails. `unlogged`: how many attempts have failed
    since then.
    """

    logged_at: float
    lasts: bool = True
    unlogged: int = 0


class ExpectedFailures(Interceptor):
    """Logs failures of the category `BENIGN`, which the SDK logs only at the level debug.

    The first failure of an activity and a type is logged as a warning at once. While more follow, there is another
    warning every `LOG_AGAIN` seconds, with their number. The activity's first success after a warning is logged, too.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing: dict[tuple[str, str], _Failing] = {}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Implements `Interceptor.intercept_activity`."""
        return _Inbound(next, self)

    def failed(self, name: str, error: ApplicationError) -> None:
        """Count a failed attempt at the activity `name`, and log it if it is due."""
        now, kind = self._clock(), error.type or ""
        known = self._failing.get((name, kind))
        if known is not None and now - known.logged_at < LOG_AGAIN:
            known.unlogged += 1
            return
        attempts = 1 + (known.unlogged if known is not None else 0)
        self._failing[name, kind] = _Failing(logged_at=now)
        activity.logger.warning(
            "%s fails and is tried again, for example: %s",
            name,
            error.message,
            extra={"type": kind, "attempts": attempts},
        )

    def succeeded(self, name: str) -> None:
        """Log that the activity `name` succeeds again, if it failed before."""
        for (failed, kind), failing in self._failing.items():
            if failed == name and failing.lasts:
                failing.lasts = False
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
