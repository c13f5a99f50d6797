"""What partners, operations and accounting are told of a settlement: which mail follows from which event (DESIGN 4)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from domain.settlement import Amount, LeftOut, SettlementStatus
from domain.settlement_id import Month
from domain.settling import Settling, begin, evolve
from domain.settling_events import (
    Announced,
    InvoiceAccepted,
    InvoiceReminded,
    NothingToBill,
    SettlementEvent,
    SettlementRecorded,
    StatementIssued,
    Voided,
)
from domain.values import Language, Value

SettlementMailKind = Literal[
    "settlement_opened",
    "statement",
    "nothing_billed",
    "invoice_missing",
    "invoice_accepted",
    "settlement_voided",
]
SettlementAudience = Literal["partner", "operations", "accounting"]

_MOST_LEFT_OUT = 20


class SettlementMail(Value):
    """One mail to one audience about a settlement. `key` names it for ever: it is sent once under it.

    `paper_id` is the PDF that goes with it. `left_out` are the first twenty; `left_out_count` is all of them.
    Times are instants; the calendar's local time is for the text.
    """

    key: str
    kind: SettlementMailKind
    audience: SettlementAudience
    settlement_id: str
    partner_id: str
    partner_name: str
    month: Month
    language: Language
    at: datetime
    orders: int
    left_out: tuple[LeftOut, ...] = ()
    left_out_count: int = 0
    net: Amount | None = None
    vat: Amount | None = None
    total: Amount | None = None
    selectable_until: datetime | None = None
    invoice_due: datetime | None = None
    level: int = 0
    reason: str = ""
    paper_id: str | None = None


_AUDIENCES: dict[str, tuple[SettlementAudience, ...]] = {
    "settlement_opened": ("partner",),
    "statement": ("partner",),
    "nothing_billed": ("partner",),
    "invoice_missing": ("partner",),
    "invoice_accepted": ("accounting", "partner"),
    "settlement_voided": ("partner",),
}


def settlement_mails(
    before: Settling, events: Iterable[SettlementRecorded], operations_language: Language
) -> tuple[SettlementMail, ...]:
    """What has to go out because of these events that happened to the settlement `before`, in their order."""
    out: list[SettlementMail] = []
    settling = before
    for recorded in events:
        settling = evolve(settling, recorded)
        kind = _kind(recorded.event, settling)
        if kind is None:
            continue
        audiences = _AUDIENCES[kind]
        if isinstance(recorded.event, InvoiceReminded) and recorded.event.last:
            audiences = (*audiences, "operations")
        out.extend(
            _mail(settling, recorded, kind, audience, operations_language) for audience in audiences
        )
    return tuple(out)


def _kind(event: SettlementEvent, settling: Settling) -> SettlementMailKind | None:
    match event:
        case Announced():
            return "settlement_opened"
        case StatementIssued():
            return "statement"
        case NothingToBill():
            # Who unpicked everything knows it.
            return "nothing_billed" if settling.left_out else None
        case InvoiceReminded():
            return "invoice_missing"
        case InvoiceAccepted():
            return "invoice_accepted"
        case Voided():
            return "settlement_voided" if settling.told else None
        case _:
            return None


def _mail(
    settling: Settling,
    recorded: SettlementRecorded,
    kind: SettlementMailKind,
    audience: SettlementAudience,
    operations_language: Language,
) -> SettlementMail:
    partner, statement = settling.opening.partner, settling.statement
    paper = None
    if kind in ("statement", "invoice_missing") and statement is not None:
        paper = statement.paper_id
    elif kind == "invoice_accepted":
        paper = settling.invoice_paper_id
    return SettlementMail(
        key=f"{settling.settlement_id}:{recorded.seq}:{kind}:{audience}",
        kind=kind,
        audience=audience,
        settlement_id=settling.settlement_id,
        partner_id=partner.partner_id,
        partner_name=partner.name,
        month=settling.opening.month,
        language=partner.language if audience == "partner" else operations_language,
        at=recorded.at,
        orders=len(settling.picked),
        left_out=settling.left_out[:_MOST_LEFT_OUT],
        left_out_count=len(settling.left_out),
        net=statement.net if statement else None,
        vat=statement.vat if statement else None,
        total=statement.total if statement else None,
        selectable_until=settling.selectable_until,
        invoice_due=settling.invoice_due,
        level=recorded.event.level if isinstance(recorded.event, InvoiceReminded) else 0,
        reason=recorded.event.reason if isinstance(recorded.event, Voided) else "",
        paper_id=paper,
    )


def is_obsolete(mail: SettlementMail, settling: Settling) -> bool:
    """Whether a mail that has not gone out yet has lost its sense: it asks for what was done, or says it again."""
    match mail.kind:
        case "settlement_opened":
            return settling.status is not SettlementStatus.OPEN
        case "invoice_missing":
            return settling.status is not SettlementStatus.ISSUED or (
                mail.level < settling.reminders
            )
        case _:
            return False


def obsolete_settlement_mails(
    settling: Settling, events: Iterable[SettlementRecorded]
) -> frozenset[str]:
    """The keys of the mails that these events caused, of all the settlement's, and that have lost their sense if
    unsent."""
    start = begin(settling.opening, settling.opened_at)
    # A mail's language is not in its key.
    caused = settlement_mails(start, events, settling.opening.partner.language)
    return frozenset(mail.key for mail in caused if is_obsolete(mail, settling))
