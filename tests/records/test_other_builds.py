"""Rows that another build wrote: read with more fields and with fewer, and with what only a newer build knows."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from contracts.activities import SettlementSnapshot, Snapshot
from domain.actors import Actor
from domain.orders.access import allowed
from domain.orders.commands import Accept, Cancel, DecideReview, Reassign, ReportNotExecuted
from domain.orders.events import UnknownEvent
from domain.orders.lifecycle import handle
from domain.orders.order import Order, Status
from domain.settlements.events import SettlementRecorded
from domain.values import without_unknown
from records.billable import Billable
from records.database import Database
from records.digest import Digests, Limits
from records.monitoring import Monitoring
from records.order_lists import OrderFilter
from records.orders import Orders
from records.partners import Partners
from records.settlements import Settlements
from records.tables import documents, orders, settlement_documents, settlement_timeline, timeline
from records.worklist import Worklists
from tests.activities.conftest import partner
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    COMPLETED,
    MONDAY,
    SHOP,
    TRANSMITTED,
    appointment,
    assignee,
    intake,
    lived,
)
from tests.support.newer import ADDED, fewer, more, rewrite_rows
from tests.support.settlements import issued, opening, settled

HUBER = "elektro-huber"
LIVES = {
    "SP-1": COMPLETED,
    "SP-2": (
        *ACCEPTED,
        Reassign(partner=assignee("bianchi", "TI"), calendar=intake(canton="TI").calendar, reason="x"),
    ),
    "SP-3": (
        *AGREED,
        appointment(72, "customer ill"),
        ReportNotExecuted(reason="other", note="Hund"),
        DecideReview(decision="reship"),
    ),
    "SP-4": (*AGREED, ReportNotExecuted(reason="customer_absent")),
    "SP-5": ACCEPTED,
}  # fmt: skip


@pytest.fixture
async def stored(database: Database) -> dict[str, Snapshot]:
    """The stored orders by SP-ID. A settlement of one of them is stored, too."""
    await Partners(database).put(partner(HUBER), MONDAY)
    records, snapshots = Orders(database), {}
    for sp_id, steps in LIVES.items():
        order, events = lived(*steps, sp_id=sp_id)
        snapshots[sp_id] = Snapshot(order=order, events=events)
        await records.save(snapshots[sp_id])
    of = opening("SP-1")
    await Settlements(database).save(settled(of, *issued(of)))
    return snapshots


async def everything(database: Database) -> dict[str, object]:
    """What every reader finds, as far as this build knows it."""
    records, settlements, now = Orders(database), Settlements(database), MONDAY + timedelta(hours=2)
    found: dict[str, object] = {}
    for sp_id in LIVES:
        stored = await records.get(sp_id)
        assert stored is not None
        found[sp_id] = (
            without_unknown(stored.order),
            [without_unknown(recorded) for recorded in stored.events],
        )
    page = await records.page(OrderFilter())
    found["page"] = [without_unknown(order) for order in page.items]
    found["counts"] = await records.counts(OrderFilter())
    states = [Status.CHECK_REQUIREMENTS, Status.CONFIRM_EXECUTION]
    for name, sections in (
        ("worklist", (await Worklists(database).of(HUBER, states, 10)).values()),
        ("digest", await Digests(database).open_work(HUBER, now, now, Limits(9, 9, 9))),
    ):
        jobs = [job for section in sections for job in section.jobs]
        found[name] = [
            (without_unknown(job.placement), job.kind, job.due, job.status) for job in jobs
        ]
    reports = await Monitoring(database).reports(list(LIVES))
    found["reports"] = {sp_id: without_unknown(event) for sp_id, event in reports.items()}
    found["billable"] = await Billable(database).lines(HUBER)
    settlement = (await settlements.page()).items[0]
    found["settlements"] = settlement
    stored_settlement = await settlements.get(settlement.settlement_id)
    assert stored_settlement is not None
    found["settlement"] = without_unknown(stored_settlement)
    return found


@pytest.mark.parametrize("rewrite", [more, fewer])
async def test_every_reader_finds_the_same(
    database: Database, stored: dict[str, Snapshot], rewrite: object
) -> None:
    before = await everything(database)
    assert await rewrite_rows(database, rewrite) > 50  # type: ignore[arg-type]
    assert await everything(database) == before


async def document(database: Database, sp_id: str) -> str:
    """An order's document and what is pinned, as they are stored."""
    found = select(documents.c.document, documents.c.pinned).where(documents.c.sp_id == sp_id)
    async with database.reading() as connection:
        return "\n".join((await connection.execute(found)).one())


