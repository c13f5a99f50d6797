"""One unattended run: orders through every ending, and a settlement, told as it happens, in skipped time."""

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from contracts import names
from development.api_client import PATIENCE, Api, CallFailed, read_credentials
from development.embedded import ROOT, free_port
from development.sample_data import ZURICH, read_orders
from domain import words
from domain.orders.order import Status
from domain.settlements.settlement import SettlementStatus
from scripts.system_packages import why_missing
from temporal.connection import data_converter, leave

BETWEEN_TABLES = 4.0


class DemoFailed(Exception):
    """The product did not do what it says it does."""


@dataclass
class Told:
    """One order's story as far as it is told."""

    title: str
    sp_id: str
    partner: str
    status: str = ""
    at: datetime | None = None
    last: str = ""
    steps: int = 0


@dataclass
class Stage:
    """The running product, and time."""

    api: Api
    temporal: Client
    console: Console
    told: list[Told] = field(default_factory=list)
    live: Live | None = None
    drawn: float = 0.0

    def __post_init__(self) -> None:
        self.skipper = TimeSkipper(self.temporal, config=TimeSkippingConfig(enabled=False))

    async def invite_partners(self) -> None:
        """The partners of the examples, each with a token."""
        for path in sorted((ROOT / "examples/partners").glob("*.json")):
            partner = json.loads(path.read_text())
            partner_id = partner["partner_id"]
            await self.api.post("operations", "/partners", partner)
            token = await self.api.post(
                "operations", f"/partners/{partner_id}/tokens", {"name": "demonstration"}
            )
            self.api.credentials["partners"][partner_id] = token

    def show(self) -> None:
        """Draw the table anew; where there is no terminal, now and then below the last one."""
        if self.live is not None:
            self.live.update(table(self.told))
        if not self.console.is_terminal and monotonic() - self.drawn > BETWEEN_TABLES:
            self.drawn = monotonic()
            self.console.print(table(self.told))


