"""Asks the orders of a settlement in batches, to claim or to release them, and keeps track of the answers."""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from temporalio import workflow

from contracts import activities
from contracts.messages import SettlementCarried
from domain.settlements.lines import LeftOut
from workflows.background import HEARTBEAT, StepActivities

BATCH, BATCHES_AT_A_TIME = 100, 2
BATCH_LIMIT = timedelta(minutes=10)
_NO_FEES: Decimal | None = Decimal("0.00")


class OrderBatches:
    """Asks orders in batches, some at a time.

    Attributes:
        asked: how many orders have answered. They are the first ones of the settlement.
        refused: the orders that refused to be claimed.
        fees: the sum of the fees of those that were claimed; None if an older worker did not return it.
    """

    def __init__(
        self,
        step_activities: StepActivities,
        settlement: activities.SettlementOf,
        carried: SettlementCarried | None,
    ) -> None:
        self._activities = step_activities
        self._settlement = settlement
        self.asked = carried.asked if carried is not None else 0
        self.refused: list[LeftOut] = list(carried.refused) if carried is not None else []
        # If no order has answered yet, ignore the `fees` of the earlier run: an older release carried None.
        self.fees = carried.fees if carried is not None and carried.asked else _NO_FEES

    def reset(self) -> None:
        """Forget the answers, so that the next `ask` begins with the first order."""
        self.asked, self.refused, self.fees = 0, [], _NO_FEES

    async def ask(
        self, activity: str, what: str, sp_ids: tuple[str, ...], on_answer: Callable[[], None]
    ) -> None:
        """Ask all orders that have not answered yet. `on_answer` is called after each batch.

        Raises:
            asyncio.CancelledError: the run ends; the next one goes on from `asked`.
        """
        batches: deque[tuple[int, workflow.ActivityHandle[Any]]] = deque()
        begun = self.asked
        while begun < len(sp_ids) or batches:
            while begun < len(sp_ids) and len(batches) < BATCHES_AT_A_TIME:
                batch = sp_ids[begun : begun + BATCH]
                handle = self._activities.start(
                    activity,
                    activities.OrdersOf(settlement=self._settlement, sp_ids=batch),
                    result_type=activities.Claims if activity == activities.CLAIM_ORDERS else None,
                    start_to_close_timeout=BATCH_LIMIT,
                    heartbeat_timeout=HEARTBEAT,
                    summary=f"{what} {begun + 1} to {begun + len(batch)} of {len(sp_ids)}",
                )
                begun += len(batch)
                batches.append((len(batch), handle))
            size, oldest = batches.popleft()
            self._add(await self._activities.result(oldest))
            self.asked += size
            on_answer()

    def _add(self, claims: activities.Claims | None) -> None:
        if claims is None:
            return
        self.refused += claims.refused
        if self.fees is None or claims.fees is None:
            self.fees = None
        else:
            self.fees += claims.fees
