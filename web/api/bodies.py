"""The request and response bodies of the API's calls about orders."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from domain.fields import Identifier, Instant, Note, Reason
from domain.orders.catalogue import ALL_ITEMS
from domain.orders.codes import ChecklistItem
from domain.orders.order import Appointment, Party, Status
from domain.orders.placement import Placement, Product, Recipient, Service
from domain.values import Input, OpenEnum
from records.assignments import NOBODY
from words.order_view import CustomerView, DeadlineView, PersonView

_ISO_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO_INSTANT = _ISO_DAY + r"[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})"


def _iso_instant(value: Any) -> Any:
    # pydantic would also accept seconds since 1970, as a number or as text
    if not isinstance(value, str) or not re.fullmatch(_ISO_INSTANT, value, re.ASCII):
        raise ValueError("must be an instant with its offset, like 2026-11-02T08:00:00+01:00")
    return value


def _iso_day(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(_ISO_DAY, value, re.ASCII):
        raise ValueError("must be a day, like 2026-11-02")
    return value


IsoInstant = Annotated[
    Instant,
    BeforeValidator(_iso_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
IsoDay = Annotated[
    date, BeforeValidator(_iso_day), WithJsonSchema({"type": "string", "format": "date"})
]


_Names = TypeVar("_Names", bound=OpenEnum)


def _known(name: _Names) -> _Names:
    if not name.is_known:
        raise ValueError(f"must be one of {', '.join(type(name))}")
    return name


KNOWN = AfterValidator(_known)
"""Requires a known state in a request. Stored values may have one that only a newer release knows."""


def _whole_placement(raw: Any) -> Placement:
    return Placement.model_validate(raw, extra="forbid")


NewOrder = Annotated[Placement, BeforeValidator(_whole_placement)]
"""An order to be placed. It is stored as sent; unknown fields are refused at any depth."""


class ListQuery(BaseModel):
    """The query parameters of a list. Empty ones count as missing."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty_ones(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value != ""}
        return values


class WantedOrders(ListQuery):
    """The filter and the page of a list of orders."""

    status: Annotated[Status, KNOWN] | None = Field(None, description="orders in this state")
    overdue: bool = Field(False, description="true: orders with a deadline that has passed")
    q: str | None = Field(
        None,
        max_length=200,
        description="parts of SP-ID, sales order, settlement, tracking number, customer's name, place, street,"
        " telephone or e-mail address; ä, ae and a are alike",
    )
    partner_id: str | None = Field(None, max_length=64, description="orders of this partner")
    assigned_to: str | None = Field(
        None,
        max_length=64,
        description="for partners: orders assigned to this person (`user_id`); `nobody`: to no person",
    )
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the page before")

    @property
    def asked(self) -> dict[str, Any]:
        """The arguments of `OrderUseCases.list`."""
        whose = self.assigned_to
        given = self.model_dump(exclude={"assigned_to"})
        return {**given, "person_id": NOBODY if whose == "nobody" else whose}


class Nothing(Input):
    """An empty body: `{}`."""


_ANSWERS = {"type": "string", "enum": ["yes", "not_applicable"]}
_ChecklistKey = Annotated[str, StringConstraints(max_length=64)]
Checklist = Annotated[
    dict[_ChecklistKey, Annotated[str, StringConstraints(max_length=64)]],
    Field(max_length=20, description="one answer for each item of the order's `checklist`"),
    WithJsonSchema(
        {
            "type": "object",
            "properties": dict.fromkeys(ALL_ITEMS, _ANSWERS),
            "additionalProperties": False,
        }
    ),
]


class Reassignment(Input):
    """The new partner, and the reason."""

    partner_id: Identifier
    reason: Reason


class Review(Input):
    """The decision about an order under review.

    `until`: the day until which it waits, with `wait_until`. `partner_id`: the new partner, with `reassign`; the note
    is the reason.
    """

    decision: Literal[
        "new_appointment",
        "reship",
        "cancel",
        "accept_as_executed",
        "continue",
        "wait_until",
        "reassign",
    ] = Field(examples=["new_appointment"])
    note: Note = ""
    until: IsoDay | None = None
    partner_id: Identifier | None = None


# --- answers -----------------------------------------------------------------------------------------------------


class ListedOrder(BaseModel):
    """An order in a list: as `GET /orders/{sp_id}` answers it, without its timeline."""

    sp_id: str
    sales_order_id: str
    sales_order_line: str | None
    partner_id: str | None = Field(description="null while the order has no partner")
    prepaid: bool
    deliver_to: Recipient
    customer: CustomerView
    product: Product
    service: Service
    note: str
    erased: bool = False
    checklist: tuple[ChecklistItem, ...]
    status: Status
    status_label: str
    version: int
    deadlines: tuple[DeadlineView, ...]
    allowed: tuple[str, ...]
    ball: Party | None
    appointment: Appointment | None
    held_until: datetime | None = Field(description="when an order on hold goes on by itself")
    review_reason: str | None = Field(description="the reason of the review or of the hold")
    assigned_to: PersonView | None = Field(
        None, description="the partner's person it is assigned to; shown to partner and operations"
    )
    unread_messages: int | None = Field(
        None, description="messages that this login has yet to read; null for shop and accounting"
    )
    executed_on: date | None
    settlement_id: str | None


class OrderList(BaseModel):
    """A page of orders, the newest first."""

    items: list[ListedOrder]
    next_cursor: str | None = Field(description="`cursor` of the next page; null at the end")
    counts: dict[Status, int] = Field(
        description="how many orders are in each state, of all that fit the filter without `status`"
    )


class Accepted(BaseModel):
    """The command is stored and will be carried out. A refusal is mailed to its sender."""

    sp_id: str
    stored: Literal[True] = True
