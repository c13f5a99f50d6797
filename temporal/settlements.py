"""How a client speaks to a settlement's workflow: start, command, invoice, draft, snapshot. Its inside stays inside."""

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
    Desk,
    SettlementAnswer,
    SettlementCarried,
    SettlementStart,
    Upload,
)
from domain.actors import Actor
from domain.settlements.commands import Opening, SettlementRequest
from domain.settlements.lifecycle import Settling, next_instant, open_settling
from temporal.updates import execute_update
from workflows.settlement_display import is_late, title

_REQUEST_ID = "RequestId"


async def start_settlement(
    client: Client,
    opening: Opening,
    actor: Actor,
    desk: Desk,
    now: datetime,
    request_id: str = "",
) -> SettlementSnapshot:
    """Open a partner's settlement of a month at `now`: the commit point. Returns how it begins.

    By its `request_id` a caller that heard no answer knows its own opening again (`opening_request`).

    Raises:
        WorkflowAlreadyStartedError: there is one of this partner and month, or there was.
        RPCError: Temporal is away.
    """
    settling, events = open_settling(opening, actor, now)
    await _start(
        client,
        SettlementStart(
            desk=desk, shell=names.SHELL, opening=opening, opened_by=actor, opened_at=now
        ),
        settling,
        WorkflowIDReusePolicy.REJECT_DUPLICATE,
        request_id,
    )
    return SettlementSnapshot(settling=settling, events=events)


async def revive_settlement(
    client: Client, carried: SettlementCarried, desk: Desk, *, after_failure_only: bool = False
) -> None:
    """Start a new run of a settlement whose workflow was terminated, has failed or is lost, from what was stored of it.

    `after_failure_only`: not if the last run ended by itself.

    Raises:
        WorkflowAlreadyStartedError: it runs, or has ended by itself.
        RPCError: Temporal is away.
    """
    await _start(
        client,
        SettlementStart(desk=desk, shell=names.SHELL, carried=carried),
        carried.settling,
        WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
        if after_failure_only
        else WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def _start(
    client: Client,
    start: SettlementStart,
    settling: Settling,
    reuse_policy: WorkflowIDReusePolicy,
    request_id: str = "",
) -> None:
    partner_id = settling.opening.partner.partner_id
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(names.SETTLEMENT_STATUS, settling.status.value),
        SearchAttributePair(names.PARTNER_ID, partner_id),
        SearchAttributePair(names.OVERDUE, is_late(settling)),
    ]
    due = next_instant(settling)
    if due is not None:
        attributes.append(SearchAttributePair(names.DEADLINE, due))
    page = f"{start.desk.public_url}/settlements/{settling.settlement_id}"
    await client.start_workflow(
        names.SETTLEMENT,
        start,
        id=names.settlement_workflow_id(partner_id, settling.opening.month),
        task_queue=names.ORDERS_QUEUE,
        id_reuse_policy=reuse_policy,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        search_attributes=TypedSearchAttributes(attributes),
        static_summary=title(settling),
        static_details=f"[{settling.settlement_id}]({page})",
        memo={_REQUEST_ID: request_id},
    )


async def opening_request(client: Client, settlement: SettlementOf) -> str:
    """The name of the request that opened a settlement; empty if it had none.

    Raises:
        RPCError: the server does not know (or has forgotten) such a workflow, or Temporal is away.
    """
    about = await _handle(client, settlement).describe()
    request_id: str = await about.memo_value(_REQUEST_ID, "", type_hint=str)
    return request_id


async def send_settlement_command(
    client: Client, settlement: SettlementOf, request: SettlementRequest, patience: timedelta
) -> SettlementAnswer:
    """Have a settlement take a command, and wait for its answer at most so long.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: no worker answered in time.
        RPCError: no such workflow is running, or Temporal is away.
    """
    answer: SettlementAnswer = await execute_update(
        _handle(client, settlement),
        names.COMMAND,
        request,
        id=request.request_id,
        result_type=SettlementAnswer,
        rpc_timeout=patience,
    )
    return answer


async def check_invoice(
    client: Client, settlement: SettlementOf, upload: Upload, patience: timedelta
) -> Checked:
    """Have an uploaded invoice checked, and taken if it is right. The same upload twice is checked once.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: there is no verdict in time; it is sought on, and this can be asked
            again.
        RPCError: no such workflow is running, or Temporal is away.
    """
    checked: Checked = await execute_update(
        _handle(client, settlement),
        names.CHECK_INVOICE,
        upload,
        id=upload.paper_id,
        result_type=Checked,
        rpc_timeout=patience,
    )
    return checked


async def make_draft(
    client: Client, settlement: SettlementOf, request_id: str, patience: timedelta
) -> str:
    """Have a draft of the partner's invoice made. The id of the paper. The same request has the same outcome, also a
    failure.

    Raises:
        WorkflowUpdateFailedError: refused; the cause is an `ApplicationError` of a type in `contracts.names`.
        WorkflowUpdateRPCTimeoutOrCancelledError: it was not made in time.
        RPCError: no such workflow is running, or Temporal is away.
    """
    paper_id: str = await execute_update(
        _handle(client, settlement),
        names.MAKE_DRAFT,
        id=request_id,
        result_type=str,
        rpc_timeout=patience,
    )
    return paper_id


async def settlement_snapshot(client: Client, settlement: SettlementOf) -> SettlementSnapshot:
    """The settlement and its events as its workflow holds them, also after its end while the server remembers it."""
    held: SettlementSnapshot = await _handle(client, settlement).query(
        names.SNAPSHOT, result_type=SettlementSnapshot
    )
    return held


def _handle(client: Client, settlement: SettlementOf) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(
        names.settlement_workflow_id(settlement.partner_id, settlement.month)
    )
