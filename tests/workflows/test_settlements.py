"""Whole lives of settlements under the standard policy: February 2028, from the first of March on."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from contracts import activities, names
from domain.actors import Actor
from domain.settlements.commands import (
    Close,
    NoteInvoice,
    Select,
    SettlementRequest,
    VoidSettlement,
)
from domain.settlements.invoicing import Verdict
from domain.settlements.lifecycle import fold
from domain.settlements.lines import CorrectionLine, LeftOut
from temporal.settlements import make_draft
from tests.server.surroundings import eventually
from tests.support.builders import OPERATIONS, partner_actor
from tests.support.limits import WAIT_LIMIT
from tests.support.settlements import opening
from tests.support.temporal_servers import dev_server, skipping_server
from tests.workflows.life import zurich
from tests.workflows.settlement_lives import (
    CALENDAR,
    FEBRUARY,
    FIRST,
    SettlementLife,
    SettlementLives,
    settlement_lives,
)

ACCOUNTING = Actor(role="accounting", name="Beat")
WRONG = Verdict(accepted=False, missing=("SP-2",))
VOID = VoidSettlement(reason="Falscher Monat")


@pytest.fixture
async def month() -> AsyncIterator[SettlementLives]:
    """A server whose time skips, sandboxed workers, and an outside that remembers."""
    async with skipping_server() as env, settlement_lives(env) as made:
        yield made


async def test_opened_by_the_months_end_closed_by_time_and_invoiced(month: SettlementLives) -> None:
    month.outside.refusing["SP-3"] = "cancelled"
    life = await month.start("SP-1", "SP-2", "SP-3", at=FIRST)
    await month.until(zurich("2028-03-01 07:59"))
    assert month.outside.mails == [], "nobody is told before the office opens"
    await month.until(zurich("2028-03-01 08:01"))
    assert month.outside.kinds() == ["settlement_opened"]
    assert (await life.now()).selectable_until == zurich("2028-03-06 18:00")

    await life.do(Select(sp_ids=("SP-2", "SP-3")))
    await month.until(zurich("2028-03-06 17:59"))
    assert (await life.now()).status == "open"
    await month.until(zurich("2028-03-06 18:01"))
    issued = await life.now()
    assert issued.status == "issued"
    assert issued.picked == ("SP-2",), "the one that was unpicked, and the one that refused, stay"
    assert issued.left_out == (LeftOut(sp_id="SP-3", reason="cancelled"),)
    assert month.outside.billed == {"SP-2": life.settlement_id}
    assert (month.outside.statements[0].created.isoformat()) == "2028-03-06"
    assert month.outside.kinds("partner") == ["settlement_opened", "statement"]
    assert month.outside.mails[-1].paper_id == issued.statement.paper_id

    assert issued.invoice_due == zurich("2028-03-20 18:00")
    await month.until(zurich("2028-03-20 18:01"))
    assert month.outside.kinds("partner")[2:] == ["invoice_missing"]
    # Over the change to summer time, in which 18:00 comes an hour earlier.
    assert (await life.now()).next_reminder == zurich("2028-04-03 18:00")

    month.outside.wrong["invoice-1"] = WRONG
    assert (await life.upload("invoice-1")).verdict == WRONG
    assert (await life.now()).status == "issued"
    assert (await life.upload("invoice-2")).verdict.accepted
    result = await life.handle.result()
    assert result["status"] == "invoiced"
    assert month.outside.kinds("accounting") == ["invoice_accepted"]
    assert month.outside.mails[-1].paper_id == "invoice-2"

    held = await life.snapshot()
    of = opening("SP-1", "SP-2", "SP-3", month=FEBRUARY, calendar=CALENDAR)
    assert fold(of, held.events) == held.settlement
    saved = month.outside.timeline[life.settlement_id]
    assert [saved[seq] for seq in sorted(saved)] == list(held.events)
    assert month.outside.versions == sorted(month.outside.versions)


async def test_opened_by_the_partner_is_closed_at_once(month: SettlementLives) -> None:
    left_out = (LeftOut(sp_id="SP-9", reason="not_completed"),)
    month.outside.corrections = (
        CorrectionLine(sp_id="SP-0", reason="Anfahrt", amount=Decimal("-20.00")),
    )
    life = await month.start("SP-1", "SP-2", automatic=False, left_out=left_out)
    issued = await life.reaches("issued")
    assert issued.statement.total == Decimal("180.00")
    assert issued.left_out == left_out
    assert await life.events() == [
        "opened",
        "selection_closed",
        "orders_claimed",
        "statement_issued",
    ]
    assert (await life.refused(Select(sp_ids=()))).details[0]["code"] == "wrong_state"
    await life.do(NoteInvoice(note="per Post"), ACCOUNTING)
    await life.handle.result()
    assert month.outside.kinds() == ["statement"]
    with pytest.raises(WorkflowAlreadyStartedError):
        await month.start("SP-3", automatic=False)


async def test_the_partner_closes_before_the_time_is_over(month: SettlementLives) -> None:
    life = await month.start("SP-1", at=FIRST)
    request_id = str(uuid.uuid4())
    first = await life.do(Close(), request_id=request_id)
    assert await life.do(Close(), request_id=request_id) == first, "a command may come twice"
    # The server knows it by the update's id as well, which is forgotten with each new run.
    other = SettlementRequest(command=VOID, actor=OPERATIONS, request_id=request_id)
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await life.handle.execute_update(names.COMMAND, other)
    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.type == names.ID_REUSED
    await life.reaches("issued")
    await eventually(month.outside.kinds)
    assert month.outside.kinds() == ["statement"], "who closed it need not be told of it"


async def test_nothing_to_bill(month: SettlementLives) -> None:
    month.outside.refusing |= {"SP-1": "billed", "SP-2": "unavailable"}
    life = await month.start("SP-1", "SP-2", at=FIRST)
    await month.until(zurich("2028-03-06 18:01"))
    assert (await life.handle.result())["status"] == "void"
    assert month.outside.kinds() == ["settlement_opened", "nothing_billed"]
    assert activities.MAKE_STATEMENT not in month.outside.attempts
    assert (await life.events())[-1] == "nothing_to_bill"


async def test_void_while_it_is_open(month: SettlementLives) -> None:
    life = await month.start("SP-1", at=FIRST)
    assert (await life.refused(VOID)).details[0]["code"] == "role"
    assert (await life.do(VOID, OPERATIONS)).status == "void"
    await life.handle.result()
    assert month.outside.mails == [], "the partner was not told of it yet"
    assert activities.RELEASE_ORDERS not in month.outside.attempts


async def test_void_sets_the_orders_free_however_often_that_fails(month: SettlementLives) -> None:
    life = await month.start("SP-1", "SP-2", automatic=False)
    await life.reaches("issued")
    month.outside.down = {activities.RELEASE_ORDERS, activities.RELEASE_CORRECTIONS}
    await life.do(VOID, OPERATIONS)
    assert (await life.refused(NoteInvoice(), ACCOUNTING)).details[0]["status"] == "void"
    await month.env.sleep(timedelta(hours=1))
    assert set(month.outside.billed) == {"SP-1", "SP-2"}
    month.outside.down.clear()
    await month.env.sleep(timedelta(minutes=6))
    await life.handle.result()
    assert month.outside.billed == {}
    assert month.outside.kinds() == ["statement", "settlement_voided"]
    assert (await life.events())[-1] == "orders_released"


async def test_the_database_down_for_a_day_delays_the_statement_alone(
    month: SettlementLives,
) -> None:
    life = await month.start("SP-1", at=FIRST)
    month.outside.down.add(activities.SAVE_SETTLEMENT)
    await life.do(Close())
    await month.env.sleep(timedelta(days=1))
    assert (await life.events())[-1] == "orders_claimed"
    assert month.outside.statements == [], "it is made of what the records hold"
    month.outside.down.clear()
    await month.env.sleep(timedelta(minutes=6))
    await life.do(NoteInvoice(), ACCOUNTING)
    await life.handle.result()
    saved = month.outside.timeline[life.settlement_id]
    assert [saved[seq] for seq in sorted(saved)] == list((await life.snapshot()).events)


async def test_the_mail_server_down_until_a_reminder_has_lost_its_sense(
    month: SettlementLives,
) -> None:
    life = await month.start("SP-1", at=FIRST)
    await life.do(Close())
    await month.until(zurich("2028-03-15 17:00"))
    month.outside.down.add(activities.SEND_SETTLEMENT_MAIL)
    await month.until(zurich("2028-03-15 19:00"))
    assert (await life.now()).reminders == 1
    await life.do(NoteInvoice(), ACCOUNTING)
    month.outside.down.clear()
    await life.handle.result()
    assert month.outside.kinds() == ["statement"]


async def test_reminders_end_and_the_last_one_goes_to_operations_too(
    month: SettlementLives,
) -> None:
    life = await month.start("SP-1", at=FIRST)
    await life.do(Close())
    await month.until(zurich("2028-06-30 12:00"))
    reminders = [m for m in month.outside.mails if m.kind == "invoice_missing"]
    assert [m.level for m in reminders if m.audience == "partner"] == [1, 2, 3, 4]
    assert [m.level for m in reminders if m.audience == "operations"] == [4]
    assert (await life.now()).status == "issued"


async def test_of_two_invoices_at_once_the_first_right_one_is_taken(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    month.outside.down.add(activities.CHECK_INVOICE)
    uploads = [asyncio.create_task(life.upload(f"invoice-{n}")) for n in (1, 2)]
    while not month.outside.attempts.get(activities.CHECK_INVOICE):
        await asyncio.sleep(0.02)
    month.outside.down.clear()
    answers = await asyncio.gather(*uploads, return_exceptions=True)
    (taken,) = [each for each in answers if not isinstance(each, BaseException)]
    (refused,) = [each for each in answers if isinstance(each, WorkflowUpdateFailedError)]
    assert taken.verdict.accepted
    assert isinstance(refused.cause, ApplicationError)
    assert refused.cause.type == names.REFUSED
    assert len(month.outside.checked) == 1, "the other one was not even looked at"


async def test_void_wins_over_an_invoice_that_is_being_checked(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    month.outside.down.add(activities.CHECK_INVOICE)
    upload = asyncio.create_task(life.upload("invoice-1"))
    while not month.outside.attempts.get(activities.CHECK_INVOICE):
        await asyncio.sleep(0.02)
    await life.do(VOID, OPERATIONS)
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await upload
    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.type == names.REFUSED
    assert (await life.handle.result())["status"] == "void"


async def test_a_foreign_partner_and_a_draft_out_of_time_are_refused(
    month: SettlementLives,
) -> None:
    life = await month.start("SP-1", at=FIRST)
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await life.draft()
    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.details[0] == {
        "action": "draft",
        "code": "wrong_state",
        "status": "open",
        "allowed": [],
    }
    stranger = partner_actor("sanitaer-meier")
    assert (await life.refused(Close(), stranger)).details[0]["code"] == "not_yours"
    await life.do(Close())
    await life.reaches("issued")
    with pytest.raises(WorkflowUpdateFailedError):
        await life.upload("invoice-1", stranger)
    assert month.outside.checked == []
    assert await life.draft() == f"draft-{life.settlement_id}-0000"


async def test_many_who_ask_for_a_draft_get_the_same_one(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    month.outside.down.add(activities.MAKE_DRAFT)
    clicks = [asyncio.create_task(life.draft()) for _ in range(8)]
    await life.has_accepted(len(clicks))
    month.outside.down.clear()
    assert set(await asyncio.gather(*clicks)) == {f"draft-{life.settlement_id}-0000"}
    assert await makings(life) == 1
    await life.draft()
    assert await makings(life) == 2, "a later one is made anew"


async def test_a_request_for_a_draft_that_comes_again_is_the_same(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    for _ in range(3):
        await make_draft(month.client, life.of, "draft-1", timedelta(seconds=20))
    assert await makings(life) == 1


async def test_a_draft_that_cannot_be_made_is_said_to_all_who_asked(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    month.outside.hopeless.add(activities.MAKE_DRAFT)
    for failure in await asyncio.gather(life.draft(), life.draft(), return_exceptions=True):
        assert isinstance(failure, WorkflowUpdateFailedError)
        assert isinstance(failure.cause, ApplicationError)
        assert failure.cause.type == names.NOT_MADE
    month.outside.hopeless.clear()
    assert await life.draft() == f"draft-{life.settlement_id}-0000"
    assert (await life.now()).status == "issued"


async def makings(life: SettlementLife) -> int:
    """How often the settlement's workflow has had a draft made."""
    history = await life.handle.fetch_history()
    return sum(
        event.activity_task_scheduled_event_attributes.activity_type.name == activities.MAKE_DRAFT
        for event in history.events
    )


