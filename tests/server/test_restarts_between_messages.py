"""Workers are restarted between every two messages of every ending: all goes on, and records and workflows agree."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowHistory

from contracts import names
from contracts.activities import SettlementOf
from contracts.messages import Carried
from domain.months import Month
from domain.orders.order import Status
from domain.orders.placement import Intake
from domain.settlements.ids import settlement_id
from temporal import settlements
from temporal.orders import revive_order
from tests.server.endings import ENDINGS, SETTLEMENTS, UNDER_REVIEW, Asked, Message
from tests.server.settlements import HUBER, SettlementOffice, of_huber, settlement_office
from tests.server.surroundings import Surroundings, eventually, rests, surroundings
from tests.support.empty_tasks import kind
from tests.support.limits import WAIT_LIMIT
from tests.support.rendering import one_process_for_documents
from tests.workflows.life import DESK, Life
from tests.workflows.replaying import replayer
from worker import document_worker, invoice_worker, order_worker


@dataclass(frozen=True)
class Course:
    """What is said to one workflow, and from which round on."""

    handle: WorkflowHandle[Any, Any]
    begins: int
    messages: Sequence[Callable[[], Awaitable[Any]]]

    def has_begun(self, turn: int) -> bool:
        """Whether its first message has been sent by the end of this round."""
        return self.begins <= turn

    async def go_on(self, turn: int) -> None:
        """Say what is to be said in this round, if anything is."""
        number = turn - self.begins
        if 0 <= number < len(self.messages):
            try:
                await self.messages[number]()
            except Exception as error:
                error.add_note(f"message {number} to {self.handle.id}: {error.__cause__}")
                raise

    async def rests(self) -> bool:
        """Whether nothing of it is under way."""
        return await rests(self.handle)


class Processes:
    """Workers as they are in production, each stopped by SIGTERM."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def start(self) -> None:
        """Start one."""
        await self._around.start_worker_process()

    async def stop(self) -> None:
        """Have it finish what it does, and wait for its end."""
        self._around.worker_process.terminate()
        await self._around.worker_process.exit_code()


class WithinTheTest:
    """Workers within the test's process, which start and stop in no time. Each remembers nothing of the one before."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Start one for each queue."""
        self._running.enter_context(one_process_for_documents())
        for make in (order_worker, document_worker, invoice_worker):
            worker = make(self._around.client, self._around.settings, self._around.database)
            await self._running.enter_async_context(worker)

    async def stop(self) -> None:
        """Have them finish what they do."""
        await self._running.aclose()


async def check_that_no_task_failed(courses: Sequence[Course]) -> None:
    """No worker met a history that it could not go on with."""
    for course in courses:
        failed = [
            event.workflow_task_failed_event_attributes.failure.message
            for event in (await course.handle.fetch_history()).events
            if kind(event) == "WORKFLOW_TASK_FAILED"
        ]
        assert not failed, f"{course.handle.id}: {failed}"


async def converse(workers: Processes | WithinTheTest, courses: Sequence[Course]) -> None:
    """All that is to be said, a message to each in a round, and a restart after each round.

    In every other round the worker stops while things are under way, in the others when all is done.
    """
    await workers.start()
    for turn in range(max(course.begins + len(course.messages) for course in courses)):
        begun = [course for course in courses if course.has_begun(turn)]
        try:
            await asyncio.gather(*(course.go_on(turn) for course in courses))
            if turn % 2:
                for course in begun:
                    await eventually(course.rests)
        except Exception:
            await check_that_no_task_failed(
                begun
            )  # which says more; at the end it is checked anyway
            raise
        await workers.stop()
        await workers.start()


async def orders(around: Surroundings, names: Iterable[str]) -> dict[Life, Course]:
    """Two orders for each of these endings. The second one begins a round later: each restart comes in both ways.

    Endings with the same first messages share them, with the restarts between them: they begin as another one's order
    is then, with a run of their own.
    """
    placed: dict[Life, Course] = {}
    for name in names:
        ending = ENDINGS[name]
        for begins in (0, 1):
            sp_id = f"SP-{name}-{begins}"
            if not ending.begins_as:
                life = await around.place(sp_id, **ending.changes)
                messages = [_to(message, life) for message in ending.messages]
                placed[life] = Course(life.handle, begins, messages)
                continue
            former = f"SP-{ending.begins_as}-{begins}"
            (source,) = (each for each in placed if each.sp_id == former)
            stored = await around.orders.get(source.sp_id)
            assert stored is not None
            life = Life(around, renumbered(stored.order.intake, sp_id))
            messages = [_to(message, life) for message in ending.messages]
            begins += ENDINGS[ending.begins_as].messages.index(UNDER_REVIEW)
            placed[life] = Course(life.handle, begins, [partial(begin_as, source, life), *messages])
    return placed


