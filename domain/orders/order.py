"""The service order: what is placed, what is pinned into it, and what is known of it at any moment."""

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
    """The states of an order. One that only a newer process knows is not final, and allows nothing."""

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
        """Whether nothing can follow."""
        return self in (Status.BILLED, Status.CANCELLED)


Party = Literal["partner", "customer", "warehouse", "retailer"]


class Customer(Value):
    """To whom the partner goes. Personal data: it appears in no summary, search attribute, workflow id or log."""

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
    """What an order must know of its partner. Addresses are looked up when a mail goes out."""

    partner_id: Identifier
    name: TextLine
    canton: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    language: Language


class Intake(Value):
    """All an order starts with: the placement, and what is pinned into it.

    `rules` is the version of the rules that it is placed under (domain/rules.py).
    """

    placement: Placement
    partner: Assignee
    policy: Policy
    calendar: Calendar
    rules: int = 1


DeadlineKind = str
"""A kind of deadline. `deadlines.RULES` lists them; a stored one may be of a newer release and another kind."""
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

    `void` is what ended before it was due without having been met: the order was cancelled, reassigned, the
    appointment moved, newer rules do not know it. Missed stays missed, however it ends. `excused_until`: the partner
    had the ball only some time after it started, and missing it until then is not the partner's fault
    (`punctuality`). `adopted`: newer rules brought the deadline when its matter had begun already; the time runs
    from then. `span` is the time that was given; deadlines opened by the first releases do not have it.
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
    """A service order at one moment: the fold of its events. `version` is the number of events applied.

    `partner_since`: since when, without interruption, it is the partner's turn; none while it is somebody else's.
    `freed_from`: settlements that billed it and were taken back. `digest`: of its events (domain/digest.py); empty in
    an order that was stored before there were digests. `rules` is the version of the rules that holds for it;
    `later_policy` replaces the policy of its start if newer rules brought keys which that one did not have.
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
        """The order's only name everywhere."""
        return self.intake.placement.sp_id

    @property
    def policy(self) -> Policy:
        """The policy pinned into the order."""
        return self.later_policy or self.intake.policy

    @property
    def shipment(self) -> Shipment | None:
        """The attempt that counts now."""
        return self.shipments[-1] if self.shipments else None

    @property
    def open_deadlines(self) -> tuple[Deadline, ...]:
        """Those that still run, the most urgent first."""
        return tuple(
            sorted((d for d in self.deadlines if d.is_open), key=lambda d: (d.due, d.kind))
        )
