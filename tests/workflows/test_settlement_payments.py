"""Lives of settlements under version 2 of the rules, from the statement to the payment: February 2028."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import activities, names
from domain.actors import Actor
from domain.settlements.commands import (
    ApproveInvoice,
    Close,
    NoteInvoice,
    NotePaid,
    ReturnInvoice,
)
from domain.settlements.invoicing import OwnInvoice
from domain.settlements.lifecycle import fold
from tests.server.surroundings import eventually
from tests.support.builders import OPERATIONS
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
DAY = date(2028, 3, 2)


@pytest.fixture
async def month() -> AsyncIterator[SettlementLives]:
    """A server whose time skips, sandboxed workers, and an outside that remembers."""
    async with skipping_server() as env, settlement_lives(env) as made:
        yield made


async def issued(month: SettlementLives, at: str = "2028-03-02 09:00") -> SettlementLife:
    """A settlement under version 2 whose statement is there."""
    life = await month.start("SP-1", at=FIRST, rules=2)
    await month.until(zurich(at))
    await life.do(Close())
    await life.reaches("issued")
    return life


async def failure_of(work: object) -> ApplicationError:
    """What an update that must fail raises."""
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await work  # type: ignore[misc]
    assert isinstance(failure.value.cause, ApplicationError)
    return failure.value.cause


async def test_it_waits_for_months_until_it_is_paid(month: SettlementLives) -> None:
    life = await issued(month)
    assert (await life.make("R-1", DAY)).verdict.accepted
    invoiced = await life.now()
    assert (invoiced.status, invoiced.invoice) == ("invoiced", OwnInvoice(number="R-1", date=DAY))
    assert (await life.refused(NotePaid(paid_on=DAY), ACCOUNTING)).details[0]["allowed"] == [
        "approve",
        "return",
    ]
    await month.until(zurich("2028-06-01 10:00"))
    assert (await life.refused(ApproveInvoice(), OPERATIONS)).details[0]["code"] == "role"
    assert (await life.do(ApproveInvoice(), ACCOUNTING)).status == "approved"
    await month.until(zurich("2028-09-01 10:00"))
    assert month.outside.kinds("partner").count("invoice_missing") == 0
    wrong = await life.refused(NotePaid(paid_on=date(2028, 9, 2)), ACCOUNTING)
    assert (wrong.type, wrong.details[0]) == (
        names.INVALID,
        {"field": "paid_on", "code": "paid_in_future"},
    )
    await life.do(NotePaid(paid_on=date(2028, 8, 31), reference="2028-1"), ACCOUNTING)
    assert (await life.handle.result())["status"] == "paid"
    assert month.outside.kinds("accounting") == ["invoice_accepted"]
    (told,) = [m for m in month.outside.mails if m.audience == "accounting"]
    assert (told.invoice_number, told.to_approve) == ("R-1", True)
    held = await life.snapshot()
    of = opening("SP-1", month=FEBRUARY, calendar=CALENDAR, rules=2)
    assert fold(of, held.events) == held.settlement
    saved = month.outside.timeline[life.settlement_id]
    assert [saved[seq] for seq in sorted(saved)] == list(held.events)


async def test_a_returned_invoice_is_reminded_of_and_another_is_taken(
    month: SettlementLives,
) -> None:
    life = await issued(month)
    await life.make("R-1", DAY)
    await month.until(zurich("2028-03-06 10:00"))
    await life.do(ReturnInvoice(reason="Falsche Adresse"), ACCOUNTING)
    back = await life.now()
    assert (back.status, back.invoice_due) == ("issued", zurich("2028-03-20 18:00"))
    same = (await life.make("R-1", DAY)).verdict
    assert (same.accepted, [problem.code for problem in same.problems]) == (False, ["returned"])
    assert month.outside.attempts[activities.CHECK_INVOICE] == 1
    await month.until(zurich("2028-03-20 18:01"))
    assert month.outside.kinds("partner")[-2:] == ["invoice_returned", "invoice_missing"]
    month.outside.letterhead = "new"
    assert (await life.make("R-1", DAY)).verdict.accepted
    await life.do(ApproveInvoice(), ACCOUNTING)
    await life.do(NotePaid(paid_on=date(2028, 3, 20)), ACCOUNTING)
    await life.handle.result()
    types = await life.events()
    assert types.count("invoice_accepted") == 2
    assert types[-1] == "invoice_paid"


async def test_the_same_upload_after_a_return_is_refused_not_answered_as_before(
    month: SettlementLives,
) -> None:
    life = await issued(month)
    assert (await life.upload("invoice-1")).verdict.accepted
    await life.do(ReturnInvoice(reason="Falsch"), ACCOUNTING)
    assert not (await life.upload("invoice-1", returns=1)).verdict.accepted
    assert (await life.upload("invoice-2", returns=1)).verdict.accepted


async def test_several_requests_for_one_invoice_make_it_once(month: SettlementLives) -> None:
    life = await issued(month)
    month.outside.down.add(activities.MAKE_INVOICE)
    wanted = [asyncio.create_task(life.make("R-1", DAY)) for _ in range(4)]
    other = asyncio.create_task(life.make("R-2", DAY))
    await life.has_accepted(6)
    month.outside.down.clear()
    outcomes = await asyncio.gather(*wanted, other, return_exceptions=True)
    taken = (await life.now()).invoice
    assert taken is not None
    assert len(month.outside.made) == 1
    refused = [each for each in outcomes if isinstance(each, WorkflowUpdateFailedError)]
    assert len(refused) == (1 if taken.number == "R-1" else 4)


async def test_what_cannot_be_made_is_said(month: SettlementLives) -> None:
    life = await issued(month)
    month.outside.used.add("R-1")
    failure = await failure_of(life.make("R-1", DAY))
    assert (failure.type, failure.details[0]) == (
        names.INVALID,
        {"field": "invoice_number", "code": "invoice_number_used"},
    )
    early = await failure_of(life.make("R-2", date(2028, 1, 31)))
    assert early.details[0] == {"field": "invoice_date", "code": "invoice_before_month"}
    late = await failure_of(life.make("R-2", date(2028, 3, 3)))
    assert late.details[0] == {"field": "invoice_date", "code": "invoice_in_future"}
    month.outside.hopeless.add(activities.MAKE_INVOICE)
    assert (await failure_of(life.make("R-2", DAY))).type == names.NOT_MADE
    month.outside.hopeless.clear()
    assert (await life.make("R-2", DAY)).verdict.accepted


async def test_under_version_1_it_ends_with_its_invoice(month: SettlementLives) -> None:
    life = await month.start("SP-1", at=FIRST)
    await life.do(Close())
    await life.reaches("issued")
    await life.do(NoteInvoice(), ACCOUNTING)
    assert (await life.handle.result())["status"] == "invoiced"


async def test_it_goes_on_in_a_new_run_while_it_waits() -> None:
    async with dev_server() as env, settlement_lives(env) as month:
        life = await month.start("SP-1", automatic=False, rules=2)
        await life.reaches("issued")
        await life.do(NoteInvoice(), ACCOUNTING)
        first = (await life.handle.describe()).run_id
        await life.handle.signal(names.NEXT_RUN)

        async def is_in_the_next_run() -> bool:
            return (await life.handle.describe()).run_id != first

        await eventually(is_in_the_next_run)
        assert (await life.now()).status == "invoiced"
        await life.do(ApproveInvoice(), ACCOUNTING)
        today = CALENDAR.local(await month.now()).date()
        await life.do(NotePaid(paid_on=today), ACCOUNTING)
        assert (await life.handle.result())["status"] == "paid"
