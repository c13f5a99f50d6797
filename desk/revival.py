"""Reviving what has lost its workflow: terminated, failed or gone (docs/operations.md). `starter.py revive`."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.names import SettlementOf
from domain import settling as settling_life
from domain.effects import Effect, effects
from domain.errors import NotUnderstood
from domain.lifecycle import begin, check_understood
from domain.order import Order, Status
from domain.settlement_mails import settlement_mails
from domain.settling import Settling
from domain.settling import begin as begin_settling
from records.mails import MailLog
from records.orders import Orders, StoredOrder
from records.settlements import Settlements
from workflows import client as workflow_client
from workflows import settlement_client
from workflows.messages import Carried, Desk, SettlementCarried
from workflows.service_order import EVENTS_CARRIED

ANSWER_WITHIN = timedelta(seconds=10)
_NEWER = "{}: a newer release left its {}; revive it with that release"
_RUNS = "{}: its workflow is running; to start it anew, terminate it first in the Temporal UI"
_Snapshot = TypeVar("_Snapshot")


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
            NotRevivable: no such order, it is closed, its workflow runs, or only a newer process understands it.
            RPCError: Temporal is away.
        """
        told = await last_words(workflow_client.snapshot(self._client, sp_id))
        if told is not None:
            await self._orders.save(told)
        stored = await self._orders.get(sp_id)
        if stored is None:
            raise NotRevivable(f"{sp_id}: the records know no such order")
        if stored.order.status.is_final:
            raise NotRevivable(f"{sp_id} is {stored.order.status.value}: nothing can follow")
        finished = await self._mails.finished(sp_id)
        try:
            check_understood(stored.order)
            waiting = outbox(stored, finished)
        except NotUnderstood as error:
            raise NotRevivable(_NEWER.format(sp_id, error)) from error
        carried = Carried(
            order=stored.order,
            events=stored.events[-EVENTS_CARRIED:],
            unsaved=(),
            outbox=waiting,
            answered={},
        )
        try:
            await workflow_client.revive_order(self._client, carried, self._desk)
        except WorkflowAlreadyStartedError:
            raise NotRevivable(_RUNS.format(sp_id)) from None
        return stored.order


class SettlementRevival:
    """Where settlements are revived."""

    def __init__(
        self, client: Client, settlements: Settlements, mails: MailLog, desk: Desk
    ) -> None:
        self._client = client
        self._settlements = settlements
        self._mails = mails
        self._desk = desk

    async def revive(self, number: str) -> Settling:
        """Start a new run of the settlement's workflow, as `Revival.revive` does. The settlement as it goes on.

        Every order is asked again: those that it has billed, or set free, say so. A statement that was made is kept,
        and mails that were sent are not sent again.

        Raises:
            NotRevivable: no such settlement, it is over, its workflow runs, or only a newer process understands it.
            RPCError: Temporal is away.
        """
        stored = await self._settlements.get(number)
        if stored is None:
            raise NotRevivable(f"{number}: the records know no such settlement")
        account = stored.account
        of = SettlementOf(partner_id=account.partner_id, month=account.month)
        told = await last_words(settlement_client.settlement_snapshot(self._client, of))
        if told is not None and told.settling.version > stored.settling.version:
            await self._settlements.save(told)
            stored = await self._settlements.get(number) or stored
        settling = stored.settling
        if settling.is_over:
            raise NotRevivable(f"{number} is {settling.status.value}: nothing can follow")
        finished = await self._mails.finished(number)
        before = begin_settling(settling.opening, settling.opened_at)
        try:
            settling_life.check_understood(settling)
            mails = settlement_mails(before, stored.events, self._desk.language)
        except NotUnderstood as error:
            raise NotRevivable(_NEWER.format(number, error)) from error
        carried = SettlementCarried(
            settling=settling,
            unsaved=(),
            outbox=tuple(mail for mail in mails if mail.key not in finished),
            answered={},
        )
        try:
            await settlement_client.revive_settlement(self._client, carried, self._desk)
        except WorkflowAlreadyStartedError:
            raise NotRevivable(_RUNS.format(number)) from None
        return settling


async def last_words(query: Awaitable[_Snapshot]) -> _Snapshot | None:
    """What a dead workflow tells: it may be newer than what it could still write to the records. None if it does not.

    Raises:
        RPCError: Temporal is away.
    """
    try:
        async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
            return await query
    except (TimeoutError, WorkflowQueryFailedError):
        return None
    except RPCError as error:
        if error.status is RPCStatusCode.UNAVAILABLE:
            raise
        return None


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
