"""Settlements in words: states, actions, refusals, why an order is left out, the entries of a timeline."""

from collections.abc import Callable, Iterable
from datetime import datetime

from domain.orders.events import UnknownEvent
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceNoted,
    InvoiceReminded,
    InvoiceReturned,
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
from domain.settlements.settlement import SettlementStatus
from domain.values import Language
from domain.words.dates import format_instant
from domain.words.languages import VOCABULARIES


def settlement_status_label(status: SettlementStatus, language: Language) -> str:
    """A settlement's state as it stands on screen. One that nobody knows is named as it is."""
    return VOCABULARIES[language].settlement_statuses.get(status, status.value)


def settlement_action_label(action: str, language: Language) -> str:
    """What a button says that does this: an action of `settling.ROLES`; one that nobody knows is named as it is."""
    return VOCABULARIES[language].settlement_actions.get(action, action)


def settlement_refusal_text(
    action: str, code: str, status: SettlementStatus, allowed: Iterable[str], language: Language
) -> str:
    """Why a settlement refuses, and what is allowed now. The arguments are those of `settling.SettlementRefused`."""
    vocabulary = VOCABULARIES[language]
    sentence = vocabulary.settlement_refusals.get(
        code, vocabulary.settlement_refusals["wrong_state"]
    )
    why = sentence.format(
        action=settlement_action_label(action, language),
        status=settlement_status_label(status, language),
    )
    possible = ", ".join(settlement_action_label(each, language) for each in allowed)
    if possible:
        return f"{why} {vocabulary.allowed.format(actions=possible)}"
    return f"{why} {vocabulary.nothing_allowed}" if code == "wrong_state" else why


def paper_not_made_text(language: Language) -> str:
    """That a draft cannot be made just now."""
    return VOCABULARIES[language].settlement_refusals["not_made"]


def left_out_text(reason: str, language: Language) -> str:
    """Why an order is not in a settlement. A reason that nobody knows is named as it is."""
    return VOCABULARIES[language].left_out.get(reason, reason)


def settlement_event_text(
    recorded: SettlementRecorded, language: Language, local: Callable[[datetime], datetime]
) -> str:
    """What happened, in words; what somebody wrote follows in quotation marks.

    `local` gives the wall-clock time (naive) at an instant: `Calendar.local` of the settlement.
    """
    event = recorded.event
    said = _said(event, language, local)
    written = ""
    if isinstance(event, Voided):
        written = event.reason
    elif isinstance(event, InvoiceNoted):
        written = event.note
    return f"{said}. {VOCABULARIES[language].quote.format(text=written)}" if written else said


def _said(event: SettlementEvent, language: Language, local: Callable[[datetime], datetime]) -> str:
    def say(key: str, **facts: str | int) -> str:
        return VOCABULARIES[language].settlement_events[key].format(**facts)

    def clock(instant: datetime) -> str:
        return format_instant(local(instant), language)

    match event:
        case Opened(selectable_until=until):
            if until is None:
                return say("opened", orders=len(event.sp_ids))
            return say("opened_until", orders=len(event.sp_ids), until=clock(until))
        case Selected():
            return say("selected", orders=len(event.sp_ids))
        case OrdersClaimed():
            if not event.left_out:
                return say("orders_claimed", orders=event.claimed)
            return say("orders_claimed_but", orders=event.claimed, left_out=len(event.left_out))
        case StatementIssued(invoice_due=due):
            total = str(event.statement.total)
            if due is None:
                return say("statement_issued", total=total)
            return say("statement_issued_due", total=total, due=clock(due))
        case InvoiceReminded():
            return say(event.type, level=event.level)
        case OrdersReleased():
            return say(event.type, orders=event.orders)
        case RulesAdopted():
            return say(event.type, version=event.version)
        case MailUndelivered():
            mails = VOCABULARIES[language].settlement_mails
            return say(event.type, mail=mails.get(event.mail, event.mail))
        case UnknownEvent():
            return VOCABULARIES[language].unknown_event
        case (
            Announced()
            | SelectionClosed()
            | NothingToBill()
            | InvoiceReturned()
            | InvoiceAccepted()
            | InvoiceNoted()
            | Voided()
        ):
            return say(event.type)
