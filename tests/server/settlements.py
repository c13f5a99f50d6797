"""Settlements on the real server: orders that can be billed, and a worker that stops where a test wants to kill it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from contracts import names
from contracts.activities import SettlementOf
from domain.actors import SYSTEM
from domain.months import Month
from domain.orders.order import Order, Status
from domain.settlements.ids import settlement_id
from domain.settlements.lines import VAT_RATES
from domain.settlements.settlement import SettlementStatus
from records import tables
from records.papers import Papers
from records.settlements import Settlements, StoredSettlement
from temporal import orders
from temporal.settlements import start_settlement
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.builders import COMPLETED, lived, partner_actor
from tests.support.needs import require
from tests.support.rendering import one_process_for_documents
from tests.support.workers import BoundedRun
from tests.workflows.life import DESK
from use_cases.opening import opening_of
from worker import document_worker

HUBER = "elektro-huber"
OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)
# Stops before and after each of these while there is a file of that name; and waits for nobody for long.
GATED = """
import asyncio, functools, sys
from datetime import timedelta
from pathlib import Path
from typing import Any
import worker
from activities import claims, papers, reconcile, settlement_mail
from mail import outbox
from records.billable import Billable
from workflows import background, order_batches, paper_activities, saving, service_order, settlement

for each in (background, service_order, settlement):
    each.ATTEMPT_LIMIT = timedelta(seconds=3)
for each in (order_batches, paper_activities, settlement):
    each.HEARTBEAT = timedelta(seconds=1.5)
saving.LOST_AFTER = timedelta(seconds=1.5)
reconcile.COMPARE_AGAIN_AFTER = 0.3
background.UNTIL_IT_SUCCEEDS.initial_interval = timedelta(seconds=0.2)
folder = Path(sys.argv[1])

async def gate(name):
    hold = folder / name
    if hold.exists():
        (folder / f"{name}.reached").touch()
        while hold.exists():
            await asyncio.sleep(0.02)

def gated(owner, name):
    inner = getattr(owner, name)
    @functools.wraps(inner)
    async def outer(*args, **more):
        await gate(f"before-{name.strip('_')}")
        result = await inner(*args, **more)
        await gate(f"after-{name.strip('_')}")
        return result
    setattr(owner, name, outer)

for owner, name in (
    (Billable, "partners_of"),
    (claims.ClaimActivities, "_claim"),
    (claims.ClaimActivities, "_release"),
    (claims, "_of_each"),
    (papers.PaperActivities, "_data"),
    (papers.PaperActivities, "_keep"),
    (papers, "_made"),
    (papers, "check_invoice"),
    (settlement_mail.SettlementMailActivities, "_recipient"),
    (outbox.Outbox, "_mark"),
):
    gated(owner, name)
