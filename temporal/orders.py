"""Calls to an order's workflow: start, revive, command, notice, snapshot."""

from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from contracts import names
from contracts.activities import Snapshot
from contracts.messages import Answer, Carried, DisplaySettings, Start
from domain.orders import deadlines, lifecycle
from domain.orders.order import Order
from domain.orders.placement import Intake
from domain.orders.request import Request
from temporal import fairness
from temporal.updates import execute_update
from workflows.order_display import title


class NotAnOrder(WorkflowQueryFailedError):
    """The workflow of this id is not an order's."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(f"{workflow_id} is the workflow of something else than an order")


async def start_order(
    client: Client, intake: Intake, display: DisplaySettings, now: datetime
) -> Snapshot:
    """Start the workflow of an order placed at `now`: the commit point. Returns the order and its first event.

    The first event is part of the workflow's input, so the caller knows the order even if no worker is up.

    Raises:
        WorkflowAlreadyStartedError: an order with this SP-ID exists, or has existed.
        RPCError: Temporal is unavailable.
    """
    placed = lifecycle.place(intake, now)
    order = lifecycle.fold(intake, [placed])
    await _start(
        client,
        Start(desk=display, shell=names.SHELL, intake=intake, placed_at=now, placed=placed),
        order,
        WorkflowIDReusePolicy.REJECT_DUPLICATE,
    )
    return Snapshot(order=order, events=(placed,))


async def revive_order(
    client: Client, carried: Carried, display: DisplaySettings, *, after_failure_only: bool = False
) -> None:
    """Start a new run of an order from its stored state, after its workflow was terminated, has failed or is lost.

    `after_failure_only`: not if the last run ended normally.

    Raises:
        WorkflowAlreadyStartedError: it is running, or has ended normally.
        RPCError: Temporal is unavailable.
    """
    await _start(
        client,
        Start(desk=display, shell=names.SHELL, carried=carried),
        carried.order,
        WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
        if after_failure_only
        else WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def _start(
    client: Client, start: Start, order: Order, reuse_policy: WorkflowIDReusePolicy
) -> None:
    due = deadlines.next_due(order)
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(names.SP_STATUS, order.status.value),
        SearchAttributePair(names.PARTNER_ID, order.partner.partner_id),
        SearchAttributePair(names.CANTON, order.partner.canton),
        SearchAttributePair(names.OVERDUE, any(d.missed for d in order.open_deadlines)),
    ]
    if due is not None:
        attributes.append(SearchAttributePair(names.DEADLINE, due))
    await client.start_workflow(
        names.SERVICE_ORDER,
        start,
        id=names.order_id(order.sp_id),
        task_queue=names.ORDERS_QUEUE,
        id_reuse_policy=reuse_policy,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        search_attributes=TypedSearchAttributes(attributes),
        static_summary=title(order),
        static_details=f"[{order.sp_id}]({start.desk.public_url}/orders/{order.sp_id})",
        priority=fairness.of_partner(order.partner.partner_id),
    )


async def send_command(client: Client, sp_id: str, request: Request, timeout: timedelta) -> Answer:
    """Send a command to an order, and wait for its answer, no longer than `timeout`.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: no worker answered in time.
        RPCError: no such workflow is running, or Temporal is unavailable.
    """
    answer: Answer = await execute_update(
        _handle(client, sp_id),
        request.command.type,
        request,
        id=request.request_id,
        result_type=Answer,
        rpc_timeout=timeout,
    )
    return answer


async def send_notice(client: Client, sp_id: str, request: Request) -> None:
    """Send a command to an order without waiting. The server keeps it until the order takes it.

    Raises:
        RPCError: no such workflow is running, or Temporal is unavailable.
    """
    await _handle(client, sp_id).signal(request.command.type, request)


async def history_length(client: Client, sp_id: str) -> int:
    """The events in the server's history of an order's current run, also of messages that no worker has taken yet.

    Raises:
        RPCError: the server does not know such a workflow, or Temporal is unavailable.
    """
    return (await _handle(client, sp_id).describe()).history_length


async def snapshot(client: Client, sp_id: str) -> Snapshot:
    """The order and its events as its workflow holds them, also after its end, as long as the server keeps it.

    Raises:
        NotAnOrder: the workflow of this id is of another type.
        WorkflowQueryFailedError: the workflow cannot answer.
        RPCError: the server does not know such a workflow, or Temporal is unavailable.
    """
    try:
        held: Snapshot = await _handle(client, sp_id).query(names.SNAPSHOT, result_type=Snapshot)
    except ValueError as error:  # a settlement answers the same query with another type
        raise NotAnOrder(sp_id) from error
    if held.order.sp_id != sp_id:
        raise NotAnOrder(sp_id)
    return held


def _handle(client: Client, sp_id: str) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(names.order_id(sp_id))
