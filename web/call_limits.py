"""Limits the API calls of each token in a minute, counted over all web processes."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from records.failures import is_away
from records.token_calls import TokenCalls
from settings import Settings
from use_cases.principal import Principal
from web.problems import Problem

logger = logging.getLogger("cmi.web")

_MOST_KEYS = 10_000
SHARED_EVERY = 1.0
"""Seconds between two exchanges with the other processes."""
_KNOWN_FOR = 10.0
"""Calls in other processes do not count if the last exchange is this many seconds ago: the bucket has filled since."""
_KEPT_FOR = timedelta(days=1)


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

    def drain(self, key: str, calls: int) -> None:
        """Count calls that were made elsewhere, if the bucket of this key is known."""
        if key in self._buckets:
            left, at = self._buckets[key]
            self._buckets[key] = left - calls, at

    def _state(self, key: str, most: int) -> tuple[float, float]:
        now = self._clock()
        left, at = self._buckets.get(key, (float(most), now))
        return min(most, left + (now - at) * most / 60), now


class _Seen(NamedTuple):
    calls: int
    at: float


class CallLimits:
    """The limit of each token.

    The buckets are in memory, since a write to the database for each call would cost more than the calls that it
    refuses. The processes exchange their counts by the database once a second (`keep_sharing`). So a token may exceed
    its limit by the calls that the other processes take from it in a second.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._staff, self._partner = settings.calls_per_minute, settings.partner_calls_per_minute
        self._buckets = Buckets(clock)
        self._clock = clock
        self._mine: Counter[str] = Counter()  # since the last exchange
        self._seen: dict[str, _Seen] = {}  # calls in all processes, at the last exchange

    def count(self, principal: Principal) -> None:
        """Count a call. Raises `Problem`: 429 with `Retry-After`, if the token has made too many."""
        most = self._partner if principal.role == "partner" else self._staff
        if most == 0:
            return
        if seconds := self._buckets.take(principal.login_id, most):
            raise too_many(seconds)
        self._mine[principal.login_id] += 1

    async def keep_sharing(self, records: TokenCalls) -> None:
        """Exchange counts with the other processes until cancelled. While the database is away each counts its own."""
        tidy_at = self._clock() + _KEPT_FOR.total_seconds()
        while True:
            await asyncio.sleep(SHARED_EVERY)
            try:
                await self.share(records)
                if self._clock() >= tidy_at:
                    tidy_at = self._clock() + _KEPT_FOR.total_seconds()
                    await records.delete_older_than(datetime.now(UTC) - _KEPT_FOR)
            except Exception as error:
                if not is_away(error):
                    raise
                logger.warning("calls were not shared: %s", type(error).__name__)

    async def share(self, records: TokenCalls) -> None:
        """Report the calls of this process, and count those of the others."""
        mine, self._mine = self._mine, Counter()
        if not mine:
            return
        totals = await records.add(mine, datetime.now(UTC))
        now = self._clock()
        for login_id, total in totals.items():
            seen = self._seen.get(login_id)
            if seen is not None and now - seen.at <= _KNOWN_FOR:
                others = total - seen.calls - mine[login_id]
                self._buckets.drain(login_id, max(others, 0))
        known = {each: seen for each, seen in self._seen.items() if now - seen.at <= _KNOWN_FOR}
        self._seen = known | {each: _Seen(total, now) for each, total in totals.items()}


def too_many(retry_after: int) -> Problem:
    """429: this token has to wait `retry_after` seconds."""
    return Problem(
        429,
        "Too many calls",
        "This token makes too many calls; Retry-After says in how many seconds it may go on.",
        headers={"Retry-After": str(retry_after)},
    )
