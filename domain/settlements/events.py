"""What happened to a settlement: facts, in the past, that no rule questions any more."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.authors import RecordedEvent
from domain.orders.events import UnknownEvent
from domain.policy import Policy
from domain.settlements.invoicing import Verdict
from domain.settlements.lines import Amount, CorrectionLine, LeftOut
from domain.settlements.settlement import Selection, Statement
from domain.values import Value


class Opened(Value):
    """It was opened with these orders picked; closed at once if the partner itself did it."""

    type: Literal["opened"] = "opened"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...]
    selectable_until: datetime | None


class Announced(Value):
    """The partner is told of a settlement that was opened for it. `selectable_until` is what it is told."""

    type: Literal["announced"] = "announced"
    selectable_until: datetime | None = None


class Selected(Value):
    """The selection was changed to these."""

    type: Literal["selected"] = "selected"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...]


class SelectionClosed(Value):
    """From here on orders are claimed."""

    type: Literal["selection_closed"] = "selection_closed"


class OrdersClaimed(Value):
    """These many orders are billed by it; the others are left out, each with its reason.

    `fees`: what the billed orders come to by their own word; none in settlements of before this was recorded.
    """

    type: Literal["orders_claimed"] = "orders_claimed"
    claimed: int
    left_out: tuple[LeftOut, ...]
    corrections: tuple[CorrectionLine, ...]
    fees: Amount | None = None


class NothingToBill(Value):
    """No order and no correction was left: there is no statement, and nothing to wait for."""

    type: Literal["nothing_to_bill"] = "nothing_to_bill"


class StatementIssued(Value):
    """The statement exists; the invoice is awaited until then."""

    type: Literal["statement_issued"] = "statement_issued"
    statement: Statement
    invoice_due: datetime | None


class InvoiceReminded(Value):
    """No invoice has come: the partner is reminded. The last level goes to operations, too."""

    type: Literal["invoice_reminded"] = "invoice_reminded"
    level: int
    last: bool


class InvoiceReturned(Value):
    """An uploaded invoice was not right."""

    type: Literal["invoice_returned"] = "invoice_returned"
    paper_id: str
    verdict: Verdict


class InvoiceAccepted(Value):
    """An uploaded invoice was right, and goes to accounting."""

    type: Literal["invoice_accepted"] = "invoice_accepted"
    paper_id: str


class InvoiceNoted(Value):
    """Accounting got the invoice by another way."""

    type: Literal["invoice_noted"] = "invoice_noted"
    note: str


class Voided(Value):
    """It was taken back; its orders are set free."""

    type: Literal["voided"] = "voided"
    reason: str


class OrdersReleased(Value):
    """All its orders are `completed` again."""

    type: Literal["orders_released"] = "orders_released"
    orders: int


class MailUndelivered(Value):
    """A mail was refused until it was given up."""

    type: Literal["mail_undelivered"] = "mail_undelivered"
    key: str
    mail: str


class RulesAdopted(Value):
    """From here on newer rules hold for it. `policy`: its own with the keys that came with them, if any did."""

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
    | Voided
    | OrdersReleased
    | MailUndelivered
    | RulesAdopted,
    Field(discriminator="type"),
]
SettlementEvent = Annotated[KnownSettlementEvent | UnknownEvent, Field(union_mode="left_to_right")]


class SettlementRecorded(RecordedEvent):
    """An event in its place in the settlement's life."""

    event: SettlementEvent
