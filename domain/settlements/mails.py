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
from domain.settlements.evolve import evolve
from domain.settlements.lifecycle import begin
from domain.settlements.lines import Amount, LeftOut
from domain.settlements.settlement import Settlement, SettlementStatus
from domain.values import Language, Value, mark

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

    @property
    def lane(self) -> str:
        """Mails of one lane go out one after the other, in the order of their causes."""
        return self.audience


class MailRule(NamedTuple):
    """A mail: its kind, to whom, because of which event, and under which rules.

    Its text is `templates/mail/settlement/<kind>.<audience>.txt`.

    Attributes:
        name: what the kind is called, in German; given by the first rule of a kind.
        when: what else must be true of the event and the settlement after it.
        facts: the fields of the event that it may say, by their names in `SettlementMail`.
        paper: what goes with it.
        since, until: the versions of the rules under which it goes out (domain/rules.py).
    """

    kind: SettlementMailKind
    audience: SettlementAudience
    cause: type[Value]
    name: str = ""
    when: Callable[[Any, Settlement], bool] = lambda event, settlement: True
    facts: tuple[str, ...] = ()
    paper: Literal["statement", "invoice"] | None = None
    since: int = 1
    until: int | None = None


MAILS: tuple[MailRule, ...] = (
    MailRule("settlement_opened", "partner", Announced, name=mark("Verrechnung eröffnet")),
    MailRule(
        "statement", "partner", StatementIssued, name=mark("Verrechnungsbeleg"), paper="statement"
    ),
    MailRule(
        "nothing_billed",
        "partner",
        NothingToBill,
        name=mark("Nichts verrechnet"),
        when=lambda event, settlement: bool(
            settlement.left_out
        ),  # who unpicked everything knows it
    ),
    MailRule(
        "invoice_missing",
        "partner",
        InvoiceReminded,
        name=mark("Rechnung fehlt"),
        facts=("level",),
        paper="statement",
    ),
    MailRule(
        "invoice_missing",
        "operations",
        InvoiceReminded,
        when=lambda event, settlement: event.last,
        facts=("level",),
        paper="statement",
    ),
    MailRule(
        "invoice_accepted",
        "accounting",
        InvoiceAccepted,
        name=mark("Rechnung angenommen"),
        paper="invoice",
    ),
    MailRule("invoice_accepted", "partner", InvoiceAccepted, paper="invoice"),
    MailRule(
        "settlement_voided",
        "partner",
        Voided,
        name=mark("Verrechnung aufgehoben"),
        when=lambda event, settlement: settlement.told,
        facts=("reason",),
    ),
)
"""All mails about a settlement, in the order in which those of one event go out. The authority for their kinds."""


def settlement_mail_kinds() -> tuple[SettlementMailKind, ...]:
    """The kinds of every version."""
    return tuple(dict.fromkeys(rule.kind for rule in MAILS))


def mail_names() -> dict[SettlementMailKind, str]:
    """The name of each kind, marked for translation."""
    return {rule.kind: rule.name for rule in MAILS if rule.name}


def settlement_mails(
    before: Settlement, events: Iterable[SettlementRecorded], operations_language: Language
) -> tuple[SettlementMail, ...]:
    """What has to go out because of these events that happened to the settlement `before`, in their order."""
    out: list[SettlementMail] = []
    settlement = before
    for recorded in events:
        settlement = evolve(settlement, recorded)
        out.extend(
            _mail(settlement, recorded, rule, operations_language)
            for rule in rules.holding(MAILS, settlement.rules)
            if isinstance(recorded.event, rule.cause) and rule.when(recorded.event, settlement)
        )
    return tuple(out)


def _mail(
    settlement: Settlement,
    recorded: SettlementRecorded,
    rule: MailRule,
    operations_language: Language,
) -> SettlementMail:
    partner, statement = settlement.opening.partner, settlement.statement
    paper = None
    if rule.paper == "statement" and statement is not None:
        paper = statement.paper_id
    elif rule.paper == "invoice":
        paper = settlement.invoice_paper_id
    return SettlementMail(
        key=f"{settlement.settlement_id}:{recorded.seq}:{rule.kind}:{rule.audience}",
        kind=rule.kind,
        audience=rule.audience,
        settlement_id=settlement.settlement_id,
        partner_id=partner.partner_id,
        partner_name=partner.name,
        month=settlement.opening.month,
        language=partner.language if rule.audience == "partner" else operations_language,
        at=recorded.at,
        orders=len(settlement.picked),
        left_out=settlement.left_out[:_MOST_LEFT_OUT],
        left_out_count=len(settlement.left_out),
        net=statement.net if statement else None,
        vat=statement.vat if statement else None,
        total=statement.total if statement else None,
        selectable_until=settlement.selectable_until,
        invoice_due=settlement.invoice_due,
        paper_id=paper,
        **{name: getattr(recorded.event, name) for name in rule.facts},
    )


def is_obsolete(mail: SettlementMail, settlement: Settlement) -> bool:
    """Whether a mail that has not gone out yet has lost its sense: it asks for what was done, or says it again."""
    match mail.kind:
        case "settlement_opened":
            return settlement.status is not SettlementStatus.OPEN
        case "invoice_missing":
            return settlement.status is not SettlementStatus.ISSUED or (
                mail.level < settlement.reminders
            )
        case _:
            return False


def obsolete_settlement_mails(
    settlement: Settlement, events: Iterable[SettlementRecorded]
) -> frozenset[str]:
    """The keys of the mails that these events caused, of all the settlement's, and that have lost their sense if
    unsent."""
    start = begin(settlement.opening, settlement.opened_at)
    # A mail's language is not in its key.
    caused = settlement_mails(start, events, settlement.opening.partner.language)
    return frozenset(mail.key for mail in caused if is_obsolete(mail, settlement))
