"""The report's counts: as the rule says, quick, and page by page for those who were late."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import cycle

import pytest

from contracts.activities import Snapshot
from domain.months import Month
from domain.orders.order import Order
from domain.orders.punctuality import KINDS, interval, verdict
from domain.orders.shipment import GoodsReceived, GoodsShipped
from records.database import Database
from records.orders import Orders
from records.punctuality import Miss, PunctualityRecords, Tally
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    appointment,
    lived,
)

OCTOBER = interval(Month.parse("2026-10"), "Europe/Zurich")
LATE = timedelta(days=3)
TOLD_LATE: tuple[Step, ...] = (
    *REQUIREMENTS_MET,
    GoodsShipped(tracking="99.00.1"),
    timedelta(days=1),
    GoodsReceived(received_at=MONDAY + timedelta(hours=2)),
)
LIVES: tuple[tuple[Step, ...], ...] = (
    TRANSMITTED,
    (*TRANSMITTED, LATE),
    ACCEPTED,
    (*ACCEPTED, LATE),
    (*REQUIREMENTS_MET, LATE),
    (*GOODS_THERE, LATE),
    (*GOODS_THERE, LATE, appointment(120)),
    TOLD_LATE,
    (*TOLD_LATE, timedelta(hours=20), appointment(120)),
    (*TOLD_LATE, timedelta(days=2), appointment(120)),
    (*AGREED, LATE),
    (*AGREED, appointment(72, "ill"), appointment(48, "well")),
    COMPLETED,
)


@pytest.fixture
async def stored(database: Database) -> list[Order]:
    """The stored orders: of two partners, in two months, in every state of lateness."""
    records = Orders(database)
    orders = []
    partners = cycle(("elektro-huber", "bianchi", "elektro-huber"))
    for month, begin in enumerate((MONDAY, MONDAY + timedelta(days=23))):
        for number, (steps, partner_id) in enumerate(zip(LIVES, partners, strict=False)):
            moved = tuple(_moved(step, begin - MONDAY) for step in steps)
            order, events = lived(
                *moved, at=begin, sp_id=f"SP-{month}{number:02}", partner_id=partner_id
            )
            await records.save(Snapshot(order=order, events=events))
            orders.append(order)
    return orders


def _moved(step: Step, by: timedelta) -> Step:
    """The same, but in the other month."""
    dates = ("start", "end", "received_at")
    if isinstance(step, timedelta | tuple):
        return step
    given = {name: getattr(step, name, None) for name in dates}
    return step.model_copy(update={name: at + by for name, at in given.items() if at})


def expected(
    orders: list[Order], now: datetime, month: tuple[datetime, datetime]
) -> Counter[tuple[str, str, str]]:
    """What the rule says, deadline by deadline."""
    first, after = month
    return Counter(
        (deadline.partner_id, deadline.kind, said)
        for order in orders
        for deadline in order.deadlines
        if first <= deadline.due < after and (said := verdict(deadline, now))
    )


@pytest.mark.parametrize("days", [0, 1, 2, 3, 10, 60])
async def test_the_database_counts_as_the_rule_says(
    database: Database, stored: list[Order], days: int
) -> None:
    now = MONDAY + timedelta(days=days, hours=9)
    months = (OCTOBER, interval(Month.parse("2026-11"), "Europe/Zurich"))
    for month in months:
        tallies = await PunctualityRecords(database).tallies(*month, now)
        said = expected(stored, now, month)
        assert {(t.partner_id, t.kind): (t.met, t.missed) for t in tallies} == {
            (partner_id, kind): (said[partner_id, kind, "met"], said[partner_id, kind, "missed"])
            for partner_id, kind, _ in said
        }
        assert tallies == tuple(sorted(tallies, key=lambda t: (t.partner_id, KINDS.index(t.kind))))


async def test_something_of_each_is_counted(database: Database, stored: list[Order]) -> None:
    tallies = await PunctualityRecords(database).tallies(*OCTOBER, MONDAY + timedelta(days=60))
    assert {t.kind for t in tallies} == set(KINDS)
    assert {t.partner_id for t in tallies} == {"elektro-huber", "bianchi"}
    assert all(0 < t.orders <= t.met + t.missed for t in tallies)
    assert any(d.excused_until for order in stored for d in order.deadlines)


async def test_orders_are_counted_once(database: Database) -> None:
    order, events = lived(
        *AGREED,
        timedelta(days=2),
        timedelta(days=2),
        appointment(120, "ill"),
        timedelta(days=4),
    )
    await Orders(database).save(Snapshot(order=order, events=events))
    tallies = await PunctualityRecords(database).tallies(*OCTOBER, MONDAY + timedelta(days=30))
    assert Tally("elektro-huber", "confirm_execution", 1, 0, 2) in tallies


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_who_was_late_page_by_page(
    database: Database, stored: list[Order], limit: int
) -> None:
    records, now = PunctualityRecords(database), MONDAY + timedelta(days=20)
    first, after = OCTOBER
    whole = sorted(
        (d.due, o.sp_id, d.kind)
        for o in stored
        for d in o.deadlines
        if first <= d.due < after and verdict(d, now) == "missed"
    )
    found: list[Miss] = []
    cursor = None
    while True:
        items, cursor = await records.misses(*OCTOBER, now, limit=limit, cursor=cursor)
        found += items
        if cursor is None:
            break
        assert len(items) == limit
    assert sorted((m.due, m.sp_id, m.kind) for m in found) == whole
    assert [m.due for m in found] == sorted(m.due for m in found)

    one = await records.misses(*OCTOBER, now, "bianchi", "accept", limit=50)
    assert one.items == tuple(m for m in found if m.partner_id == "bianchi" and m.kind == "accept")
    assert one.items
    assert (await records.misses(*OCTOBER, now, "nobody")).items == ()
    assert (await records.misses(*OCTOBER, now, "a\0b")).items == ()


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WyJkdWUiLDEsMl0", "é", "a" * 9000])
async def test_a_cursor_that_no_page_gave(database: Database, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await PunctualityRecords(database).misses(*OCTOBER, MONDAY, cursor=cursor)
