"""Corrections wait for a partner's next settlement, which takes each of them once."""

import asyncio
from datetime import timedelta

import pytest

from contracts.activities import Snapshot
from domain.months import Month
from domain.settlements.ids import settlement_id
from domain.settlements.lines import CorrectionLine
from records.corrections import Corrections
from records.database import Database
from records.orders import Orders
from records.settlements import Settlements
from tests.support.builders import COMPLETED, MONDAY, lived
from tests.support.settlements import OCTOBER, issued, opening, settled, voided

HUBER = "elektro-huber"
ID, NEXT = settlement_id(HUBER, OCTOBER), settlement_id(HUBER, Month(2026, 11))
PLUS = CorrectionLine(sp_id="SP-1", reason="Zuschlag", amount="35.00", executed_on=MONDAY.date())
MINUS = CorrectionLine(sp_id="SP-1", reason="Anfahrt\ndoppelt", amount="-20.50")


@pytest.fixture
async def records(database: Database) -> Corrections:
    """Two that wait, and one of another partner."""
    kept = Corrections(database)
    await kept.add("c-2", HUBER, MINUS, "operations:Anna", MONDAY + timedelta(hours=1))
    await kept.add("c-1", HUBER, PLUS, "operations:Anna", MONDAY)
    await kept.add("c-3", "sanitaer-rossi", PLUS, "operations:Anna", MONDAY)
    return kept


async def test_they_wait_in_their_order_and_are_taken_once(records: Corrections) -> None:
    assert [c.line for c in await records.pending(HUBER)] == [PLUS, MINUS]
    assert await records.take(ID, HUBER) == (PLUS, MINUS)
    assert await records.pending(HUBER) == ()
    assert await records.take(NEXT, HUBER) == ()
    await records.add("c-4", HUBER, PLUS, "operations:Anna", MONDAY)
    assert await records.take(ID, HUBER) == (PLUS, MINUS)  # once more is the same, and not more
    assert [c.settlement_id for c in await records.of(HUBER)] == [ID, None, ID]
    assert len(await records.pending("sanitaer-rossi")) == 1
    assert await records.pending("\0") == ()


async def test_one_id_is_one_correction(records: Corrections) -> None:
    again = await records.add("c-1", HUBER, MINUS, "operations:Beat", MONDAY)
    assert (again.line, again.by) == (PLUS, "operations:Anna")
    assert len(await records.of(HUBER)) == 2


async def test_released_ones_wait_again(records: Corrections) -> None:
    await records.take(ID, HUBER)
    for _ in range(2):
        await records.release(ID)
    assert await records.take(NEXT, HUBER) == (PLUS, MINUS)
    await records.release(ID)  # an attempt of long ago
    assert await records.pending(HUBER) == ()


async def test_of_two_settlements_one_takes_them(records: Corrections) -> None:
    taken = await asyncio.gather(records.take(ID, HUBER), records.take(NEXT, HUBER))
    assert sorted(map(len, taken)) == [0, 2]


@pytest.mark.parametrize("life", [issued, voided])
async def test_who_comes_late_takes_none(
    records: Corrections, database: Database, life: object
) -> None:
    order, events = lived(*COMPLETED, sp_id="SP-1")
    await Orders(database).save(Snapshot(order=order, events=events))
    of = opening("SP-1")
    await Settlements(database).save(settled(of, *life(of)))  # type: ignore[operator]
    assert await records.take(ID, HUBER) == ()
    assert len(await records.pending(HUBER)) == 2
