"""The calendars of partners follow the orders: agreed, moved, removed, carried out, given to another partner."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import event, select

from contracts.activities import Snapshot
from domain.agenda import Period
from domain.orders.commands import Cancel, ConfirmExecution, Reassign, ReportProblem, Undo
from domain.orders.events import Recorded
from records.calendar_entries import CalendarEntries
from records.database import Database
from records.orders import Orders
from records.tables import calendar_entries
from tests.records.test_migrate import stepped
from tests.support.builders import (
    AGREED,
    BILLED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    Step,
    appointment,
    assignee,
    intake,
    lived,
)

HUBER, OTHER = "elektro-huber", "bianchi"
WEEK = Period.week_of(MONDAY.date())


class Kept:
    """The records, and orders that live in them step by step."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.orders = Orders(database)
        self.entries = CalendarEntries(database)

    async def keep(self, sp_id: str, *steps: Step, **changes: Any) -> tuple[Recorded, ...]:
        """Store the order at each length of its life that the number of steps gives, as its workflow does."""
        events: tuple[Recorded, ...] = ()
        of = intake(sp_id=sp_id, **changes).model_copy(update={"rules": 2})
        for number in range(len(steps) + 1):
            order, events = lived(*steps[:number], of=of)
            await self.orders.save(Snapshot(order=order, events=events))
        return events

    async def shown(self, partner_id: str = HUBER, period: Period = WEEK) -> list[tuple[Any, ...]]:
        found = await self.entries.between(partner_id, period.begin, period.end)
        return [(each.order.sp_id, each.entry.start) for each in found]

    async def removed(self, partner_id: str = HUBER, since: datetime = MONDAY) -> list[str]:
        return [each.sp_id for each in await self.entries.removed(partner_id, since)]


@pytest.fixture
def kept(database: Database) -> Kept:
    return Kept(database)


async def test_a_week_has_the_visits_that_touch_it(kept: Kept) -> None:
    await kept.keep("SP-1", *AGREED)
    await kept.keep("SP-2", *GOODS_THERE, appointment(24))
    await kept.keep("SP-3", *GOODS_THERE, appointment(24 * 7))  # a week later
    await kept.keep("SP-4", *GOODS_THERE)  # no appointment yet
    await kept.keep("SP-5", *BILLED)
    await kept.keep("SP-6", *AGREED, partner_id=OTHER)
    at = [MONDAY + timedelta(hours=hours) for hours in (24, 48, 48)]
    assert await kept.shown() == list(zip(("SP-2", "SP-1", "SP-5"), at, strict=True))
    assert [sp_id for sp_id, _ in await kept.shown(period=WEEK.next)] == ["SP-3"]
    assert await kept.shown("nobody\x00") == await kept.removed("nobody\x00") == []


async def test_a_moved_visit_is_at_its_new_time_only(kept: Kept) -> None:
    await kept.keep("SP-1", *AGREED, appointment(72, "ill"))
    assert await kept.shown() == [("SP-1", MONDAY + timedelta(hours=72))]
    assert await kept.removed() == []


async def test_a_visit_that_falls_is_kept_for_the_calendars_that_have_it(kept: Kept) -> None:
    await kept.keep("SP-1", *AGREED, Cancel(reason="-"))
    assert await kept.shown() == []
    (removed,) = await kept.entries.removed(HUBER, MONDAY)
    events = await kept.orders.get("SP-1")
    assert events is not None
    assert (removed.start, removed.sequence) == (MONDAY + timedelta(hours=48), events.order.version)
    assert removed.removed_at == events.order.changed_at
    assert removed.service == events.order.intake.placement.service.name
    assert await kept.removed(since=removed.removed_at + timedelta(seconds=1)) == []


async def test_the_partner_that_loses_the_order_learns_that_its_visit_fell(kept: Kept) -> None:
    given = Reassign(partner=assignee(OTHER), calendar=intake().calendar, reason="-")
    await kept.keep("SP-1", *AGREED, given)
    assert await kept.shown() == await kept.shown(OTHER) == []
    assert await kept.removed() == ["SP-1"]
    assert await kept.removed(OTHER) == []