sys.exit(worker.main(sys.argv[2:]))
"""


class SettlementOffice:
    """Surroundings with orders and settlements."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.gates = around.folder / "gates"
        self.gates.mkdir()
        self.settlements = Settlements(around.database)
        self.papers = Papers(around.database)
        around.run_as_worker(GATED, str(self.gates))

    @property
    def today(self) -> date:
        """The day by the office's clock, as statements have it. In UTC it may still be the day before."""
        return datetime.now(ZoneInfo(self.around.policy.office.timezone)).date()

    # --- orders --------------------------------------------------------------------------------------------------

    async def complete(self, sp_ids: Iterable[str], partner_id: str = HUBER) -> list[str]:
        """Orders that were executed, with their workflows.

        A few at a time: a transaction that waits for a connection longer than `CONNECT_SECONDS` fails.
        """
        turns = asyncio.Semaphore(4)

        async def begin(sp_id: str) -> str:
            order, events = lived(*COMPLETED, sp_id=sp_id, partner_id=partner_id)
            async with turns:
                await self.around.begin_with(order, events)
            return sp_id

        return list(await asyncio.gather(*(begin(sp_id) for sp_id in sp_ids)))

    async def order(self, sp_id: str) -> Order:
        """An order as its workflow has it, once the records have it so, too."""
        held = (await orders.snapshot(self.around.client, sp_id)).order

        async def recorded() -> bool:
            stored = await self.around.orders.get(sp_id)
            return stored is not None and stored.order.version == held.version

        # A worker that was killed while it wrote is given up after the activity's 45 seconds.
        try:
            await eventually(recorded)
        except AssertionError as error:
            about = (await self.around.client.get_workflow_handle(sp_id).describe()).raw_description
            raise AssertionError(f"{sp_id} at {held.version} is not recorded: {about}") from error
        return held

    async def billed_by(self, sp_ids: Iterable[str]) -> dict[str, str | None]:
        """Which settlement each order says has billed it."""
        answers = {}
        for sp_id in sp_ids:
            order = await self.order(sp_id)
            assert (order.status is Status.BILLED) == (order.settlement_id is not None)
            answers[sp_id] = order.settlement_id
        return answers

    # --- settlements ---------------------------------------------------------------------------------------------

    async def open(
        self, *sp_ids: str, month: Month = OCTOBER, partner_id: str = HUBER, automatic: bool = False
    ) -> str:
        """Open a settlement, which is closed at once unless the month's end opens it; its number."""
        partner = await self.around.partners.get(partner_id)
        assert partner is not None
        now = datetime.now(UTC)
        opening = opening_of(
            partner,
            month,
            now,
            policies=self.around.policies,
            vat_rates=VAT_RATES,
            picked=sp_ids,
            automatic=automatic,
        )
        actor = SYSTEM if automatic else partner_actor(partner_id)
        await start_settlement(self.around.client, opening, actor, DESK, now)
        return settlement_id(partner_id, month)

    async def reaches(self, number: str, status: SettlementStatus) -> StoredSettlement:
        """The settlement, once the records show it in a state."""
        found_status = select(tables.settlements.c.status).where(
            tables.settlements.c.settlement_id == number
        )

        async def there() -> StoredSettlement | None:
            # Its lines and events are read only once it is there.
            held = await self.around.database.read(
                lambda connection: connection.execute(found_status).scalar_one_or_none()
            )
            stored = await self.settlements.get(number) if held == status else None
            return stored if stored is not None and stored.settlement.status is status else None

        found: StoredSettlement = await eventually(there)
        return found

    async def ends_closing(self, number: str) -> StoredSettlement:
        """The settlement, once its orders have answered and its statement is made, if there is any."""

        async def there() -> StoredSettlement | None:
            stored = await self.settlements.get(number)
            closing = (SettlementStatus.OPEN, SettlementStatus.CLOSING)
            return stored if stored and stored.settlement.status not in closing else None

        found: StoredSettlement = await eventually(there)
        return found

    async def check_timeline(self, number: str) -> None:
        """The records hold every event of a settlement once, in order."""
        stored = await self.settlements.get(number)
        assert stored is not None
        assert [e.seq for e in stored.events] == list(range(1, stored.settlement.version + 1))

    # --- workers -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Workers within the test's process, for what is not about processes that die."""
        with one_process_for_documents():
            async with self.around.worker():
                yield

    @asynccontextmanager
    async def documents(self) -> AsyncIterator[None]:
        """Documents are made within the test's process. The worker process has the queue of orders only.

        Enter it before the worker process starts. For tests in which no worker dies while it makes a document.
        """
        around = self.around
        around.run_as_worker(GATED, str(self.gates), "--queues", names.ORDERS_QUEUE)
        settings = around.settings.model_copy(update={"drain_seconds": 0})
        with one_process_for_documents():
            async with BoundedRun(document_worker(around.client, settings, around.database)):
                yield

    def hold(self, *gates: str) -> None:
        """Have the worker stop there."""
        for gate in gates:
            (self.gates / gate).touch()

    async def kill_at(self, gate: str) -> None:
        """Kill the worker once it has stopped there, and start another one, which passes."""
        await eventually((self.gates / f"{gate}.reached").exists)
        self.around.worker_process.kill()
        (self.gates / gate).unlink()
        await self.around.start_worker_process()


@asynccontextmanager
async def settlement_office(
    folder: Path, *, shared: bool = True, **options: Any
) -> AsyncIterator[SettlementOffice]:
    """Surroundings for settlements; no worker yet. Skips the test where statements cannot be made."""
    require("pango")
    async with surroundings(folder, shared=shared, **options) as around:
        yield SettlementOffice(around)


def of_huber(month: Month = OCTOBER) -> SettlementOf:
    """Huber's settlement of a month."""
    return SettlementOf(partner_id=HUBER, month=month)
