"""The schedule of the month's end, on the real server: when it fires, and which month a late run settles."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import ScheduleBackfill, ScheduleHandle

from contracts import names
from domain.months import Month
from domain.policy import OfficePolicy
from temporal.schedules import put_schedules
from tests.support.limits import WAIT_LIMIT
from tests.support.temporal_servers import dev_server
from tests.workflows.life import ZURICH
from tests.workflows.settlement_lives import SettlementLives, settlement_lives


@pytest.fixture
async def month() -> AsyncIterator[SettlementLives]:
    """The real server, with its schedules and workers."""
    async with dev_server() as env, settlement_lives(env) as made:
        await put_schedules(env.client, OfficePolicy())
        yield made


async def settled(month: SettlementLives, number: int) -> list[Month]:
    """The months of so many settlements, in the order in which they were opened."""
    async with asyncio.timeout(WAIT_LIMIT):
        while len(month.outside.opened) < number:
            await asyncio.sleep(0.1)
    return [month for _, month in month.outside.opened]


def schedule(month: SettlementLives) -> ScheduleHandle:
    """The schedule."""
    return month.client.get_schedule_handle(names.MONTHLY_BILLING_SCHEDULE)


async def test_on_the_first_at_six_in_summer_and_in_winter(month: SettlementLives) -> None:
    times = (await schedule(month).describe()).info.next_action_times
    local = [at.astimezone(ZURICH) for at in times]
    assert len(local) >= 8
    assert {(at.day, at.hour, at.minute, at.second) for at in local} == {(1, 6, 0, 0)}
    assert {at.utcoffset() for at in local} == {timedelta(hours=1), timedelta(hours=2)}
    months = [Month.of(at.date()) for at in local]
    assert [each.next for each in months[:-1]] == months[1:]


async def test_a_backfill_settles_each_month_that_was_missed(month: SettlementLives) -> None:
    month.outside.partners = ["elektro-huber"]
    await schedule(month).backfill(
        ScheduleBackfill(
            start_at=datetime(2026, 3, 15, tzinfo=UTC), end_at=datetime(2026, 5, 15, tzinfo=UTC)
        )
    )
    # Due on the first of April (in summer time) and of May.
    assert await settled(month, 2) == [Month(2026, 3), Month(2026, 4)]


async def test_started_by_hand_it_settles_the_month_before_today(month: SettlementLives) -> None:
    month.outside.partners = ["elektro-huber"]
    await schedule(month).trigger()
    today = datetime.now(ZURICH).date()
    assert (await settled(month, 1))[0] in (Month.of(today).previous, Month.of(today))
