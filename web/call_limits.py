"""How many calls of the API a token may make in a minute, in each web process."""

import math
import time
from collections.abc import Callable

from settings import Settings
from use_cases.principal import Principal
from web.problems import Problem

_MOST_KEYS = 10_000


class Buckets:
    """A bucket for each key: it holds the calls of one minute, and fills evenly."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # calls left, at this time

    def wait(self, key: str, most: int) -> int:
        """In how many seconds the next call may come, of `most` in a minute. 0: now."""
        left, _ = self._state(key, most)
        return 0 if left >= 1 else math.ceil((1 - left) * 60 / most)

    def take(self, key: str, most: int) -> int:
        """Count a call if it may come now. Returns what `wait` did before."""
        left, now = self._state(key, most)
        seconds = self.wait(key, most)
        self._buckets.pop(key, None)
        self._buckets[key] = (left if seconds else left - 1), now
        if len(self._buckets) > _MOST_KEYS:  # the one that was used longest ago comes first
            del self._buckets[next(iter(self._buckets))]
        return seconds

    def _state(self, key: str, most: int) -> tuple[float, float]:
        now = self._clock()
        left, at = self._buckets.get(key, (float(most), now))
        return min(most, left + (now - at) * most / 60), now


class CallLimits:
    """The limit of each token.

    The buckets are in the memory of one process: a write to the database for each call would cost more than the calls
    that it refuses. With N web processes a token may make up to N times as many calls.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._staff, self._partner = settings.calls_per_minute, settings.partner_calls_per_minute
        self._buckets = Buckets(clock)

    def count(self, principal: Principal) -> None:
        """Count a call. Raises `Problem`: 429 with `Retry-After`, if the token has made too many."""
        most = self._partner if principal.role == "partner" else self._staff
        if most > 0 and (seconds := self._buckets.take(principal.login_id, most)):
            raise too_many(seconds)


def too_many(retry_after: int) -> Problem:
    """429: this token has to wait so many seconds."""
    return Problem(
        429,
        "Too many calls",
        "This token makes too many calls; Retry-After says in how many seconds it may go on.",
        headers={"Retry-After": str(retry_after)},
    )
