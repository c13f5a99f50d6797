"""Watches for outages of our own processes, and puts off the deadlines that ran meanwhile (docs/rules.md)."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from domain.actors import SYSTEM
from domain.cantons import pin_calendar
from domain.orders.commands import StretchDeadlines
from domain.orders.request import Request
from domain.outages import CANTON, LONGEST, Outage, ProcessKind, find_outage
from domain.policy import Policy
from records.database import Database
from records.failures import is_away
from records.outages import OpenOutage, Outages
from temporal import orders as workflow_client
from temporal.calls import Closed, NoAnswer, TemporalAway, temporal_call

logger = logging.getLogger("cmi.outages")

BEAT_SECONDS = 60.0
BATCH = 200
_AT_ONCE = 8
_SIGNAL_LIMIT = timedelta(seconds=5)
_LONGEST_PAUSE = 15.0  # seconds
PATIENCE = 60.0
"""Seconds for which a worker waits for the records. After that it works without having looked for outages."""


class OutageWatch:
    """Records heartbeats of this process, finds outages of its kind, and tells orders of each outage.

    Every process of a kind records a heartbeat each minute. If there was none for more than `after` of office time, the
    next one ends an outage. The outage is recorded, and each open order with a deadline that ran meanwhile gets the
    command `StretchDeadlines`, as a signal, so that no worker has to be up. Repetitions change nothing: several
    processes may do this at once, and another one goes on if one dies.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        policy: Policy,
        kind: ProcessKind,
        after: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._records = Outages(database)
        self._policy = policy
        self._kind: ProcessKind = kind
        self._after = after
        self._clock = clock
        self._process = uuid.uuid4().hex

    async def come_back(self) -> None:
        """Look for an outage, and tell orders of all outages that they have not been told of.

        A worker calls it before it takes any task, so that an order puts its deadlines off before it handles a timer
        that was due meanwhile. It waits while Temporal is away, and at most `PATIENCE` seconds for the records, because
        a worker is useful without them, too.
        """
        loop = asyncio.get_running_loop()
        ends, pause = loop.time() + PATIENCE, 0.5
        while True:
            try:
                await self.check()
            except (NoAnswer, TemporalAway):
                pass
            except Exception as error:
                if not is_away(error) or loop.time() > ends:
                    logger.warning("no look for outages", extra={"why": type(error).__name__})
                    return
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def keep_watch(self) -> None:
        """Run forever: record a heartbeat every minute, which also finds a pause of this process."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self.check()
            except Exception as error:  # tried again in the next minute
                logger.warning("no sign of life", extra={"why": type(error).__name__})

    async def check(self) -> None:
        """Record a heartbeat, and tell orders of open outages.

        Raises:
            NoAnswer, TemporalAway: not all orders have been told.
        """
        now = self._clock()
        found = await self._records.beat(
            self._kind, self._process, now, lambda seen, known: self._find(seen, now, known)
        )
        if found is not None:
            logger.warning(
                "CMI was down, deadlines are put off",
                extra={"kind": self._kind, "begin": str(found.begin), "end": str(found.end)},
            )
        for each in await self._records.open():
            await self._tell(each)

    def _find(
        self, last_seen: datetime | None, now: datetime, known: Sequence[Outage]
    ) -> Outage | None:
        if last_seen is None:
            return None
        begin = max(last_seen, now - LONGEST)
        calendar = pin_calendar(CANTON, self._policy, begin.date())
        return find_outage(last_seen, now, calendar, self._after, known)

    async def _tell(self, open_outage: OpenOutage) -> None:
        outage, after = open_outage
        while sp_ids := await self._records.orders_in(outage, after, BATCH):
            turns = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(*(self._tell_order(outage, sp_id, turns) for sp_id in sp_ids))
            after = sp_ids[-1]
            await self._records.note_progress(outage, after)
        await self._records.note_done(outage, self._clock())

    async def _tell_order(self, outage: Outage, sp_id: str, turns: asyncio.Semaphore) -> None:
        request = Request(
            command=StretchDeadlines(begin=outage.begin, end=outage.end),
            actor=SYSTEM,
            request_id=f"outage-{outage.begin:%Y%m%dT%H%M%S}-{outage.end:%Y%m%dT%H%M%S}-{sp_id}",
            at=self._clock(),
        )
        async with turns:
            try:
                async with temporal_call(_SIGNAL_LIMIT):
                    await workflow_client.send_notice(self._client, sp_id, request)
            except Closed:  # it has ended, or the reconciler will report it
                pass
            except RPCError as error:
                # This order cannot take the signal, for example because its history is too long. Others can.
                logger.error(
                    "an order was not told of an outage",
                    extra={"sp_id": sp_id, "why": error.status.name},
                )
