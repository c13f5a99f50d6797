"""The service order: what is placed, what is pinned into it, and its state at any moment."""

from datetime import date, datetime
from typing import Literal, Self, TypedDict, Unpack

from domain.calendar import Calendar
from domain.orders.deadline import Deadline
from domain.orders.placement import Assignee, Intake
from domain.orders.shipment import Notice, Shipment
from domain.policy import Policy
from domain.values import OpenEnum, Value


class Status(OpenEnum):
    """The states of an order. A state that only a newer process knows is not final and allows no action."""

    AWAITING_PAYMENT = "awaiting_payment"
    IN_TRANSMISSION = "in_transmission"
    NEW = "new"
    UNASSIGNED = "unassigned"
    CHECK_REQUIREMENTS = "check_requirements"
    REQUIREMENTS_MET = "requirements_met"
    SET_APPOINTMENT = "set_appointment"
    CONFIRM_EXECUTION = "confirm_execution"
    UNDER_REVIEW = "under_review"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    BILLED = "billed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no action is allowed any more."""
        return self in (Status.BILLED, Status.CANCELLED)


Party = Literal["partner", "customer", "warehouse", "retailer"]


class Appointment(Value):
    """The date agreed with the customer. `sequence` counts how often it was moved, for calendars (RFC 5545).

    `unusual`: it is outside the usual times, and both sides know it.
    """

    start: datetime
    end: datetime
    sequence: int = 0
    unusual: bool = False


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
    ended_at: datetime | None
    partner_since: datetime | None
    placed_at: datetime | None
    released_at: datetime | None
    sending_since: datetime | None
    transmitted_at: datetime | None
    accepted_at: datetime | None
    reached_at: datetime | None
    appointment_from: datetime | None
    reported_at: datetime | None
    reassigned_at: datetime | None
    notified_at: datetime | None
    seen_at: datetime | None
    unassigned_at: datetime | None
    attempts: tuple[datetime, ...]
    resume_status: Status | None
    resumed_at: datetime | None
    held_until: datetime | None
    review_reason: str
    undo_until: datetime | None
    shipments: tuple[Shipment, ...]
    kept: tuple[Notice, ...]
    appointment: Appointment | None
    moves: int
    partner_moves: int
    executed_on: date | None
    settlement_id: str | None
    freed_from: tuple[str, ...]
    deadlines: tuple[Deadline, ...]
    outages: tuple[tuple[datetime, datetime], ...]


class Order(Value):
    """A service order at one moment: the fold of its events.

    Attributes:
        rules: the version of the rules that applies to it.
        later_policy: replaces the policy of the intake, if newer rules need keys that it did not have.
        version: the number of events applied.
        digest: of its events (domain/digest.py); empty if it was stored before there were digests.
        ended_at: when it was billed or cancelled; None before, and in what an older release stored (`end`).
        partner: who has the order; while it is `unassigned`, who had it last.
        partner_since: since when the partner has the ball without interruption; None while another party has it.
        transmitted_at: since when its partner sees it; None while it does not.
        notified_at: when the mail about the new order was handed to the mail server.
        seen_at: when the partner first acted on the order, or looked at it before the mail was out.
        attempts: when the partner tried to reach the customer in vain.
        resume_status: the state that a review or a hold has interrupted.
        resumed_at: when the last review or hold ended and the order continued where it was.
        held_until: when a hold ends by itself.
        review_reason: the reason of the review, a code; empty outside a review.
        undo_until: until when the partner may take back its confirmation of the execution.
        partner_moves: how often this partner moved the appointment for a reason of its own.
        freed_from: the settlements that billed it and were voided.
        outages: when CMI was down, if that put off a deadline.
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
    ended_at: datetime | None = None
    partner_since: datetime | None = None
    placed_at: datetime | None = None
    released_at: datetime | None = None
    sending_since: datetime | None = None
    transmitted_at: datetime | None = None
    accepted_at: datetime | None = None
    reached_at: datetime | None = None
    appointment_from: datetime | None = None
    reported_at: datetime | None = None
    reassigned_at: datetime | None = None
    notified_at: datetime | None = None
    seen_at: datetime | None = None
    unassigned_at: datetime | None = None
    attempts: tuple[datetime, ...] = ()
    resume_status: Status | None = None
    resumed_at: datetime | None = None
    held_until: datetime | None = None
    review_reason: str = ""
    undo_until: datetime | None = None
    shipments: tuple[Shipment, ...] = ()
    kept: tuple[Notice, ...] = ()
    appointment: Appointment | None = None
    moves: int = 0
    partner_moves: int = 0
    executed_on: date | None = None
    settlement_id: str | None = None
    freed_from: tuple[str, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    outages: tuple[tuple[datetime, datetime], ...] = ()

    def replace(self, **changes: Unpack[OrderChanges]) -> Self:
        """The order with other values for these fields."""
        return self.model_copy(update=changes)

    @property
    def end(self) -> datetime | None:
        """When it was billed or cancelled; None before. Without `ended_at` its last change stands in for it."""
        return (self.ended_at or self.changed_at) if self.status.is_final else None

    @property
    def sp_id(self) -> str:
        """Its SP-ID, which identifies it everywhere."""
        return self.intake.placement.sp_id

    @property
    def policy(self) -> Policy:
        """The policy pinned into the order."""
        return self.later_policy or self.intake.policy

    @property
    def awaits_payment(self) -> bool:
        """Whether it is prepaid and not paid yet. It may have lost its partner meanwhile."""
        return self.status is Status.AWAITING_PAYMENT or (
            self.status is Status.UNASSIGNED and self.released_at is None
        )

    @property
    def noticed_at(self) -> datetime | None:
        """Since when the partner knows of the order: by the mail, or because it looked at it before."""
        return min((at for at in (self.notified_at, self.seen_at) if at), default=None)

    def age(self, now: datetime) -> int | None:
        """The days since it was placed, by the partner's calendar; None before it is placed."""
        if self.placed_at is None:
            return None
        local = self.calendar.local
        return (local(now).date() - local(self.placed_at).date()).days

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
