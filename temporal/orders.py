"""How a client speaks to an order's workflow: start, revive, command, notice, snapshot. Its inside stays inside."""

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
from contracts.messages import Answer, Carried, Desk, Start
from domain.orders import deadlines, lifecycle
from domain.orders.commands import Request
from domain.orders.order import Intake, Order
from temporal.updates import execute_update
from workflows.order_display import title


class NotAnOrder(WorkflowQueryFailedError):
    """A workflow of this id exists, and it is no order's."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(f"{workflow_id} is the workflow of something else than an order")


async def start_order(client: Client, intake: Intake, desk: Desk, now: datetime) -> Snapshot:
    """Start an order's life, placed at `now`: the commit point of a new order. Returns how it begins.

    Raises:
        WorkflowAlreadyStartedError: an order of this SP-ID lives or has lived.
        RPCError: Temporal is away.
    """
    order, placed = lifecycle.place(intake, now)
    await _start(
        client,
        Start(desk=desk, shell=names.SHELL, intake=intake, placed_at=now),
        order,
        WorkflowIDReusePolicy.REJECT_DUPLICATE,
    )
    return Snapshot(order=order, events=(placed,))


async def revive_order(
    client: Client, carried: Carried, desk: Desk, *, after_failure_only: bool = False
) -> None:
    """Start a new run of an order whose workflow was terminated, has failed or is lost, from what was stored of it.

    `after_failure_only`: not if the last run ended by itself.

    Raises:
        WorkflowAlreadyStartedError: it runs, or has ended by itself.
        RPCError: Temporal is away.
    """
    await _start(
        client,
        Start(desk=desk, shell=names.SHELL, carried=carried),
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
    )


async def send_command(client: Client, sp_id: str, request: Request, patience: timedelta) -> Answer:
    """Have an order take a command, and wait for its answer at most so long.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: no worker answered in time.
        RPCError: no such workflow is running, or Temporal is away.
    """
    answer: Answer = await execute_update(
        _handle(client, sp_id),
        request.command.type,
        request,
        id=request.request_id,
        result_type=Answer,
        rpc_timeout=patience,
    )
    return answer


async def send_notice(client: Client, sp_id: str, request: Request) -> None:
    """Leave a command with the server, which keeps it until the order takes it.

    Raises:
        RPCError: no such workflow is running, or Temporal is away.
    """
    await _handle(client, sp_id).signal(request.command.type, request)


async def snapshot(client: Client, sp_id: str) -> Snapshot:
    """The order and its events as its workflow holds them, also after its end while the server remembers it.

    Raises:
        NotAnOrder: the workflow of this id is of another type.
        WorkflowQueryFailedError: the workflow cannot answer.
        RPCError: the server does not know such a workflow, or Temporal is away.
    """
    try:
        held: Snapshot = await _handle(client, sp_id).query(names.SNAPSHOT, result_type=Snapshot)
    except ValueError as error:  # a settlement answers the same query with something else
        raise NotAnOrder(sp_id) from error
    if held.order.sp_id != sp_id:
        raise NotAnOrder(sp_id)
    return held


def _handle(client: Client, sp_id: str) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(names.order_id(sp_id))
