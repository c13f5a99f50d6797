"""What the reconciler keeps, on both databases."""

from datetime import timedelta

from activities.names import Snapshot
from records.database import Database
from records.orders import Orders
from records.reconciliation import Held, Reconciliation, Same, Seen
from tests.builders import ACCEPTED, MONDAY, lived

LATER, LATEST = MONDAY + timedelta(minutes=15), MONDAY + timedelta(minutes=30)
LOST = Seen("SP-1", "terminated", "run-1")


async def test_what_the_records_hold(database: Database) -> None:
    order, events = lived(*ACCEPTED)
    await Orders(database).save(Snapshot(order=order, events=events))
    held = await Reconciliation(database).held([order.sp_id, "SP-nobody"])
    assert held == {order.sp_id: Held(order.version, is_over=False)}


async def test_what_is_the_same_need_not_be_compared_again(database: Database) -> None:
    records = Reconciliation(database)
    await records.keep_same({})
    await records.keep_same({"SP-1": Same("r", 10, 3), "SP-2": Same("r", 5, 1)})
    await records.keep_same({"SP-1": Same("r", 12, 4)})
    assert await records.same(["SP-1", "SP-2", "SP-3"]) == {
        "SP-1": Same("r", 12, 4),
        "SP-2": Same("r", 5, 1),
    }


async def test_a_finding_stands_until_a_pass_does_not_see_it(database: Database) -> None:
    records = Reconciliation(database)
    await records.keep([LOST], MONDAY)
    await records.keep([LOST], LATER)
    (finding,) = await records.standing()
    assert (finding.found_at, finding.seen_at) == (MONDAY, LATER)
    assert await records.end_unseen(LATER) == 0
    assert await records.count() == 1
    assert await records.end_unseen(LATEST) == 1
    assert await records.standing() == ()
    assert await records.count() == 0


async def test_operations_are_told_once_and_again_if_it_comes_again(database: Database) -> None:
    records = Reconciliation(database)
    await records.keep([LOST], MONDAY)
    assert len(await records.unreported(10)) == await records.count_unreported() == 1
    await records.reported(MONDAY)
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
    await records.reported(LATER)
    assert await records.count_unreported() == 2, "they were found later"


async def test_what_is_repaired_is_kept_and_does_not_stand(database: Database) -> None:
    records = Reconciliation(database)
    await records.keep([Seen("SP-1", "stale", "run-1", repaired=True)], MONDAY)
    assert await records.standing() == ()
    await records.keep([Seen("SP-2", "unrecorded", "run-2")], MONDAY)
    await records.keep([Seen("SP-2", "unrecorded", "run-2", repaired=True)], LATER)
    assert await records.standing() == ()


async def test_what_could_not_be_compared_keeps_its_finding(database: Database) -> None:
    records = Reconciliation(database)
    await records.keep([LOST], MONDAY)
    await records.keep_open([], LATER)
    await records.keep_open(["SP-1", "SP-2"], LATER)
    assert await records.end_unseen(LATER) == 0
