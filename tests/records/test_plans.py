"""How PostgreSQL reads lists: none reads all orders, however many there are. Many writers do not stop each other."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, text

from contracts.activities import Snapshot
from domain.orders.order import Status
from records.billable import Billable
from records.calendar_entries import CalendarEntries
from records.database import Database
from records.monitoring import Monitoring
from records.order_counts import OrderCounts
from records.order_lists import OrderFilter
from records.order_relations import OrderRelations
from records.orders import Orders
from records.reconciliation import Reconciliation
from records.tables import deadlines, documents, orders, timeline
from records.token_calls import TokenCalls
from records.worklist import Worklists
from tests.records.test_orders import keep
from tests.support.builders import ACCEPTED, BILLED, MONDAY, TRANSMITTED, lived
from tests.support.databases import records_copy
from tests.support.many_orders import fill, make_templates
from tests.support.needs import needs

ORDERS, OPEN = 20_000, 1_000
WHOLE = ("orders", "documents", "timeline", "deadlines")
"""The tables of which none is read as a whole."""
PARTNER = "partner-03"
NOW = datetime.now(UTC)
WRITERS, WRITES = 50, 6

pytestmark = needs("postgresql")


def lists(database: Database) -> dict[str, Callable[[], Awaitable[object]]]:
    """What the pages and the API list, and what work in the background looks for."""
    records, relations = Orders(database), OrderRelations(database)
    order, _ = lived(*BILLED, sp_id="SP-1")
    filters = {
        "all": OrderFilter(in_contact=True, contact_since=NOW),  # as staff asks
        "a state": OrderFilter(status=Status.COMPLETED),
        "a closed state": OrderFilter(status=Status.BILLED),
        "overdue": OrderFilter(overdue_at=NOW),
        "a partner's": OrderFilter(partner_id=PARTNER),
        "a partner's in a state": OrderFilter(partner_id=PARTNER, status=Status.NEW),
        "a partner's overdue": OrderFilter(partner_id=PARTNER, overdue_at=NOW),
        "those assigned to a partner": OrderFilter(assigned_to=PARTNER),
        "a number": OrderFilter(q="SP-0012345"),
        "a name and place": OrderFilter(q="c4ca42 zurich"),
        "a telephone": OrderFilter(q="0791001234", in_contact=True, contact_since=NOW),
        "a partner's search": OrderFilter(partner_id=PARTNER, q="c4ca42", in_contact=True),
    }
    found: dict[str, Callable[[], Awaitable[object]]] = {}
    for name, which in filters.items():
        sorts = ("best",) if which.q else ("newest", "oldest", "urgent")
        for sort in sorts:

            async def page(which: OrderFilter = which, sort: Any = sort) -> None:
                first = await records.page(which, 25, None, sort)
                if first.next_cursor is not None:
                    await records.page(which, 25, first.next_cursor, sort)

            found[f"{name}, {sort}"] = page
        found[f"counts of {name}"] = lambda which=which: records.counts(which)
    overdue = OrderFilter(overdue_at=NOW)
    late = overdue.model_copy(update={"overdue_with": "transmit"})
    worklists, monitoring = Worklists(database), Monitoring(database)
    entries = CalendarEntries(database)
    return found | {
        "overview: late": lambda: records.first(overdue, 5),
        "overview: not transmitted": lambda: records.first(late, 5),
        "overview: reviews": lambda: records.first(OrderFilter(status=Status.UNDER_REVIEW), 5),
        "overview: late partners": lambda: monitoring.late_partners(NOW, 10),
        "overview: on hold": lambda: monitoring.count(Status.ON_HOLD),
        "open orders of a partner": lambda: monitoring.open_of(PARTNER),
        "overview of a partner": lambda: worklists.of(PARTNER, (Status.NEW, Status.COMPLETED), 10),
        "siblings": lambda: relations.siblings(order),
        "agreed visits": lambda: entries.agreed(PARTNER, NOW, NOW + timedelta(days=1)),
        "billable": lambda: Billable(database).lines(PARTNER),
        "open, to compare": lambda: Reconciliation(database).open_orders(None, 100),
        "closed, to compare": lambda: Reconciliation(database).orders_to_compare(None, 100, NOW),
    }


async def test_no_list_reads_all_orders(tmp_path: Path) -> None:
    async with records_copy(tmp_path, "postgresql") as copy:
        database = Database(copy.url)
        await make_templates(database)
        await fill(copy.owner, 1, ORDERS, OPEN)
        said: list[tuple[str, Any]] = []

        @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
        def _note(_c: Connection, _u: object, statement: str, given: Any, *_: object) -> None:
            if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                said.append((statement, given))

        wrong = {}
        for name, call in lists(database).items():
            said.clear()
            await call()
            statements = list(said)
            assert statements, name
            for statement, given in statements:
                plan = await database.read(
                    lambda c, s=statement, g=given: c.exec_driver_sql(
                        f"EXPLAIN (FORMAT JSON) {s}", g
                    ).scalar_one()
                )
                whole = set(scanned(json.loads(plan) if isinstance(plan, str) else plan))
                if whole & set(WHOLE):
                    wrong[name] = (whole, statement)
        await database.close()
        assert not wrong, "\n\n".join(f"{name}: {why}" for name, why in wrong.items())


def scanned(plan: Any) -> Iterator[str]:
    """The tables that a plan reads as a whole."""
    if isinstance(plan, list):
        for each in plan:
            yield from scanned(each)
    elif isinstance(plan, dict):
        if plan.get("Node Type") == "Seq Scan":
            yield str(plan["Relation Name"])
        for name in ("Plan", "Plans"):
            yield from scanned(plan.get(name, []))


async def test_many_writers_do_not_stop_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty at once, on the same few orders and counts, in pools of several processes: all succeed, none twice."""
    for name in ("LIMIT_SECONDS", "CONNECT_SECONDS"):  # a busy machine is no failure
        monkeypatch.setattr(f"records.limits.{name}", 100.0)
    async with records_copy(tmp_path, "postgresql") as copy:
        pools = [Database(copy.url) for _ in range(3)]
        records = [Orders(pool) for pool in pools]
        calls = [TokenCalls(pool) for pool in pools]
        shared = [f"SP-shared-{n}" for n in range(5)]
        for sp_id in shared:
            await keep(records[0], *TRANSMITTED, sp_id=sp_id)
        lives = {sp_id: lived(*TRANSMITTED, sp_id=sp_id) for sp_id in shared}

        async def write(number: int) -> None:
            of, counted = records[number % 3], calls[number % 3]
            names = shared if number % 2 else shared[::-1]
            for turn in range(WRITES):
                own, events = lived(*TRANSMITTED, sp_id=f"SP-{number}-{turn}")
                await of.save(Snapshot(order=own, events=events))
                again, events = lives[names[turn % len(names)]]
                await of.save(Snapshot(order=again, events=events))
                await counted.add(dict.fromkeys(names, 1), MONDAY)

        async with asyncio.timeout(120):
            await asyncio.gather(*(write(number) for number in range(WRITERS)))
        found = await records[0].counts(OrderFilter())
        assert sum(found.values()) == WRITERS * WRITES + len(shared)
        totals = await calls[0].add(dict.fromkeys(shared, 0), MONDAY)
        assert set(totals.values()) == {WRITERS * WRITES}
        deadlocks = await pools[0].read(
            lambda c: c.execute(
                text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            ).scalar_one()
        )
        assert deadlocks == 0
        for pool in pools:
            await pool.close()


