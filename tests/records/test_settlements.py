"""Settlements in the records: versions never go backwards, lines are what was billed, no order is billed twice."""

import asyncio
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import (
    ColumnElement,
    Insert,
    String,
    Table,
    cast,
    delete,
    func,
    join,
    literal,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError

from contracts.activities import SettlementSnapshot, Snapshot
from domain.months import Month
from domain.orders.order import Order, Status
from domain.settlements.commands import Close, Select, VoidSettlement
from domain.settlements.ids import settlement_id
from domain.settlements.lines import LeftOut
from domain.settlements.settlement import SettlementStatus
from records.database import Database
from records.heads import Diverged
from records.limits import LONG_SECONDS
from records.order_rows import document_row, order_row
from records.orders import Orders
from records.partners import Partners
from records.settlements import Settlements
from records.tables import documents, orders, settlement_lines
from tests.activities.conftest import partner
from tests.support.builders import (
    AGREED,
    BILLED,
    COMPLETED,
    MONDAY,
    Step,
    lived,
)
from tests.support.settlements import (
    FIRST,
    OCTOBER,
    claims,
    issued,
    opening,
    settled,
    statement,
    voided,
)

HUBER = "elektro-huber"
ID = settlement_id(HUBER, OCTOBER)
NOVEMBER = Month(2026, 11)


@pytest.fixture
async def records(database: Database) -> Settlements:
    """The settlements, beside three orders that can be billed and some that cannot."""
    partners = Partners(database)
    await partners.put(partner(HUBER), MONDAY)
    await partners.put(partner("sanitaer-rossi"), MONDAY)
    known = Orders(database)
    lives: dict[str, tuple[Step, ...]] = {
        "SP-1": COMPLETED,
        "SP-2": COMPLETED,
        "SP-3": COMPLETED,
        "SP-billed": BILLED,
        "SP-busy": AGREED,
        "SP-new": (),
    }
    for sp_id, steps in lives.items():
        order, events = lived(*steps, sp_id=sp_id)
        await known.save(Snapshot(order=order, events=events))
    order, events = lived(*COMPLETED, sp_id="SP-foreign", partner_id="sanitaer-rossi")
    await known.save(Snapshot(order=order, events=events))
    return Settlements(database)


async def lines(database: Database, of: str = ID) -> dict[str, bool]:
    """The orders in a settlement's rows, and whether they count as billed."""
    found = select(settlement_lines.c.sp_id, settlement_lines.c.billed).where(
        settlement_lines.c.settlement_id == of
    )
    async with database.reading() as connection:
        return dict((await connection.execute(found)).all())


class TestKeeping:
    async def test_a_settlement_is_kept_whole(self, records: Settlements) -> None:
        assert await records.get(ID) is None
        snapshot = settled(
            opening("SP-1", "SP-2", left_out=(LeftOut(sp_id="SP-x", reason="unknown"),))
        )
        assert await records.save(snapshot) == snapshot.settlement.version
        stored = await records.get(ID)
        assert stored is not None
        assert stored.settlement == snapshot.settlement
        assert stored.events == snapshot.events
        account = stored.account
        assert [line.sp_id for line in account.lines] == ["SP-1", "SP-2"]
        assert account.lines[0].service == "Waschmaschine anschliessen"
        assert account.lines[0].customer_place == "8004 Zürich"
        assert (str(account.net), str(account.vat), str(account.total)) == (
            "258.00",
            "20.90",
            "278.90",
        )
        assert account.status is SettlementStatus.OPEN
        latest = await records.latest_of_month(HUBER, OCTOBER)
        assert latest is not None
        assert latest.settlement_id == ID
        assert await records.latest_of_month(HUBER, NOVEMBER) is None

    async def test_lines_follow_the_selection_and_then_the_claims(
        self, records: Settlements, database: Database
    ) -> None:
        of = opening("SP-1", "SP-2")
        steps = (
            Select(sp_ids=("SP-2", "SP-3")),
            Close(),
            claims(("SP-3", "billed")),
            statement(ID),
            VoidSettlement(reason="Falsch"),
        )
        expected = [
            {"SP-1": False, "SP-2": False},
            {"SP-2": False, "SP-3": False},
            {"SP-2": False, "SP-3": False},
            {"SP-2": True},
            {"SP-2": True},
            {"SP-2": False},
        ]
        for count, rows in enumerate(expected):
            await records.save(settled(of, *steps[:count]))
            assert await lines(database) == rows
        stored = await records.get(ID)
        assert stored is not None
        assert [line.sp_id for line in stored.account.lines] == ["SP-2"]  # a voided one keeps them

    async def test_a_line_stays_as_it_was_first_written(
        self, records: Settlements, database: Database
    ) -> None:
        of = opening("SP-1")
        await records.save(settled(of))
        async with database.writing() as connection:
            await connection.execute(documents.update().values(document="{}"))
        await records.save(settled(of, *issued(of)))
        stored = await records.get(ID)
        assert stored is not None
        assert stored.account.lines[0].service == "Waschmaschine anschliessen"

    async def test_an_older_version_changes_nothing_and_twice_is_once(
        self, records: Settlements, database: Database
    ) -> None:
        of = opening("SP-1", "SP-2")
        new = settled(of, Select(sp_ids=("SP-3",)), Close())
        old = settled(of)
        assert await records.save(new) == new.settlement.version
        assert await records.save(old) == new.settlement.version
        assert await lines(database) == {"SP-3": False}
        assert await records.save(new) == new.settlement.version
        stored = await records.get(ID)
        assert stored is not None
        assert (stored.settlement, stored.events) == (new.settlement, new.events)

    async def test_of_two_lives_the_workflows_replaces_the_other(
        self, records: Settlements, database: Database
    ) -> None:
        of = opening("SP-1", "SP-2")
        phantom = settled(of, Close(), claims())
        kept = settled(of, Select(sp_ids=("SP-3",)))
        await records.save(phantom)
        gap = SettlementSnapshot(settlement=kept.settlement, events=kept.events[-1:])
        for late in (kept, gap):
            with pytest.raises(Diverged):
                await records.save(late)
        assert await records.save(kept, replaces=await records.head(ID)) == kept.settlement.version
        assert await records.holds(kept)
        assert not await records.holds(phantom)
        assert await lines(database) == {"SP-3": False}
        with pytest.raises(Diverged):
            await records.save(phantom)

    async def test_what_orders_tell_takes_the_place_of_what_the_records_knew(
        self, records: Settlements
    ) -> None:
        of = opening("SP-1", "SP-2")
        await records.save(settled(of))
        before = await records.get(ID)
        assert before is not None
        told = before.account.lines[0].model_copy(update={"fee": Decimal("7.00")})
        await records.lines.keep_confirmed(ID, [told])
        await records.lines.keep_confirmed(ID, [told])
        await records.save(settled(of, Close(), claims()))
        stored = await records.get(ID)
        assert stored is not None
        assert stored.account.lines == (told, before.account.lines[1])

    async def test_versions_that_race_leave_the_newest(
        self, records: Settlements, database: Database
    ) -> None:
        of = opening("SP-1")
        picks = [Select(sp_ids=(f"SP-{n % 3 + 1}",)) for n in range(8)]
        versions = [settled(of, *picks[:count]) for count in range(9)]
        again = Settlements(Database(str(database.url.render_as_string(hide_password=False))))
        await asyncio.gather(
            *(pool.save(each) for each in versions[::-1] for pool in (records, again))
        )
        await again._database.close()
        stored = await records.get(ID)
        assert stored is not None
        assert stored.settlement == versions[-1].settlement
        assert stored.events == versions[-1].events
        assert set(await lines(database)) == set(versions[-1].settlement.picked)

    async def test_an_order_that_is_not_recorded_yet_is_waited_for(
        self, records: Settlements
    ) -> None:
        with pytest.raises(LookupError, match="1 orders are not recorded"):
            await records.save(settled(opening("SP-1", "SP-late")))
        assert await records.get(ID) is None

    async def test_two_partners_never_share_a_number(
        self, records: Settlements, database: Database
    ) -> None:
        await records.save(settled(opening("SP-1")))
        async with database.writing() as connection:
            await connection.execute(text("UPDATE settlements SET partner_id = 'somebody'"))
        with pytest.raises(ValueError, match="another partner"):
            await records.save(settled(opening("SP-1"), Close()))


class TestBilledOnce:
    async def test_no_order_is_billed_by_two_settlements(
        self, records: Settlements, database: Database
    ) -> None:
        first, second = opening("SP-1", "SP-2"), opening("SP-2", "SP-3", month=NOVEMBER)
        await records.save(settled(first, *issued(first)))
        await records.save(settled(second))  # to pick it is no harm
        with pytest.raises(IntegrityError):
            await records.save(settled(second, *issued(second)))
        assert set((await lines(database, second.settlement_id)).values()) == {False}
        # Once the first one is taken back the second one may.
        await records.save(settled(first, *voided(first)))
        await records.save(settled(second, *issued(second)))
        assert await lines(database, second.settlement_id) == {"SP-2": True, "SP-3": True}

    async def test_of_two_at_once_one_gets_it(
        self, records: Settlements, database: Database
    ) -> None:
        months = [OCTOBER, NOVEMBER, Month(2026, 12)]
        rivals = [opening("SP-1", month=month) for month in months]
        results = await asyncio.gather(
            *(records.save(settled(of, *issued(of))) for of in rivals), return_exceptions=True
        )
        assert sorted(type(result) is IntegrityError for result in results) == [False, True, True]

    async def test_one_settlement_for_a_partner_and_a_month(
        self, records: Settlements, database: Database
    ) -> None:
        await records.save(settled(opening("SP-1")))
        with pytest.raises(IntegrityError):
            async with database.writing() as connection:
                await connection.execute(
                    text(
                        "INSERT INTO settlements (settlement_id, version, partner_id, partner_name,"
                        " month, number, status, orders, net, vat, total, opened_at, search)"
                        " SELECT 'V-other', version, partner_id, partner_name,"
                        " month, number, status, orders, net, vat, total, opened_at, search"
                        " FROM settlements"
                    )
                )


class TestWhatCanBeBilled:
    async def test_billable_orders_of_one_partner(self, records: Settlements) -> None:
        found = await records.billable.lines(HUBER)
        assert [line.sp_id for line in found] == ["SP-1", "SP-2", "SP-3"]
        executed_on = found[0].executed_on
        assert len(await records.billable.lines(HUBER, executed_on)) == 3
        assert await records.billable.lines(HUBER, executed_on - timedelta(days=1)) == ()
        assert await records.billable.lines("nobody") == await records.billable.lines("\0") == ()

    async def test_orders_are_judged(self, records: Settlements) -> None:
        asked = [
            "SP-3",
            "SP-1",
            "SP-3",
            "SP-billed",
            "SP-busy",
            "SP-new",
            "SP-foreign",
            "x\0",
            "SP-0",
        ]
        picked, left_out = await records.billable.judge(HUBER, ID, asked)
        assert picked == ("SP-1", "SP-3")
        assert {each.sp_id: each.reason for each in left_out} == {
            "SP-billed": "billed",
            "SP-busy": "not_completed",
            # What is not its own, or not yet shown to it, a partner is not told of.
            "SP-new": "unknown",
            "SP-foreign": "unknown",
            "x\0": "unknown",
            "SP-0": "unknown",
        }
        assert await records.billable.judge(HUBER, "V-2026-10-elektro-huber", ["SP-billed"]) == (
            ("SP-billed",),
            (),
        )

    async def test_thousands_of_orders_are_judged(self, records: Settlements) -> None:
        """A statement takes 32,767 parameters on PostgreSQL. SQLite's limit depends on how it was built."""
        picked, left_out = await records.billable.judge(
            HUBER, ID, (f"SP-{n}" for n in range(1, 33_001))
        )
        assert len(picked) == 3
        assert len(left_out) == 32_997

    async def test_partners_to_settle(self, records: Settlements) -> None:
        assert await records.billable.partners_to_settle(OCTOBER) == (HUBER, "sanitaer-rossi")
        assert await records.billable.partners_to_settle(OCTOBER, limit=1) == (HUBER,)
        assert await records.billable.partners_to_settle(OCTOBER, after=HUBER) == (
            "sanitaer-rossi",
        )
        assert (
            await records.billable.partners_to_settle(OCTOBER.previous) == ()
        )  # executed in October
        assert await records.billable.partners_to_settle(NOVEMBER) == (HUBER, "sanitaer-rossi")
        of = opening("SP-1")
        await records.save(settled(of, *issued(of)))
        assert await records.billable.partners_to_settle(OCTOBER) == ("sanitaer-rossi",)
        await records.save(settled(of, *voided(of)))  # another may follow it
        assert await records.billable.partners_to_settle(OCTOBER) == (HUBER, "sanitaer-rossi")

    async def test_the_latest_of_a_month(self, records: Settlements) -> None:
        first, second = opening("SP-1"), opening("SP-1", number=2)
        await records.save(settled(first, *voided(first)))
        await records.save(settled(second))
        latest = await records.latest_of_month(HUBER, OCTOBER)
        assert latest is not None
        assert (latest.settlement_id, latest.opening.number) == (f"{ID}-2", 2)
        assert (await records.get(ID)) is not None


class TestLists:
    async def test_pages_and_filters(self, records: Settlements) -> None:
        for number in range(5):
            at = FIRST + timedelta(days=30 * number)
            of = opening("SP-1", month=Month(2026, 6 + number), vat_rates=())
            await records.save(settled(of, at=at))
        other = opening("SP-foreign", partner_id="sanitaer-rossi")
        await records.save(settled(other, *issued(other), at=FIRST))
        everything = await records.page()
        assert len(everything.items) == 6
        assert everything.next_cursor is None
        seen, cursor = [], None
        while True:
            page = await records.page(limit=2, cursor=cursor)
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert tuple(seen) == everything.items
        assert [row.opened_at for row in seen] == sorted((r.opened_at for r in seen), reverse=True)
        huber = await records.page(partner_id=HUBER)
        assert {row.partner_id for row in huber.items} == {HUBER}
        row = huber.items[-1]
        assert (row.orders, row.net, row.vat, row.total) == (
            1,
            Decimal("129.00"),
            Decimal("0.00"),
            Decimal("129.00"),
        )
        (found,) = (await records.page(status=SettlementStatus.ISSUED)).items
        assert found.partner_name == "Sanitaer-Rossi AG"
        assert found.month == OCTOBER
        assert len((await records.page(month=OCTOBER)).items) == 2
        assert len((await records.page(q=found.settlement_id.lower())).items) == 1
        assert len((await records.page(q="ROSSI ag")).items) == 1
        assert (await records.page(q="100%")).items == ()
        assert (await records.page(q="\0")).items == ()

    async def test_a_cursor_that_no_page_gave(self, records: Settlements) -> None:
        with pytest.raises(ValueError, match="cursor"):
            await records.page(cursor="nonsense")
        with pytest.raises(ValueError, match="limit"):
            await records.page(limit=0)


async def fill(database: Database, order: Order, count: int, status: Status, first: int) -> None:
    """Many orders like one, copied by SQL: what is measured is how they are read."""
    numbers = select(literal(first).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < first + count - 1))
    # with seven digits
    sp_id = literal("SP-").concat(func.substr(cast(numbers.c.n + 10_000_000, String), 2))

    def copies(table: Table, **changed: ColumnElement[str]) -> Insert:
        columns = [changed.get(column.name, column).label(column.name) for column in table.c]
        every = select(*columns).select_from(join(table, numbers, table.c.sp_id == order.sp_id))
        return table.insert().from_select(table.c.keys(), every)

    async with database.writing(limit=LONG_SECONDS) as connection:
        await connection.execute(orders.insert(), {**order_row(order), "status": status.value})
        await connection.execute(documents.insert(), document_row(order))
        # Their text to search is empty, because indexing it would take most of the time.
        empty = literal("")
        copied = copies(orders, sp_id=sp_id, search=empty, search_contact=empty)
        await connection.execute(copied)
        if status is Status.COMPLETED:
            document = func.replace(documents.c.document, order.sp_id, sp_id)
            await connection.execute(copies(documents, sp_id=sp_id, document=document))
        await connection.execute(delete(documents).where(documents.c.sp_id == order.sp_id))
        await connection.execute(delete(orders).where(orders.c.sp_id == order.sp_id))


