"""Lives of orders as callers lead them: the same messages to the product and to the floor."""

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from temporalio.client import Client, WorkflowHandle

from bench.floor import FLOOR, FLOOR_QUEUE
from bench.stage import Stage
from contracts import names
from contracts.messages import Desk, Start
from development.embedded import ROOT
from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.orders.catalogue import checklist
from domain.orders.commands import (
    Accept,
    Bill,
    ConfirmExecution,
    ConfirmRequirements,
    ExternalCommand,
    PaymentReceived,
    Request,
    SetAppointment,
)
from domain.orders.order import GoodsReceived, GoodsShipped, Intake, Placement, Status
from domain.policy import Policy, Span, TransmissionPolicy
from records.orders import OrderFilter
from starter import parse
from temporal import orders as workflow_client

SHOP = Actor(role="shop", name="shop")
WAREHOUSE = Actor(role="warehouse", name="warehouse")
PATIENCE = timedelta(seconds=60)
_LOOK_EVERY = 0.04
_DESK = Desk(public_url="https://cmi.example.ch")
_numbers = itertools.count(1)


class Intakes:
    """Orders as the shop places them: those of `examples/`, prepaid or not, under SP-IDs of their own."""

    def __init__(self, stage: Stage) -> None:
        hold = TransmissionPolicy(hold=Span.parse("0 seconds"))
        self._policy = Policy(transmission=hold)
        today = datetime.now(UTC).date()
        self._partners = stage.partners
        self._calendars = {
            partner.canton: pin_calendar(partner.canton, self._policy, today)
            for partner in stage.partners.values()
        }
        files = sorted((ROOT / "examples" / "orders").glob("*.json"))
        self._placements: list[Placement] = [p for file in files for p in parse(file, Placement)]

    def make(self, *, prepaid: bool = True) -> Intake:
        """The next order."""
        number = next(_numbers)
        like = self._placements[number % len(self._placements)]
        partner = self._partners[like.partner_id]
        return Intake(
            placement=like.model_copy(
                update={
                    "sp_id": f"SP-{number:07}",
                    "sales_order_id": f"{number}",
                    "prepaid": prepaid,
                }
            ),
            partner=partner,
            policy=self._policy,
            calendar=self._calendars[partner.canton],
        )


class Side(Protocol):
    """Who takes the messages."""

    name: str

    async def start(self, intake: Intake) -> None:
        """Start an order's workflow."""

    async def update(self, sp_id: str, request: Request) -> None:
        """Send a message and wait for its answer."""

    async def signal(self, sp_id: str, request: Request) -> None:
        """Leave a message."""

    async def transmitted(self, sp_id: str) -> None:
        """Wait until the order can be accepted."""

    async def closed(self, sp_id: str) -> None:
        """Wait for the end of the workflow."""


class FloorSide:
    """The bare workflow."""

    name = "floor"

    def __init__(self, client: Client) -> None:
        self._client = client

    def _handle(self, sp_id: str) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(f"floor-{sp_id}")

    async def start(self, intake: Intake) -> None:
        """See `Side`."""
        start = Start(desk=_DESK, intake=intake, placed_at=datetime.now(UTC))
        await self._client.start_workflow(
            FLOOR, start, id=f"floor-{intake.placement.sp_id}", task_queue=FLOOR_QUEUE
        )

    async def update(self, sp_id: str, request: Request) -> None:
        """See `Side`."""
        await self._handle(sp_id).execute_update(
            request.command.type, request, id=request.request_id, rpc_timeout=PATIENCE
        )

    async def signal(self, sp_id: str, request: Request) -> None:
        """See `Side`."""
        await self._handle(sp_id).signal(request.command.type, request)

    async def transmitted(self, sp_id: str) -> None:
        """See `Side`."""

    async def closed(self, sp_id: str) -> None:
        """See `Side`."""
        await self._handle(sp_id).result()


