"""The settlement: what it starts with, what is pinned into it, and its state at any moment."""

from datetime import date, datetime
from typing import Annotated, Self, TypedDict, Unpack

from pydantic import AfterValidator

from domain.calendar import Calendar
from domain.months import Month
from domain.orders.placement import Assignee
from domain.policy import Policy
from domain.settlements.ids import MOST_IN_A_MONTH, settlement_id
from domain.settlements.invoicing import OwnInvoice, Verdict
from domain.settlements.lines import Amount, CorrectionLine, LeftOut, VatRates
from domain.values import OpenEnum, Value


class SettlementStatus(OpenEnum):
    """`open`: the selection can be changed. `closing`: orders are claimed. `issued`: the statement exists and the
    invoice is awaited. `invoiced`: accounting has the invoice. `approved`: accounting will pay it. `paid` and `void`
    are final; under version 1 of the rules `invoiced` is final, too."""

    OPEN = "open"
    CLOSING = "closing"
    ISSUED = "issued"
    INVOICED = "invoiced"
    APPROVED = "approved"
    PAID = "paid"
    VOID = "void"


def _each_once(sp_ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(sp_ids)) != len(sp_ids):
        raise ValueError("expected each SP-ID once")
    return sp_ids


Selection = Annotated[tuple[str, ...], AfterValidator(_each_once)]
"""SP-IDs, each once, in the order in which they are billed."""


class Opening(Value):
    """Everything that a settlement starts with, and what is pinned into it.

    `picked`: the partner's orders that could be billed when it was opened; `left_out`: those that were asked for and
    could not. `automatic`: the month's end opened it, so that the partner is notified and may change the selection.
    `vat_rates`: empty if the partner is not liable for VAT; `vat_liable_from`: the first day of services with VAT, from
    version 2 of the rules on. `rules`: the version of the rules that it is opened under (domain/rules.py).
    `number`: 1 for the first settlement of the month; each one that follows a voided one has the next number.
    """

    partner: Assignee
    month: Month
    policy: Policy
    calendar: Calendar
    vat_rates: VatRates = ()
    vat_liable_from: date | None = None
    picked: Selection = ()
    left_out: tuple[LeftOut, ...] = ()
    automatic: bool
    rules: int = 1
    number: int = 1

    @property
    def settlement_id(self) -> str:
        """Its id, which identifies it everywhere."""
        return settlement_id(self.partner.partner_id, self.month, self.number)


class Statement(Value):
    """The statement that was made: its sums, what identifies its PDF, and the rules by which its VAT was calculated."""

    paper_id: str
    sha256: str
    template_version: str
    input_checksum: str
    pages: int
    net: Amount
    vat: Amount
    total: Amount
    rules: int = 1


class HeldInvoice(Value):
    """An invoice that is right except for its account, until accounting accepts or returns it.

    `verdict`: with the accounts that it names. `invoice`: its number and date if CMI made it.
    """

    paper_id: str
    verdict: Verdict
    invoice: OwnInvoice | None = None


def month_runs(settlement: "Settlement", now: datetime) -> bool:
    """Whether the settlement's month is not over at `now`: orders executed later in the month are not in it."""
    return Month.at(now, settlement.opening.calendar) <= settlement.opening.month


class SettlementChanges(TypedDict, total=False):
    """The fields of a `Settlement` that change."""

    rules: int
    later_policy: Policy | None
    status: SettlementStatus
    version: int
    digest: str
    picked: Selection
    left_out: tuple[LeftOut, ...]
    claimed: bool
    fees: Amount | None
    corrections: tuple[CorrectionLine, ...]
    told: bool
    selectable_until: datetime | None
    issued_at: datetime | None
    invoice_due: datetime | None
    next_reminder: datetime | None
    reminders: int
    statement: Statement | None
    last_verdict: Verdict | None
    held: HeldInvoice | None
    invoice_paper_id: str | None
    invoice: OwnInvoice | None
    invoice_total: Amount | None
    invoiced_at: datetime | None
    approved_at: datetime | None
    paid_on: date | None
    payment_reference: str
    returned_at: datetime | None
    return_reason: str
    returned_papers: tuple[str, ...]
    returns: int
    voided: bool
    released: bool
    ended_at: datetime | None


