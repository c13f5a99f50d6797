"""The bodies of the API's calls, in and out. The commands of the domain are made from them."""

import re
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from domain.fields import Identifier, Instant, Note, Reason, TextLine
from domain.orders.catalogue import ALL_ITEMS
from domain.orders.commands import ChecklistItem, Decision, NotExecutedReason, RejectionReason
from domain.orders.order import Appointment, Customer, Party, Placement, Product, Service, Status
from domain.values import Input, OpenEnum
from domain.view import DeadlineView

_ISO_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO_INSTANT = _ISO_DAY + r"[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})"


def _iso_instant(value: Any) -> Any:
    # pydantic would also take seconds since 1970, as numbers or text
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
"""Marks a state that is asked for. What is stored may have one that only a newer process knows."""


def _whole_placement(raw: Any) -> Placement:
    return Placement.model_validate(raw, extra="forbid")


NewOrder = Annotated[Placement, BeforeValidator(_whole_placement)]
"""An order to be placed. It is stored as it is sent, and unknown fields are refused at any depth."""


class ListQuery(BaseModel):
    """Which part of a list is wanted, in the query of an address. What is left empty there does not count."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty_ones(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value != ""}
        return values


class Nothing(Input):
    """No particulars: `{}`."""


class Shipped(Input):
    """The goods are on their way. Each parcel has its own tracking number; the same one again is no news."""

    tracking: TextLine


class Received(Input):
    """The goods arrived, now or at `received_at`."""

    received_at: IsoInstant | None = None


class Cancellation(Input):
    """Why the order is cancelled."""

    reason: Reason


class Contact(Input):
    """An attempt to reach the customer."""

    outcome: Literal["reached", "not_reached"]
    note: Note = ""


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


class RequirementsMet(Input):
    """The place is ready. A "no" belongs to `met: false`."""

    met: Literal[True]
    checklist: Checklist
    note: Note = ""


class RequirementsNotMet(Input):
    """The place is not ready: this ends the order."""

    met: Literal[False]
    reason: RejectionReason
    note: Note = ""


class Agreed(Input):
    """A date agreed with the customer; with a `reason` where it takes the place of another."""

    start: IsoInstant
    end: IsoInstant
    reason: Note = ""


class Executed(Input):
    """The service was done, today if `executed_on` is not given."""

    executed: Literal[True]
    executed_on: IsoDay | None = None
    note: Note = ""


class NotExecuted(Input):
    """The service could not be done. With the reason `other` a note says why."""

    executed: Literal[False]
    reason: NotExecutedReason
    note: Note = ""


def _either(field: str) -> Any:
    """Which of two bodies is meant, by a field that is true or false."""

    def tag(value: Any) -> str | None:
        said = value.get(field) if isinstance(value, dict) else getattr(value, field, None)
        return {True: "<true>", False: "<false>"}[said] if isinstance(said, bool) else None

    return Discriminator(
        tag,
        custom_error_type="true_or_false",
        custom_error_message="must be true or false",
        custom_error_context={"field": field},
    )


Requirements = Annotated[
    Annotated[RequirementsMet, Tag("<true>")] | Annotated[RequirementsNotMet, Tag("<false>")],
    _either("met"),
]
Execution = Annotated[
    Annotated[Executed, Tag("<true>")] | Annotated[NotExecuted, Tag("<false>")],
    _either("executed"),
]


class Review(Input):
    """What happens to a service that was not executed."""

    decision: Decision
    note: Note = ""


class Reassignment(Input):
    """Who does it instead, and why."""

    partner_id: Identifier
    reason: Reason


# --- answers -----------------------------------------------------------------------------------------------------


class ListedOrder(BaseModel):
    """An order in a list: as `GET /orders/{sp_id}` answers it, but for its timeline."""

    sp_id: str
    sales_order_id: str
    partner_id: str
    prepaid: bool
    customer: Customer
    product: Product
    service: Service
    note: str
    checklist: tuple[ChecklistItem, ...]
    status: Status
    status_label: str
    version: int
    deadlines: tuple[DeadlineView, ...]
    allowed: tuple[str, ...]
    ball: Party | None
    appointment: Appointment | None
    executed_on: date | None
    settlement_id: str | None


class OrderList(BaseModel):
    """A page of orders, the newest first."""

    items: list[ListedOrder]
    next_cursor: str | None = Field(description="`cursor` of the next page; null at the end")
    counts: dict[Status, int] = Field(
        description="how many orders each state has, of all that fit whatever their state"
    )


class Accepted(BaseModel):
    """The command is safe and will be carried out; a refusal is mailed to its sender."""

    sp_id: str
    stored: Literal[True] = True
