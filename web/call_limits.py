"""How many calls of the API a token may make in a minute, in each web process."""

import math
import time
from collections.abc import Callable

from settings import Settings
from use_cases.principal import Principal
from web.problems import Problem

_MOST_TOKENS = 10_000


class CallLimits:
    """A bucket for each token: it holds the calls of one minute, and fills evenly.

    The buckets are in the memory of one process: a write to the database for each call would cost more than the calls
    that it refuses. With N web processes a token may make up to N times as many calls.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._staff, self._partner = settings.calls_per_minute, settings.partner_calls_per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # calls left, at this time

    def count(self, principal: Principal) -> None:
        """Count a call. Raises `Problem`: 429 with `Retry-After`, if the token has made too many."""
        most = self._partner if principal.role == "partner" else self._staff
        if most == 0:
            return
        now = self._clock()
        left, at = self._buckets.pop(principal.login_id, (float(most), now))
        left = min(most, left + (now - at) * most / 60)
        if left < 1:
            self._buckets[principal.login_id] = left, now
            raise too_many(math.ceil((1 - left) * 60 / most))
        self._buckets[principal.login_id] = left - 1, now
        if len(self._buckets) > _MOST_TOKENS:  # the one that was used longest ago comes first
            del self._buckets[next(iter(self._buckets))]


def too_many(retry_after: int) -> Problem:
    """429: this token has to wait so many seconds."""
    return Problem(
        429,
        "Too many calls",
        "This token makes too many calls; Retry-After says in how many seconds it may go on.",
        headers={"Retry-After": str(retry_after)},
    )
