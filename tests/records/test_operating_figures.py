"""The figures of operations are those of their overview, and no statement reads all orders or mails."""

import re
from collections import Counter
from datetime import timedelta

from sqlalchemy import Connection, event, text

from contracts.activities import Snapshot
from records.database import Database
from records.mails import MailLog
from records.operating_figures import operating_figures
from records.orders import Orders
from records.partners import Partners
from tests.activities.conftest import partner
from tests.records.test_monitoring import ANNA, NOW, keep, operations
from tests.support.builders import BILLED, COMPLETED, TRANSMITTED, lived
from use_cases.operating_figures import MOST_SERVICES, OperatingMetrics, _bounded
from use_cases.operations import Operations

__all__ = ["operations"]

HUGE = ("orders", "deadlines", "timeline", "documents", "mails", "order_mails")


async def shown(database: Database) -> dict[str, dict[tuple[str, ...], float]]:
    """The metrics by name."""
    families = await OperatingMetrics(database, lambda: NOW).read()
    return {family.name: dict(family.samples) for family in families}


async def test_metrics_and_overview_cannot_disagree(
    database: Database, operations: Operations
) -> None:
    mails = MailLog(database)
    hour = timedelta(hours=1)
    for key, age in (("fresh", 0.5), ("slow", 2), ("failed", 30), ("old", 24 * 40)):
        await mails.begin(
            key, "SP-T", "new_order", "partner", "p@x.example", f"<{key}@x>", NOW - age * hour
        )
    await mails.given_up("failed")
    await mails.given_up("old")
    await keep(database, "SP-B", *BILLED)

    overview = await operations.overview(ANNA)
    figures = await shown(database)
    states: Counter[str] = Counter()
    for (state, _), number in figures["cmi_orders_open"].items():
        states[state] += int(number)
    assert figures["cmi_orders_late"][()] == overview.late_count > 0
    assert figures["cmi_orders_untransmitted"][()] == overview.untransmitted_count > 0
    assert states["under_review"] == overview.review_count > 0
    assert states["unassigned"] == overview.unassigned_count
    assert states["on_hold"] == overview.on_hold_count
    assert states["completed"] == 1
    assert "billed" not in states
    assert figures["cmi_mails_stuck"][()] == overview.mail_count == 2
    assert figures["cmi_mails_given_up"][()] == 1
    assert sum(figures["cmi_findings_open"].values()) == overview.finding_count
    assert figures["cmi_mails_pending"][("workflow",)] == 2
    assert figures["cmi_mails_oldest_pending_seconds"][("workflow",)] == 2 * 3600


async def test_overdue_deadlines_by_the_policy_of_the_partner(database: Database) -> None:
    partners = Partners(database)
    for partner_id, policy in (("bianchi", None), ("huber", "alpine"), ("rossi", None)):
        await partners.put(partner(partner_id=partner_id, policy=policy), NOW)
        await keep(database, f"SP-{partner_id}", *TRANSMITTED, partner_id=partner_id)
    await keep(database, "SP-DONE", *COMPLETED)
    assert (await shown(database))["cmi_deadlines_overdue"] == {
        ("accept", "standard"): 2,
        ("accept", "alpine"): 1,
        ("contact_customer", "standard"): 2,
        ("contact_customer", "alpine"): 1,
    }


def test_a_shop_that_invents_services_does_not_fill_prometheus() -> None:
    counts = {("new", f"s{number}"): number + 1 for number in range(100)}
    bounded = _bounded(counts)
    assert len(bounded) == MOST_SERVICES + 1
    assert sum(bounded.values()) == sum(counts.values())


async def test_no_statement_reads_what_a_million_orders_leave(database: Database) -> None:
    order, events = lived(*TRANSMITTED)
    await Orders(database).save(Snapshot(order=order, events=events))
    statements: list[tuple[str, object]] = []
    engine = database._threads._engine if database._threads else database.engine.sync_engine

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_c: object, _u: object, statement: str, given: object, _x: object, _m: bool) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, given))

    span = timedelta(days=30)
    await operating_figures(
        database, NOW, mails_since=NOW - span, tried_until=NOW, settlements_since=NOW - span
    )
    assert len(statements) > 10

    def plans(connection: Connection) -> list[str]:
        found = []
        for statement, given in statements:
            if connection.dialect.name == "sqlite":
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
                found.append("\n".join(row.detail for row in rows))
            else:
                connection.execute(text("SET LOCAL enable_seqscan = off"))
                rows = connection.exec_driver_sql(f"EXPLAIN {statement}", given)
                found.append("\n".join(row[0] for row in rows))
        return found

    for plan in await database.read(plans):
        whole = re.findall(r"SCAN (\w+)(?! USING| \w* ?USING)$", plan, re.MULTILINE)
        whole += re.findall(r"Seq Scan on (\w+)", plan)
        assert not set(whole) & set(HUGE), plan
