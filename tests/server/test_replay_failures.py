"""Orders of an earlier release that two restarts have stopped, and the way back that is proposed for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from contracts import activities as activity_names
from contracts import names
from contracts.messages import Start
from domain.cantons import pin_calendar
from domain.orders.commands import Cancel, Reassign
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from domain.orders.request import Request
from temporal import orders
from tests.record_histories import IN_SECONDS
from tests.server.surroundings import eventually
from tests.support.builders import assignee, intake
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON, dev_server
from tests.support.workers import bounded_worker
from tests.workflows.coming_back import FORGETFUL
from tests.workflows.life import DESK, OPERATIONS, SHOP, Life, Lives
from tests.workflows.outside import Outside
from use_cases import replay_failures
from use_cases.replay_failures import ReplayFailure
from workflows.service_order import ServiceOrder


class SlowToGeneva(Outside):
    """An outside whose mails to Geneva take longer than others: the two of a reassignment end in tasks of their own."""

    @activity.defn(name=activity_names.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        if mail.partner_id == "geneve-pose":
            await asyncio.sleep(0.3)
        await super().send_mail(mail)


@asynccontextmanager
async def worker(client: Client, outside: Outside, **options: Any) -> AsyncIterator[None]:
    """A worker of the orders."""
    async with bounded_worker(
        client,
        task_queue=names.ORDERS_QUEUE,
        workflows=[ServiceOrder],
        activities=outside.activities,
        **options,
    ):
        yield


async def begun_earlier(lives: Lives) -> Life:
    """An order whose run began when tasks could still end without a command."""
    begun = intake(day=datetime.now(UTC).date(), policy=IN_SECONDS)
    await lives.client.start_workflow(
        names.SERVICE_ORDER,
        Start(desk=DESK, shell=1, intake=begun, placed_at=datetime.now(UTC)),
        id=names.order_id(begun.placement.sp_id),
        task_queue=names.ORDERS_QUEUE,
    )
    return Life(lives, begun)


async def until_stuck(life: Life) -> ReplayFailure:
    """Reassign an order to and fro, with workers that keep nothing in memory, until it stands still."""

    async def reassign(partner_id: str, canton: str) -> None:
        calendar = pin_calendar(canton, IN_SECONDS, datetime.now(UTC).date())
        command = Reassign(partner=assignee(partner_id, canton), calendar=calendar, reason="Ferien")
        request = Request(
            command=command, actor=OPERATIONS, request_id=datetime.now(UTC).isoformat()
        )
        with suppress(Exception):  # it may be stuck now, and give no answer
            await orders.send_command(life.lives.client, life.sp_id, request, timedelta(seconds=5))

    async def rests() -> bool:
        about = (await life.handle.describe()).raw_description
        return not about.pending_activities

    for number in range(20):
        await reassign(*(("geneve-pose", "GE"), ("luzern-montage", "LU"))[number % 2])
        await eventually(rests)
        found = await replay_failures.look(life.lives.client, life.sp_id)
        if found is not None:
            return found
    raise AssertionError('it never got stuck: see docs/testing.md, "Empty tasks"')


async def test_a_reset_to_the_proposed_event_brings_it_back() -> None:
    outside = SlowToGeneva()
    async with dev_server(*OFFERS_LOST_TASKS_SOON) as env:
        lives = Lives(env, outside)
        async with worker(env.client, outside, **FORGETFUL):
            life = await begun_earlier(lives)
            await eventually(lambda: "new_order" in outside.kinds())
            found = await until_stuck(life)
        assert "TMPRL1100" in found.failure
        assert found.can_be_reset
        assert {each.name for each in found.messages} == {"reassign"}
        assert found.back_to is not None
        told = len(found.messages)
        await env.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=env.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=life.sp_id),
                reason="cannot be replayed",
                request_id="reset-1",
                workflow_task_finish_event_id=found.back_to,
                reset_reapply_type=ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE,
            )
        )
        for _ in range(2):
            async with worker(env.client, outside):
                assert (await life.order()).status is Status.NEW
                assert (await life.events())[-told:] == ["reassigned"] * told
        # On to today's shell, in which it cannot happen again.
        async with worker(env.client, outside, **FORGETFUL):
            await life.handle.signal(names.NEXT_RUN)
            await eventually(lambda: shell_of(life, names.SHELL))
            await life.do(Cancel(reason="doch nicht"), SHOP)
            assert (await life.handle.result())["status"] == "cancelled"


async def shell_of(life: Life, wanted: int) -> bool:
    """Whether its present run is one of this shell."""
    return (await life.snapshot()).shell == wanted


async def test_a_reset_is_not_proposed_where_it_would_not_last() -> None:
    """Updates and signals that came after the event: the workflow would replay them in another order."""
    outside = SlowToGeneva()
    async with dev_server(*OFFERS_LOST_TASKS_SOON) as env:
        lives = Lives(env, outside)
        async with worker(env.client, outside, **FORGETFUL):
            life = await begun_earlier(lives)
            await eventually(lambda: "new_order" in outside.kinds())
            assert await replay_failures.look(env.client, life.sp_id) is None
            await until_stuck(life)
        await life.tell(Cancel(reason="doch nicht"), SHOP)

        async def signalled() -> ReplayFailure | None:
            """The server keeps the signal back until the task that the last worker began has timed out."""
            found = await replay_failures.look(env.client, life.sp_id)
            return found if found and found.messages[-1].name == "cancel" else None

        found = await eventually(signalled)
        assert not found.messages[-1].waits
        assert not found.can_be_reset
