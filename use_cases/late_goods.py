"""Records goods reported after an order's workflow has ended, by a new run that notifies operations and ends."""

import logging
from datetime import datetime, timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts import names
from contracts.activities import Snapshot
from contracts.messages import EVENTS_CARRIED, Carried, DisplaySettings
from domain.actors import Actor
from domain.orders import lifecycle
from domain.orders.effects import effects
from domain.orders.erasure import is_erased
from domain.orders.outgoing import Effect
from domain.orders.shipment import Notice
from records.heads import Head
from records.orders import Orders, StoredOrder
from temporal import orders as workflow_client
from temporal.calls import Closed, temporal_call
from use_cases.revival import outbox

logger = logging.getLogger("cmi.desk")

START_LIMIT = timedelta(seconds=3)
"""How long the start may take. Meanwhile nobody else can write the order's row."""


class LateGoods:
    """Adds events to orders whose workflows have ended. `display` is passed to their new runs.

    The start of the new run is the commit point: it has the event, writes it to the records and sends the mail, even if
    this process dies right after the start. So the closed workflow and the records have the same events.
    """

    def __init__(self, client: Client, orders: Orders, display: DisplaySettings) -> None:
        self._client = client
        self._orders = orders
        self._display = display

    async def record(
        self, stored: StoredOrder, notice: Notice, actor: Actor, now: datetime
    ) -> bool:
        """Record a notice about an order that is final. A repetition changes nothing, nor does a notice about an order
        whose data were erased: its key is gone.

        Returns False if nothing was done because the order has changed or its workflow is running: the caller sends the
        notice again, to the workflow.

        Raises:
            NoAnswer, TemporalAway: it is unknown whether it was recorded. The call may be repeated.
        """
        if is_erased(stored.order):
            logger.warning("goods of an erased order", extra={"sp_id": stored.order.sp_id})
            return True
        order, events = lifecycle.note_goods(stored.order, notice, actor, now)
        if not events:
            return True
        snapshot = Snapshot(order=order, events=events)
        carried = Carried(
            order=order,
            events=(*stored.events, *events)[-EVENTS_CARRIED:],
            unsaved=events,
            outbox=(*await self._unsent(stored), *effects(stored.order, events)),
            answered={},
        )
        head = Head(stored.order.version, stored.order.digest)
        # Two callers must not both start from this version: the second run would not have the first one's event. A run
        # ends only after it has written the row, so while the row is locked and unchanged, such a run is still running.
        async with self._orders.locked(stored.order) as held:
            if held != head:
                return False
            try:
                async with temporal_call(START_LIMIT):
                    await workflow_client.revive_order(self._client, carried, self._display)
            except WorkflowAlreadyStartedError:
                return False
        await self._orders.save(snapshot)
        return True

    async def _unsent(self, stored: StoredOrder) -> tuple[Effect, ...]:
        """The effects that the last run may not have sent, if it did not complete. Sent mails are not among them."""
        try:
            async with temporal_call(START_LIMIT):
                workflow_id = names.order_id(stored.order.sp_id)
                last = await self._client.get_workflow_handle(workflow_id).describe()
        except Closed:  # the server has deleted it
            return ()
        if last.status is WorkflowExecutionStatus.COMPLETED:
            return ()
        return outbox(stored, frozenset())