class ProductSide:
    """The product, by the client that its use cases have. One look into the records serves all who wait."""

    name = "product"

    def __init__(self, stage: Stage, *, looks_into_records: bool = True) -> None:
        self._client = stage.client
        self._orders = stage.orders
        self._looks_into_records = looks_into_records
        self._waiting: dict[str, asyncio.Event] = {}
        self._watch: asyncio.Task[None] | None = None

    async def start(self, intake: Intake) -> None:
        """See `Side`."""
        await workflow_client.start_order(self._client, intake, _DESK, datetime.now(UTC))

    async def update(self, sp_id: str, request: Request) -> None:
        """See `Side`."""
        await workflow_client.send_command(self._client, sp_id, request, PATIENCE)

    async def signal(self, sp_id: str, request: Request) -> None:
        """See `Side`."""
        await workflow_client.send_notice(self._client, sp_id, request)

    async def transmitted(self, sp_id: str) -> None:
        """The records show it as new: then its mail is out and its workflow knows. Without records it is asked."""
        while not self._looks_into_records:
            held = await workflow_client.snapshot(self._client, sp_id)
            if held.order.status is Status.NEW:
                return
            await asyncio.sleep(_LOOK_EVERY)
        seen = self._waiting.setdefault(sp_id, asyncio.Event())
        if self._watch is None:
            self._watch = asyncio.create_task(self._look())
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await seen.wait()

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(_LOOK_EVERY)
            new = await self._orders.page(OrderFilter(status=Status.NEW), limit=500)
            for order in new.items:
                if order.sp_id in self._waiting:
                    self._waiting.pop(order.sp_id).set()
        self._watch = None

    async def closed(self, sp_id: str) -> None:
        """See `Side`."""
        await self._client.get_workflow_handle(names.order_id(sp_id)).result()


@dataclass
class Drive:
    """What was measured of a number of lives."""

    lives: int = 0
    seconds: float = 0.0
    update_seconds: list[float] = field(default_factory=list)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    sp_ids: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Whole lives a second."""
        return self.lives / self.seconds


Pause = Callable[[str], Awaitable[None]]


async def no_pause(sp_id: str) -> None:
    """The next message follows at once."""


async def live(
    side: Side, intake: Intake, pause: Pause = no_pause, latencies: list[float] | None = None
) -> None:
    """Lead one order's whole life: start, 5 updates, 3 signals, until its workflow is closed."""
    sp_id = intake.placement.sp_id
    partner = Actor(role="partner", name="Team", partner_id=intake.partner.partner_id)

    def request(command: ExternalCommand, actor: Actor) -> Request:
        return Request(command=command, actor=actor, request_id=str(uuid.uuid4()))

    async def tell(command: ExternalCommand, actor: Actor) -> None:
        await pause(sp_id)
        await side.signal(sp_id, request(command, actor))

    async def ask(command: ExternalCommand, actor: Actor = partner) -> None:
        await pause(sp_id)
        asked = request(command, actor)
        began = time.perf_counter()
        await side.update(sp_id, asked)
        if latencies is not None:
            latencies.append(time.perf_counter() - began)

    await side.start(intake)
    await tell(PaymentReceived(), SHOP)
    await side.transmitted(sp_id)
    await ask(Accept())
    items = checklist(intake.placement.service.code)
    await ask(ConfirmRequirements(checklist=dict.fromkeys(items, "yes")))
    await tell(GoodsShipped(tracking=f"99.00.{sp_id}"), WAREHOUSE)
    await tell(GoodsReceived(), WAREHOUSE)
    start = datetime.now(UTC) + timedelta(hours=1)
    await ask(SetAppointment(start=start, end=start + timedelta(hours=2)))
    await ask(ConfirmExecution())
    await ask(Bill(settlement_id=f"V-{intake.partner.partner_id}"), SYSTEM)
    await side.closed(sp_id)


async def drive(
    stage: Stage, side: Side, intakes: Sequence[Intake], callers: int, pause: Pause = no_pause
) -> Drive:
    """Lead these lives, so many at a time, and measure."""
    done = Drive(lives=len(intakes), sp_ids=[intake.placement.sp_id for intake in intakes])
    ahead = iter(intakes)

    async def caller() -> None:
        for intake in ahead:
            await live(side, intake, pause, done.update_seconds)

    before, began = stage.cpu(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    done.seconds = time.perf_counter() - began
    after = stage.cpu()
    done.cpu_seconds = {name: after[name] - before.get(name, 0.0) for name in after}
    return done


def until_idle(client: Client, prefix: str = "") -> Pause:
    """A pause that lasts until a workflow has nothing under way: the pace of people, without their waiting."""

    async def pause(sp_id: str) -> None:
        handle = client.get_workflow_handle(f"{prefix}{sp_id}")
        quiet = 0
        while quiet < 2:
            await asyncio.sleep(0.03)
            described = (await handle.describe()).raw_description
            busy = described.pending_activities or described.HasField("pending_workflow_task")
            quiet = 0 if busy else quiet + 1

    return pause
