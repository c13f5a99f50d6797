"""Compares whole orders with a bare workflow that receives the same messages: lives per second, CPU time, events."""

import asyncio
import itertools
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, NamedTuple

from temporalio.client import WorkflowHandle

from bench.bare import BARE, BARE_QUEUE
from bench.report import keep, table
from bench.stage import cpu_seconds, running_product
from contracts import names
from domain.actors import SYSTEM, Actor
from domain.orders.catalogue import checklist
from domain.orders.commands import (
    Accept,
    Bill,
    ConfirmExecution,
    ConfirmRequirements,
    ExternalCommand,
    PaymentReceived,
    SetAppointment,
)
from domain.orders.order import Status
from domain.orders.placement import Intake
from domain.orders.request import Request
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.rules import CURRENT
from temporal.orders import start_order
from tests.server.surroundings import Surroundings, eventually
from tests.support.builders import SHOP, WAREHOUSE, intake, partner_actor
from tests.support.processes import Process
from tests.workflows.life import DESK

ROUNDS = 3
CALLERS = 24
"""The number of concurrent lives."""
COUNTED = 20
"""The number of histories of the last round whose events are counted."""
UNHURRIED = 4
"""The number of lives that run one after the other, with each message sent to an idle workflow."""
_numbers = itertools.count(1)

Handle = WorkflowHandle[Any, Any]
Pause = Callable[[Handle], Awaitable[None]]


class Round(NamedTuple):
    """The result of a number of lives: lives per second, CPU milliseconds per life, and the SP-IDs."""

    per_second: float
    cpu_ms: float
    sp_ids: list[str]


class Side:
    """The receiver of the messages of orders: here the bare workflow."""

    def __init__(self, around: Surroundings, worker: Process) -> None:
        self._around = around
        self._client = around.client
        self._processes = (around.server, worker)

    def handle(self, sp_id: str) -> Handle:
        """The workflow of an order."""
        return self._client.get_workflow_handle(f"bare-{sp_id}")

    async def start(self, placed: Intake) -> None:
        """Start a workflow, and wait until it can take `accept`."""
        name = f"bare-{placed.placement.sp_id}"
        await self._client.start_workflow(BARE, placed, id=name, task_queue=BARE_QUEUE)

    async def lead(self, number: int, callers: int = CALLERS, pause: Pause | None = None) -> Round:
        """Run `number` lives, `callers` at a time, with a pause before each message."""
        intakes = [self._intake() for _ in range(number)]
        ahead = iter(intakes)

        async def caller() -> None:
            for placed in ahead:
                await self._live(placed, pause)

        cpu, began = self._cpu_seconds(), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())
        seconds, cpu = time.perf_counter() - began, self._cpu_seconds() - cpu
        sp_ids = [placed.placement.sp_id for placed in intakes]
        return Round(number / seconds, cpu * 1000 / number, sp_ids)

    def _intake(self) -> Intake:
        today, sp_id = datetime.now(UTC).date(), f"SP-{next(_numbers):07}"
        return intake(
            sp_id=sp_id, prepaid=True, policy=self._around.policy, day=today, rules=CURRENT
        )

    def _cpu_seconds(self) -> float:
        """The CPU time of the server, the worker, and this process with the callers and the mail server."""
        return sum(map(cpu_seconds, self._processes)) + time.process_time()

    async def _live(self, placed: Intake, pause: Pause | None) -> None:
        """Run one life: the start, five updates and three signals, until the workflow is closed."""
        sp_id, partner = placed.placement.sp_id, partner_actor(placed.partner.partner_id)
        handle = self.handle(sp_id)

        async def request(command: ExternalCommand, actor: Actor) -> Request:
            if pause is not None:
                await pause(handle)
            return Request(command=command, actor=actor, request_id=str(uuid.uuid4()))

        async def signal(command: ExternalCommand, actor: Actor) -> None:
            await handle.signal(command.type, await request(command, actor))

        async def update(command: ExternalCommand, actor: Actor = partner) -> None:
            asked = await request(command, actor)
            await handle.execute_update(command.type, asked, id=asked.request_id)

        await self.start(placed)
        await signal(PaymentReceived(), SHOP)
        await self.transmitted(sp_id)
        await update(Accept())
        items = checklist(placed.placement.service.code)
        await update(ConfirmRequirements(checklist=dict.fromkeys(items, "yes")))
        await signal(GoodsShipped(tracking=f"99.00.{sp_id}"), WAREHOUSE)
        await signal(GoodsReceived(), WAREHOUSE)
        start = datetime.now(UTC) + timedelta(hours=1)
        # At whatever hour it runs.
        await update(SetAppointment(start=start, end=start + timedelta(hours=2), unusual=True))
        await update(ConfirmExecution(early=True))
        await update(Bill(settlement_id="V-2026-10-elektro-huber"), SYSTEM)
        await handle.result()

    async def transmitted(self, sp_id: str) -> None:
        """Wait until an order was sent to its partner; the bare workflow sends nothing."""

    async def events(self, sp_ids: Sequence[str]) -> float:
        """The median number of events in the histories of these orders."""
        return median([len((await self.handle(each).fetch_history()).events) for each in sp_ids])


