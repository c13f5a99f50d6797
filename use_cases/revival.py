"""Restarts terminated, failed or deleted workflows (docs/operations.md). `starter.py revive`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from contracts.activities import SettlementOf
from contracts.messages import (
    EVENTS_CARRIED,
    Answer,
    Carried,
    DisplaySettings,
    SettlementAnswer,
    SettlementCarried,
)
from domain.errors import NotUnderstood
from domain.orders.effects import effects
from domain.orders.lifecycle import begin, check_understood
from domain.orders.order import Order, Status
from domain.orders.outgoing import Effect, ShippingRequest, ShippingStop, ShopNotice
from domain.settlements import lifecycle as settlement_lifecycle
from domain.settlements.lifecycle import begin as begin_settlement
from domain.settlements.mails import settlement_mails
from domain.settlements.settlement import Settlement
from records.heads import Diverged
from records.mails import MailLog
from records.orders import Orders, StoredOrder
from records.settlements import Settlements
from temporal import orders as workflow_client
from temporal import settlements as settlement_client

ANSWER_WITHIN = timedelta(seconds=10)
_NEWER = "{}: a newer release left its {}; revive it with that release"
_RUNS = "{}: its workflow is running; to start it anew, terminate it first in the Temporal UI"
_UNKNOWN = "{}: the records know no such {}"
_OVER = "{} is {}: nothing can follow"
_ENDED = "{}: its workflow has ended by itself as {}, and cannot be restarted"
_SILENT = (
    "{}: its workflow does not tell where it stood ({}). Start and repair its workers, or let it continue "
    "from the records: --from-records"
)
_NO_ANSWER = (
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.FAILED_PRECONDITION,  # it has completed no task yet, or its tasks fail
)
_Snapshot = TypeVar("_Snapshot")


class NotRevivable(Exception):
    """There is nothing to revive; the text says why, in one line."""


class Revival:
    """Revives orders."""

    def __init__(
        self, client: Client, orders: Orders, mails: MailLog, display: DisplaySettings
    ) -> None:
        self._client = client
        self._orders = orders
        self._mails = mails
        self._display = display

    async def revive(self, sp_id: str, *, from_records: bool = False) -> Order:
        """Start a new run of the order's workflow in the last state of its last run. Returns that order.

        The last run is queried, and its answer replaces what the records hold. The state in the records is used only if
        the server has deleted the workflow, or, with `from_records`, if the workflow does not answer.

        Pending effects are sent again: mails under their keys, so that sent ones are not repeated, and the shipping
        request of the current attempt, which the warehouse deduplicates by its key. Deadlines that passed meanwhile
        pass now.

        Raises:
            NotRevivable: the order does not exist or is closed; its workflow is running, has completed or does not
                answer; or only a newer release understands it.
            RPCError: Temporal is away.
        """
        last = _LastRun(self._client, sp_id, names.order_id(sp_id), Answer)
        head = await self._orders.head(sp_id)
        answered = await last.query(
            lambda: workflow_client.snapshot(self._client, sp_id), from_records
        )
        if answered is not None:
            await _written(self._orders.save(answered, replaces=head), sp_id)
        stored = await self._orders.get(sp_id)
        if stored is None:
            raise NotRevivable(_UNKNOWN.format(sp_id, "order"))
        if stored.order.status.is_final:
            raise NotRevivable(_OVER.format(sp_id, stored.order.status))
        await last.must_not_be_completed()
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
            await workflow_client.revive_order(
                self._client, carried, self._display, after_failure_only=True
            )
        except WorkflowAlreadyStartedError:
            raise NotRevivable(_RUNS.format(sp_id)) from None
        return stored.order


class SettlementRevival:
    """Revives settlements."""

    def __init__(
        self, client: Client, settlements: Settlements, mails: MailLog, display: DisplaySettings
    ) -> None:
        self._client = client
        self._settlements = settlements
        self._mails = mails
        self._display = display

    async def revive(self, number: str, *, from_records: bool = False) -> Settlement:
        """Start a new run of the settlement's workflow, as `Revival.revive` does. Returns that settlement.

        It claims or releases every order again, which is idempotent. An existing statement is kept, and sent mails are
        not sent again.

        Raises:
            NotRevivable: the settlement does not exist or is over; its workflow is running, has completed or does not
                answer; or only a newer release understands it.
            RPCError: Temporal is away.
        """
        stored = await self._settlements.get(number)
        if stored is None:
            # The partner and month of a number, and so the workflow id, are only in the records.
            raise NotRevivable(_UNKNOWN.format(number, "settlement"))
        of = SettlementOf.opened_by(stored.settlement.opening)
        workflow_id = names.settlement_workflow_id(of.partner_id, of.month, of.number)
        last = _LastRun(self._client, number, workflow_id, SettlementAnswer)
        head = await self._settlements.head(number)
        answered = await last.query(
            lambda: settlement_client.settlement_snapshot(self._client, of), from_records
        )
        if answered is not None:
            await _written(self._settlements.save(answered, replaces=head), number)
            stored = await self._settlements.get(number) or stored
        settlement, events = stored.settlement, stored.events
        if settlement.is_over:
            raise NotRevivable(_OVER.format(number, settlement.status))
        await last.must_not_be_completed()
        finished = await self._mails.finished(number)
        before = begin_settlement(settlement.opening, settlement.opened_at)
        try:
            settlement_lifecycle.check_understood(settlement)
            mails = settlement_mails(before, events, self._display.language)
        except NotUnderstood as error:
            raise NotRevivable(_NEWER.format(number, error)) from error
        carried = SettlementCarried(
            settlement=settlement,
            unsaved=(),
            outbox=tuple(mail for mail in mails if mail.key not in finished),
            answered={},
        )
        try:
            await settlement_client.revive_settlement(
                self._client, carried, self._display, after_failure_only=True
            )
        except WorkflowAlreadyStartedError:
            raise NotRevivable(_RUNS.format(number)) from None
        return settlement


class _LastRun:
    """The last run of a workflow that may be dead. `name` is the SP-ID or number in messages to operations."""

    def __init__(
        self,
        client: Client,
        name: str,
        workflow_id: str,
        answer: type[Answer] | type[SettlementAnswer],
    ) -> None:
        self._name = name
        self._handle = client.get_workflow_handle(workflow_id, result_type=answer)
        self._status: WorkflowExecutionStatus | None = None

    async def query(
        self, query: Callable[[], Awaitable[_Snapshot]], from_records: bool
    ) -> _Snapshot | None:
        """The run's answer to a query. None if the server has deleted it or, with `from_records`, it does not answer.

        Raises:
            NotRevivable: it is running, or it does not answer.
            RPCError: Temporal is away.
        """
        try:
            self._status = (await self._handle.describe()).status
            if self._status is WorkflowExecutionStatus.RUNNING:
                raise NotRevivable(_RUNS.format(self._name))
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                return await query()
        except TimeoutError:
            why = "no worker answers"
        except WorkflowQueryFailedError as error:
            why = error.message
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                self._status = None
                return None
            if error.status not in _NO_ANSWER:
                raise
            why = error.message
        if not from_records and self._status is not WorkflowExecutionStatus.COMPLETED:
            raise NotRevivable(_SILENT.format(self._name, why))
        return None

    async def must_not_be_completed(self) -> None:
        """Check that the workflow did not complete, whatever the records hold. This needs no worker.

        Raises:
            NotRevivable: it completed. The text has the state in its result.
        """
        if self._status is WorkflowExecutionStatus.COMPLETED:
            ended: Answer | SettlementAnswer = await self._handle.result()
            raise NotRevivable(_ENDED.format(self._name, ended.status))


async def _written(save: Awaitable[int], name: str) -> None:
    try:
        await save
    except Diverged:
        raise NotRevivable(f"{name}: another process is writing its records; try again") from None


def outbox(stored: StoredOrder, finished: frozenset[str]) -> tuple[Effect, ...]:
    """The effects of an order that are still to be sent. `finished`: the keys of mails that were sent or given up."""
    order = stored.order
    waiting: list[Effect] = []
    for effect in effects(begin(order.intake), stored.events):
        if isinstance(effect, ShippingStop | ShopNotice):
            waiting.append(effect)  # sent again under the same key, which its receiver takes once
        elif isinstance(effect, ShippingRequest):
            shipment = order.shipments[-1]
            asked = effect.attempt == shipment.attempt and shipment.shipped_at is None
            if asked and order.status is Status.REQUIREMENTS_MET:
                waiting.append(effect)
        elif effect.key not in finished or (
            # An order leaves this state by its first mail, so the mail is queued even if it was sent. It is not resent.
            effect.kind == "new_order" and order.status is Status.IN_TRANSMISSION
        ):
            waiting.append(effect)
    return tuple(waiting)
