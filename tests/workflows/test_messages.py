"""In which order an order takes what was sent to it while no worker was up."""

import asyncio
import uuid
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.update.v1 import UpdateRef
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from contracts.messages import Carried
from domain.orders.commands import SetAppointment
from domain.orders.request import Request
from domain.orders.shipment import GoodsReceived, GoodsShipped
from temporal.orders import revive_order, send_command
from tests.record_histories import living
from tests.support.builders import REQUIREMENTS_MET, intake, lived
from tests.support.limits import ANSWER_LIMIT, WAIT_LIMIT
from tests.support.temporal_servers import dev_server
from tests.workflows.life import DESK, WAREHOUSE, Life, Lives
from tests.workflows.outside import Outside


async def _wait_until_known(env: WorkflowEnvironment, life: Life, update_id: str) -> None:
    """Wait until the server has an update, which is not in the history before a worker takes it."""
    of = WorkflowExecution(workflow_id=life.handle.id)
    question = PollWorkflowExecutionUpdateRequest(
        namespace=env.client.namespace,
        update_ref=UpdateRef(workflow_execution=of, update_id=update_id),
    )
    async with asyncio.timeout(WAIT_LIMIT):
        while True:
            try:
                await env.client.workflow_service.poll_workflow_execution_update(question)
                return
            except RPCError:
                await asyncio.sleep(0.02)


async def test_an_update_is_taken_after_the_signals_that_were_sent_before_it() -> None:
    """Also after one that comes between the scheduling of a task and its start, as the update does.

    The time-skipping server hands the update over first then (docs/traps.md, "Messages").
    """
    async with dev_server() as env:
        lives = Lives(env, Outside())
        now = await lives.now()
        placed = now - timedelta(hours=2)
        order, events = lived(*REQUIREMENTS_MET, of=intake(day=placed.date()), at=placed)
        carried = Carried(order=order, events=events, unsaved=(), outbox=(), answered={})
        await revive_order(env.client, carried, DESK)
        life = Life(lives, order.intake)
        await life.tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE)
        await life.tell(GoodsReceived(), WAREHOUSE)
        start = now + timedelta(days=3)
        request = Request(
            command=SetAppointment(start=start, end=start + timedelta(hours=2), unusual=True),
            actor=life.partner,
            request_id=str(uuid.uuid4()),
        )
        answer = asyncio.create_task(send_command(env.client, life.sp_id, request, ANSWER_LIMIT))
        await _wait_until_known(env, life, request.request_id)
        async with living(env):
            assert (await answer).status == "confirm_execution"
