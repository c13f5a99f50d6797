"""From the invoice to the payment under version 2 of the rules: who may do what when, what a return begins anew."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.actors import SYSTEM, Actor
from domain.errors import InvalidCommand
from domain.policy import Policy
from domain.settlements.access import ACTIONS, action_of, allowed
from domain.settlements.commands import (
    AdoptRules,
    ApproveInvoice,
    Command,
    NoteInvoice,
    NotePaid,
    PassTime,
    ReturnInvoice,
    Select,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.deadlines import next_instant
from domain.settlements.errors import SettlementRefused
from domain.settlements.facts import check_invoice_facts
from domain.settlements.invoicing import InvoiceNumber, OwnInvoice, Verdict, number_key
from domain.settlements.lifecycle import fold, handle
from domain.settlements.mails import is_obsolete, settlement_mails
from domain.settlements.settlement import Settlement, SettlementStatus
from tests.domain.orders.test_lifecycle import at
from tests.support.builders import OPERATIONS, partner_actor
from tests.support.settlements import FIRST, Step, issued, opening, settled, statement
from workflows.settlement_display import is_late

ACCOUNTING = Actor(role="accounting", name="Beat")
PARTNER = partner_actor()
OWN = OwnInvoice(number="R-2026-117", date=date(2026, 11, 2))
RIGHT = TakeVerdict(paper_id="invoice-1", verdict=Verdict(accepted=True), invoice=OWN)
RETURN = ReturnInvoice(reason="Falsche Adresse")
PAID = NotePaid(paid_on=date(2026, 11, 2), reference="2026-4711")
COMMANDS: dict[str, tuple[Command, Actor]] = {
    "select": (Select(sp_ids=()), PARTNER),
    "invoice": (RIGHT, PARTNER),
    "note_invoice": (NoteInvoice(), ACCOUNTING),
    "approve": (ApproveInvoice(), ACCOUNTING),
    "return": (RETURN, ACCOUNTING),
    "pay": (PAID, ACCOUNTING),
    "void": (VoidSettlement(reason="Falscher Monat"), OPERATIONS),
}
TABLE: dict[str, dict[str, str]] = {
    "issued": {"invoice": "invoiced", "note_invoice": "invoiced", "void": "void"},
    "invoiced": {"approve": "approved", "return": "issued"},
    "approved": {"pay": "paid", "return": "issued"},
    "paid": {},
}
STEPS: dict[str, tuple[Step, ...]] = {
    "issued": (),
    "invoiced": ((RIGHT, PARTNER),),
    "approved": ((RIGHT, PARTNER), (ApproveInvoice(), ACCOUNTING)),
    "paid": ((RIGHT, PARTNER), (ApproveInvoice(), ACCOUNTING), (PAID, ACCOUNTING)),
}


def in_state(status: str) -> tuple[Settlement, datetime]:
    """A settlement of version 2 in a state, and a moment later."""
    of = opening("SP-1", "SP-2", rules=2)
    held = settled(of, *issued(of), *STEPS[status])
    assert held.settlement.status == status
    assert fold(of, held.events) == held.settlement
    return held.settlement, FIRST + timedelta(hours=1)


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_in_each_state(status: str, name: str) -> None:
    settlement, now = in_state(status)
    command, actor = COMMANDS[name]
    assert action_of(command) == name
    if name in TABLE[status]:
        assert name in allowed(settlement, actor.role)
        assert handle(settlement, command, actor, now)[0].status == TABLE[status][name]
        return
    assert name not in allowed(settlement, actor.role)
    with pytest.raises(SettlementRefused) as refused:
        handle(settlement, command, actor, now)
    assert (refused.value.action, refused.value.code) == (name, "wrong_state")


@pytest.mark.parametrize("name", ["approve", "return", "pay"])
@pytest.mark.parametrize("role", ["partner", "operations", "shop", "warehouse", "system"])
def test_accounting_alone_approves_returns_and_pays(name: str, role: str) -> None:
    settlement, now = in_state("approved" if name == "pay" else "invoiced")
    actor = PARTNER if role == "partner" else Actor.model_validate({"role": role})
    with pytest.raises(SettlementRefused) as refused:
        handle(settlement, COMMANDS[name][0], actor, now)
    assert refused.value.code == "role"
    assert name not in allowed(settlement, role)


@pytest.mark.parametrize("name", ["approve", "return", "pay"])
def test_under_version_1_the_invoice_is_the_end(name: str) -> None:
    of = opening("SP-1")
    held = settled(of, *issued(of), (RIGHT, PARTNER)).settlement
    assert (held.status, held.is_over, held.invoiced_at) == ("invoiced", True, None)
    assert allowed(held, "accounting") == ()
    with pytest.raises(SettlementRefused) as refused:
        handle(held, *COMMANDS[name], FIRST + timedelta(days=1))
    assert (refused.value.code, refused.value.status) == ("wrong_state", "invoiced")


def test_one_that_adopts_version_2_before_its_invoice_is_approved_and_paid() -> None:
    of = opening("SP-1")
    adopt = AdoptRules(version=2, policy=Policy())
    held = settled(of, *issued(of), adopt, *STEPS["paid"]).settlement
    assert (held.status, held.is_over) == ("paid", True)


@pytest.mark.parametrize("status", TABLE)
def test_it_is_over_once_it_is_paid(status: str) -> None:
    settlement, now = in_state(status)
    assert settlement.is_over is (status == "paid")
    assert settlement.is_final is (status == "paid")
    assert (settlement.ended_at is not None) is (status == "paid")
    if status in ("invoiced", "approved"):
        assert next_instant(settlement) is None, "nothing happens by itself while it waits"
        assert handle(settlement, PassTime(), SYSTEM, now + timedelta(days=400))[1] == ()
    known = set((ACTIONS[1] | ACTIONS[2])[SettlementStatus(status)])
    of_held = {"accept_invoice", "refuse_invoice"}  # of an invoice with another account
    assert known - of_held == set(TABLE[status])


@pytest.mark.parametrize("total", ["0.00", "-5.00"])
def test_with_nothing_to_pay_the_invoice_is_the_end(total: str) -> None:
    of = opening("SP-1", rules=2)
    closing = (*issued(of)[:-1], statement(of.settlement_id, total=total))
    held = settled(of, *closing, (NoteInvoice(), ACCOUNTING)).settlement
    assert (held.status, held.is_over) == ("invoiced", True)
    assert allowed(held, "accounting") == ()
    assert held.ended_at is not None


def test_a_payment_has_a_day_and_a_reference() -> None:
    settlement, _ = in_state("paid")
    assert (settlement.paid_on, settlement.payment_reference) == (date(2026, 11, 2), "2026-4711")
    assert settlement.invoice == OWN
    assert settlement.invoiced_at is not None
    assert settlement.approved_at is not None


@pytest.mark.parametrize(
    ("now", "paid_on", "code"),
    [
        # The statement was issued on Monday, the 2nd of November.
        ("2026-11-09 10:00", "2026-11-09", None),
        ("2026-11-09 10:00", "2026-11-02", None),
        ("2026-11-09 10:00", "2026-11-10", "paid_in_future"),
        ("2026-11-09 10:00", "2026-11-01", "paid_before_statement"),
        # Half past midnight in Zurich is the day before in UTC.
        ("2026-11-10 00:30", "2026-11-10", None),
    ],
)
def test_the_day_of_a_payment(now: str, paid_on: str, code: str | None) -> None:
    settlement, _ = in_state("approved")
    command = NotePaid(paid_on=date.fromisoformat(paid_on))
    if code is None:
        assert handle(settlement, command, ACCOUNTING, at(now))[0].status == "paid"
        return
    with pytest.raises(InvalidCommand) as invalid:
        handle(settlement, command, ACCOUNTING, at(now))
    assert (invalid.value.field, invalid.value.code) == ("paid_on", code)


@pytest.mark.parametrize(
    ("now", "day", "code"),
    [
        ("2026-11-09 10:00", "2026-10-01", None),
        ("2026-11-09 10:00", "2026-11-09", None),
        ("2026-11-09 10:00", "2026-09-30", "invoice_before_month"),
        ("2026-11-09 10:00", "2026-11-10", "invoice_in_future"),
        ("2026-11-10 00:30", "2026-11-10", None),
        ("2026-11-09 23:59", "2026-11-10", "invoice_in_future"),
    ],
)
def test_the_date_of_an_invoice(now: str, day: str, code: str | None) -> None:
    settlement, _ = in_state("issued")
    own = OwnInvoice(number="R-1", date=date.fromisoformat(day))
    if code is None:
        check_invoice_facts(settlement, own, at(now))
        return
    with pytest.raises(InvalidCommand) as invalid:
        check_invoice_facts(settlement, own, at(now))
    assert (invalid.value.field, invalid.value.code) == ("invoice_date", code)


# --- returned ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["invoiced", "approved"])
def test_a_returned_invoice_is_awaited_again_with_its_reminders(status: str) -> None:
    of = opening("SP-1", rules=2)
    due = timedelta(days=16)
    held = settled(of, *issued(of), due, *STEPS[status]).settlement
    assert (held.reminders, is_late(held)) == (1, False), "with accounting it is not late"
    now = at("2026-11-23 10:00")
    back, (event,) = handle(held, RETURN, ACCOUNTING, now)
    assert (back.status, back.returns, back.return_reason) == ("issued", 1, "Falsche Adresse")
    assert (back.invoice, back.invoice_paper_id, back.invoiced_at, back.approved_at) == (None,) * 4
    assert back.returned_papers == ("invoice-1",)
    assert back.can_be_drafted
    assert (back.reminders, is_late(back)) == (0, False)
    assert back.invoice_due == back.next_reminder == at("2026-12-07 18:00"), "ten working days"
    (mail,) = settlement_mails(held, (event,), "de")
    assert (mail.kind, mail.audience, mail.reason) == (
        "invoice_returned",
        "partner",
        "Falsche Adresse",
    )
    assert not is_obsolete(mail, back)
    levels = []
    while (instant := next_instant(back)) is not None:
        back, (reminded,) = handle(back, PassTime(), SYSTEM, instant)
        levels.append((reminded.event.level, reminded.event.last))
    assert levels == [(1, False), (2, False), (3, False), (4, True)]


def test_mails_that_a_return_or_a_new_invoice_makes_obsolete() -> None:
    of = opening("SP-1", rules=2)
    held = settled(of, *issued(of)).settlement
    reminded, events = handle(held, PassTime(), SYSTEM, at("2026-11-16 18:00"))
    (reminder,) = settlement_mails(held, events, "de")
    assert not is_obsolete(reminder, reminded)
    invoiced, _ = handle(reminded, RIGHT, PARTNER, at("2026-11-17 09:00"))
    back, events = handle(invoiced, RETURN, ACCOUNTING, at("2026-11-18 09:00"))
    assert is_obsolete(reminder, back), "it was a reminder of the first invoice"
    (mail,) = settlement_mails(invoiced, events, "de")
    again, _ = handle(back, RIGHT, PARTNER, at("2026-11-19 09:00"))
    assert is_obsolete(mail, again)


def test_a_returned_settlement_can_be_invoiced_again_or_voided() -> None:
    of = opening("SP-1", rules=2)
    steps = (*issued(of), *STEPS["approved"], (RETURN, ACCOUNTING))
    again = settled(of, *steps, *STEPS["paid"]).settlement
    assert (again.status, again.returns) == ("paid", 1)
    voided = settled(of, *steps, VoidSettlement(reason="Falscher Monat")).settlement
    assert (voided.status, voided.voided) == ("void", True)


def test_accounting_is_told_the_number_and_that_it_has_to_approve() -> None:
    of = opening("SP-1", rules=2)
    held = settled(of, *issued(of)).settlement
    _, events = handle(held, RIGHT, PARTNER, at("2026-11-03 09:00"))
    mails = settlement_mails(held, events, "de")
    assert [(m.audience, m.invoice_number, m.to_approve) for m in mails] == [
        ("accounting", "R-2026-117", True),
        ("partner", "R-2026-117", True),
    ]
    first = opening("SP-1")
    held = settled(first, *issued(first)).settlement
    _, events = handle(held, RIGHT, PARTNER, at("2026-11-03 09:00"))
    assert not any(m.to_approve for m in settlement_mails(held, events, "de"))


@given(st.lists(st.sampled_from([*COMMANDS]), max_size=8))
def test_whatever_comes_only_what_is_allowed_changes_anything(names: list[str]) -> None:
    of = opening("SP-1", rules=2)
    held = settled(of, *issued(of))
    settlement, events, now = held.settlement, list(held.events), FIRST + timedelta(hours=1)
    for name in names:
        now += timedelta(minutes=1)
        command, actor = COMMANDS[name]
        expected = TABLE.get(settlement.status, {}).get(name)
        try:
            settlement, more = handle(settlement, command, actor, now)
        except SettlementRefused:
            assert expected is None
            continue
        assert settlement.status == expected
        events += more
    assert fold(of, events) == settlement


# --- invoice numbers ---------------------------------------------------------------------------------------------

NUMBER: TypeAdapter[str] = TypeAdapter(InvoiceNumber)


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [("R-1", "R-1"), ("  2026/117 ", "2026/117"), ("x" * 35, "x" * 35), ("№ 7é", "№ 7é")],
)
def test_a_number_as_it_is_kept(given_text: str, kept: str) -> None:
    assert NUMBER.validate_python(given_text) == kept


@pytest.mark.parametrize(
    "text", ["", "   ", "x" * 36, "R\n1", "R\t1", "R\x001", "R\u202e1", "R\u200b1", "--/–", 7]
)
def test_what_is_no_number(text: object) -> None:
    with pytest.raises(ValidationError):
        NUMBER.validate_python(text)


def test_numbers_that_people_hold_for_the_same_have_the_same_key() -> None:
    assert number_key("r-2026 117") == number_key("R-2026117") == number_key("Ｒ-2026117")
    assert number_key("R-1") != number_key("R-11")
