"""Everything that can be said of a settlement is said in every language, and tells a partner nothing of others."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest

import words
from domain import rules
from domain.policy import Policy
from domain.settlements import access
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceApproved,
    InvoiceHeld,
    InvoiceNoted,
    InvoicePaid,
    InvoiceReminded,
    InvoiceReturned,
    InvoiceSentBack,
    KnownSettlementEvent,
    MailUndelivered,
    NothingToBill,
    Opened,
    OrdersClaimed,
    OrdersReleased,
    RulesAdopted,
    Selected,
    SelectionClosed,
    SettlementEvent,
    SettlementRecorded,
    StatementIssued,
    Voided,
)
from domain.settlements.invoicing import OwnInvoice, Problem, Verdict
from domain.settlements.lines import CorrectionLine, LeftOut, LeftOutReason
from domain.settlements.settlement import SettlementStatus, Statement
from domain.values import LANGUAGES, Language
from tests.words.test_words import assert_readable, zurich_winter
from words import settlement
from words.timeline import quoted

ROLES = rules.under(access.ROLES, rules.CURRENT)
ACTIONS = rules.under(access.ACTIONS, rules.CURRENT)
CODES = (
    "wrong_state",
    "too_late",
    "role",
    "not_yours",
    "too_many_files",
    "not_made",
    "older_rules",
    "no_iban",
    "unusable_iban",
    "nothing_to_pay",
    "other_invoice",
)
in_every_language = pytest.mark.parametrize("language", LANGUAGES)
AT = datetime(2026, 11, 2, 5, tzinfo=UTC)
LATER = AT + timedelta(days=3)
LEFT_OUT = (LeftOut(sp_id="SP-3", reason="billed"),)
STATEMENT = Statement(
    paper_id="statement-V202610-7KQ4MXBP",
    sha256="ab" * 32,
    template_version="1",
    input_checksum="cd" * 32,
    pages=1,
    net="129.00",  # type: ignore[arg-type]
    vat="10.45",  # type: ignore[arg-type]
    total="139.45",  # type: ignore[arg-type]
)
EVENTS: tuple[SettlementEvent, ...] = (
    Opened(sp_ids=("SP-1", "SP-2"), left_out=(), selectable_until=None),
    Opened(sp_ids=("SP-1", "SP-2"), left_out=LEFT_OUT, selectable_until=LATER),
    Announced(),
    Selected(sp_ids=("SP-1",), left_out=()),
    SelectionClosed(),
    OrdersClaimed(claimed=2, left_out=(), corrections=()),
    OrdersClaimed(
        claimed=1,
        left_out=LEFT_OUT,
        corrections=(
            CorrectionLine(
                sp_id="SP-0",
                reason="Anfahrt",
                amount="-5.00",  # type: ignore[arg-type]
                executed_on=date(2026, 9, 3),
            ),
        ),
    ),
    NothingToBill(),
    StatementIssued(statement=STATEMENT, invoice_due=None),
    StatementIssued(statement=STATEMENT, invoice_due=LATER),
    InvoiceReminded(level=2, last=False),
    InvoiceReturned(
        paper_id="invoice-x",
        verdict=Verdict(accepted=False, problems=(Problem(code="no_total", detail="139.45"),)),
    ),
    InvoiceAccepted(paper_id="invoice-x"),
    InvoiceNoted(note=""),
    InvoiceNoted(note="by {post}"),
    InvoiceAccepted(
        paper_id="invoice-y", invoice=OwnInvoice(number="R-{1} %s", date=date(2026, 11, 4))
    ),
    InvoiceApproved(),
    InvoiceSentBack(reason="Wrong {address}", invoice_due=LATER),
    InvoicePaid(paid_on=date(2026, 12, 1), reference="2026-4711"),
    Voided(reason="Wrong {month}"),
    OrdersReleased(orders=2),
    RulesAdopted(version=2, policy=Policy()),
    InvoiceHeld(
        paper_id="invoice-z",
        verdict=Verdict(
            accepted=False, problems=(Problem(code="other_account", detail="CH93 … 2957"),)
        ),
    ),
    MailUndelivered(key="V202610-7KQ4MXBP:3:statement:partner", mail="statement"),
)


def told(event: SettlementEvent, language: Language = "de") -> str:
    recorded = SettlementRecorded(seq=1, at=AT, by="system", event=event)
    return words.settlement_event_text(recorded, language, zurich_winter)


def test_every_key_has_its_words() -> None:
    assert set(settlement.STATUSES) == set(SettlementStatus)
    assert set(settlement.ACTIONS) == set(ROLES)
    assert set(settlement.LEFT_OUT) == set(get_args(LeftOutReason))
    assert set(settlement.REFUSALS) == set(CODES)


def test_every_event_is_among_those_below() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(get_args(KnownSettlementEvent)[0]))


@in_every_language
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_can_be_told(event: Any, language: Language) -> None:
    free = getattr(event, "note", "") or getattr(event, "reason", "")
    if isinstance(event, InvoiceAccepted) and event.invoice:
        free = event.invoice.number
        assert free in told(event, language)
        return
    text = told(event, language)
    if free:
        assert quoted(free, language) in text
    assert_readable(text, free)


def test_entries() -> None:
    assert told(EVENTS[1]) == (
        "Verrechnung eröffnet, Anzahl Aufträge: 2; Auswahl offen bis Do 5. Nov. 2026 06:00"
    )
    assert told(EVENTS[9], "en") == (
        "Statement issued: CHF 139.45; invoice awaited until Thu 5 Nov 2026 06:00"
    )
    assert told(EVENTS[18]) == "Bezahlt am Di 1. Dez. 2026"
    assert told(EVENTS[-1]) == "E-Mail «Verrechnungsbeleg» war nicht zustellbar"


@in_every_language
def test_every_refusal_is_a_sentence(language: Language) -> None:
    for code in (*CODES, "of a newer version"):
        for action in ROLES:
            for status in SettlementStatus:
                text = words.settlement_refusal_text(
                    action, code, status, ACTIONS[status], language
                )
                assert_readable(text)
                assert text.endswith(".")
                for possible in ACTIONS[status]:
                    assert words.settlement_action_label(possible, language) in text