async def test_two_thousand_lines_among_twenty_thousand_orders(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, _ = lived(*COMPLETED)
    await Partners(database).put(partner(HUBER), MONDAY)
    await fill(database, order, 20_000, Status.BILLED, 0)
    await fill(database, order, 2_000, Status.COMPLETED, 200_000)
    records = Settlements(database)
    took: dict[str, float] = {}

    async def timed(name: str, work: object) -> object:
        began = time.process_time() if database.is_sqlite else time.perf_counter()
        result = await work  # type: ignore[misc]
        took[name] = (time.process_time() if database.is_sqlite else time.perf_counter()) - began
        return result

    found = await timed("billable", records.billable.lines(HUBER, OCTOBER.last_day))
    sp_ids = [line.sp_id for line in found]
    assert len(sp_ids) == 2_000
    await timed("judge", records.billable.judge(HUBER, ID, sp_ids))
    await timed("partners", records.billable.partners_to_settle(OCTOBER))
    of = opening(*sp_ids)
    await timed("save", records.save(settled(of)))
    await timed("save again", records.save(settled(of, *issued(of))))
    stored = await timed("get", records.get(ID))
    assert len(stored.account.lines) == 2_000
    print(took)
    assert max(took.values()) < 3, took


async def test_five_thousand_lines_are_saved_whatever_the_limit_of_other_transactions(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, _ = lived(*COMPLETED)
    await fill(database, order, 5_000, Status.COMPLETED, 0)
    records = Settlements(database)
    of = opening(*(f"SP-{number:07}" for number in range(5_000)))
    with monkeypatch.context() as patch:
        patch.setattr("records.limits.LIMIT_SECONDS", 0.1)
        for snapshot in (settled(of), settled(of, *issued(of)), settled(of, *voided(of))):
            assert await records.save(snapshot) == snapshot.settlement.version
    stored = await records.get(ID)
    assert stored is not None
    assert len(stored.account.lines) == 5_000
