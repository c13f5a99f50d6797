"""How many calls of the API a token may make in a minute, of all web processes together."""

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

_MOST_TOKENS = 10_000
SHARED_EVERY = 1.0
"""Seconds between two exchanges with the other processes."""
_KNOWN_FOR = 10.0
"""Seconds after which the calls in other processes since the last exchange are not counted: that much has filled."""
_KEPT_FOR = timedelta(days=1)


class _Seen(NamedTuple):
    calls: int
    at: float


class CallLimits:
    """A bucket for each token: it holds the calls of one minute, and fills evenly.

    The buckets are in memory, since a write to the database for each call would cost more than the calls that it
    refuses. The processes tell each other their calls by the database once a second (`keep_sharing`). So a token may
    make as many calls more as the other processes take from it in a second.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._staff, self._partner = settings.calls_per_minute, settings.partner_calls_per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # calls left, at this time
        self._mine: Counter[str] = Counter()  # since the last exchange
        self._seen: dict[str, _Seen] = {}  # calls in all processes, at the last exchange

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
        self._mine[principal.login_id] += 1
        if len(self._buckets) > _MOST_TOKENS:  # the one that was used longest ago comes first
            del self._buckets[next(iter(self._buckets))]

    async def keep_sharing(self, records: TokenCalls) -> None:
        """Exchange the calls with the other processes until cancelled. Without the database each counts its own."""
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
        """Tell the calls of this process, and count those of the others."""
        mine, self._mine = self._mine, Counter()
        if not mine:
            return
        totals = await records.add(mine, datetime.now(UTC))
        now = self._clock()
        for login_id, total in totals.items():
            seen = self._seen.get(login_id)
            if seen is not None and now - seen.at <= _KNOWN_FOR and login_id in self._buckets:
                others = total - seen.calls - mine[login_id]
                left, at = self._buckets[login_id]
                self._buckets[login_id] = left - max(others, 0), at
        known = {each: seen for each, seen in self._seen.items() if now - seen.at <= _KNOWN_FOR}
        self._seen = known | {each: _Seen(total, now) for each, total in totals.items()}


def too_many(retry_after: int) -> Problem:
    """429: this token has to wait so many seconds."""
    return Problem(
        429,
        "Too many calls",
        "This token makes too many calls; Retry-After says in how many seconds it may go on.",
        headers={"Retry-After": str(retry_after)},
    )