async def test_an_operator_who_cancels_the_workflow_takes_it_back(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    await life.handle.cancel()
    assert (await life.handle.result())["status"] == "void"
    assert month.outside.billed == {}


@pytest.mark.parametrize("orders", [2_000, 10_000])
async def test_thousands_of_orders(month: SettlementLives, orders: int) -> None:
    sp_ids = [f"SP-{1048213 + number}" for number in range(orders)]
    refusing = sp_ids[::3]
    month.outside.refusing |= dict.fromkeys(refusing, "billed")
    life = await month.start(*sp_ids, automatic=False)
    issued = await life.reaches("issued")
    assert sorted(sp_id for batch in month.outside.batches for sp_id in batch) == sorted(sp_ids)
    assert len(issued.picked) + len(issued.left_out) == orders
    assert [each.sp_id for each in issued.left_out] == refusing
    history = await life.handle.fetch_history()
    assert max(len(event.SerializeToString()) for event in history.events) < 1_200_000


@asynccontextmanager
async def short_histories(events: int = 30) -> AsyncIterator[SettlementLives]:
    """The real server, which suggests a new run after so many events."""
    small = ("--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={events}")
    async with dev_server(*small) as env, settlement_lives(env) as made:
        yield made


async def claims_over_two_runs(month: SettlementLives) -> tuple[SettlementLife, list[str]]:
    """A settlement of 1,250 orders, issued, and the ids of the runs that its claims took."""
    sp_ids = [f"SP-{number}" for number in range(1250)]
    month.outside.refusing = dict.fromkeys(sp_ids[::7], "billed")
    life = await month.start(*sp_ids, automatic=False)
    runs = [(await life.handle.describe()).run_id]
    async with asyncio.timeout(WAIT_LIMIT):
        while (await life.now()).status != "issued":
            run = (await life.handle.describe()).run_id
            runs += [run] if run not in runs else []
            await asyncio.sleep(0.01)
    return life, runs


async def noted(life: SettlementLife) -> None:
    """Note the invoice, as often as the server tells that it was between two runs just then."""
    request_id = str(uuid.uuid4())
    async with asyncio.timeout(WAIT_LIMIT):
        while (await life.now()).status == "issued":
            with contextlib.suppress(RPCError):
                await life.do(NoteInvoice(), ACCOUNTING, request_id)
        await life.handle.result()


async def goes_over(life: SettlementLife, first: str) -> None:
    """Have drafts made until the settlement has left its first run, whichever answer the last of them gets."""
    for _ in range(100):
        if (await life.handle.describe()).run_id != first:
            return
        with contextlib.suppress(WorkflowUpdateFailedError, RPCError):
            await life.draft()
    pytest.fail("a hundred drafts did not fill the history of the first run")


async def test_claims_go_on_in_the_next_run_where_they_were() -> None:
    async with short_histories() as month:
        life, runs = await claims_over_two_runs(month)
        assert len(runs) > 1
        await noted(life)
        settlement = await life.now()
        asked = [sp_id for batch in month.outside.batches for sp_id in batch]
        assert len(set(asked)) == 1250
        assert len(asked) < 2 * 1250, "what had answered was not asked again"
        assert [each.sp_id for each in settlement.left_out] == list(month.outside.refusing)
        assert set(settlement.picked) == set(month.outside.billed)
        assert month.outside.kinds() == ["statement"]
        saved = month.outside.timeline[life.settlement_id]
        assert [saved[seq].event.type for seq in sorted(saved)] == [
            "opened",
            "selection_closed",
            "orders_claimed",
            "statement_issued",
            "invoice_noted",
        ]


async def test_papers_that_cannot_be_made_do_not_hold_up_the_next_run() -> None:
    """Also the one whose turn comes only when the other has been called back."""
    async with short_histories(events=120) as month:  # enough for the first run to accept both
        life = await month.start("SP-1", automatic=False)
        await life.reaches("issued")
        first = (await life.handle.describe()).run_id
        month.outside.down.add(activities.CHECK_INVOICE)
        uploads = [asyncio.create_task(life.upload(f"invoice-{n}")) for n in (1, 2)]
        await life.has_accepted(2)
        async with asyncio.timeout(WAIT_LIMIT):
            await goes_over(life, first)
            answers = await asyncio.gather(*uploads, return_exceptions=True)
        assert [type(each) for each in answers] == [WorkflowUpdateFailedError] * 2
        assert {each.cause.type for each in answers} == {names.TRY_AGAIN}
        month.outside.down.clear()
        await noted(life)
