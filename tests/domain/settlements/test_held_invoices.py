"""An invoice that is right but for its account: it is held until accounting accepts or returns it."""

from datetime import timedelta

import pytest

from domain.actors import Actor
from domain.settlements.access import allowed
from domain.settlements.commands import (
    AcceptHeldInvoice,
    NoteInvoice,
    PassTime,
    RefuseHeldInvoice,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.deadlines import next_instant
from domain.settlements.errors import SettlementRefused
from domain.settlements.invoicing import Problem, Verdict
from domain.settlements.lifecycle import fold, handle
from domain.settlements.mails import is_obsolete, settlement_mails
from domain.settlements.settlement import Settlement, SettlementStatus
from tests.support.builders import OPERATIONS, partner_actor
from tests.support.settlements import FIRST, Step, issued, opening, settled

ACCOUNTING = Actor(role="accounting", name="Urs Keller")
PARTNER = partner_actor("elektro-huber")
OTHER_ACCOUNT = Verdict(
    accepted=False,
    accounting_decides=True,
    problems=(Problem(code="other_iban", detail="CH44 … 9012"),),
)
OF = opening("SP-1", rules=2)
HELD = TakeVerdict(paper_id="invoice-1", verdict=OTHER_ACCOUNT)
ACCEPT = AcceptHeldInvoice(paper_id="invoice-1")
REFUSE = RefuseHeldInvoice(paper_id="invoice-1", reason="Nicht Ihr Konto")


def life(*steps: Step, rules: int = 2) -> Settlement:
    of = opening("SP-1", rules=rules)
    made = settled(of, *issued(of), *steps)
    assert fold(of, made.events).model_dump() == made.settlement.model_dump()
    return made.settlement


def kinds(*steps: Step) -> list[str]:
    """The mails of the last step."""
    events = settled(OF, *issued(OF), *steps).events
    before = Settlement(
        opening=OF, rules=2, status=SettlementStatus.OPEN, picked=(), opened_at=FIRST, told=True
    )
    mails = settlement_mails(before, events, "de")
    last = max(event.at for event in events)
    return [f"{mail.kind}.{mail.audience}" for mail in mails if mail.at == last]


def test_it_is_neither_accepted_nor_refused() -> None:
    held = life(HELD)
    assert held.status is SettlementStatus.ISSUED
    assert held.held is not None
    assert held.held.verdict.accounting_decides
    assert held.invoice_paper_id is None
    assert kinds(HELD) == ["invoice_held.accounting", "invoice_held.partner"]


@pytest.mark.parametrize("actor", [ACCOUNTING, OPERATIONS])
def test_accounting_and_operations_decide(actor: Actor) -> None:
    accepted = life(HELD, (ACCEPT, actor))
    assert accepted.status is SettlementStatus.INVOICED
    assert (accepted.invoice_paper_id, accepted.held) == ("invoice-1", None)
    refused = life(HELD, (REFUSE, actor))
    assert refused.status is SettlementStatus.ISSUED
    assert (refused.invoice_paper_id, refused.held) == (None, None)
    assert refused.return_reason == "Nicht Ihr Konto"
    assert kinds(HELD, (ACCEPT, actor)) == [
        "invoice_accepted.accounting",
        "invoice_accepted.partner",
    ]
    assert kinds(HELD, (REFUSE, actor)) == ["invoice_returned.partner"]


def test_nobody_else_decides() -> None:
    for command in (ACCEPT, REFUSE):
        with pytest.raises(SettlementRefused, match="role"):
            life(HELD, (command, PARTNER))
    assert "accept_invoice" not in allowed(life(HELD), "partner")
    assert {"accept_invoice", "refuse_invoice"} <= set(allowed(life(HELD), "accounting"))


@pytest.mark.parametrize("command", [ACCEPT, REFUSE])
def test_there_must_be_one(command: AcceptHeldInvoice | RefuseHeldInvoice) -> None:
    with pytest.raises(SettlementRefused, match="wrong_state"):
        life((command, ACCOUNTING))
    assert "accept_invoice" not in allowed(life(), "accounting")


def test_only_the_one_that_was_looked_at() -> None:
    another = TakeVerdict(paper_id="invoice-2", verdict=OTHER_ACCOUNT)
    with pytest.raises(SettlementRefused, match="other_invoice"):
        life(HELD, another, (ACCEPT, ACCOUNTING))


def test_the_partner_is_not_reminded_while_accounting_decides() -> None:
    held = life(HELD)
    assert next_instant(held) is None
    later, events = handle(held, PassTime(), ACCOUNTING, FIRST + timedelta(days=90))
    assert (later.reminders, events) == (0, ())


def test_the_partner_has_ten_working_days_after_a_return() -> None:
    refused = life(timedelta(days=30), HELD, (REFUSE, ACCOUNTING))
    assert refused.invoice_due is not None
    assert refused.invoice_due > FIRST + timedelta(days=30 + 13)
    assert next_instant(refused) is not None
    # the same file can be handed in again: by then the account may be registered
    assert "invoice-1" not in refused.returned_papers


def test_another_upload_meanwhile() -> None:
    right = TakeVerdict(paper_id="invoice-2", verdict=Verdict(accepted=True))
    accepted = life(HELD, right)
    assert (accepted.status, accepted.invoice_paper_id) == (SettlementStatus.INVOICED, "invoice-2")
    assert accepted.held is None
    wrong = TakeVerdict(paper_id="invoice-2", verdict=Verdict(accepted=False, missing=("SP-1",)))
    held = life(HELD, wrong).held
    assert held is not None
    assert held.paper_id == "invoice-1"


@pytest.mark.parametrize(
    "end", [(NoteInvoice(), ACCOUNTING), (VoidSettlement(reason="Falsch"), OPERATIONS)]
)
def test_other_endings(end: Step) -> None:
    assert life(HELD, end).held is None


def test_mails_that_were_not_sent_become_obsolete() -> None:
    of = settled(OF, *issued(OF), HELD)
    before = Settlement(
        opening=OF, rules=2, status=SettlementStatus.OPEN, picked=(), opened_at=FIRST
    )
    mails = [m for m in settlement_mails(before, of.events, "de") if m.kind == "invoice_held"]
    assert not any(is_obsolete(mail, of.settlement) for mail in mails)
    assert all(is_obsolete(mail, life(HELD, (ACCEPT, ACCOUNTING))) for mail in mails)
    assert mails[0].accounts == ("CH44 … 9012",)
    assert (mails[0].paper_id, mails[1].paper_id) == ("invoice-1", None)


def test_version_1_knows_no_such_verdict() -> None:
    refused = life(HELD, rules=1)
    assert refused.held is None
    assert refused.last_verdict == OTHER_ACCOUNT
