"""What has happened to a settlement."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.authors import RecordedEvent
from domain.fields import FreeText
from domain.orders.events import UnknownEvent
from domain.policy import Policy
from domain.settlements.invoicing import OwnInvoice, Verdict
from domain.settlements.lines import Amount, CorrectionLine, LeftOut
from domain.settlements.settlement import Selection, Statement
from domain.values import Value


class Opened(Value):
    """It was opened with these orders selected. A settlement that its partner opens is closed at once."""

    type: Literal["opened"] = "opened"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...]
    selectable_until: datetime | None


class Announced(Value):
    """The partner was notified of a settlement that the month's end opened, and may select until then."""

    type: Literal["announced"] = "announced"
    selectable_until: datetime | None = None


class Selected(Value):
    """The selection was changed to these orders."""

    type: Literal["selected"] = "selected"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...]


class SelectionClosed(Value):
    """The selection was closed. From now on orders are claimed."""

    type: Literal["selection_closed"] = "selection_closed"


class OrdersClaimed(Value):
    """`claimed` orders are billed; the others are left out, each with its reason.

    `fees`: the sum of the billed orders' fees, as they answered; None if it was recorded before there was this field.
    """

    type: Literal["orders_claimed"] = "orders_claimed"
    claimed: int
    left_out: tuple[LeftOut, ...]
    corrections: tuple[CorrectionLine, ...]
    fees: Amount | None = None


class NothingToBill(Value):
    """No order and no correction was left, so there is no statement."""

    type: Literal["nothing_to_bill"] = "nothing_to_bill"


class StatementIssued(Value):
    """The statement was issued. `invoice_due`: when the invoice is overdue; None if there is nothing to pay."""

    type: Literal["statement_issued"] = "statement_issued"
    statement: Statement
    invoice_due: datetime | None


class InvoiceReminded(Value):
    """The partner was reminded of the missing invoice. The last reminder also goes to operations."""

    type: Literal["invoice_reminded"] = "invoice_reminded"
    level: int
    last: bool


class InvoiceReturned(Value):
    """An uploaded invoice was rejected; the verdict has the problems."""

    type: Literal["invoice_returned"] = "invoice_returned"
    paper_id: str
    verdict: Verdict


class InvoiceAccepted(Value):
    """An invoice was accepted, and goes to accounting. `invoice`: its number and date if CMI made it. `total`: what it
    asks for; None if it was not kept."""

    type: Literal["invoice_accepted"] = "invoice_accepted"
    paper_id: str
    invoice: OwnInvoice | None = None
    total: Amount | None = None


class InvoiceNoted(Value):
    """Accounting received the invoice some other way."""

    type: Literal["invoice_noted"] = "invoice_noted"
    note: FreeText


class InvoiceHeld(Value):
    """An invoice is right but for its account, so that accounting decides about it. The verdict has the accounts."""

    type: Literal["invoice_held"] = "invoice_held"
    paper_id: str
    verdict: Verdict
    invoice: OwnInvoice | None = None

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts, masked, that the invoice names and that are not the registered one."""
        return tuple(problem.detail for problem in self.verdict.problems)


class InvoiceApproved(Value):
    """Accounting approved the invoice for payment."""

    type: Literal["invoice_approved"] = "invoice_approved"


class InvoiceSentBack(Value):
    """Accounting returned the accepted or held invoice to the partner. `invoice_due`: when another one is overdue."""

    type: Literal["invoice_sent_back"] = "invoice_sent_back"
    reason: FreeText
    invoice_due: datetime


class InvoicePaid(Value):
    """The invoice was paid. `paid_on`: the day of the payment. `reference`: that of the bank, if there is one."""

    type: Literal["invoice_paid"] = "invoice_paid"
    paid_on: date
    reference: str = ""


class Voided(Value):
    """It was taken back. Its orders are released."""

    type: Literal["voided"] = "voided"
    reason: FreeText


class OrdersReleased(Value):
    """All its orders are `completed` again."""

    type: Literal["orders_released"] = "orders_released"
    orders: int


class MailUndelivered(Value):
    """A mail was refused again and again, and was given up."""

    type: Literal["mail_undelivered"] = "mail_undelivered"
    key: str
    mail: str


class RulesAdopted(Value):
    """Newer rules apply from now on. `policy`: its own, with the keys that the newer rules need, if there are any."""

    type: Literal["rules_adopted"] = "rules_adopted"
    version: int
    policy: Policy | None = None


KnownSettlementEvent = Annotated[
    Opened
    | Announced
    | Selected
    | SelectionClosed
    | OrdersClaimed
    | NothingToBill
    | StatementIssued
    | InvoiceReminded
    | InvoiceReturned
    | InvoiceAccepted
    | InvoiceNoted
    | InvoiceHeld
    | InvoiceApproved
    | InvoiceSentBack
    | InvoicePaid
    | Voided
    | OrdersReleased
    | MailUndelivered
    | RulesAdopted,
    Field(discriminator="type"),
]
SettlementEvent = Annotated[KnownSettlementEvent | UnknownEvent, Field(union_mode="left_to_right")]


class SettlementRecorded(RecordedEvent):
    """An event of a settlement, with its number, instant and author."""

    event: SettlementEvent
