"""Claims a settlement's orders, and releases them if it is voided. Each order's workflow decides."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar, get_args

from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import (
    ApplicationError,
    ApplicationErrorCategory,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.failures import without_contents
from contracts import activities
from contracts import names as workflow_names
from contracts.activities import Claims, OrdersOf, Snapshot
from contracts.messages import EVENTS_CARRIED, Carried, DisplaySettings
from domain.actors import SYSTEM
from domain.orders import lifecycle
from domain.orders.commands import Bill
from domain.orders.erasure import is_erased
from domain.orders.order import Status
from domain.orders.outgoing import Effect
from domain.orders.request import Request
from domain.settlements.lines import LeftOut, LeftOutReason, Line, line_of_order, obstacle
from records.erasures import Erasures, TooEarly
from records.heads import Diverged, take_over
from records.mails import MailLog
from records.orders import Orders, StoredOrder
from records.settlements import Settlements
from telemetry.metrics import CLAIMS_LEFT_OUT
from temporal import orders as workflow_client
from temporal.calls import Closed, temporal_call
from use_cases.revival import outbox

MAX_CONCURRENT = 8
ANSWER_TIMEOUT = timedelta(seconds=10)  # of one order

_Result = TypeVar("_Result")


class _Found(NamedTuple):
    """An order from its workflow's answer, or from the records if the workflow does not answer.

    `workflow` is the status of the workflow's last run, or None if the server has none.
    """

    stored: StoredOrder
    workflow: WorkflowExecutionStatus | None


for _reason in get_args(LeftOutReason):
    CLAIMS_LEFT_OUT.labels(_reason)  # so that the first one counts as an increase


class ClaimActivities:
    """The activities that claim and release orders. `display` is passed to the workflows of released orders."""

    def __init__(
        self,
        client: Client,
        settlements: Settlements,
        orders: Orders,
        mails: MailLog,
        erasures: Erasures,
        display: DisplaySettings,
    ) -> None:
        self._client = client
        self._settlements = settlements
        self._orders = orders
        self._mails = mails
        self._erasures = erasures
        self._display = display

    # --- claiming ------------------------------------------------------------------------------------------------

    @activity.defn(name=activities.CLAIM_ORDERS)
    async def claim_orders(self, batch: OrdersOf) -> Claims:
        """Bill these orders to the settlement, and store the line of each. Returns the orders that refused.

        Idempotent. Only the partner of an order is read from the records; everything else is in the order's answer. If
        an order does not answer, it is unknown whether it was billed, so the whole batch is retried.
        """
        of = batch.settlement
        number = of.settlement_id
        with without_contents(f"claims of {number}"):
            owners = await self._settlements.billable.partners_of(batch.sp_ids)
            taken_back = await self._settlements.taken_back(number)

            async def claim(sp_id: str) -> Line | LeftOutReason:
                if sp_id in taken_back:
                    return await self._why_not_selected(number, sp_id, of.partner_id)
                if owners.get(sp_id) != of.partner_id:  # another partner's, or not recorded yet
                    return await self._why_not(number, sp_id, of.partner_id)
                return await self._claim(number, sp_id, of.partner_id)

            answers = await _of_each(batch.sp_ids, claim)
            lines = [answer for answer in answers if isinstance(answer, Line)]
            await self._settlements.lines.keep_confirmed(number, lines)
            refused = tuple(
                LeftOut(sp_id=sp_id, reason=reason)
                for sp_id, reason in zip(batch.sp_ids, answers, strict=True)
                if not isinstance(reason, Line)
            )
            for each in refused:
                CLAIMS_LEFT_OUT.labels(each.reason).inc()
            return Claims(
                refused=refused,
                fees=sum((line.fee for line in lines), Decimal("0.00")),
            )

    async def _claim(self, number: str, sp_id: str, partner_id: str) -> Line | LeftOutReason:
        """Bill an order to the settlement. Returns the order's line, or the reason for its refusal."""
        request = Request(
            command=Bill(settlement_id=number), actor=SYSTEM, request_id=f"bill-{number}"
        )
        try:
            async with temporal_call(ANSWER_TIMEOUT):
                answer = await workflow_client.send_command(
                    self._client, sp_id, request, ANSWER_TIMEOUT
                )
            if answer.line is not None:
                return answer.line
            # A worker of an older release answers without the line; the snapshot has it.
        except Closed:
            pass
        except WorkflowUpdateFailedError as failure:
            cause = failure.cause
            if not (isinstance(cause, ApplicationError) and cause.type == workflow_names.REFUSED):
                raise
        return await self._why_not(number, sp_id, partner_id)

    async def _why_not(self, number: str, sp_id: str, partner_id: str) -> Line | LeftOutReason:
        """Why an order was not billed; its line if this settlement has billed it already."""
        found = await self._state_of(sp_id)
        if found is None:
            return "unknown"
        order = found.stored.order
        owner = order.partner.partner_id
        why = obstacle(owner, order.status, order.settlement_id, partner_id, number)
        if why is not None:
            return "unknown" if why == "not_yours" else why
        line = line_of_order(order)
        if order.status is Status.BILLED and line is not None:
            return line
        if found.workflow is WorkflowExecutionStatus.RUNNING:  # it was just released or revived
            raise _ask_again(f"{sp_id} is running again, retry the claim")
        activity.logger.warning("a completed order has no workflow", extra={"sp_id": sp_id})
        return "unavailable"

    async def _why_not_selected(
        self, number: str, sp_id: str, partner_id: str
    ) -> Line | LeftOutReason:
        """Why an order that has left the selection is left out, also if it is completed again."""
        found = await self._state_of(sp_id)
        if found is not None and found.stored.order.status is Status.COMPLETED:
            return "taken_back"
        return await self._why_not(number, sp_id, partner_id)

    # --- releasing -----------------------------------------------------------------------------------------------

    @activity.defn(name=activities.RELEASE_ORDERS)
    async def release_orders(self, batch: OrdersOf) -> None:
        """Make orders billed by a voided settlement `completed` again, by starting new runs. Idempotent."""
        of = batch.settlement
        number = of.settlement_id
        with without_contents(f"release of orders of {number}"):
            await _of_each(batch.sp_ids, lambda sp_id: self._release(number, sp_id))

    async def _release(self, number: str, sp_id: str) -> None:
        found = await self._state_of(sp_id)
        if found is None:
            return
        order, events = found.stored
        if order.status is not Status.BILLED or order.settlement_id != number:
            return  # it is released already, or another settlement has billed it since
        if found.workflow is WorkflowExecutionStatus.RUNNING:
            raise _ask_again(f"{sp_id} still has pending effects")
        waiting: tuple[Effect, ...] = ()
        # Terminated, cancelled or failed.
        if found.workflow not in (None, WorkflowExecutionStatus.COMPLETED):
            waiting = outbox(found.stored, await self._mails.finished(sp_id))
        if is_erased(order):
            try:
                await self._erasures.allow_key(sp_id, activity.info().started_time)
            except TooEarly:
                raise _ask_again(f"{sp_id} was just erased, retry the release") from None
        async with self._orders.locked(order) as head:
            if head is None:
                raise _ask_again(f"{sp_id} was erased meanwhile, retry the release")
        released, more = lifecycle.release(order, number, activity.info().started_time)
        carried = Carried(
            order=released,
            events=(*events, *more)[-EVENTS_CARRIED:],
            unsaved=more,
            outbox=waiting,
            answered={},
        )
        try:
            async with temporal_call(ANSWER_TIMEOUT):
                await workflow_client.revive_order(self._client, carried, self._display)
        except WorkflowAlreadyStartedError:
            raise _ask_again(f"{sp_id} was started meanwhile, retry the release") from None
        with contextlib.suppress(Diverged):  # the new run writes the records itself
            await self._orders.save(Snapshot(order=released, events=more))

    # --- the state of an order -----------------------------------------------------------------------------------

    async def _state_of(self, sp_id: str) -> _Found | None:
        """Query an order's workflow and store the answer; the recorded order if the workflow does not answer."""
        workflow: WorkflowExecutionStatus | None = None
        try:
            async with temporal_call(ANSWER_TIMEOUT):
                handle = self._client.get_workflow_handle(workflow_names.order_id(sp_id))
                workflow = (await handle.describe()).status
            async with temporal_call(ANSWER_TIMEOUT):
                held = await take_over(
                    self._orders, sp_id, lambda: workflow_client.snapshot(self._client, sp_id)
                )
            return _Found(StoredOrder(held.order, held.events), workflow)
        except Closed:  # the server has deleted it
            pass
        except WorkflowQueryFailedError as error:
            # The workflow is broken. Use the records, as `starter.py revive` does.
            activity.logger.warning(
                "no answer", extra={"sp_id": sp_id, "why": type(error).__name__}
            )
        except RPCError as error:
            # A workflow that was terminated before its first task never answers. One that runs may answer later.
            unready = error.status is RPCStatusCode.FAILED_PRECONDITION
            if not unready or workflow in (None, WorkflowExecutionStatus.RUNNING):
                raise
            activity.logger.warning("no answer", extra={"sp_id": sp_id, "why": error.status.name})
        stored = await self._orders.get(sp_id)
        return _Found(stored, workflow) if stored is not None else None


def _ask_again(why: str) -> ApplicationError:
    return ApplicationError(why, type="AskAgain", category=ApplicationErrorCategory.BENIGN)


async def _of_each(
    sp_ids: Sequence[str], work: Callable[[str], Awaitable[_Result]]
) -> list[_Result]:
    """The results of `work` for each order, a few at a time. All are tried before the first failure is raised."""
    slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def in_slot(sp_id: str) -> _Result:
        async with slots:
            return await work(sp_id)

    results = await asyncio.gather(*(in_slot(sp_id) for sp_id in sp_ids), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        activity.logger.warning("orders did not answer", extra={"orders": len(failures)})
        raise failures[0]
    return [result for result in results if not isinstance(result, BaseException)]
