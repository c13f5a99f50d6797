"""Claims a settlement's orders, and frees them if it is voided. Each order decides for itself."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar

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

from activities.failures import without_contents
from contracts import activities
from contracts import names as workflow_names
from contracts.activities import Claims, OrdersOf, Snapshot
from contracts.messages import EVENTS_CARRIED, Carried, Desk
from domain.actors import SYSTEM
from domain.orders import lifecycle
from domain.orders.commands import Bill, Request
from domain.orders.effects import Effect
from domain.orders.order import Status
from domain.settlements.ids import settlement_id
from domain.settlements.settlement import LeftOut, LeftOutReason, Line, line_of_order, obstacle
from records.heads import Diverged, take_over
from records.mails import MailLog
from records.orders import Orders, StoredOrder
from records.settlements import Settlements
from temporal import orders as workflow_client
from temporal.calls import Closed, reaching
from use_cases.revival import outbox

AT_A_TIME = 8
PATIENCE = timedelta(seconds=10)  # for one order

_Result = TypeVar("_Result")


class _Found(NamedTuple):
    """An order as its workflow tells, or else the records, and how that workflow is; None: there is none any more."""

    stored: StoredOrder
    workflow: WorkflowExecutionStatus | None


class ClaimActivities:
    """Claims on orders. `desk` is for the workflows of orders that are set free."""

    def __init__(
        self, client: Client, settlements: Settlements, orders: Orders, mails: MailLog, desk: Desk
    ) -> None:
        self._client = client
        self._settlements = settlements
        self._orders = orders
        self._mails = mails
        self._desk = desk

    # --- claiming ------------------------------------------------------------------------------------------------

    @activity.defn(name=activities.CLAIM_ORDERS)
    async def claim_orders(self, batch: OrdersOf) -> Claims:
        """Have each of these orders be billed by the settlement, and keep what each says it bills; those that refuse.

        Twice is once. The records only say whose an order is; all else the order itself tells. An order that does not
        answer makes the whole batch worth another attempt: nobody knows of it.
        """
        of = batch.settlement
        number = settlement_id(of.partner_id, of.month)
        with without_contents(f"claims of {number}"):
            owners = await self._settlements.billable.partners_of(batch.sp_ids)

            async def claim(sp_id: str) -> Line | LeftOutReason:
                if owners.get(sp_id) != of.partner_id:  # or the records do not know it yet
                    return await self._why_not(number, sp_id, of.partner_id)
                return await self._claim(number, sp_id, of.partner_id)

            answers = await _of_each(batch.sp_ids, claim)
            lines = [answer for answer in answers if isinstance(answer, Line)]
            await self._settlements.keep_told(number, lines)
            return Claims(
                refused=tuple(
                    LeftOut(sp_id=sp_id, reason=reason)
                    for sp_id, reason in zip(batch.sp_ids, answers, strict=True)
                    if not isinstance(reason, Line)
                ),
                fees=sum((line.fee for line in lines), Decimal("0.00")),
            )

    async def _claim(self, number: str, sp_id: str, partner_id: str) -> Line | LeftOutReason:
        """The order's own line, once the settlement has billed it; or why it has not."""
        request = Request(
            command=Bill(settlement_id=number), actor=SYSTEM, request_id=f"bill-{number}"
        )
        try:
            async with reaching(PATIENCE):
                answer = await workflow_client.send_command(self._client, sp_id, request, PATIENCE)
            if answer.line is not None:
                return answer.line
            # by a worker of an older release, whose answer has no line: its snapshot has all of the order
        except Closed:
            pass
        except WorkflowUpdateFailedError as failure:
            cause = failure.cause
            if not (isinstance(cause, ApplicationError) and cause.type == workflow_names.REFUSED):
                raise
        return await self._why_not(number, sp_id, partner_id)

    async def _why_not(self, number: str, sp_id: str, partner_id: str) -> Line | LeftOutReason:
        """Why an order was not billed just now; its line if it is billed by this settlement already."""
        found = await self._look(sp_id)
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
        if (
            found.workflow is WorkflowExecutionStatus.RUNNING
        ):  # it was set free, or revived, just now
            raise _ask_again(f"{sp_id} has to be asked again")
        activity.logger.warning("a completed order has no workflow", extra={"sp_id": sp_id})
        return "unavailable"

    # --- setting free --------------------------------------------------------------------------------------------

    @activity.defn(name=activities.RELEASE_ORDERS)
    async def release_orders(self, batch: OrdersOf) -> None:
        """Have these orders, billed by a settlement that was taken back, be `completed` again. Twice is once.

        What counts is the start of a new run of the order's workflow.
        """
        of = batch.settlement
        number = settlement_id(of.partner_id, of.month)
        with without_contents(f"release of orders of {number}"):
            await _of_each(batch.sp_ids, lambda sp_id: self._release(number, sp_id))

    async def _release(self, number: str, sp_id: str) -> None:
        found = await self._look(sp_id)
        if found is None:
            return
        order, events = found.stored
        if order.status is not Status.BILLED or order.settlement_id != number:
            return  # it is free already, or another one has billed it since
        if found.workflow is WorkflowExecutionStatus.RUNNING:
            raise _ask_again(f"{sp_id} has something to send yet")
        waiting: tuple[Effect, ...] = ()
        if found.workflow not in (None, WorkflowExecutionStatus.COMPLETED):  # ended by force
            waiting = outbox(found.stored, await self._mails.finished(sp_id))
        released, more = lifecycle.release(order, number, activity.info().started_time)
        carried = Carried(
            order=released,
            events=(*events, *more)[-EVENTS_CARRIED:],
            unsaved=more,
            outbox=waiting,
            answered={},
        )
        try:
            async with reaching(PATIENCE):
                await workflow_client.revive_order(self._client, carried, self._desk)
        except WorkflowAlreadyStartedError:
            raise _ask_again(f"{sp_id} has to be looked at again") from None
        with contextlib.suppress(Diverged):  # the new run writes, and asks which life is true
            await self._orders.save(Snapshot(order=released, events=more))

    # --- looking -------------------------------------------------------------------------------------------------

    async def _look(self, sp_id: str) -> _Found | None:
        """An order as its workflow tells it, and the records then hold it; as these tell it if it says nothing."""
        workflow: WorkflowExecutionStatus | None = None
        try:
            async with reaching(PATIENCE):
                handle = self._client.get_workflow_handle(workflow_names.order_id(sp_id))
                workflow = (await handle.describe()).status
            async with reaching(PATIENCE):
                held = await take_over(
                    self._orders, sp_id, lambda: workflow_client.snapshot(self._client, sp_id)
                )
            return _Found(StoredOrder(held.order, held.events), workflow)
        except Closed:  # the server has forgotten it
            pass
        except WorkflowQueryFailedError as error:
            # A workflow that is broken. As for `starter.py revive`, what the records hold of it counts.
            activity.logger.warning(
                "no answer", extra={"sp_id": sp_id, "why": type(error).__name__}
            )
        stored = await self._orders.get(sp_id)
        return _Found(stored, workflow) if stored is not None else None


def _ask_again(why: str) -> ApplicationError:
    return ApplicationError(why, type="AskAgain", category=ApplicationErrorCategory.BENIGN)


async def _of_each(
    sp_ids: Sequence[str], work: Callable[[str], Awaitable[_Result]]
) -> list[_Result]:
    """What comes of each order, some at a time. All are tried before the first failure is raised."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def turn(sp_id: str) -> _Result:
        async with turns:
            return await work(sp_id)

    results = await asyncio.gather(*(turn(sp_id) for sp_id in sp_ids), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        activity.logger.warning("orders gave no answer", extra={"orders": len(failures)})
        raise failures[0]
    return [result for result in results if not isinstance(result, BaseException)]
