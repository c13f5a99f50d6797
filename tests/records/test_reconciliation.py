"""What the reconciler keeps, on both databases."""

from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter

from contracts.activities import Snapshot
from domain.actors import Actor
from domain.orders.commands import Cancel
from domain.settlements.commands import ApproveInvoice, Close, NoteInvoice, NotePaid, VoidSettlement
from domain.settlements.settlement import Opening
from records.database import Database
from records.findings import Findings, Seen
from records.orders import Orders
from records.reconciliation import Reconciliation, Row, Same
from tests.support.builders import ACCEPTED, BILLED, COMPLETED, MONDAY, OPERATIONS, lived
from tests.support.settlements import (
    FIRST,
    OCTOBER,
    Step,
    claims,
    issued,
    opening,
    settled,
    statement,
    voided,
)

LATER, LATEST = MONDAY + timedelta(minutes=15), MONDAY + timedelta(minutes=30)
ORDER, HUBER = "SP-1", "elektro-huber"
LOST = Seen("SP-1", "terminated", "run-1")


async def test_what_the_records_hold(database: Database) -> None:
    order, events = lived(*ACCEPTED)
    await Orders(database).save(Snapshot(order=order, events=events))
    rows = await Reconciliation(database).orders([order.sp_id, "SP-nobody"])
    assert rows == (Row(order.sp_id, order.version, order.digest, is_over=False),)


async def test_closed_orders_are_compared_once(database: Database) -> None:
    """Open ones always; closed ones that changed lately, until they were found the same as they are now."""
    records = Reconciliation(database)
    rows = {}
    for n, steps in enumerate((ACCEPTED, BILLED, (*ACCEPTED, Cancel(reason="x")), COMPLETED)):
        order, events = lived(*steps, sp_id=f"SP-{n}")
        await Orders(database).save(Snapshot(order=order, events=events))
        rows[n] = Row(order.sp_id, order.version, order.digest, order.status.is_final)
    everything = (rows[0], rows[1], rows[2], rows[3])
    assert await records.orders_to_compare(None, 10, MONDAY) == everything
    first = await records.orders_to_compare(None, 3, MONDAY)
    assert first + await records.orders_to_compare(first[-1].name, 3, MONDAY) == everything
    long_after = MONDAY + timedelta(days=40)
    assert await records.orders_to_compare(None, 10, long_after) == (rows[0], rows[3])
    same = {row.name: Same("r", 10, row.version, row.digest) for row in everything[:2]}
    await records.keep_same(same)
    assert await records.orders_to_compare(None, 10, MONDAY) == (rows[0], rows[2], rows[3])
    await records.keep_same({"SP-1": Same("r", 10, rows[1].version, "another digest")})
    assert await records.orders_to_compare(None, 10, MONDAY) == everything
    await records.forget_closed(long_after)
    assert set(await records.same(["SP-0", "SP-1"])) == {"SP-0"}


ENDINGS: list[tuple[Callable[[Opening], tuple[Step, ...]], bool]] = [
    (lambda of: (), False),
    (lambda of: (Close(),), False),
    (issued, False),
    (lambda of: (*issued(of), (NoteInvoice(note="per Post"), OPERATIONS)), True),
    (lambda of: (VoidSettlement(reason="falsch"),), True),  # nothing was claimed
    (lambda of: (*issued(of), VoidSettlement(reason="falsch")), False),  # its orders are billed yet
    (voided, True),
    (lambda of: (Close(), claims((of.picked[0], "billed"))), True),
]


NOTED = (NoteInvoice(), OPERATIONS)
APPROVED = (ApproveInvoice(), Actor(role="accounting"))
PAID = (NotePaid(paid_on=FIRST.date()), Actor(role="accounting"))
ENDINGS_2: list[tuple[Callable[[Opening], tuple[Step, ...]], bool]] = [
    (lambda of: (*issued(of), NOTED), False),  # it has to be paid
    (lambda of: (*issued(of)[:-1], statement(of.settlement_id, total="-5.00"), NOTED), True),
    (lambda of: (*issued(of), NOTED, APPROVED), False),
    (lambda of: (*issued(of), NOTED, APPROVED, PAID), True),
    (voided, True),
]


CASES = [*((*ending, 1) for ending in ENDINGS), *((*ending, 2) for ending in ENDINGS_2)]


