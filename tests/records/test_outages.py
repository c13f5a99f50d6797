"""Signs of life, the outages found by them, and the orders whose deadlines ran meanwhile."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from contracts.activities import Snapshot
from domain.orders.commands import Cancel
from domain.outages import Outage
from records.database import Database
from records.orders import Orders
from records.outages import FindOutage, OpenOutage, Outages
from records.tables import heartbeats
from tests.support.builders import (
    ACCEPTED,
    BILLED,
    COMPLETED,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    intake,
    lived,
)
from tests.support.databases import Copy

MINUTE = timedelta(minutes=1)


@pytest.fixture
def records(database: Database) -> Outages:
    return Outages(database)


def find(now: datetime, after: timedelta = 15 * MINUTE) -> FindOutage:
    """Counts all hours, for these tests."""

    def find(last: datetime | None, known: Sequence[Outage]) -> Outage | None:
        if last is None or now - last <= after or known:
            return None
        return Outage(begin=last, end=now)

    return find


async def beat(
    records: Outages, minutes: float, process: str = "a", kind: str = "worker"
) -> Outage | None:
    now = MONDAY + minutes * MINUTE
    return await records.beat(kind, process, now, find(now))  # type: ignore[arg-type]


async def test_the_first_start_is_no_outage(records: Outages) -> None:
    assert await beat(records, 0) is None
    assert await beat(records, 0, "w", "web") is None
    assert await records.open() == ()


async def test_an_outage_is_between_the_last_sign_of_its_kind_and_the_return(
    records: Outages,
) -> None:
    for minutes in (0, 1, 2):
        await beat(records, minutes)
    await beat(records, 1.5, "b")
    await beat(records, 30, "w", "web")
    found = Outage(begin=MONDAY + 2 * MINUTE, end=MONDAY + 40 * MINUTE)
    assert await beat(records, 40, "c") == found
    assert await beat(records, 40.5, "d") is None
    assert await records.open() == (OpenOutage(found, None),)


async def test_another_process_of_the_kind_is_enough(records: Outages) -> None:
    for minutes in range(0, 60, 4):
        assert await beat(records, minutes, "a") is None
    assert await beat(records, 60, "b") is None
    assert await records.open() == ()


async def test_of_many_that_come_back_at_once_one_finds_it(copy: Copy) -> None:
    several = [Database(copy.url) for _ in range(4)]
    await beat(Outages(several[0]), 0)
    found = await asyncio.gather(
        *(beat(Outages(each), 60 + n / 100, f"p{n}") for n, each in enumerate(several))
    )
    assert len([each for each in found if each]) == 1
    assert len(await Outages(several[0]).open()) == 1
    for each in several:
        await each.close()


async def test_a_process_that_died_is_gone_on_for(records: Outages) -> None:
    await beat(records, 0)
    outage = await beat(records, 60)
    assert outage is not None
    await records.note_progress(outage, "SP-7")
    assert await records.open() == (OpenOutage(outage, "SP-7"),)
    await records.note_done(outage, MONDAY)
    assert await records.open() == ()


async def test_old_signs_are_forgotten_and_the_last_one_is_not(
    records: Outages, database: Database
) -> None:
    for day in range(4):
        await beat(records, day * 24 * 60 + 5 * day, f"p{day}")
    async with database.reading() as connection:
        known = await connection.execute(
            select(heartbeats.c.process).order_by(heartbeats.c.process)
        )
        assert list(known.scalars()) == ["p3"]
    # The next return counts from the last one.
    found = await beat(records, 4 * 24 * 60, "p4")
    assert found is not None
    assert found.begin == MONDAY + (3 * 24 * 60 + 15) * MINUTE


async def test_orders_whose_deadlines_ran_meanwhile(records: Outages, database: Database) -> None:
    orders = Orders(database)
    lives: dict[str, tuple[Step, ...]] = {
        "SP-1": TRANSMITTED,  # `accept` runs
        "SP-2": REQUIREMENTS_MET,  # `accept` has ended at 09:31
        "SP-3": (),  # nothing of the partner's has begun
        "SP-4": (*TRANSMITTED, Cancel(reason="x")),
        "SP-5": BILLED,
        "SP-6": COMPLETED,  # its deadlines ran in October
        "SP-7": ACCEPTED,
    }
    for sp_id, steps in lives.items():
        order, events = lived(*steps, of=intake(sp_id=sp_id).model_copy(update={"rules": 2}))
        await orders.save(Snapshot(order=order, events=events))

    async def found(
        begin: float, end: float, after: str | None = None, limit: int = 9
    ) -> list[str]:
        hours = timedelta(hours=1)
        outage = Outage(begin=MONDAY + begin * hours, end=MONDAY + end * hours)
        return list(await records.orders_in(outage, after, limit))

    assert await found(0.4, 2) == ["SP-1", "SP-2", "SP-6", "SP-7"]
    assert await found(0.4, 2, "SP-1", 2) == ["SP-2", "SP-6"]
    assert await found(3, 4) == ["SP-1", "SP-7"]
    assert await found(-5, -4) == []
    assert await found(24 * 60, 24 * 61) == []