class Product(Side):
    """The workflow of an order."""

    def handle(self, sp_id: str) -> Handle:
        """The order's workflow."""
        return self._client.get_workflow_handle(names.order_id(sp_id))

    async def start(self, placed: Intake) -> None:
        """Place the order."""
        await start_order(self._client, placed, DESK, datetime.now(UTC))

    async def transmitted(self, sp_id: str) -> None:
        """Wait until the records show the order as new to its partner."""

        async def is_new() -> bool:
            stored = await self._around.orders.get(sp_id)
            return stored is not None and stored.order.status is Status.NEW

        await eventually(is_new)


async def until_idle(handle: Handle) -> None:
    """Wait until a workflow has no pending task and no pending activity."""
    idle = 0
    while idle < 2:
        await asyncio.sleep(0.03)
        described = (await handle.describe()).raw_description
        busy = described.pending_activities or described.HasField("pending_workflow_task")
        idle = 0 if busy else idle + 1


async def run(number: int) -> None:
    """Run three rounds with `number` lives on each side, alternately."""
    async with running_product() as around, _bare_worker(around) as bare_worker:
        bare, product = Side(around, bare_worker), Product(around, around.worker_process)
        rounds: dict[str, list[Round]] = {"bare workflow": [], "product": []}
        figures: dict[str, Any] = {}
        sides = dict(zip(rounds, (bare, product), strict=True))
        for side in sides.values():
            await side.lead(CALLERS)  # warms everything up
        for _ in range(ROUNDS):
            for name, side in sides.items():
                rounds[name].append(await side.lead(number))
        for name, side in sides.items():
            unhurried = await side.lead(UNHURRIED, 1, until_idle)
            figures[name] = {
                "lives_per_second": median(each.per_second for each in rounds[name]),
                "cpu_ms_per_life": median(each.cpu_ms for each in rounds[name]),
                "events_lived_fast": await side.events(rounds[name][-1].sp_ids[:COUNTED]),
                "events_unhurried": await side.events(unhurried.sp_ids),
            }
    columns = list(figures["product"])
    figures["ratio"] = {c: figures["product"][c] / figures["bare workflow"][c] for c in columns}
    table(
        f"Whole lives, {CALLERS} at a time (medians)",
        ["", *(column.replace("_", " ") for column in columns)],
        [(name, *each.values()) for name, each in figures.items()],
    )
    keep("lives", figures, orders=number, callers=CALLERS)


@asynccontextmanager
async def _bare_worker(around: Surroundings) -> AsyncIterator[Process]:
    alive = around.folder / "bare.alive"
    command = [sys.executable, "-m", "bench.bare", str(alive)]
    worker = Process(command, around.env, around.folder / "bare.log", anew=True)
    worker.start()
    try:
        await eventually(alive.exists)
        yield worker
    finally:
        worker.kill()
