"""How many orders of one partner a settlement bills in a second, and how long its statement takes after that."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from bench.report import console, keep, table
from bench.stage import Stage, stage
from contracts.activities import Snapshot
from contracts.messages import Carried, Desk
from domain.policy import Policy
from domain.settlements.settlement import VAT_RATES, SettlementStatus
from records.database import Database
from records.settlements import Settlements, StoredSettlement
from settings import Settings
from temporal.orders import revive_order
from tests.builders import COMPLETED, lived, placement
from use_cases.principal import Principal
from use_cases.settlements import SettlementDesk

PARTNER = "elektro-huber"
STARTERS = 16
_DESK = Desk(public_url="http://localhost:8000")
_LOOK_EVERY = 0.2


async def run(orders: int) -> None:
    """`orders` completed orders of one partner, each a workflow of its own, are billed in one settlement."""
    async with stage() as made:
        database = Database(Settings.from_env(made.env).database_url)
        try:
            async with made.product():
                sp_ids = await _complete(made, orders)
                console.print(f"{orders} completed orders wait to be billed")
                settled = await _settle(made, database, sp_ids)
        finally:
            await database.close()
    _report(orders, *settled)


async def _complete(made: Stage, number: int) -> list[str]:
    """Orders that were executed, in the records and as running workflows, without living each of them."""
    numbers = iter(range(number))
    sp_ids = []

    async def starter() -> None:
        for n in numbers:
            placed = placement(sp_id=f"SP-{2_000_000 + n}", fee=f"{60 + n % 90}.{n % 20 * 5:02}")
            order, events = lived(*COMPLETED, **placed.model_dump())
            await made.orders.save(Snapshot(order=order, events=events))
            carried = Carried(order=order, events=events, unsaved=(), outbox=(), answered={})
            await revive_order(made.client, carried, _DESK)
            sp_ids.append(order.sp_id)

    async with asyncio.TaskGroup() as group:
        for _ in range(STARTERS):
            group.create_task(starter())
    return sp_ids


async def _settle(
    made: Stage, database: Database, sp_ids: list[str]
) -> tuple[StoredSettlement, float, dict[str, float]]:
    """The issued settlement, the seconds its opening took, and the CPU seconds of each process."""
    desk = SettlementDesk(made.client, database, Policy(), VAT_RATES, _DESK)
    partner = Principal(role="partner", login_id="bench", name="bench", partner_id=PARTNER)
    before, began = made.cpu(), time.perf_counter()
    opened = await desk.open(partner, sp_ids, "bench")
    opening = time.perf_counter() - began
    records = Settlements(database)
    while True:
        stored = await records.get(opened.settling.settlement_id)
        assert stored is not None
        if stored.settling.status is SettlementStatus.ISSUED:
            break
        await asyncio.sleep(_LOOK_EVERY)
    used = made.cpu()
    return stored, opening, {name: used[name] - before[name] for name in used}


def _report(orders: int, stored: StoredSettlement, opening: float, cpu: dict[str, float]) -> None:
    at: dict[str, datetime] = {each.event.type: each.at.astimezone(UTC) for each in stored.events}
    claiming = (at["orders_claimed"] - at["opened"]).total_seconds()
    statement = (at["statement_issued"] - at["orders_claimed"]).total_seconds()
    assert stored.settling.statement is not None
    assert len(stored.account.lines) == orders, "every order is billed"
    figures: dict[str, Any] = {
        "opening_seconds": opening,
        "claiming_seconds": claiming,
        "orders_per_second": orders / claiming,
        "statement_seconds": statement,
        "statement_pages": stored.settling.statement.pages,
        "orders_per_second_in_all": orders / (claiming + statement),
        "cpu_milliseconds_per_order": {
            name: seconds / orders * 1000 for name, seconds in cpu.items()
        },
    }
    table(
        f"One settlement with {orders} orders",
        ["", ""],
        [
            ("until its opening is answered, s", opening),
            ("until every order is billed, s", claiming),
            ("orders billed a second", orders / claiming),
            (f"the statement of {stored.settling.statement.pages} pages, s", statement),
            ("orders settled a second, statement included", orders / (claiming + statement)),
        ],
    )
    keep("settlement", figures, orders=orders)
