"""The sequence in which an order takes the messages that were sent while no worker was up."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.update.v1 import UpdateRef
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from contracts.messages import Answer, Carried
from domain.orders.commands import SetAppointment
from domain.orders.request import Request
from domain.orders.shipment import GoodsReceived, GoodsShipped
from temporal.orders import revive_order, send_command
from tests.record_histories import living
from tests.support.builders import REQUIREMENTS_MET, intake, lived
from tests.support.limits import ANSWER_LIMIT, WAIT_LIMIT
from tests.support.temporal_servers import dev_server, skipping_server
from tests.workflows.life import DESK, WAREHOUSE, Life, Lives
from tests.workflows.outside import Outside

Server = Callable[[], AbstractAsyncContextManager[WorkflowEnvironment]]


async def _answer_of_an_update_after_two_signals(server: Server) -> Answer:
    """The second signal, and then the update, come between the scheduling of a task and its start."""
    async with server() as env:
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
            return await answer


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
    assert (await _answer_of_an_update_after_two_signals(dev_server)).status == "confirm_execution"


async def test_on_the_server_that_skips_time_an_update_overtakes_a_signal() -> None:
    """If this fails, that server is mended, and `Life.do` need not wait (docs/traps.md, "Messages")."""
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await _answer_of_an_update_after_two_signals(skipping_server)
    assert "before_goods" in str(failure.value.cause)
