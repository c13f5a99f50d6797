"""What partners, operations and accounting are told of a settlement: which mail follows from which event."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple

from domain import rules
from domain.months import Month
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceReminded,
    NothingToBill,
    SettlementRecorded,
    StatementIssued,
    Voided,
)
from domain.settlements.lifecycle import Settling, begin, evolve
from domain.settlements.settlement import Amount, LeftOut, SettlementStatus
from domain.values import Language, Value

SettlementAudience = Literal["partner", "operations", "accounting"]
SettlementMailKind = str
"""A kind of mail. `MAILS` lists them; a stored mail may be of a newer release and be of another kind."""

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


class MailRule(NamedTuple):
    """A mail: its kind, to whom, because of which event, and under which rules.

    Its text is `templates/mail/settlement/<kind>.<audience>.toml`, its name the entry of its kind in each language's
    `settlement_mails` (domain/words/).

    Attributes:
        when: what else must be true of the event and the settlement after it.
        facts: the fields of the event that it may say, by their names in `SettlementMail`.
        paper: what goes with it.
        since, until: the versions of the rules under which it goes out (domain/rules.py).
    """

    kind: SettlementMailKind
    audience: SettlementAudience
    cause: type[Value]
    when: Callable[[Any, Settling], bool] = lambda event, settling: True
    facts: tuple[str, ...] = ()
    paper: Literal["statement", "invoice"] | None = None
    since: int = 1
    until: int | None = None


MAILS: tuple[MailRule, ...] = (
    MailRule("settlement_opened", "partner", Announced),
    MailRule("statement", "partner", StatementIssued, paper="statement"),
    MailRule(
        "nothing_billed",
        "partner",
        NothingToBill,
        when=lambda event, settling: bool(settling.left_out),  # who unpicked everything knows it
    ),
    MailRule("invoice_missing", "partner", InvoiceReminded, facts=("level",), paper="statement"),
    MailRule(
        "invoice_missing",
        "operations",
        InvoiceReminded,
        when=lambda event, settling: event.last,
        facts=("level",),
        paper="statement",
    ),
    MailRule("invoice_accepted", "accounting", InvoiceAccepted, paper="invoice"),
    MailRule("invoice_accepted", "partner", InvoiceAccepted, paper="invoice"),
    MailRule(
        "settlement_voided",
        "partner",
        Voided,
        when=lambda event, settling: settling.told,
        facts=("reason",),
    ),
)
"""All mails about a settlement, in the order in which those of one event go out. The authority for their kinds."""


def settlement_mail_kinds() -> tuple[SettlementMailKind, ...]:
    """The kinds of every version."""
    return tuple(dict.fromkeys(rule.kind for rule in MAILS))


def settlement_mails(
    before: Settling, events: Iterable[SettlementRecorded], operations_language: Language
) -> tuple[SettlementMail, ...]:
    """What has to go out because of these events that happened to the settlement `before`, in their order."""
    out: list[SettlementMail] = []
    settling = before
    for recorded in events:
        settling = evolve(settling, recorded)
        out.extend(
            _mail(settling, recorded, rule, operations_language)
            for rule in rules.holding(MAILS, settling.rules)
            if isinstance(recorded.event, rule.cause) and rule.when(recorded.event, settling)
        )
    return tuple(out)


def _mail(
    settling: Settling, recorded: SettlementRecorded, rule: MailRule, operations_language: Language
) -> SettlementMail:
    partner, statement = settling.opening.partner, settling.statement
    paper = None
    if rule.paper == "statement" and statement is not None:
        paper = statement.paper_id
    elif rule.paper == "invoice":
        paper = settling.invoice_paper_id
    return SettlementMail(
        key=f"{settling.settlement_id}:{recorded.seq}:{rule.kind}:{rule.audience}",
        kind=rule.kind,
        audience=rule.audience,
        settlement_id=settling.settlement_id,
        partner_id=partner.partner_id,
        partner_name=partner.name,
        month=settling.opening.month,
        language=partner.language if rule.audience == "partner" else operations_language,
        at=recorded.at,
        orders=len(settling.picked),
        left_out=settling.left_out[:_MOST_LEFT_OUT],
        left_out_count=len(settling.left_out),
        net=statement.net if statement else None,
        vat=statement.vat if statement else None,
        total=statement.total if statement else None,
        selectable_until=settling.selectable_until,
        invoice_due=settling.invoice_due,
        paper_id=paper,
        **{name: getattr(recorded.event, name) for name in rule.facts},
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