async def test_a_settlement_is_open_until_nothing_can_follow(database: Database) -> None:
    """Each ending is that of another partner's settlement."""
    records, open_rows = Reconciliation(database), []
    for case, (steps, is_over, rules) in enumerate(CASES):
        partner_id, sp_id = f"partner-{case}", f"SP-{case}"
        of = opening(sp_id, partner_id=partner_id, rules=rules)
        snapshot = settled(of, *steps(of))
        number, version = of.settlement_id, snapshot.settlement.version
        assert snapshot.settlement.is_over is is_over, case
        if snapshot.settlement.picked:
            assert not await records.keep_settlement(snapshot), "its order is not in the records"
            assert await records.settlements([number]) == ()
        made = snapshot.settlement.statement
        fee = "0.00" if made and made.total <= 0 else "129.00"
        order, events = lived(*COMPLETED, sp_id=sp_id, partner_id=partner_id, fee=fee)
        await Orders(database).save(Snapshot(order=order, events=events))
        assert await records.keep_settlement(snapshot)
        row = Row(number, version, snapshot.settlement.digest, is_over, (partner_id, OCTOBER, 1))
        assert await records.settlements([number]) == (row,)
        before = sorted((*open_rows, row), key=attrgetter("name"))
        assert await records.settlements_to_compare(None, 20) == tuple(before), case
        # What is over is compared once.
        await records.keep_same({number: Same("r", 10, version, row.digest)})
        if not is_over:
            open_rows = before
        assert await records.settlements_to_compare(None, 20) == tuple(open_rows), case
    after = open_rows[0].name
    assert await records.settlements_to_compare(after, 20) == tuple(open_rows[1:])


async def test_what_is_the_same_need_not_be_compared_again(database: Database) -> None:
    records = Reconciliation(database)
    await records.keep_same({})
    await records.keep_same({"SP-1": Same("r", 10, 3, "d"), "SP-2": Same("r", 5, 1, None)})
    await records.keep_same({"SP-1": Same("r", 12, 4, "e")})
    assert await records.same(["SP-1", "SP-2", "SP-3"]) == {
        "SP-1": Same("r", 12, 4, "e"),
        "SP-2": Same("r", 5, 1, None),
    }


async def test_a_finding_stands_until_a_pass_does_not_see_it(database: Database) -> None:
    records = Findings(database)
    await records.keep([LOST], MONDAY)
    await records.keep([LOST], LATER)
    (finding,) = await records.open()
    assert (finding.found_at, finding.seen_at) == (MONDAY, LATER)
    assert await records.end_unseen(LATER) == 0
    assert await records.count() == 1
    assert await records.end_unseen(LATEST) == 1
    assert await records.open() == ()
    assert await records.count() == 0


async def test_operations_are_told_once_and_again_if_it_comes_again(database: Database) -> None:
    records = Findings(database)
    await records.keep([LOST], MONDAY)
    assert len(await records.unreported(10)) == await records.count_unreported() == 1
    await records.mark_reported(MONDAY)
    await records.keep([LOST], LATER)
    assert await records.unreported(10) == ()
    await records.end_unseen(LATEST)
    again = LATEST + timedelta(minutes=15)
    await records.keep([LOST], again)
    (finding,) = await records.unreported(10)
    assert finding.found_at == again
    # The same order, lost a second time after it was revived, is another finding.
    await records.keep([LOST._replace(run_id="run-2")], again)
    assert len(await records.unreported(10)) == 2
    assert len(await records.unreported(1)) == 1
    assert await records.count_unreported() == 2
    await records.mark_reported(LATER)
    assert await records.count_unreported() == 2, "they were found later"


async def test_what_is_repaired_is_kept_and_does_not_stand(database: Database) -> None:
    records = Findings(database)
    await records.keep([Seen("SP-1", "stale", "run-1", repaired=True)], MONDAY)
    assert await records.open() == ()
    await records.keep([Seen("SP-2", "unrecorded", "run-2")], MONDAY)
    await records.keep([Seen("SP-2", "unrecorded", "run-2", repaired=True)], LATER)
    assert await records.open() == ()


async def test_what_could_not_be_compared_keeps_its_finding(database: Database) -> None:
    records = Findings(database)
    await records.keep([LOST], MONDAY)
    await records.keep_open([], LATER)
    await records.keep_open(["SP-1", "SP-2"], LATER)
    assert await records.end_unseen(LATER) == 0
