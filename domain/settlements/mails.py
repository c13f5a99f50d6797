"""Which mails about a settlement follow from which events."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple

from domain import rules
from domain.months import Month
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceHeld,
    InvoiceReminded,
    InvoiceSentBack,
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
"""A kind of mail. `MAILS` lists them; a newer release may have stored a mail of another kind."""

_MOST_LEFT_OUT = 20


class SettlementMail(Value):
    """One mail to one audience about a settlement. `key` identifies it: it is sent once.

    `paper_id`: the PDF attached to it. `invoice_number`: that of an invoice that CMI made; empty if there is none.
    `accounts`: those, masked, that an invoice names and that are not the registered one. `to_approve`: whether
    accounting has to approve the invoice. `left_out`: the first twenty; `left_out_count`: how many there are.
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
    invoice_number: str = ""
    accounts: tuple[str, ...] = ()
    to_approve: bool = False

    @property
    def lane(self) -> str:
        """Mails of one lane are sent one after the other, in the order of their events."""
        return self.audience


class MailRule(NamedTuple):
    """A mail: its kind, its audience, the event that causes it, and the rules under which it is sent.

    Its text is `templates/mail/settlement/<kind>.<audience>.txt`.

    Attributes:
        name: the name of the kind, in German; only the first rule of a kind has it.
        when: a further condition on the event and the settlement after it.
        facts: the fields of the event that the mail takes, by their names in `SettlementMail`.
        paper: the PDF that is attached.
        since, until: the versions of the rules under which it is sent (domain/rules.py).
    """

    kind: SettlementMailKind
    audience: SettlementAudience
    cause: type[Value]
    name: str = ""
    when: Callable[[Any, Settlement], bool] = lambda event, settlement: True
    facts: tuple[str, ...] = ()
    paper: Literal["statement", "invoice", "held"] | None = None
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
        # A partner that deselected all orders knows it.
        when=lambda event, settlement: bool(settlement.left_out),
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
        "invoice_held",
        "accounting",
        InvoiceHeld,
        name=mark("Rechnung mit anderem Konto"),
        facts=("accounts",),
        paper="held",
        since=2,
    ),
    MailRule("invoice_held", "partner", InvoiceHeld, facts=("accounts",), since=2),
    MailRule(
        "invoice_returned",
        "partner",
        InvoiceSentBack,
        name=mark("Rechnung zurückgewiesen"),
        facts=("reason",),
        since=2,
    ),
    MailRule(
        "settlement_voided",
        "partner",
        Voided,
        name=mark("Verrechnung storniert"),
        when=lambda event, settlement: settlement.told,
        facts=("reason",),
    ),
)
"""All mails about a settlement. Those of one event are sent in this order."""


def settlement_mail_kinds() -> tuple[SettlementMailKind, ...]:
    """The kinds of all versions of the rules."""
    return tuple(dict.fromkeys(rule.kind for rule in MAILS))


def mail_names() -> dict[SettlementMailKind, str]:
    """The name of each kind, marked for translation."""
    return {rule.kind: rule.name for rule in MAILS if rule.name}


def settlement_mails(
    before: Settlement, events: Iterable[SettlementRecorded], operations_language: Language
) -> tuple[SettlementMail, ...]:
    """The mails that follow from these events. `before`: the settlement before the first of them."""
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
    elif rule.paper == "held" and settlement.held is not None:
        paper = settlement.held.paper_id
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
        invoice_number=settlement.invoice.number if settlement.invoice else "",
        to_approve=settlement.awaits_payment,
        **{name: getattr(recorded.event, name) for name in rule.facts},
    )


def is_obsolete(mail: SettlementMail, settlement: Settlement) -> bool:
    """Whether a mail that has not been sent is obsolete: what it asks for is done, or a later mail says the same."""
    match mail.kind:
        case "settlement_opened":
            return settlement.status is not SettlementStatus.OPEN
        case "invoice_missing":
            return (
                settlement.status is not SettlementStatus.ISSUED
                or settlement.held is not None
                or mail.level < settlement.reminders
                # a reminder of the invoice that accounting has returned since
                or (settlement.returned_at is not None and mail.at <= settlement.returned_at)
            )
        case "invoice_held":
            return settlement.held is None
        case "invoice_returned":
            return settlement.status is not SettlementStatus.ISSUED
        case _:
            return False


def obsolete_settlement_mails(
    settlement: Settlement, events: Iterable[SettlementRecorded]
) -> frozenset[str]:
    """The keys of the mails that are obsolete if they have not been sent. `events`: all of the settlement's."""
    start = begin(settlement.opening, settlement.opened_at)
    # A mail's language is not in its key.
    caused = settlement_mails(start, events, settlement.opening.partner.language)
    return frozenset(mail.key for mail in caused if is_obsolete(mail, settlement))
