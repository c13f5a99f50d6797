"""Which orders can be erased in the records."""

from decimal import Decimal

import pytest

from contracts.activities import Snapshot
from domain.orders.commands import Bill
from domain.settlements.commands import Close, VoidSettlement
from domain.settlements.lines import CorrectionLine
from records.corrections import Corrections
from records.database import Database
from records.erasures import Erasures
from records.orders import Orders
from records.partners import Partners
from records.settlements import Settlements
from tests.activities.conftest import partner
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
