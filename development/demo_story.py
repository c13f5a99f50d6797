"""One order of the demonstration: the actions of people, the skipped time, and the table on the screen."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from time import monotonic
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

import words
from contracts import names
from development.api_client import PATIENCE, Api
from development.embedded import ROOT
from development.sample_data import ZURICH
from domain.orders.order import Status

BETWEEN_TABLES = 4.0
"""Seconds between two tables if the output is not a terminal."""


class DemoFailed(Exception):
    """The product did not do what the demonstration expects."""


@dataclass
class Progress:
    """The progress of one order, as the table shows it."""

    title: str
    sp_id: str
    partner: str
    status: str = ""
    at: datetime | None = None
    """The time of the order. Each order skips time independently."""
    last: str = ""
    """The last step."""
    steps: int = 0


@dataclass
class Stage:
    """The running product, the screen, and what all stories share."""

    api: Api
    temporal: Client
    console: Console
    orders: list[Progress] = field(default_factory=list)
    live: Live | None = None
    drawn: float = 0.0

    def __post_init__(self) -> None:
        self.skipper = TimeSkipper(self.temporal, config=TimeSkippingConfig(enabled=False))

    async def invite_partners(self) -> None:
        """Add the partners of `examples/`, and make a token for each."""
        for path in sorted((ROOT / "examples/partners").glob("*.json")):
            partner = json.loads(path.read_text())
            partner_id = partner["partner_id"]
            await self.api.post("operations", "/partners", partner)
            token = await self.api.post(
                "operations", f"/partners/{partner_id}/tokens", {"name": "demonstration"}
            )
            self.api.credentials["partners"][partner_id] = token

    def show(self) -> None:
        """Update the table. If the output is not a terminal, print a new one every few seconds."""
        if self.live is not None:
            self.live.update(progress_table(self.orders))
        if not self.console.is_terminal and monotonic() - self.drawn > BETWEEN_TABLES:
            self.drawn = monotonic()
            self.console.print(progress_table(self.orders))


class Story:
    """One order, and the actions of people and the skipped time in its story."""

    def __init__(self, stage: Stage, title: str, order: dict[str, Any]) -> None:
        self.stage = stage
        self.order = order
        self.sp_id: str = order["sp_id"]
        self.partner: str = order["partner_id"]
        self.progress = Progress(title, self.sp_id, self.partner)
        stage.orders.append(self.progress)
        self.handle = stage.temporal.get_workflow_handle(names.order_id(self.sp_id))

    def say(self, sentence: str, status: str | None = None) -> None:
        """Show what just happened, and the new state if there is one."""
        self.progress.last = sentence
        self.progress.steps += 1
        if status is not None:
            self.progress.status = status
        self.stage.show()

    async def place(self) -> None:
        """The shop places the order."""
        placed = await self.stage.api.post("shop", "/orders", self.order)
        self.say("placed by the shop", placed["status"])

    async def transmit(self) -> None:
        """The hold of half an hour passes, and the order is sent to the partner."""
        await self.skip(timedelta(minutes=31))
        await self.until(Status.NEW)
        self.say("sent to the partner")

    async def act(self, path: str, body: dict[str, Any], sentence: str, who: str = "") -> Any:
        """POST to the order, as the partner or as `who`. Returns the answer."""
        answer = await self.stage.api.post(
            who or self.partner, f"/orders/{self.sp_id}/{path}", body
        )
        self.say(sentence, answer["status"] if "version" in answer else None)
        return answer

    async def skip(self, delta: timedelta) -> None:
        """Skip this much time, for this order only."""
        until = await self.now() + delta
        # A skip can end early, at a timer that fires while others are being set.
        while (left := until - await self.now()) > timedelta(seconds=1):
            await self.stage.skipper.fast_forward(self.handle, left)
        await self.look()

    async def skip_to(self, days: int, clock: time) -> None:
        """Skip time until this time of day in Zürich, `days` later."""
        now = (await self.now()).astimezone(ZURICH)
        then = datetime.combine(now.date() + timedelta(days=days), clock, ZURICH)
        await self.skip(then - now)

    async def now(self) -> datetime:
        """The time on the order's own clock."""
        return await self.stage.skipper.get_current_time(self.handle)

    async def look(self) -> dict[str, Any]:
        """The order as operations see it."""
        seen: dict[str, Any] = await self.stage.api.get("operations", f"/orders/{self.sp_id}")
        self.progress.status = seen["status"]
        self.progress.at = await self.now()
        self.stage.show()
        return seen

    async def until(self, status: Status) -> None:
        """Wait until the order is in a state."""
        await self.wait(lambda seen: seen["status"] == status.value, status.value)

    async def wait(self, holds: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Wait until a condition holds; `what` describes it.

        Raises:
            DemoFailed: it did not hold in time.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds(await self.look()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise DemoFailed(f"{self.sp_id}: waited in vain for {what}") from None

    async def agree_appointment(self, days: int = 1, reason: str = "") -> None:
        """The partner sets an appointment in the morning, `days` later."""
        day = (await self.now()).astimezone(ZURICH).date() + timedelta(days=days)
        start = datetime.combine(day, time(9), ZURICH)
        # That day can be a Sunday or a holiday.
        end = start + timedelta(hours=2)
        body = {"start": start.isoformat(), "end": end.isoformat(), "unusual": True}
        await self.act(
            "appointment",
            body | ({"reason": reason} if reason else {}),
            f"appointment on {words.format_instant(start.replace(tzinfo=None), 'en')}",
        )

    async def live_until_goods_received(self) -> None:
        """All steps from placing to the delivery of the goods."""
        await self.place()
        if self.order["prepaid"]:
            await self.act("payment-received", {}, "paid", who="shop")
            await self.until(Status.IN_TRANSMISSION)
        await self.transmit()
        await self.act("accept", {}, "accepted")
        await self.skip(timedelta(hours=1))
        await self.act(
            "contacts", {"outcome": "reached", "note": "mornings suit"}, "customer reached"
        )
        await self.confirm_requirements()
        await self.ship("99.00.1")

    async def confirm_requirements(self) -> None:
        """The partner answers each question of the checklist with yes."""
        checklist = (await self.look())["checklist"]
        await self.act(
            "requirements",
            {"met": True, "checklist": dict.fromkeys(checklist, "yes")},
            "requirements met, the warehouse is asked to ship",
        )

    async def ship(self, tracking: str) -> None:
        """The warehouse ships the goods, and they arrive a day later."""
        await self.skip_to(1, time(9))
        await self.act("goods-shipped", {"tracking": tracking}, "goods shipped", who="warehouse")
        await self.until(Status.SET_APPOINTMENT)
        await self.skip_to(1, time(10))
        await self.act("goods-received", {}, "goods received", who="warehouse")
        await self.wait(_goods_are_there, "the receipt of the goods")

    async def execute(self) -> None:
        """The day of the appointment comes, and the partner does the work."""
        await self.skip_to(1, time(12))
        await self.act("execution", {"executed": True, "note": "all well"}, "executed")


def _goods_are_there(order: dict[str, Any]) -> bool:
    """Whether the last event about the goods is their receipt."""
    about = [e["type"] for e in order["timeline"] if e["type"].startswith("goods_")]
    return about[-1:] == ["goods_received"]


def progress_table(orders: Sequence[Progress]) -> Table:
    """The orders with their states and their last steps."""
    drawn = Table(expand=True)
    for column in ("story", "SP-ID", "partner", "state", "its own time"):
        drawn.add_column(column, no_wrap=True)
    drawn.add_column("what just happened", ratio=1, no_wrap=True)
    for order in orders:
        at = order.at.astimezone(ZURICH).replace(tzinfo=None) if order.at else None
        drawn.add_row(
            order.title,
            order.sp_id,
            order.partner,
            order.status,
            at.strftime("%a %d %b %H:%M") if at else "",
            order.last,
        )
    states = Counter(order.status for order in orders if order.status)
    steps = sum(order.steps for order in orders)
    drawn.caption = " · ".join(
        [f"{steps} steps", *(f"{n} {state}" for state, n in sorted(states.items()))]
    )
    return drawn
