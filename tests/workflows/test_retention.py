"""The nightly retention: each rule acts after its time and not before, by a real schedule and by a clock."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select
from temporalio.client import ScheduleBackfill, ScheduleOverlapPolicy
from temporalio.testing import WorkflowEnvironment

from contracts import names
from contracts.activities import Snapshot
from contracts.messages import RetentionRun
from domain.orders.erasure import is_erased
from domain.policy import Policy
from domain.retention import RULES, Kind
from records.database import Database
from records.erasures import Erasures
from records.orders import Orders
from records.partners import Partners
from records.settlements import Settlements
from records.tables import (
    asked_reminders,
    corrections,
    exports,
    findings,
    iban_changes,
    idempotency,
    lookups,
    mails,
    orders,
    papers,
    security_events,
    settlements,
)
from settings import Settings
from temporal.schedules import put_schedules
from tests.activities.conftest import partner
from tests.server.surroundings import eventually
from tests.support.builders import BILLED, COMPLETED, lived
from tests.support.databases import records_of_a_test
from tests.support.settlements import issued, opening, settled
from tests.support.temporal_servers import dev_server, skipping_server
from worker import order_worker

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SP_ID = "SP-1"
UPLOADED = "invoice"
"""The kind of a paper that a partner uploaded."""

Put = Callable[[Database, datetime], Awaitable[None]]


async def _put_order(database: Database, at: datetime) -> None:
    """An order that was billed at this instant, and about which something was reported later."""
    order, events = lived(*BILLED, sp_id=SP_ID)
    changed = order.replace(ended_at=at, changed_at=at + 60 * DAY)
    await Orders(database).save(Snapshot(order=changed, events=events))


async def _put_settlement(database: Database, at: datetime) -> None:
    """A settlement whose statement was issued at this instant, with a paper."""
    await Partners(database).put(partner("elektro-huber"), at)
    order, events = lived(*COMPLETED, sp_id="SP-2")
    await Orders(database).save(Snapshot(order=order, events=events))
    of = opening("SP-2")
    steps = issued(of)
    made = settled(of, *steps, at=at - len(steps) * timedelta(minutes=1))
    assert made.settlement.issued_at == at
    await Settlements(database).save(made)
    paper = {
        "paper_id": "P-1",
        "settlement_id": of.settlement_id,
        "kind": "statement",
        "name": "statement.pdf",
        "content": b"%PDF-",
        "sha256": "0",
        "template_version": "1",
        "input_checksum": "1",
        "inputs": "{}",
        "created_at": at,
    }
    await _insert(database, papers, paper)


async def _put_refused_invoice(database: Database, at: datetime) -> None:
    """A file that was uploaded as an invoice at this instant, and that accounting does not have."""
    await _put_settlement(database, at)
    words = dict.fromkeys(("name", "sha256", "template_version", "input_checksum"), "x")
    paper = {
        "paper_id": "refused",
        "settlement_id": opening("SP-2").settlement_id,
        "kind": UPLOADED,
    }
    row = {**paper, **words, "content": b"%PDF-", "inputs": "", "created_at": at}
    await _insert(database, papers, row)


async def _insert(database: Database, table: Any, row: Mapping[str, Any]) -> None:
    await database.write(lambda connection: connection.execute(insert(table).values(**row)))


def _rows(*tables: tuple[Any, Callable[[datetime], dict[str, Any]]]) -> Put:
    async def put(database: Database, at: datetime) -> None:
        for table, row in tables:
            await _insert(database, table, row(at))

    return put


def _mail(at: datetime) -> dict[str, Any]:
    words = dict.fromkeys(("about", "kind", "audience", "recipient", "message_id"), "x")
    return {"key": "m", **words, "state": "sent", "attempts": 1, "first_tried_at": at}


def _asked_reminder(at: datetime) -> dict[str, Any]:
    return {"key": "k", "partner_id": "elektro-huber", "asked_by": "Anna", "asked_at": at}


def _answer(at: datetime) -> dict[str, Any]:
    words = dict.fromkeys(("login_id", "key", "body_hash"), "x")
    return {**words, "status": 200, "response": "{}", "created_at": at}


def _finding(at: datetime) -> dict[str, Any]:
    words = {"about": "SP-9", "kind": "stale", "run_id": "", "repaired": True}
    return {**words, "found_at": at, "seen_at": at, "ended_at": at}


def _event(at: datetime) -> dict[str, Any]:
    columns = ("event_id", "kind", "outcome", "account", "address", "network", "about")
    return {**dict.fromkeys(columns, "x"), "request_id": "x", "at": at}


def _look(at: datetime) -> dict[str, Any]:
    # A day's looks end with the day.
    at = datetime.combine(at.date(), at.min.time(), UTC) - timedelta(seconds=1)
    words = {"sp_id": "SP-9", "login_id": "x", "how": "page", "times": 1}
    return {**words, "day": at.date(), "first_at": at, "last_at": at}


def _export(at: datetime) -> dict[str, Any]:
    return {"export_id": "e", "at": at, "by": "operations:Anna", "sp_ids": "SP-9"}


def _iban_change(at: datetime) -> dict[str, Any]:
    words = dict.fromkeys(("change_id", "status", "person", "by"), "x")
    return {**words, "partner_id": "elektro-huber", "at": at, "decided_at": at}


async def _put_money(database: Database, at: datetime) -> None:
    await _put_settlement(database, at)
    await _insert(database, iban_changes, _iban_change(at))
    await _put_order(database, at)
    erasures = Erasures(database)
    assert await erasures.erase(SP_ID, "system", at, _runs_no_more) is None
    await erasures.mark_done([SP_ID], at)


async def _runs_no_more() -> bool:
    return False


PUT: Mapping[Kind, Put] = {
    "orders": _put_order,
    "mails": _rows((mails, _mail), (asked_reminders, _asked_reminder)),
    "answers": _rows((idempotency, _answer)),
    "findings": _rows((findings, _finding)),
    "traces": _rows((security_events, _event), (lookups, _look), (exports, _export)),
    "refused_invoices": _put_refused_invoice,
    "settlements": _put_money,
}
"""Puts into the records what a rule is about, as old as an instant. `contact` is hidden by what is asked for, not
deleted by a run: `tests/domain/orders/test_ending.py` and `tests/web/test_erasure.py`."""


async def left(database: Database, kind: Kind) -> int:
    """How many rows there are that the rule is about; of orders, those that are not erased."""
    if kind == "orders":
        stored = await Orders(database).get(SP_ID)
        return 0 if stored is None or is_erased(stored.order) else 1
    if kind == "refused_invoices":
        kept = select(func.count()).where(papers.c.kind == UPLOADED, papers.c.deleted_at.is_(None))
        return await database.read(lambda connection: connection.execute(kept).scalar_one())
    tables = {
        "mails": (mails, asked_reminders),
        "answers": (idempotency,),
        "findings": (findings,),
        "traces": (security_events, lookups, exports),
        "settlements": (settlements, papers, iban_changes, corrections),
    }[kind]

    def count(connection: Connection) -> int:
        found = [select(func.count()).select_from(table) for table in tables]
        if kind == "settlements":
            found.append(select(func.count()).where(orders.c.sp_id == SP_ID))
        return sum(connection.execute(query).scalar_one() for query in found)

    return await database.read(count)


def test_each_rule_is_tested() -> None:
    assert {*PUT, "contact"} == set(RULES)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with records_of_a_test(tmp_path) as made:
        database = Database(made.url)
        yield database
        await database.close()


def configured(tmp_path: Path) -> Settings:
    """Settings with the standard retention. The workflows run in their sandbox."""
    return Settings(warehouse_dir=tmp_path / "warehouse", sandbox=True, drain_seconds=0)


PUT_ALONE: tuple[Kind, ...] = ("orders", "settlements")
"""What is deleted of an order or a settlement takes rows of other kinds with it."""
PUT_TOGETHER = [kind for kind in PUT if kind not in PUT_ALONE]


@pytest.mark.parametrize("kinds", [*([kind] for kind in PUT_ALONE), PUT_TOGETHER], ids="-".join)
async def test_the_schedule_of_a_real_server_acts_after_the_time_and_not_before(
    kinds: list[Kind], tmp_path: Path, database: Database
) -> None:
    """Two nights, one after the other, between which the time is over for all of these."""
    night = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - 3 * DAY
    for kind in kinds:
        # a night runs before noon, the next one after it
        await PUT[kind](database, night - timedelta(days=RULES[kind].days))
        assert await left(database, kind) > 0
    async with (
        dev_server() as env,
        order_worker(env.client, configured(tmp_path), database),
    ):
        await put_schedules(env.client, Policy().office)
        assert await _backfilled(env, night - DAY, night) == 1
        for kind in kinds:
            assert await left(database, kind) > 0, f"{kind} are not old enough"
        assert await _backfilled(env, night, night + DAY) == 2
        for kind in kinds:
            assert await left(database, kind) == 0, kind


async def _backfilled(env: WorkflowEnvironment, start: datetime, end: datetime) -> int:
    """Let the schedule run for its nominal times between two instants. Returns how many runs it has made in all."""
    schedule = env.client.get_schedule_handle(names.RETENTION_SCHEDULE)
    before = (await schedule.describe()).info.num_actions
    overlap = ScheduleOverlapPolicy.BUFFER_ALL
    await schedule.backfill(ScheduleBackfill(start_at=start, end_at=end, overlap=overlap))

    async def is_done() -> int:
        info = (await schedule.describe()).info
        return info.num_actions if info.num_actions > before and not info.running_actions else 0

    made: int = await eventually(is_done)
    return made


@pytest.mark.parametrize("kind", [kind for kind in PUT if kind != "orders"])
async def test_by_the_clock_of_the_workflow(kind: Kind, tmp_path: Path, database: Database) -> None:
    """The server skips time. It cannot list workflows, which the erasure of orders needs."""
    span = timedelta(days=RULES[kind].days)
    async with (
        skipping_server() as env,
        order_worker(env.client, configured(tmp_path), database),
    ):
        began = await env.get_current_time()
        await PUT[kind](database, began)
        for slept, is_there in ((span - HOUR, True), (DAY + 2 * HOUR, False)):
            await env.sleep(slept)
            done = await env.client.execute_workflow(
                names.RETENTION,
                RetentionRun(),
                id=f"{names.RETENTION_ID}-{is_there}",
                task_queue=names.ORDERS_QUEUE,
                result_type=RetentionRun,
            )
            assert done.at is not None
            assert (done.at - began >= span) is not is_there
            assert (await left(database, kind) > 0) is is_there