async def test_agreed_visits_are_those_that_overlap_and_are_not_done(kept: Kept) -> None:
    """The appointment in question lasts from 48 to 50 hours after MONDAY."""
    await kept.keep("SP-1", *GOODS_THERE)
    await kept.keep("SP-2", *AGREED)
    await kept.keep("SP-3", *AGREED, appointment(80, "ill"))
    await kept.keep("SP-4", *AGREED, partner_id=OTHER)
    await kept.keep("SP-5", *COMPLETED)
    await kept.keep("SP-6", *AGREED, Cancel(reason="x"))
    await kept.keep(
        "SP-7",
        *AGREED,
        Reassign(partner=assignee(OTHER), calendar=intake().calendar, reason="ill"),
    )
    for begin, end, found in (
        (46, 48, []),
        (46, 48.1, ["SP-2"]),
        (49, 49.5, ["SP-2"]),
        (49.9, 52, ["SP-2"]),
        (50, 52, []),
    ):
        period = MONDAY + timedelta(hours=begin), MONDAY + timedelta(hours=end)
        agreed = await kept.entries.agreed(HUBER, *period, without="SP-1")
        assert [each.order.sp_id for each in agreed] == found, (begin, end)
        if agreed:
            assert agreed[0].entry.start == MONDAY + timedelta(hours=48)
            assert agreed[0].entry.end == MONDAY + timedelta(hours=50)


async def test_an_order_is_not_among_its_own_clashes(kept: Kept) -> None:
    await kept.keep("SP-1", *AGREED)
    assert [each.order.sp_id for each in await kept.entries.agreed(HUBER, WEEK.begin, WEEK.end)]
    assert not await kept.entries.agreed(HUBER, WEEK.begin, WEEK.end, without="SP-1")


async def test_a_visit_that_was_over_is_not_removed(kept: Kept) -> None:
    late = (*AGREED, timedelta(days=3), Cancel(reason="-"))
    await kept.keep("SP-1", *late)
    assert await kept.removed() == []
    assert [sp_id for sp_id, _ in await kept.shown()] == ["SP-1"]


async def test_a_confirmation_that_is_taken_back_brings_the_visit_back(kept: Kept) -> None:
    early = ConfirmExecution(executed_on=date(2026, 10, 6), early=True)
    done = (*AGREED, timedelta(days=1), early)
    await kept.keep("SP-1", *done)
    assert await kept.shown() == [("SP-1", datetime.fromisoformat("2026-10-05T22:00:00Z"))]
    await kept.keep("SP-1", *done, Undo())
    assert await kept.shown() == [("SP-1", MONDAY + timedelta(hours=48))]
    assert await kept.removed() == []


async def test_versions_change_with_what_is_shown(kept: Kept) -> None:
    await kept.keep("SP-1", *AGREED)
    before = await kept.entries.versions(HUBER, WEEK.begin)
    assert before == await kept.entries.versions(HUBER, WEEK.begin)
    await kept.keep("SP-1", *AGREED, ReportProblem(reason="site_not_ready"))
    after = await kept.entries.versions(HUBER, WEEK.begin)
    assert [each.sp_id for each in before] == [each.sp_id for each in after]
    assert before != after
    assert await kept.entries.versions(HUBER, WEEK.next.begin) == ()


@pytest.mark.parametrize("copy", ["sqlite"], indirect=True)
async def test_no_query_scans_a_table(kept: Kept) -> None:
    asked: list[tuple[str, Any]] = []
    engine = kept.database._threads._engine  # type: ignore[union-attr]

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    await kept.entries.between(HUBER, WEEK.begin, WEEK.end)
    await kept.entries.versions(HUBER, WEEK.begin)
    await kept.entries.removed(HUBER, MONDAY)
    queries = [each for each in asked if each[0].startswith("SELECT")]
    assert len(queries) == 3
    for statement, parameters in queries:
        async with kept.database.reading() as connection:
            plan = (
                await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ).all()
        assert any("ix_calendar_entries_partner" in row.detail for row in plan), plan
        assert not any(row.detail.startswith("SCAN") for row in plan), plan


async def test_the_migration_makes_the_entries_of_the_orders_there_are(migrated_url: str) -> None:
    kept = Kept(Database(migrated_url))
    await kept.keep("SP-1", *AGREED)
    await kept.keep("SP-2", *COMPLETED)
    await kept.keep("SP-3", *GOODS_THERE)
    early = ConfirmExecution(executed_on=date(2026, 10, 6), early=True)
    await kept.keep("SP-4", *AGREED, timedelta(days=1), early)
    of = ("sp_id", "partner_id", "start", "end", "whole_day", "fallen_at")
    found = select(*(calendar_entries.c[name] for name in of)).order_by(calendar_entries.c.sp_id)

    async def held() -> list[tuple[Any, ...]]:
        async with kept.database.reading() as connection:
            return [tuple(row) for row in await connection.execute(found)]

    before = await held()
    assert [row[0] for row in before] == ["SP-1", "SP-2", "SP-4"]
    await kept.database.close()
    await stepped(migrated_url, command.downgrade, "0032-1")
    await stepped(migrated_url, command.upgrade, "head")
    kept = Kept(Database(migrated_url))
    assert await held() == before
    await kept.database.close()
