"""Measures how many orders a settlement bills per second, and how long its statement then takes."""

import asyncio
import time
from datetime import UTC, datetime

from bench.report import console, keep, table
from bench.stage import running_product
from contracts.activities import Snapshot
from contracts.messages import Carried
from domain.settlements.lines import VAT_RATES
from domain.settlements.settlement import SettlementStatus
from records.settlements import Settlements, StoredSettlement
from temporal.orders import revive_order
from tests.server.surroundings import Surroundings
from tests.support.builders import COMPLETED, lived, placement
from tests.workflows.life import DESK
from use_cases.principal import Principal
from use_cases.settlements import SettlementUseCases

STARTERS = 16
"""The number of orders that are started concurrently."""
_LOOK_EVERY = 0.2


async def run(number: int) -> None:
    """Bill `number` completed orders of one partner, each with its own workflow, in one settlement."""
    async with running_product() as around:
        sp_ids = await _complete(around, number)
        console.print(f"{number} completed orders wait to be billed")
        stored, opening = await _settle(around, sp_ids)
    _report(number, stored, opening)


async def _complete(around: Surroundings, number: int) -> list[str]:
    """Make executed orders, in the records and as running workflows, without the steps before. Returns the SP-IDs."""
    numbers = iter(range(number))
    sp_ids = []

    async def starter() -> None:
        for n in numbers:
            placed = placement(sp_id=f"SP-{2_000_000 + n}", fee=f"{60 + n % 90}.{n % 20 * 5:02}")
            order, events = lived(*COMPLETED, **placed.model_dump())
            await around.orders.save(Snapshot(order=order, events=events))
            carried = Carried(order=order, events=events, unsaved=(), outbox=(), answered={})
            await revive_order(around.client, carried, DESK)
            sp_ids.append(order.sp_id)

    async with asyncio.TaskGroup() as group:
        for _ in range(STARTERS):
            group.create_task(starter())
    return sp_ids


async def _settle(around: Surroundings, sp_ids: list[str]) -> tuple[StoredSettlement, float]:
    """Settle the orders. Returns the issued settlement, and the seconds until the answer to its opening."""
    use_cases = SettlementUseCases(around.client, around.database, around.policies, VAT_RATES, DESK)
    partner_id = placement().partner_id
    partner = Principal(role="partner", login_id="bench", name="bench", partner_id=partner_id)
    began = time.perf_counter()
    opened = await use_cases.open(partner, sp_ids, "bench")
    opening = time.perf_counter() - began
    records = Settlements(around.database)
    while True:
        stored = await records.get(opened.settlement.settlement_id)
        if stored is not None and stored.settlement.status is SettlementStatus.ISSUED:
            return stored, opening
        await asyncio.sleep(_LOOK_EVERY)


def _report(orders: int, stored: StoredSettlement, opening: float) -> None:
    at: dict[str, datetime] = {each.event.type: each.at.astimezone(UTC) for each in stored.events}
    claiming = (at["orders_claimed"] - at["opened"]).total_seconds()
    statement = (at["statement_issued"] - at["orders_claimed"]).total_seconds()
    assert stored.settlement.statement is not None
    assert len(stored.account.lines) == orders, "every order is billed"
    pages = stored.settlement.statement.pages
    figures = {
        "opening_seconds": opening,
        "claiming_seconds": claiming,
        "orders_per_second": orders / claiming,
        "statement_seconds": statement,
        "statement_pages": pages,
        "orders_per_second_in_all": orders / (claiming + statement),
    }
    table(
        f"One settlement with {orders} orders",
        ["", ""],
        [
            ("until its opening is answered, s", opening),
            ("until every order is billed, s", claiming),
            ("orders billed a second", orders / claiming),
            (f"the statement of {pages} pages, s", statement),
            ("orders settled a second, statement included", orders / (claiming + statement)),
        ],
    )
    keep("settlement", figures, orders=orders)
