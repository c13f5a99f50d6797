"""Which orders can be erased in the records."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, select

from contracts.activities import Snapshot
from domain.orders.commands import Bill
from domain.settlements.commands import Close, VoidSettlement
from domain.settlements.lines import CorrectionLine
from records.assignments import Assignments
from records.corrections import Corrections
from records.database import Database
from records.erasures import Erasures
from records.orders import Orders
from records.partners import Partners
from records.settlements import Settlements
from records.tables import data_keys
from tests.activities.conftest import partner
from tests.records.test_assignments import people, to, waits_for_lock
from tests.support.builders import BILLED, COMPLETED, MONDAY, lived
from tests.support.settlements import claims, issued, opening, settled, statement

CUSTOMER = "Regula Müller"


async def ended() -> bool:
    """Its workflow does not run any more."""
    return False


async def running() -> bool:
    """Its workflow still runs."""
    return True


@pytest.mark.parametrize("is_void", [False, True])
async def test_an_order_of_a_void_settlement_waits_for_its_release(
    database: Database, is_void: bool
) -> None:
    """The voided settlement starts a new run of the order, from what it read before."""
    await Partners(database).put(partner("elektro-huber"), MONDAY)
    records, of = Orders(database), opening("SP-1")
    order, events = lived(*COMPLETED, sp_id="SP-1")
    await records.save(Snapshot(order=order, events=events))
    void = (VoidSettlement(reason="Falscher Monat"),) if is_void else ()
    await Settlements(database).save(settled(of, *issued(of), *void))
    billed = order.settlement_id or of.settlement_id
    order, events = lived(
        *BILLED[:-1], BILLED[-1].model_copy(update={"settlement_id": billed}), sp_id="SP-1"
    )
    await records.save(Snapshot(order=order, events=events))

    code = await Erasures(database).erase("SP-1", "operations:Anna", MONDAY, ended)

    assert code == ("being_released" if is_void else None)
    stored = await records.get("SP-1")
    assert stored is not None
    assert (stored.order.intake.placement.customer.name == CUSTOMER) is is_void


async def test_who_has_not_ended_or_still_runs_is_not_erased(database: Database) -> None:
    records, erasures = Orders(database), Erasures(database)
    for sp_id, steps, runs, code in (
        ("SP-1", COMPLETED, ended, "not_ended"),
        ("SP-2", BILLED, running, "still_running"),
    ):
        order, events = lived(*steps, sp_id=sp_id)
        await records.save(Snapshot(order=order, events=events))
        assert await erasures.erase(sp_id, "operations:Anna", MONDAY, runs) == code


async def test_a_late_write_of_a_settlement_brings_no_reason_back(database: Database) -> None:
    await Partners(database).put(partner("elektro-huber"), MONDAY)
    records, settlements = Orders(database), Settlements(database)
    of = opening("SP-1")
    corrections = Corrections(database)
    line = CorrectionLine(sp_id="SP-1", reason=f"Zu {CUSTOMER}", amount=Decimal("45.00"))
    order, events = lived(*COMPLETED, sp_id="SP-1")
    await records.save(Snapshot(order=order, events=events))
    await corrections.add("cor_1", "elektro-huber", line, "operations:Anna", MONDAY)
    claimed = settled(of, Close(), claims(corrections=[line]))
    await settlements.save(claimed)
    billing = Bill(settlement_id=of.settlement_id)
    order, events = lived(*BILLED[:-1], billing, sp_id="SP-1")
    await records.save(Snapshot(order=order, events=events))
    assert await Erasures(database).erase("SP-1", "operations:Anna", MONDAY, ended) is None

    async def stored() -> str:
        return f"{await settlements.get(of.settlement_id)} {await corrections.of('elektro-huber')}"

    assert CUSTOMER not in await stored()
    later = settled(of, Close(), claims(corrections=[line]), statement(of.settlement_id))
    assert CUSTOMER in str(later)
    await settlements.save(later)
    assert CUSTOMER not in await stored()
    assert await settlements.holds(later), "the reconciler finds no difference"
    again = line.model_copy(update={"reason": f"Nochmals zu {CUSTOMER}"})
    await corrections.add("cor_2", "elektro-huber", again, "operations:Anna", MONDAY)
    assert CUSTOMER in await stored()
    await Erasures(database).erase_late_reasons()
    assert CUSTOMER not in await stored()


@pytest.mark.parametrize("copy", ["postgresql"], indirect=True)
async def test_deleting_an_order_and_writing_it_end_without_a_deadlock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each locks the row in `orders` first. The deletion is held up at one of its last tables."""
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 100.0)  # a busy machine is no failure
    await people(database)
    records, erasures, assignments = (
        Orders(database),
        Erasures(database),
        Assignments(database),
    )
    order, events = lived(*BILLED, sp_id="SP-1")
    await records.save(Snapshot(order=order, events=events))
    assert await assignments.assign(to("usr_hans")) == "assigned"
    assert await erasures.erase("SP-1", "operations:Anna", MONDAY, ended) is None
    await erasures.mark_done(["SP-1"], MONDAY)
    key = {"workflow_id": "SP-1", "key_id": "k", "created_at": MONDAY}
    async with database.writing() as connection:
        await connection.execute(insert(data_keys).values(key))
    long_after = MONDAY + timedelta(days=4000)
    async with database.writing() as connection:
        await connection.execute(select(data_keys).with_for_update())
        deleting = asyncio.ensure_future(erasures.delete_orders(long_after, limit=10))
        while not (deleting.done() or await waits_for_lock(database)):
            await asyncio.sleep(0.01)
        clearing = asyncio.ensure_future(
            assignments.clear("SP-1", "elektro-huber", "usr_rita", long_after)
        )
        while not (clearing.done() or await waits_for_lock(database, 2)):
            await asyncio.sleep(0.01)
    assert await deleting == 1
    await clearing
