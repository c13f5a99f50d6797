"""An older worker meets what only a newer process knows: it decides nothing, loses nothing, and a newer one goes on."""

import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.activities import Snapshot
from contracts.messages import Answer, Carried, Start
from domain.orders.commands import Accept, LogContact
from domain.orders.events import UnknownEvent
from domain.orders.order import Status
from domain.policy_file import load_policy
from records.database import Database
from records.mails import MailLog
from records.migrate import migrate
from records.orders import Orders
from temporal.orders import revive_order
from tests.server.surroundings import eventually
from tests.support.builders import ACCEPTED, lived
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON, dev_server
from tests.support.workers import BoundedRun, bounded_worker
from tests.workflows.life import DESK, OPERATIONS, Life, Lives
from tests.workflows.outside import Outside
from use_cases.revival import NotRevivable, Revival
from workflows.service_order import ServiceOrder

AT_ONCE = load_policy('[transmission]\nhold = "0 seconds"\n[escalation]\noffice_hours_only = false')


@workflow.defn(name=names.SERVICE_ORDER)
class Newer(ServiceOrder):
    """A build that knows one command more."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> Answer:
        return await super().run(start)

    @workflow.signal(dynamic=True)
    def notice(self, name: str, args: Sequence[RawValue]) -> None:
        if name == "hold":
            self._take(LogContact(outcome="reached", note="held"), OPERATIONS, workflow.now())
        else:
            super().notice(name, args)


def worker(lives: Lives, build: type) -> BoundedRun:
    """A worker of a build."""
    return bounded_worker(
        lives.client,
        task_queue=names.ORDERS_QUEUE,
        workflows=[build],
        activities=lives.outside.activities,
    )


def request(command: dict[str, Any]) -> dict[str, Any]:
    """A request as a newer process sends it."""
    return {
        "command": command,
        "actor": OPERATIONS.model_dump(mode="json"),
        "request_id": str(uuid.uuid4()),
        "at": None,
    }


def failures(life: Life) -> Callable[[], Awaitable[list[str]]]:
    """Why tasks of an order's workflow failed so far."""

    async def found() -> list[str]:
        events = (await life.handle.fetch_history()).events
        return [
            event.workflow_task_failed_event_attributes.failure.message
            for event in events
            if event.HasField("workflow_task_failed_event_attributes")
        ]

    return found


async def accepted(lives: Lives) -> Life:
    """An order that its partner has accepted."""
    life = await lives.start(policy=AT_ONCE)

    async def new() -> bool:
        return (await life.order()).status is Status.NEW

    await eventually(new)
    await life.do(Accept())
    return life


async def test_a_command_that_only_a_newer_build_knows() -> None:
    async with dev_server(*OFFERS_LOST_TASKS_SOON) as env:
        lives = Lives(env, Outside())
        async with worker(lives, ServiceOrder):
            life = await accepted(lives)
            for command in ({"type": "hold"}, {"type": "decide_review", "decision": "toss_a_coin"}):
                with pytest.raises(WorkflowUpdateFailedError) as refused:
                    await life.handle.execute_update(command["type"], request(command))
                assert isinstance(refused.value.cause, ApplicationError)
                assert refused.value.cause.type == names.UNREADABLE
            before = await life.events()
            await life.handle.signal("hold", request({"type": "hold"}))
            (why, *_) = await eventually(failures(life))
            assert "hold" in why
            assert (await life.handle.describe()).status is WorkflowExecutionStatus.RUNNING
        async with worker(lives, Newer):

            async def held() -> bool:
                return await life.events() == [*before, "contact_logged"]

            await eventually(held)


async def test_an_order_in_a_state_that_only_a_newer_build_knows() -> None:
    async with dev_server() as env:
        lives = Lives(env, Outside())
        async with worker(lives, ServiceOrder):
            life = await accepted(lives)
            snapshot = await life.snapshot()
            await life.handle.terminate()
            order = snapshot.order.model_copy(update={"status": Status("frozen")})
            carried = Carried(
                order=order, events=snapshot.events, unsaved=(), outbox=(), answered={}
            )
            await revive_order(lives.client, carried, DESK)
            (why, *_) = await eventually(failures(life))
            assert "frozen" in why
            assert (await life.handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_nothing_is_revived_by_a_build_that_does_not_understand_it(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'cmi.db'}"
    await migrate(url)
    async with dev_server() as env, contextlib.AsyncExitStack() as stack:
        database = Database(url)
        stack.push_async_callback(database.close)
        records = Orders(database)
        order, events = lived(*ACCEPTED)
        revival = Revival(env.client, records, MailLog(database), DESK)
        unknown = UnknownEvent.model_validate({"type": "put_on_hold", "until": "2026-12-01"})
        newer = events[-1].model_copy(update={"event": unknown})
        await records.save(Snapshot(order=order, events=(*events[:-1], newer)))
        with pytest.raises(NotRevivable, match=r"a newer release left its event put_on_hold"):
            await revival.revive(order.sp_id)
        for later, changes, what in (
            (1, {"status": Status("frozen")}, "state frozen"),
            (2, {"rules": 99}, "rules version 99"),
        ):
            held = order.model_copy(update={**changes, "version": order.version + later})
            head = await records.head(order.sp_id)
            await records.save(Snapshot(order=held, events=events), replaces=head)
            with pytest.raises(NotRevivable, match=f"a newer release left its {what}"):
                await revival.revive(order.sp_id)
