"""The service order: what is placed, what is pinned into it, and its state at any moment."""

from datetime import date, datetime
from typing import Annotated, Literal, Self, TypedDict, Unpack

from pydantic import (
    Field,
    StringConstraints,
)

from domain.calendar import Calendar
from domain.fields import EmailAddress, Identifier, Instant, Money, Note, TextLine
from domain.policy import Policy, Span
from domain.values import OPEN, Language, OpenEnum, Value


class Status(OpenEnum):
    """The states of an order. A state that only a newer process knows is not final and allows no action."""

    AWAITING_PAYMENT = "awaiting_payment"
    IN_TRANSMISSION = "in_transmission"
    NEW = "new"
    CHECK_REQUIREMENTS = "check_requirements"
    REQUIREMENTS_MET = "requirements_met"
    SET_APPOINTMENT = "set_appointment"
    CONFIRM_EXECUTION = "confirm_execution"
    UNDER_REVIEW = "under_review"
    COMPLETED = "completed"
    BILLED = "billed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no action is allowed any more."""
        return self in (Status.BILLED, Status.CANCELLED)


Party = Literal["partner", "customer", "warehouse", "retailer"]


class Customer(Value):
    """The customer whom the partner visits. Personal data: never in summaries, search attributes, ids or logs."""

    name: TextLine
    email: EmailAddress
    phone: TextLine
    street: TextLine
    postal_code: Annotated[TextLine, StringConstraints(max_length=12)]
    city: TextLine
    language: Language


class Product(Value):
    """What was sold and is to be installed."""

    sku: TextLine
    name: TextLine
    quantity: Annotated[int, Field(ge=1, le=999)]


class Service(Value):
    """What the partner does, and for how much (CHF, without VAT)."""

    code: Identifier
    name: TextLine
    fee: Money


class Placement(Value):
    """A service order as the shop places it: the body of `POST /orders`."""

    sp_id: Identifier
    sales_order_id: TextLine
    partner_id: Identifier
    prepaid: bool = False
    customer: Customer
    product: Product
    service: Service
    note: Note = ""


class Assignee(Value):
    """What an order keeps of its partner. Mail addresses are looked up when a mail is sent."""

    partner_id: Identifier
    name: TextLine
    canton: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    language: Language


class Intake(Value):
    """Everything that an order starts with: the placement, and what is pinned into it.

    `rules` is the version of the rules that it is placed under (domain/rules.py).
    """

    placement: Placement
    partner: Assignee
    policy: Policy
    calendar: Calendar
    rules: int = 1


DeadlineKind = str
"""A kind of deadline. `deadlines.RULES` lists them; a newer release may have stored a deadline of another kind."""
Outcome = Literal["met", "missed", "void"]


class DeadlineChanges(TypedDict, total=False):
    """The fields of a `Deadline` that change while it runs."""

    reminded: bool
    missed: bool
    level: int
    ended: datetime | None
    outcome: Annotated[Outcome, OPEN] | None


class Deadline(Value):
    """One deadline of one order, open or ended.

    Attributes:
        adopted: when newer rules added the deadline, if it had started before; its time counts from then.
        span: the time that is given; None if one of the first releases opened the deadline.
        excused_until: until when missing it is not the partner's fault, who got the ball after the start
            (`punctuality`).
        missed: whether it was missed, however it ended.
        outcome: `void` if it ended early without being met: the order was cancelled or reassigned, the appointment
            moved, or newer rules do not have the deadline.
    """

    kind: DeadlineKind
    partner_id: str
    started: datetime
    due: datetime
    adopted: datetime | None = None
    span: Span | None = None
    excused_until: datetime | None = None
    reminded: bool = False
    missed: bool = False
    level: int = 0
    ended: datetime | None = None
    outcome: Annotated[Outcome, OPEN] | None = None

    def replace(self, **changes: Unpack[DeadlineChanges]) -> Self:
        """The deadline with other values for these fields."""
        return self.model_copy(update=changes)

    @property
    def is_open(self) -> bool:
        """Whether it still runs, overdue or not."""
        return self.ended is None

    @property
    def runs_from(self) -> datetime:
        """The instant from which its time is counted."""
        return self.adopted or self.started


class Appointment(Value):
    """The date agreed with the customer. `sequence` counts how often it was moved, for calendars (RFC 5545)."""

    start: datetime
    end: datetime
    sequence: int = 0