def renumbered(intake: Intake, sp_id: str) -> Intake:
    """The intake of another order, with the same customer and service."""
    placement = intake.placement.model_copy(update={"sp_id": sp_id})
    return intake.model_copy(update={"placement": placement})


async def begin_as(source: Life, life: Life) -> None:
    """Begin an order as another one is now."""
    around: Surroundings = source.lives  # type: ignore[assignment]
    await around.reaches(source, Status.UNDER_REVIEW)
    held = await around.check_records(source)
    order = held.order.replace(intake=renumbered(held.order.intake, life.sp_id))
    carried = Carried(order=order, events=held.events, unsaved=held.events, outbox=(), answered={})
    await revive_order(around.client, carried, DESK)


async def check_order(around: Surroundings, life: Life) -> None:
    """It came to its end, and the records tell the same of it as its workflow does."""
    result = await asyncio.wait_for(life.handle.result(), WAIT_LIMIT)
    name = life.sp_id.removeprefix("SP-").rpartition("-")[0]
    assert result["status"] == ENDINGS[name].status, life.sp_id
    held = await around.check_records(life)
    stored = await around.orders.get(life.sp_id)
    assert stored is not None
    assert stored.events == held.events


async def settlement(office: SettlementOffice, month: Month) -> Course:
    """The settlement of a month, opened by the month's end with the first of its orders."""
    ending = SETTLEMENTS[month]
    await office.open(ending.sp_ids[0], month=month, automatic=True)
    handle = office.around.client.get_workflow_handle(names.settlement_workflow_id(HUBER, month))
    messages = [_about(message, office, of_huber(month)) for message in ending.messages]
    return Course(handle, 0, messages)


async def check_settlement(office: SettlementOffice, month: Month) -> None:
    """As of an order."""
    client = office.around.client
    handle = client.get_workflow_handle(names.settlement_workflow_id(HUBER, month))
    result = await asyncio.wait_for(handle.result(), WAIT_LIMIT)
    assert result["status"] == SETTLEMENTS[month].status
    held = await settlements.settlement_snapshot(client, of_huber(month))
    stored = await office.settlements.get(settlement_id(HUBER, month))
    assert stored is not None
    assert stored.settlement == held.settlement
    assert stored.events == held.events


async def check_histories(around: Surroundings, courses: Sequence[Course]) -> None:
    """No task failed on the way, all of them replay, and no mail went out twice."""
    await check_that_no_task_failed(courses)

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for course in courses:
            yield await course.handle.fetch_history()

    await replayer().replay_workflows(histories())
    doubled = [each for each, times in Counter(around.inbox.ids()).items() if times > 1]
    assert not doubled, "no worker was killed"


async def test_worker_processes_are_restarted_between_reassignments(tmp_path: Path) -> None:
    async with surroundings(tmp_path, hold="1 second", shared=True) as around:
        placed = await orders(around, ["reassigned"])
        courses = list(placed.values())
        await converse(Processes(around), courses)
        for life in placed:
            await check_order(around, life)
        await check_histories(around, courses)


async def test_workers_are_restarted_between_every_two_messages_of_every_ending(
    tmp_path: Path,
) -> None:
    async with settlement_office(tmp_path, accept="3 seconds", hold="1 second") as office:
        around = office.around
        for ending in SETTLEMENTS.values():
            await office.complete(ending.sp_ids)
        # The test above has "reassigned", with worker processes.
        placed = await orders(around, [name for name in ENDINGS if name != "reassigned"])
        courses = [*placed.values(), *[await settlement(office, month) for month in SETTLEMENTS]]
        workers = WithinTheTest(around)
        try:
            await converse(workers, courses)
            for life in placed:
                await check_order(around, life)
            for month in SETTLEMENTS:
                await check_settlement(office, month)
            await check_histories(around, courses)
        finally:
            await workers.stop()


def _to(message: Message, life: Life) -> Callable[[], Awaitable[Any]]:
    return lambda: message(life)


def _about(
    message: Asked, office: SettlementOffice, of: SettlementOf
) -> Callable[[], Awaitable[Any]]:
    return lambda: message(office, of)