async def test_orders_are_counted_as_they_change(database: Database) -> None:
    """On PostgreSQL the counts are not read from the orders: they agree with them all the same."""
    records, counts = Orders(database), OrderCounts(database)
    for number, steps in enumerate((TRANSMITTED, TRANSMITTED, BILLED, ())):
        await keep(records, *steps, sp_id=f"SP-{number}")
    await counts.fold()
    await keep(records, *ACCEPTED, sp_id="SP-0")
    await keep(records, *TRANSMITTED, sp_id="SP-1")  # nothing has changed
    expected = {
        Status.IN_TRANSMISSION: 1,
        Status.NEW: 1,
        Status.CHECK_REQUIREMENTS: 1,
        Status.BILLED: 1,
    }
    huber = "elektro-huber"
    for _ in range(2):
        assert await records.counts(OrderFilter()) == expected
        assert await records.counts(OrderFilter(assigned_to=huber)) == expected
        seen = {status: n for status, n in expected.items() if status is not Status.IN_TRANSMISSION}
        assert await records.counts(OrderFilter(partner_id=huber, status=Status.NEW)) == seen
        assert await records.counts(OrderFilter(partner_id="stranger")) == {}
        await counts.fold()
    await database.write(lambda connection: connection.execute(delete(deadlines)))
    for table in (timeline, documents, orders):
        await database.write(lambda connection, table=table: connection.execute(delete(table)))
    assert await records.counts(OrderFilter()) == {}
