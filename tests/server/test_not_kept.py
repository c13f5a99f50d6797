"""A worker dies when it has decided and Temporal has not kept that: nobody ever sees what it decided."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from temporalio.client import WorkflowUpdateFailedError

from contracts.activities import SettlementOf
from development.embedded import ROOT
from domain.orders.commands import Accept, Cancel
from domain.orders.events import Recorded
from domain.orders.lifecycle import fold
from domain.orders.order import Status
from domain.orders.request import Request
from domain.settlements.commands import Select, SettlementRequest
from domain.settlements.events import SettlementRecorded
from domain.settlements.ids import settlement_id
from domain.settlements.lifecycle import fold as fold_settlement
from domain.settlements.settlement import SettlementStatus
from temporal import orders, settlements
from tests.server.settlements import HUBER, OCTOBER, settlement_office
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.server.wire import Wire, wire
from tests.support.builders import partner_actor
from tests.support.limits import ANSWER_LIMIT
from tests.support.processes import Process
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON
from tests.workflows.life import DESK, SHOP
from use_cases.orders import OrderUseCases
from use_cases.principal import Principal

ACCEPTANCE = b"temporal.api.update.v1.Acceptance"
"""Is in what a worker sends to complete a task in which it accepted an update."""


Event = Recorded | SettlementRecorded


class WorkflowAnswer(NamedTuple):
    """What somebody who looks is told: the events so far, and the version and the state after them."""

    events: tuple[Event, ...]
    version: int
    status: str


Look = Callable[[], Awaitable[WorkflowAnswer | None]]


@asynccontextmanager
async def watching(look: Look) -> AsyncIterator[list[WorkflowAnswer]]:
    """All that somebody is told who looks all the time, each once."""
    told: list[WorkflowAnswer] = []

    async def watch() -> None:
        while True:
            now = await look()
            if now is not None and told[-1:] != [now]:
                told.append(now)
            await asyncio.sleep(0.02)

    watcher = asyncio.create_task(watch())
    try:
        yield told
        assert not watcher.done(), "a look failed"
    finally:
        watcher.cancel()


def check(
    told: Sequence[WorkflowAnswer],
    happened: Sequence[Event],
    status_after: Callable[[Sequence[Any]], str],
) -> None:
    """All that was told is what happened up to then, and nothing was taken back."""
    for each in told:
        assert each.events == tuple(happened[: each.version])
        assert each.status == status_after(each.events)
    versions = [each.version for each in told]
    assert versions == sorted(versions)
    assert versions[-1] == len(happened)


@asynccontextmanager
async def worker_on_a_wire(around: Surroundings) -> AsyncIterator[Wire]:
    """A worker process that reaches Temporal by a wire, and is killed at the end."""
    async with wire(around.address) as between:
        direct = around.worker_process
        around.worker_process = Process(
            [sys.executable, str(ROOT / "worker.py")],
            {**around.env, "TEMPORAL_ADDRESS": between.address},
            around.folder / "worker-on-a-wire.log",
        )
        try:
            await around.start_worker_process()
            yield between
        finally:
            around.worker_process.kill()
            around.worker_process = direct


async def take_but_not_keep(between: Wire, command: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Have the worker take a command. It has done all that comes before Temporal keeps that, and Temporal does not."""
    await eventually(lambda: between.is_quiet)
    between.holding = True
    asked = asyncio.create_task(command)
    await eventually(lambda: ACCEPTANCE in between.held)
    return asked


async def test_an_order_that_was_nearly_accepted_and_then_cancelled(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True, server=OFFERS_LOST_TASKS_SOON) as around:
        life = await around.place("SP-1")
        request = Request(command=Accept(), actor=life.partner, request_id="accept-1")
        desk = OrderUseCases(around.client, around.orders, around.partners, around.policies, DESK)
        anna = Principal(role="operations", login_id="anna", name="Anna")

        async def look() -> WorkflowAnswer:
            order, events = await desk.find(anna, life.sp_id)
            return WorkflowAnswer(events, order.version, order.status)

        async with watching(look) as told:
            async with worker_on_a_wire(around) as between:
                await around.reaches(life, Status.NEW)
                asked = await take_but_not_keep(
                    between, orders.send_command(around.client, life.sp_id, request, ANSWER_LIMIT)
                )
            await life.tell(Cancel(reason="Kunde hat storniert"), SHOP)
            await around.start_worker_process()
            with pytest.raises(WorkflowUpdateFailedError):
                await asked
            await life.handle.result()
            held = await around.check_records(life)
            await eventually(lambda: told[-1].version == held.order.version)
        assert "accepted" not in [each.event.type for each in held.events]
        check(told, held.events, lambda events: fold(held.order.intake, events).status)


async def test_a_selection_that_is_taken_a_second_time(tmp_path: Path) -> None:
    """No other message comes between, but time has passed: what was nearly so was so at another instant."""
    of, number = SettlementOf(partner_id=HUBER, month=OCTOBER), settlement_id(HUBER, OCTOBER)
    async with settlement_office(tmp_path, server=OFFERS_LOST_TASKS_SOON) as office:
        around = office.around
        sp_ids = tuple(await office.complete(("SP-1", "SP-2")))
        request = SettlementRequest(
            command=Select(sp_ids=sp_ids), actor=partner_actor(), request_id="select-1"
        )

        async def look() -> WorkflowAnswer | None:
            stored = await office.settlements.get(number)
            return stored and WorkflowAnswer(
                stored.events, stored.settlement.version, stored.settlement.status
            )

        async with watching(look) as told:
            async with worker_on_a_wire(around) as between:
                await office.open("SP-1", automatic=True)
                await office.reaches(number, SettlementStatus.OPEN)
                asked = await take_but_not_keep(
                    between,
                    settlements.send_settlement_command(around.client, of, request, ANSWER_LIMIT),
                )
            await around.start_worker_process()
            answer = await asked
            held = await settlements.settlement_snapshot(around.client, of)
            await eventually(lambda: told[-1].version == held.settlement.version)
        assert [each.seq for each in held.events if each.event.type == "selected"] == [
            answer.version
        ]
        opening = held.settlement.opening
        check(told, held.events, lambda events: fold_settlement(opening, events).status)