async def test_a_build_that_does_not_know_a_field_does_not_lose_it(
    database: Database, stored: dict[str, Snapshot]
) -> None:
    """An older worker is handed an order by a newer workflow, or revives it from the records, and writes it again."""
    records = Orders(database)
    await rewrite_rows(database, more)
    written = (await document(database, "SP-3")).count(ADDED)
    stored = await records.get("SP-3")
    assert stored is not None
    order, events = handle(stored.order, Cancel(reason="ill"), SHOP, MONDAY + timedelta(days=9))
    # Through Temporal and back, as from a worker to a worker.
    snapshot = Snapshot.model_validate_json(Snapshot(order=order, events=events).model_dump_json())
    await records.save(snapshot)
    # But for one: the envelope of what is pinned is the records' own, and has a fixed shape.
    assert (await document(database, "SP-3")).count(ADDED) == written - 1


async def test_what_only_a_newer_build_knows_is_read_and_allows_nothing(
    database: Database, stored: dict[str, Snapshot]
) -> None:
    records = Orders(database)
    newer = {"type": "put_on_hold", "until": "2026-12-01", "why": {"by": "customer"}}
    raw = json.loads(stored["SP-4"].order.model_dump_json())
    raw["status"] = "parked"
    for deadline in raw["deadlines"]:
        deadline["outcome"] = "waived"
    async with database.writing() as connection:
        whole = json.loads(
            (
                await connection.execute(
                    select(documents.c.document).where(documents.c.sp_id == "SP-4")
                )
            ).scalar_one()
        )
        whole |= {"status": "parked", "deadlines": raw["deadlines"]}
        of = documents.c.sp_id == "SP-4"
        await connection.execute(update(documents).where(of).values(document=json.dumps(whole)))
        await connection.execute(
            update(orders).where(orders.c.sp_id == "SP-4").values(status="parked")
        )
        mine = timeline.c.sp_id == "SP-4"
        last = stored["SP-4"].order.version
        await connection.execute(
            update(timeline)
            .where(mine, timeline.c.seq == 2)
            .values(type="put_on_hold", data=json.dumps(newer))
        )
        reason = {"type": "not_executed", "reason": "site_flooded", "note": ""}
        await connection.execute(
            update(timeline).where(mine, timeline.c.seq == last).values(data=json.dumps(reason))
        )
    stored = await records.get("SP-4")
    assert stored is not None
    order: Order = stored.order
    assert (order.status, order.status.is_known, order.status.is_final) == ("parked", False, False)
    assert {d.outcome for d in order.deadlines} == {"waived"}
    assert allowed(order, "operations") == ()
    unknown = stored.events[1].event
    assert isinstance(unknown, UnknownEvent)
    assert json.loads(unknown.model_dump_json()) == newer
    assert order in (await records.page(OrderFilter(), limit=200)).items
    counts = await records.counts(OrderFilter())
    assert counts[Status("parked")] == 1
    assert list(counts)[-1] == "parked"
    reports = await Monitoring(database).reports(["SP-4"])
    assert reports["SP-4"].reason == "site_flooded"


async def test_a_settlement_with_what_only_a_newer_build_knows_is_read(
    database: Database, stored: dict[str, Snapshot]
) -> None:
    settlements = Settlements(database)
    number = (await settlements.page()).items[0].settlement_id
    async with database.writing() as connection:
        found = select(settlement_documents.c.document)
        whole = json.loads((await connection.execute(found)).scalar_one())
        whole |= {"status": "approved", "left_out": [{"sp_id": "SP-9", "reason": "disputed"}]}
        await connection.execute(update(settlement_documents).values(document=json.dumps(whole)))
        await connection.execute(
            update(settlement_timeline)
            .where(settlement_timeline.c.seq == 2)
            .values(type="approved", data=json.dumps({"type": "approved", "by": "Beat"}))
        )
    stored = await settlements.get(number)
    assert stored is not None
    assert stored.settlement.status == "approved"
    assert not stored.settlement.is_over
    assert [left.reason for left in stored.settlement.left_out] == ["disputed"]
    assert isinstance(stored.events[1].event, UnknownEvent)
    again = SettlementSnapshot.model_validate_json(
        SettlementSnapshot(settlement=stored.settlement, events=stored.events).model_dump_json()
    )
    assert again.events == stored.events
    assert isinstance(again.events[1], SettlementRecorded)


async def test_a_timeline_says_for_whom_operations_did_something(database: Database) -> None:
    order, events = lived(
        *TRANSMITTED, (Accept(), Actor(role="operations", name="Anna")), sp_id="SP-1"
    )
    records = Orders(database)
    await records.save(Snapshot(order=order, events=events))
    last = timeline.c.seq == len(events)
    async with database.writing() as connection:
        found = select(timeline.c.by, timeline.c.on_behalf_of).where(last)
        assert (await connection.execute(found)).one() == ("operations:Anna", HUBER)
        # as an older release writes it
        whole = f"operations:Anna for partner:{HUBER}"
        await connection.execute(update(timeline).where(last).values(by=whole, on_behalf_of=None))
    assert await records.holds(Snapshot(order=order, events=events))