class Settlement(Value):
    """A settlement at one moment: the fold of its events.

    Orders are only SP-IDs, so that thousands of them fit into a workflow; their lines are in the records.

    Attributes:
        opening: without the orders that it started with, which are in the first event.
        rules, later_policy: as in `Order`.
        digest: of its events (domain/digest.py); empty if it was stored before there were digests.
        picked: its orders: the selected ones until `claimed`, then those that it billed.
        fees: the sum of the claimed orders' fees, as the orders themselves answered.
        told: whether the partner was notified of the settlement.
        held: the invoice that names another account than the registered one, until accounting has decided.
        invoice: the number and date of the invoice, if CMI made it; None if it was uploaded or came another way.
        invoice_total: the total of the accepted invoice; it may be rounded differently from the statement's total.
        invoiced_at: when the invoice was accepted, from version 2 of the rules on; under version 1 that is `ended_at`.
        paid_on, payment_reference: the day of the payment and the reference of the bank, as accounting reported them.
        returned_at, return_reason: when and why accounting returned the invoice last.
        returned_papers: the invoices that accounting returned; none of them is accepted again.
        returns: how often accounting returned an invoice.
        voided: whether operations took it back. A settlement with nothing to bill is void without that.
        released: whether all orders of a void settlement have been released.
    """

    opening: Opening
    rules: int = 1
    later_policy: Policy | None = None
    status: SettlementStatus
    version: int = 0
    digest: str = ""
    picked: Selection
    left_out: tuple[LeftOut, ...] = ()
    claimed: bool = False
    fees: Amount | None = None
    corrections: tuple[CorrectionLine, ...] = ()
    opened_at: datetime
    told: bool = False
    selectable_until: datetime | None = None
    issued_at: datetime | None = None
    invoice_due: datetime | None = None
    next_reminder: datetime | None = None
    reminders: int = 0
    statement: Statement | None = None
    last_verdict: Verdict | None = None
    held: HeldInvoice | None = None
    invoice_paper_id: str | None = None
    invoice: OwnInvoice | None = None
    invoice_total: Amount | None = None
    invoiced_at: datetime | None = None
    approved_at: datetime | None = None
    paid_on: date | None = None
    payment_reference: str = ""
    returned_at: datetime | None = None
    return_reason: str = ""
    returned_papers: tuple[str, ...] = ()
    returns: int = 0
    voided: bool = False
    released: bool = False
    ended_at: datetime | None = None

    def replace(self, **changes: Unpack[SettlementChanges]) -> Self:
        """The settlement with other values for these fields."""
        return self.model_copy(update=changes)

    @property
    def settlement_id(self) -> str:
        """Its number, which identifies it everywhere."""
        return self.opening.settlement_id

    @property
    def policy(self) -> Policy:
        """The policy pinned into it."""
        return self.later_policy or self.opening.policy

    @property
    def awaits_payment(self) -> bool:
        """Whether accounting has the invoice and has to approve, pay or return it.

        Under version 1 of the rules the settlement ended with the invoice, and so it does if there is nothing to pay.
        """
        match self.status:
            case SettlementStatus.INVOICED:
                has_to_pay = self.statement is not None and self.statement.total > 0
                return self.rules >= 2 and has_to_pay
            case SettlementStatus.APPROVED:
                return True
            case _:
                return False

    @property
    def is_final(self) -> bool:
        """Whether no more actions are allowed. A void settlement may still have orders to release."""
        match self.status:
            case SettlementStatus.INVOICED:
                return not self.awaits_payment
            case SettlementStatus.PAID | SettlementStatus.VOID:
                return True
            case _:
                return False

    @property
    def can_be_followed(self) -> bool:
        """Whether its month can have another settlement of the partner, because this one is void.

        It still has to release its orders first (`released`).
        """
        return self.status is SettlementStatus.VOID and self.opening.number < MOST_IN_A_MONTH

    @property
    def is_over(self) -> bool:
        """Whether nothing can change it any more. Mails may still have to be sent."""
        return self.released if self.status is SettlementStatus.VOID else self.is_final

    @property
    def can_be_drafted(self) -> bool:
        """Whether the partner's invoice can be drafted: it is awaited, and there is something to pay."""
        return self.status is SettlementStatus.ISSUED and self.invoice_due is not None
