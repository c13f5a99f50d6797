"""Calls to a settlement's workflow: start, revive, command, invoice, draft, snapshot."""

from datetime import datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from contracts import names
from contracts.activities import SettlementOf, SettlementSnapshot
from contracts.messages import (
    Checked,
    DisplaySettings,
    InvoiceWanted,
    SettlementAnswer,
    SettlementCarried,
    SettlementStart,
    Upload,
)
from domain.actors import Actor
from domain.settlements.commands import SettlementRequest
from domain.settlements.deadlines import next_instant
from domain.settlements.lifecycle import open_settlement
from domain.settlements.settlement import Opening, Settlement
from temporal import fairness
from temporal.updates import execute_update
from workflows.settlement_display import is_late, title

_REQUEST_ID = "RequestId"


async def start_settlement(
    client: Client,
    opening: Opening,
    actor: Actor,
    display: DisplaySettings,
    now: datetime,
    request_id: str = "",
) -> SettlementSnapshot:
    """Open a partner's settlement of a month at `now`: the commit point. Returns its first state and events.

    `request_id` is kept with the workflow, so that a caller that got no answer can find out whether its own request
    opened the settlement (`opening_request`).

    Raises:
        WorkflowAlreadyStartedError: there is such a settlement, or there was.
        RPCError: Temporal is unavailable.
    """
    settlement, events = open_settlement(opening, actor, now)
    await _start(
        client,
        SettlementStart(
            desk=display, shell=names.SHELL, opening=opening, opened_by=actor, opened_at=now
        ),
        settlement,
        WorkflowIDReusePolicy.REJECT_DUPLICATE,
        request_id,
    )
    return SettlementSnapshot(settlement=settlement, events=events)


async def revive_settlement(
    client: Client,
    carried: SettlementCarried,
    display: DisplaySettings,
    *,
    after_failure_only: bool = False,
) -> None:
    """Start a new run of a settlement from its stored state, after its workflow was terminated, has failed or is lost.

    `after_failure_only`: not if the last run ended normally.

    Raises:
        WorkflowAlreadyStartedError: it is running, or has ended normally.
        RPCError: Temporal is unavailable.
    """
    await _start(
        client,
        SettlementStart(desk=display, shell=names.SHELL, carried=carried),
        carried.settlement,
        WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
        if after_failure_only
        else WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def _start(
    client: Client,
    start: SettlementStart,
    settlement: Settlement,
    reuse_policy: WorkflowIDReusePolicy,
    request_id: str = "",
) -> None:
    partner_id = settlement.opening.partner.partner_id
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(names.SETTLEMENT_STATUS, settlement.status.value),
        SearchAttributePair(names.PARTNER_ID, partner_id),
        SearchAttributePair(names.OVERDUE, is_late(settlement)),
    ]
    due = next_instant(settlement)
    if due is not None:
        attributes.append(SearchAttributePair(names.DEADLINE, due))
    page = f"{start.desk.public_url}/settlements/{settlement.settlement_id}"
    await client.start_workflow(
        names.SETTLEMENT,
        start,
        id=names.settlement_workflow_id(
            partner_id, settlement.opening.month, settlement.opening.number
        ),
        task_queue=names.ORDERS_QUEUE,
        id_reuse_policy=reuse_policy,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        search_attributes=TypedSearchAttributes(attributes),
        static_summary=title(settlement),
        static_details=f"[{settlement.settlement_id}]({page})",
        memo={_REQUEST_ID: request_id},
        priority=fairness.of_partner(partner_id),
    )


async def opening_request(client: Client, settlement: SettlementOf) -> str:
    """The id of the request that opened a settlement; empty if it had none.

    Raises:
        RPCError: the server does not know such a workflow, or no longer does, or Temporal is unavailable.
    """
    description = await _handle(client, settlement).describe()
    request_id: str = await description.memo_value(_REQUEST_ID, "", type_hint=str)
    return request_id


async def send_settlement_command(
    client: Client, settlement: SettlementOf, request: SettlementRequest, timeout: timedelta
) -> SettlementAnswer:
    """Send a command to a settlement, and wait for its answer, no longer than `timeout`.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: no worker answered in time.
        RPCError: no such workflow is running, or Temporal is unavailable.
    """
    answer: SettlementAnswer = await execute_update(
        _handle(client, settlement),
        names.COMMAND,
        request,
        id=request.request_id,
        result_type=SettlementAnswer,
        rpc_timeout=timeout,
    )
    return answer


async def check_invoice(
    client: Client,
    settlement: SettlementOf,
    upload: Upload,
    timeout: timedelta,
    returns: int = 0,
) -> Checked:
    """Have an uploaded invoice checked, and accepted if it is right. The same upload twice is checked once.

    `returns`: how often accounting has returned an invoice. After that, the same upload asks anew.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: there is no verdict in time. The check goes on; call again for its
            verdict.
        RPCError: no such workflow is running, or Temporal is unavailable.
    """
    checked: Checked = await execute_update(
        _handle(client, settlement),
        names.CHECK_INVOICE,
        upload,
        id=f"{upload.paper_id}-{returns}" if returns else upload.paper_id,
        result_type=Checked,
        rpc_timeout=timeout,
    )
    return checked


async def make_invoice(
    client: Client,
    settlement: SettlementOf,
    wanted: InvoiceWanted,
    request_id: str,
    timeout: timedelta,
) -> Checked:
    """Have the partner's invoice made and handed in. A repeated request gets the same outcome, also a failure.

    Raises as `check_invoice`.
    """
    checked: Checked = await execute_update(
        _handle(client, settlement),
        names.MAKE_INVOICE,
        wanted,
        id=request_id,
        result_type=Checked,
        rpc_timeout=timeout,
    )
    return checked


async def make_draft(
    client: Client, settlement: SettlementOf, request_id: str, timeout: timedelta
) -> str:
    """Have a draft of the partner's invoice made. Returns the id of the paper.

    A repeated request gets the same outcome, also a failure.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: it was not made in time.
        RPCError: no such workflow is running, or Temporal is unavailable.
    """
    paper_id: str = await execute_update(
        _handle(client, settlement),
        names.MAKE_DRAFT,
        id=request_id,
        result_type=str,
        rpc_timeout=timeout,
    )
    return paper_id


async def settlement_snapshot(client: Client, settlement: SettlementOf) -> SettlementSnapshot:
    """The settlement and its events as its workflow holds them, also after its end, as long as the server keeps it."""
    held: SettlementSnapshot = await _handle(client, settlement).query(
        names.SNAPSHOT, result_type=SettlementSnapshot
    )
    return held


def _handle(client: Client, settlement: SettlementOf) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(
        names.settlement_workflow_id(settlement.partner_id, settlement.month, settlement.number)
    )
