"""The request and response bodies of the API's calls about settlements and corrections."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from domain.fields import Identifier, Note, Reason
from domain.months import Month
from domain.settlements.invoicing import InvoiceNumber, PaymentReference
from domain.settlements.lines import Amount
from domain.settlements.settlement import SettlementStatus
from domain.values import Input
from use_cases.payment_import import Result
from use_cases.settlements import MOST_ORDERS
from web.api.bodies import KNOWN, IsoDay, ListQuery
from words.settlement_view import SettlementView

SpIds = Annotated[
    list[Identifier],
    Field(
        max_length=MOST_ORDERS,
        description="SP-IDs of orders; duplicates count once",
    ),
]

_MONTH_OR_EMPTY = {"type": "string", "pattern": "^([0-9]{4}-(0[1-9]|1[0-2]))?$"}


class OpeningBody(Input):
    """The completed orders to bill. Operations name the partner on whose behalf they act (`partner_id`), unless all
    orders are of one partner."""

    sp_ids: Annotated[SpIds, Field(min_length=1)]
    partner_id: Identifier | None = None


class SelectionBody(Input):
    """The new selection of orders, which replaces the former one. It may be empty."""

    sp_ids: SpIds


class VoidBody(Input):
    """The reason for voiding the settlement."""

    reason: Reason


class InvoiceReceivedBody(Input):
    """How the invoice was received, as an optional note."""

    note: Note = ""


class InvoiceDecisionBody(Input):
    """Accounting's decision about an invoice that names another account. `return` needs a reason."""

    decision: Literal["accept", "return"]
    reason: Note = ""


class InvoiceToMakeBody(Input):
    """The partner's own number and date of the invoice that is made."""

    invoice_number: InvoiceNumber
    invoice_date: IsoDay


class ReturnBody(Input):
    """The reason for returning the invoice, which the partner reads."""

    reason: Reason


class PaidBody(Input):
    """The day of the payment, and the reference of the bank if there is one."""

    paid_on: IsoDay
    reference: PaymentReference = ""


class CorrectionBody(Input):
    """An amount (net), plus or minus, for an order that the partner executed, and why."""

    sp_id: Identifier
    amount: Amount
    reason: Reason


class Wanted(ListQuery):
    """The query parameters of the list of settlements."""

    partner_id: str | None = Field(None, max_length=64, description="settlements of this partner")
    status: Annotated[SettlementStatus, KNOWN] | None = Field(
        None, description="settlements in this state"
    )
    month: Annotated[Month | None, WithJsonSchema(_MONTH_OR_EMPTY)] = Field(
        None, description="settlements of this month, like 2026-10"
    )
    q: str | None = Field(
        None, max_length=200, description="part of the settlement id, the partner's id or name"
    )
    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the page before")


# --- answers -----------------------------------------------------------------------------------------------------


class SettlementList(BaseModel):
    """A page of settlements, the newest first."""

    items: list[SettlementView]
    next_cursor: str | None = Field(description="`cursor` of the next page; null at the end")


class InvoiceAnswer(BaseModel):
    """The result of the check of an invoice. A list of SP-IDs has at most 200."""

    accepted: bool
    accounting_decides: bool = Field(
        False,
        exclude_if=lambda decides: not decides,
        description="present and true if only the account of the invoice is wrong, so that accounting decides; "
        "`problems` says why",
    )
    missing: list[str] = Field(
        description="orders of the settlement that the invoice does not name"
    )
    foreign: list[str] = Field(
        description="orders that the invoice names and the settlement does not have"
    )
    problems: list[str] = Field(description="what else is wrong, in the caller's language")


class ImportedRow(BaseModel):
    """The result of a line of the file. `line` counts from 1 with the head. `text` is in the caller's language."""

    line: int
    settlement_id: str = Field(description="as written in the line; empty if it cannot be read")
    result: Result
    column: str | None = Field(description="the cell that is wrong; null if none is, or the line")
    text: str


class ImportAnswer(BaseModel):
    """The results of an imported file, and how many lines have each result."""

    counts: dict[Result, int]
    rows: list[ImportedRow]


class CorrectionAnswer(BaseModel):
    """A correction, and the settlement that took it; null: the partner's next one will take it."""

    correction_id: str
    partner_id: str
    sp_id: str
    amount: Amount
    reason: str
    by: str
    at: datetime
    settlement_id: str | None


class CorrectionList(BaseModel):
    """A partner's corrections, the oldest first."""

    items: list[CorrectionAnswer]