class Story:
    """One order, told step by step."""

    def __init__(self, stage: Stage, title: str, order: dict[str, Any]) -> None:
        self.stage = stage
        self.order = order
        self.sp_id: str = order["sp_id"]
        self.partner: str = order["partner_id"]
        self.told = Told(title, self.sp_id, self.partner)
        stage.told.append(self.told)
        self.handle = stage.temporal.get_workflow_handle(names.order_id(self.sp_id))

    def say(self, sentence: str, status: str | None = None) -> None:
        """What just happened."""
        self.told.last = sentence
        self.told.steps += 1
        if status is not None:
            self.told.status = status
        self.stage.show()

    async def place(self) -> None:
        """The shop places it; the hold passes and the partner is sent the order."""
        placed = await self.stage.api.post("shop", "/orders", self.order)
        self.say("placed by the shop", placed["status"])

    async def transmitted(self) -> None:
        """The hold of half an hour passes, and the order goes to the partner."""
        await self.skip(timedelta(minutes=31))
        await self.until(Status.NEW)
        self.say("sent to the partner")

    async def act(self, path: str, body: dict[str, Any], sentence: str, who: str = "") -> Any:
        """Somebody (the partner) does something; the answer."""
        answer = await self.stage.api.post(
            who or self.partner, f"/orders/{self.sp_id}/{path}", body
        )
        self.say(sentence, answer["status"] if "version" in answer else None)
        return answer

    async def skip(self, delta: timedelta) -> None:
        """Let time pass for this order alone."""
        await self.stage.skipper.fast_forward(self.handle, delta)
        await self.look()

    async def skip_to(self, days: int, clock: time) -> None:
        """Let time pass until so many days later at that hour in Zürich."""
        now = (await self.now()).astimezone(ZURICH)
        then = datetime.combine(now.date() + timedelta(days=days), clock, ZURICH)
        await self.skip(then - now)

    async def now(self) -> datetime:
        """The order's own time."""
        return await self.stage.skipper.get_current_time(self.handle)

    async def look(self) -> dict[str, Any]:
        """The order as operations see it."""
        seen: dict[str, Any] = await self.stage.api.get("operations", f"/orders/{self.sp_id}")
        self.told.status = seen["status"]
        self.told.at = await self.now()
        self.stage.show()
        return seen

    async def until(self, status: Status) -> None:
        """Wait until the order is in a state."""
        await self.wait(lambda seen: seen["status"] == status.value, status.value)

    async def wait(self, holds: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Wait for something to be true of the order."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds(await self.look()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise DemoFailed(f"{self.sp_id}: waited in vain for {what}") from None

    async def appointment(self, days: int = 1, reason: str = "") -> None:
        """A date in the morning, so many days later, is agreed."""
        day = (await self.now()).astimezone(ZURICH).date() + timedelta(days=days)
        start = datetime.combine(day, time(9), ZURICH)
        body = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
        await self.act(
            "appointment",
            body | ({"reason": reason} if reason else {}),
            f"appointment on {words.format_instant(start.replace(tzinfo=None), 'en')}",
        )

    async def until_goods(self) -> None:
        """From the first mail to the goods at the customer's door."""
        await self.place()
        if self.order["prepaid"]:
            await self.act("payment-received", {}, "paid", who="shop")
            await self.until(Status.IN_TRANSMISSION)
        await self.transmitted()
        await self.act("accept", {}, "accepted")
        await self.skip(timedelta(hours=1))
        await self.act(
            "contacts", {"outcome": "reached", "note": "mornings suit"}, "customer reached"
        )
        await self.confirm()
        await self.ship("99.00.1")

    async def confirm(self) -> None:
        """All that this service asks about is there."""
        checklist = (await self.look())["checklist"]
        await self.act(
            "requirements",
            {"met": True, "checklist": dict.fromkeys(checklist, "yes")},
            "requirements met, the warehouse is asked to ship",
        )

    async def ship(self, tracking: str) -> None:
        """The warehouse ships, and a day later the goods are there."""
        await self.skip_to(1, time(9))
        await self.act("goods-shipped", {"tracking": tracking}, "goods shipped", who="warehouse")
        await self.until(Status.SET_APPOINTMENT)
        await self.skip_to(1, time(10))
        await self.act("goods-received", {}, "goods received", who="warehouse")

    async def executed(self) -> None:
        """The day comes, and the work is done."""
        await self.skip_to(1, time(12))
        await self.act("execution", {"executed": True, "note": "all well"}, "executed")


async def executed(story: Story) -> None:
    """From placing to execution, as it should be."""
    await story.until_goods()
    await story.appointment()
    await story.executed()


async def prepaid(story: Story) -> None:
    """The same, after three months in which the order waits for its money at no cost."""
    await story.place()
    await story.skip(timedelta(days=90))
    await story.act("payment-received", {}, "paid after three months", who="shop")
    await story.until(Status.IN_TRANSMISSION)
    await story.transmitted()
    await story.act("accept", {}, "accepted")
    await story.confirm()
    await story.ship("99.00.2")
    await story.appointment()
    await story.executed()


async def not_met(story: Story) -> None:
    """The washing machine does not pass the staircase."""
    await story.place()
    await story.transmitted()
    await story.act("accept", {}, "accepted")
    await story.act(
        "requirements",
        {"met": False, "reason": "passage_too_narrow", "note": "72 cm"},
        "the staircase is too narrow: cancelled",
    )


async def reshipped(story: Story) -> None:
    """Damaged on the way, shipped again, and then executed."""
    await story.until_goods()
    await story.appointment()
    await story.skip_to(1, time(12))
    await story.act(
        "execution",
        {"executed": False, "reason": "transport_damage", "note": "a dent in the door"},
        "not executed: transport damage",
    )
    await story.act(
        "review", {"decision": "reship", "note": ""}, "operations: ship again", who="operations"
    )
    await story.ship("99.00.4")
    await story.appointment()
    await story.executed()


async def cancelled(story: Story) -> None:
    """The customer changes their mind when the goods are on their way."""
    await story.until_goods()
    await story.act(
        "cancel", {"reason": "returned by the customer"}, "cancelled by the shop", who="shop"
    )


async def reassigned(story: Story) -> None:
    """Handed to another firm in another canton, which does it."""
    await story.place()
    await story.transmitted()
    other = "luzern-montage" if story.partner != "luzern-montage" else "elektro-huber"
    await story.act(
        "reassign",
        {"partner_id": other, "reason": "holidays"},
        f"operations hand it to {other}",
        who="operations",
    )
    story.partner = story.told.partner = other
    await story.act("accept", {}, "accepted by the new partner")
    await story.confirm()
    await story.ship("99.00.6")
    await story.appointment()
    await story.executed()


async def late(story: Story) -> None:
    """Nobody reacts: reminder, escalation, repetition; accepting late is still accepting."""
    await story.place()
    await story.transmitted()
    for day in range(6):
        await story.skip(timedelta(days=1))
        events = Counter(entry["type"] for entry in (await story.look())["timeline"])
        story.say(
            f"day {day + 1}: {events['reminder']} reminders, {events['deadline_missed']} deadlines "
            f"missed, {events['escalation']} escalations"
        )
    await story.act("accept", {}, "accepted late, which is still accepted")


STORIES: tuple[tuple[str, str, int, Callable[[Story], Awaitable[None]]], ...] = (
    ("executed", "zuerich", 0, executed),
    ("paid, then executed", "zuerich", 2, executed),
    ("prepaid", "geneve", 1, prepaid),
    ("requirements not met", "luzern", 0, not_met),
    ("not executed, reshipped", "ticino", 1, reshipped),
    ("cancelled by the shop", "geneve", 0, cancelled),
    ("reassigned", "ticino", 0, reassigned),
    ("misses its deadlines", "zuerich", 1, late),
)


def table(told: Sequence[Told]) -> Table:
    """The orders, each with its state and what was last told of it."""
    drawn = Table(expand=True)
    for column in ("story", "SP-ID", "partner", "state", "its own time"):
        drawn.add_column(column, no_wrap=True)
    drawn.add_column("what just happened", ratio=1, no_wrap=True)
    for order in told:
        at = order.at.astimezone(ZURICH).replace(tzinfo=None) if order.at else None
        drawn.add_row(
            order.title,
            order.sp_id,
            order.partner,
            order.status,
            at.strftime("%a %d %b %H:%M") if at else "",
            order.last,
        )
    states = Counter(order.status for order in told if order.status)
    steps = sum(order.steps for order in told)
    drawn.caption = " · ".join(
        [f"{steps} steps", *(f"{n} {state}" for state, n in sorted(states.items()))]
    )
    return drawn


@asynccontextmanager
async def product(folder: Path) -> Any:
    """The whole product on free ports, with its records, mails and logs in a folder; its ports and addresses."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ports = {name: free_port() for name in ("http", "temporal", "ui", "smtp")}
    options = [text for name, port in ports.items() for text in (f"--{name}-port", str(port))]
    env = {key: value for key, value in os.environ.items() if not key.startswith("CMI_")}
    with (folder / "dev.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(  # noqa: TID251 - on asyncio's own loop
            sys.executable,
            str(ROOT / "dev.py"),
            *("--data-dir", str(folder), "--no-sample-data", *options),
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(120):
                while (line := await process.stdout.readline()).strip() != b"ready":
                    if not line:
                        raise DemoFailed(f"dev.py did not come up; see {folder / 'dev.log'}")
            yield ports
        finally:
            process.terminate()
            await process.wait()


async def run(folder: Path, console: Console) -> None:
    """The demonstration. Raises `DemoFailed` where the product fails its own story."""
    console.print("Starting Temporal, mail server, worker and web application …")
    async with product(folder) as ports:
        credentials = read_credentials(folder / "credentials.json")
        temporal = await Client.connect(
            f"127.0.0.1:{ports['temporal']}", data_converter=data_converter()
        )
        async with Api(f"http://127.0.0.1:{ports['http']}", credentials) as api:
            stage = Stage(api, temporal, console)
            await stage.invite_partners()
            stories = []
            for title, place, number, tell in STORIES:
                stories.append((Story(stage, title, read_orders(place)[number]), tell))
            with Live(table(stage.told), console=console, refresh_per_second=8) as live:
                stage.live = live
                await asyncio.gather(*(tell(story) for story, tell in stories))
                live.update(table(stage.told))
            console.print()
            if reason := why_missing("pango"):
                console.print(f"No settlement, since no document can be made; {reason}")
            else:
                await settle(stage, folder)
        console.print()
        _show_mails(folder / "mail", console)


async def settle(stage: Stage, folder: Path) -> None:
    """The partner with the most executed orders bills them, and its invoice is checked. The papers stay in a folder."""
    api, say = stage.api, stage.console.print
    executed: dict[str, list[str]] = {}
    for order in stage.told:
        if order.status == Status.COMPLETED.value:
            executed.setdefault(order.partner, []).append(order.sp_id)
    partner, sp_ids = max(executed.items(), key=lambda each: len(each[1]))
    unfinished = next(
        order.sp_id
        for order in stage.told
        if order.partner == partner and order.sp_id not in sp_ids
    )
    say(f"[bold]{partner} settles the month")
    opened = await api.post(partner, "/settlements", {"sp_ids": [*sp_ids, unfinished]})
    path = f"/settlements/{opened['settlement_id']}"
    say(f"  {opened['settlement_id']}: {len(sp_ids)} orders picked, {unfinished} is left out")
    seen = await _issued(api, partner, path)
    say(f"  every order claimed; net {seen['net']}, VAT {seen['vat']}, total CHF {seen['total']}")

    async def paper(name: str) -> bytes:
        content = (await api.call(partner, "GET", f"{path}/{name}")).content
        (folder / name).write_bytes(content)
        return content

    await paper("statement.csv")
    statement = await paper("statement.pdf")
    if hashlib.sha256(statement).hexdigest() != seen["statement"]["sha256"]:
        raise DemoFailed("the statement is not the one that was issued")
    say(f"  the statement: {folder / 'statement.pdf'}")
    returned = await api.call(partner, "POST", f"{path}/invoice", file=statement)
    say(f"  by mistake it is sent as the invoice, and comes back: {returned.json()['problems'][0]}")
    draft = await paper("draft-invoice.pdf")
    verdict = (await api.call(partner, "POST", f"{path}/invoice", file=draft)).json()
    if not verdict["accepted"]:
        raise DemoFailed(f"the drafted invoice is not right: {verdict}")
    say(f"  the invoice, drafted for the partner, is right: {folder / 'draft-invoice.pdf'}")
    status = (await api.get("accounting", path))["status"]
    await _mailed(folder / "mail", "accounting@localhost")
    say(f"  {opened['settlement_id']} is {status}; accounting has the invoice by mail")


async def _issued(api: Api, partner: str, path: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            seen: dict[str, Any] = await api.get(partner, path)
            if seen["status"] == SettlementStatus.ISSUED:
                return seen
            await asyncio.sleep(0.1)


async def _mailed(folder: Path, receiver: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while receiver not in _receivers(folder):
            await asyncio.sleep(0.1)


def _receivers(folder: Path) -> Counter[str]:
    """How many mails each has."""
    return Counter(
        str(message_from_bytes(path.read_bytes(), policy=policy.default)["To"])
        for path in folder.glob("*.eml")
    )


def _show_mails(folder: Path, console: Console) -> None:
    drawn = Table(title="Mails", title_justify="left")
    drawn.add_column("to")
    drawn.add_column("how many", justify="right")
    for receiver, number in _receivers(folder).most_common():
        drawn.add_row(receiver, str(number))
    console.print(drawn)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("var/demo"), help="what it leaves (var/demo)"
    )
    options = parser.parse_args(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    started = datetime.now(UTC)
    try:
        asyncio.run(run(options.folder, console))
    except (DemoFailed, CallFailed) as error:
        console.print(f"[bold red]{error}")
        return 1
    console.print(
        f"Done in {(datetime.now(UTC) - started).seconds} s. Each order lived weeks under the standard policy."
    )
    console.print(f"  mails              {options.folder / 'mail'}")
    console.print(f"  shipping requests  {options.folder / 'warehouse'}")
    console.print(
        f"  Temporal UI        make run ARGS='--data-dir {options.folder}', then http://localhost:8233"
    )
    return 0


if __name__ == "__main__":
    leave(main())
