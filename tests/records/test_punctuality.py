"""The report's counts: as the rule says, quick, and page by page for those who were late."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import cycle, product

import pytest

from contracts.activities import Snapshot
from domain.months import Month
from domain.orders.commands import LogContact, ReportNotExecuted
from domain.orders.miss_reasons import figures, miss_reason
from domain.orders.order import Order
from domain.orders.punctuality import KINDS, interval, verdict
from domain.orders.shipment import GoodsReceived, GoodsShipped
from records.asked_reminders import AskedReminders
from records.database import Database
from records.orders import Orders
from records.punctuality import Miss, PunctualityRecords, Tally
from records.report_details import ReportDetails
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
ABSENT = ReportNotExecuted(reason="customer_absent")
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


async def test_the_database_counts_as_the_rule_says(
    database: Database, stored: list[Order]
) -> None:
    months = (OCTOBER, interval(Month.parse("2026-11"), "Europe/Zurich"))
    for days, month in product((0, 1, 2, 3, 10, 60), months):
        now = MONDAY + timedelta(days=days, hours=9)
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


async def test_who_was_late_page_by_page(database: Database, stored: list[Order]) -> None:
    records, now = PunctualityRecords(database), MONDAY + timedelta(days=20)
    first, after = OCTOBER
    whole = sorted(
        (d.due, o.sp_id, d.kind)
        for o in stored
        for d in o.deadlines
        if first <= d.due < after and verdict(d, now) == "missed"
    )
    for limit in (1, 2, 3, 50):
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


# --- what the report says beyond counts --------------------------------------------------------------------------


async def test_figures_are_those_of_the_tallies(database: Database, stored: list[Order]) -> None:
    """For each partner and month: what Python counts from the rows is what the database counts."""
    details, records = ReportDetails(database), PunctualityRecords(database)
    now = MONDAY + timedelta(days=60)
    for month in ("2026-10", "2026-11", "2026-12"):
        first, after = interval(Month.parse(month), "Europe/Zurich")
        for partner_id in ("elektro-huber", "bianchi", "nobody", "a\0b"):
            counted = figures(await details.of_partner(partner_id, first, after), now)
            expected = {
                tally.kind: (tally.met, tally.missed)
                for tally in await records.tallies(first, after, now)
                if tally.partner_id == partner_id
            }
            found = {k.kind: (k.met, k.missed) for k in counted.kinds if k.met or k.missed}
            assert found == expected
        everybody = await details.missed(first, after, now)
        assert len(everybody) == sum(t.missed for t in await records.tallies(first, after, now))


async def test_a_call_that_reached_nobody_is_why(database: Database) -> None:
    calls = (LogContact(outcome="not_reached"), timedelta(hours=1))
    order, events = lived(*ACCEPTED, *calls, LATE, sp_id="SP-CALLED")
    await Orders(database).save(Snapshot(order=order, events=events))
    now = MONDAY + timedelta(days=20)
    missed = await ReportDetails(database).missed(*OCTOBER, now)
    reasons = {each.deadline.kind: miss_reason(each.deadline, each.deeds) for each in missed}
    assert reasons == {"check_requirements": "not_reached", "contact_customer": "begun"}
    details = ReportDetails(database)
    assert await details.visible("elektro-huber", ["SP-CALLED", "SP-X"]) == {"SP-CALLED"}
    assert await details.visible("bianchi", ["SP-CALLED"]) == frozenset()


async def test_milestones_and_reports_of_a_month(database: Database) -> None:
    for sp_id, steps in (
        ("SP-DONE", COMPLETED),
        ("SP-ABSENT", (*AGREED, timedelta(days=2, hours=4), ABSENT)),
    ):
        order, events = lived(*steps, sp_id=sp_id)
        await Orders(database).save(Snapshot(order=order, events=events))
    details = ReportDetails(database)
    month = Month.of(MONDAY.date())
    (passed,) = await details.milestones(month.first_day, month.next.first_day)
    assert sorted(passed, key=lambda each: passed[each]) == [
        "placed",
        "accepted",
        "requirements_confirmed",
        "goods_received",
        "appointment_set",
        "executed",
    ]
    assert passed["placed"] == MONDAY
    assert await details.milestones(month.next.first_day, month.next.next.first_day) == ()
    reports = await details.reports(*interval(month, "Europe/Zurich"))
    assert reports == {("not_executed", "customer_absent"): 1}


async def test_reminders_are_asked_for_once(database: Database) -> None:
    """A key once, an order once an hour; and whoever tries the mail next has it alone."""
    for sp_id in ("SP-1", "SP-2"):
        order, events = lived(*ACCEPTED, sp_id=sp_id)
        await Orders(database).save(Snapshot(order=order, events=events))
    asked, hour = AskedReminders(database), timedelta(hours=1)

    async def ask(key: str, *sp_ids: str, now: datetime = MONDAY) -> dict[str, datetime]:
        return await asked.ask(key, "elektro-huber", sp_ids, "usr_1", now, now - hour)

    assert await ask("a", "SP-1") == {}
    assert await ask("a", "SP-1") == {}, "the same form again"
    assert await ask("b", "SP-1", "SP-2", now=MONDAY + hour) == {"SP-1": MONDAY}
    assert await ask("c", "SP-1", now=MONDAY + hour) == {"SP-1": MONDAY}
    assert await ask("d", "SP-1", now=MONDAY + 2 * hour) == {}
    due = await asked.due(MONDAY + hour, 9)
    assert [(each.key, each.sp_ids) for each in due] == [("a", ("SP-1",)), ("b", ("SP-2",))]
    assert await asked.try_next(due[0], None)
    assert not await asked.try_next(due[0], None), "another process had it"
    assert [each.key for each in await asked.due(MONDAY + 9 * hour, 9)] == ["b", "d"]
