"""Reviving an order whose workflow was terminated, has failed or is lost (docs/operations.md). `starter.py revive`."""

import asyncio
from datetime import timedelta

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.effects import Effect, effects
from domain.lifecycle import begin
from domain.order import Order, Status
from records.mails import MailLog
from records.orders import Orders, StoredOrder
from workflows import client as workflow_client
from workflows.messages import Carried, Desk
from workflows.service_order import EVENTS_CARRIED

ANSWER_WITHIN = timedelta(seconds=10)


class NotRevivable(Exception):
    """There is nothing to revive; the text says why, in a line."""


class Revival:
    """Where orders are revived."""

    def __init__(self, client: Client, orders: Orders, mails: MailLog, desk: Desk) -> None:
        self._client = client
        self._orders = orders
        self._mails = mails
        self._desk = desk

    async def revive(self, sp_id: str) -> Order:
        """Start a new run of the order's workflow from its stored state, or from what the dead one still tells if that
        is newer. The order as it goes on.

        What was to go out and is not known to have gone out is sent again: mails under their keys, so those that were
        sent are not, and the shipping request of the current attempt, which the warehouse knows by its key. Deadlines
        that passed meanwhile pass now.

        Raises:
            NotRevivable: no such order, it is closed, or its workflow runs.
            RPCError: Temporal is away.
        """
        await self._save_last_words(sp_id)
        stored = await self._orders.get(sp_id)
        if stored is None:
            raise NotRevivable(f"{sp_id}: the records know no such order")
        if stored.order.status.is_final:
            raise NotRevivable(f"{sp_id} is {stored.order.status.value}: nothing can follow")
        carried = Carried(
            order=stored.order,
            events=stored.events[-EVENTS_CARRIED:],
            unsaved=(),
            outbox=outbox(stored, await self._mails.finished(sp_id)),
            answered={},
        )
        try:
            await workflow_client.revive_order(self._client, carried, self._desk)
        except WorkflowAlreadyStartedError:
            raise NotRevivable(
                f"{sp_id}: its workflow is running; to start it anew, terminate it first in the Temporal UI"
            ) from None
        return stored.order

    async def _save_last_words(self, sp_id: str) -> None:
        """What a dead workflow tells may be newer than what it could still write to the records."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                held = await workflow_client.snapshot(self._client, sp_id)
        except (TimeoutError, WorkflowQueryFailedError):
            return
        except RPCError as error:
            if error.status is RPCStatusCode.UNAVAILABLE:
                raise
            return
        await self._orders.save(held)


def outbox(stored: StoredOrder, finished: frozenset[str]) -> tuple[Effect, ...]:
    """What the order's life had to send and is not known to have sent; `finished`: keys of mails that are done with."""
    order = stored.order
    waiting: list[Effect] = []
    for effect in effects(begin(order.intake), stored.events):
        if effect.type == "shipping_request":
            shipment = order.shipments[-1]
            asked = effect.attempt == shipment.attempt and shipment.shipped_at is None
            if asked and order.status is Status.REQUIREMENTS_MET:
                waiting.append(effect)
        elif effect.key not in finished or (
            # It is through its first mail that an order becomes the partner's; a mail that was sent is not sent again.
            effect.kind == "new_order" and order.status is Status.IN_TRANSMISSION
        ):
            waiting.append(effect)
    return tuple(waiting)