class GoodsShipped(Value):
    """The goods are on their way.

    May come twice, late or out of order: it is kept, and applied when it fits.
    """

    # Each parcel has its own tracking number, so a number that is known is a repetition.

    type: Literal["goods_shipped"] = "goods_shipped"
    tracking: TextLine = Field(examples=["99.00.123456.78901234"])


class GoodsReceived(Value):
    """The goods arrived.

    May come twice, late or out of order: it is kept, and applied when it fits.
    """

    type: Literal["goods_received"] = "goods_received"
    received_at: Instant | None = Field(None, examples=[None, "2026-11-05T10:30:00+01:00"])


Notice = Annotated[GoodsShipped | GoodsReceived, Field(discriminator="type")]


class ShipmentChanges(TypedDict, total=False):
    """The fields of a `Shipment` that change."""

    trackings: tuple[str, ...]
    shipped_at: datetime | None
    received_at: datetime | None


class Shipment(Value):
    """One attempt to bring the goods to the customer. Attempt 2 is the first reshipment."""

    attempt: int
    requested_at: datetime
    trackings: tuple[str, ...] = ()
    shipped_at: datetime | None = None
    received_at: datetime | None = None

    def replace(self, **changes: Unpack[ShipmentChanges]) -> Self:
        """The shipment with other values for these fields."""
        return self.model_copy(update=changes)


class OrderChanges(TypedDict, total=False):
    """The fields of an `Order` that change."""

    rules: int
    later_policy: Policy | None
    partner: Assignee
    calendar: Calendar
    status: Status
    version: int
    digest: str
    changed_at: datetime | None
    partner_since: datetime | None
    placed_at: datetime | None
    released_at: datetime | None
    sending_since: datetime | None
    transmitted_at: datetime | None
    accepted_at: datetime | None
    reached_at: datetime | None
    appointment_from: datetime | None
    reported_at: datetime | None
    shipments: tuple[Shipment, ...]
    kept: tuple[Notice, ...]
    appointment: Appointment | None
    moves: int
    executed_on: date | None
    settlement_id: str | None
    freed_from: tuple[str, ...]
    deadlines: tuple[Deadline, ...]


class Order(Value):
    """A service order at one moment: the fold of its events.

    Attributes:
        rules: the version of the rules that applies to it.
        later_policy: replaces the policy of the intake, if newer rules need keys that that one did not have.
        version: the number of events applied.
        digest: of its events (domain/digest.py); empty if it was stored before there were digests.
        partner_since: since when the partner has the ball without interruption; None while another party has it.
        freed_from: the settlements that billed it and were voided.
    """

    intake: Intake
    rules: int = 1
    later_policy: Policy | None = None
    partner: Assignee
    calendar: Calendar
    status: Status
    version: int = 0
    digest: str = ""
    changed_at: datetime | None = None
    partner_since: datetime | None = None
    placed_at: datetime | None = None
    released_at: datetime | None = None
    sending_since: datetime | None = None
    transmitted_at: datetime | None = None
    accepted_at: datetime | None = None
    reached_at: datetime | None = None
    appointment_from: datetime | None = None
    reported_at: datetime | None = None
    shipments: tuple[Shipment, ...] = ()
    kept: tuple[Notice, ...] = ()
    appointment: Appointment | None = None
    moves: int = 0
    executed_on: date | None = None
    settlement_id: str | None = None
    freed_from: tuple[str, ...] = ()
    deadlines: tuple[Deadline, ...] = ()

    def replace(self, **changes: Unpack[OrderChanges]) -> Self:
        """The order with other values for these fields."""
        return self.model_copy(update=changes)

    @property
    def sp_id(self) -> str:
        """Its SP-ID, which identifies it everywhere."""
        return self.intake.placement.sp_id

    @property
    def policy(self) -> Policy:
        """The policy pinned into the order."""
        return self.later_policy or self.intake.policy

    @property
    def shipment(self) -> Shipment | None:
        """The current attempt; None if no goods have been requested."""
        return self.shipments[-1] if self.shipments else None

    @property
    def open_deadlines(self) -> tuple[Deadline, ...]:
        """The deadlines that still run, the most urgent first."""
        return tuple(
            sorted((d for d in self.deadlines if d.is_open), key=lambda d: (d.due, d.kind))
        )
