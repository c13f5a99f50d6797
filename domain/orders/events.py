"""What happened to a service order: facts, in the past, that no rule questions any more."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.actors import Actor
from domain.authors import RecordedEvent
from domain.calendar import Calendar
from domain.orders.codes import (
    ChecklistAnswer,
    ChecklistItem,
    Decision,
    NotExecutedReason,
    RejectionReason,
)
from domain.orders.order import Assignee, DeadlineKind, Notice
from domain.policy import Policy
from domain.values import OPEN, Value


class Placed(Value):
    """The shop placed the order."""

    type: Literal["placed"] = "placed"
    prepaid: bool


class Paid(Value):
    """A prepaid order was paid: from here on it goes the way of the others."""

    type: Literal["paid"] = "paid"


class TransmissionStarted(Value):
    """The hold is over: the order is being sent to the partner."""

    type: Literal["transmission_started"] = "transmission_started"


class Transmitted(Value):
    """The partner has been sent the order and sees it from now on."""

    type: Literal["transmitted"] = "transmitted"
    partner_id: str


class Accepted(Value):
    """The partner took the order on."""

    type: Literal["accepted"] = "accepted"


class ContactLogged(Value):
    """The partner tried to reach the customer."""

    type: Literal["contact_logged"] = "contact_logged"
    outcome: Literal["reached", "not_reached"]
    note: str


class RequirementsConfirmed(Value):
    """The place is ready; the warehouse is asked to ship."""

    type: Literal["requirements_confirmed"] = "requirements_confirmed"
    checklist: dict[ChecklistItem, ChecklistAnswer]
    note: str


class RequirementsRejected(Value):
    """The place is not ready: the order is cancelled."""

    type: Literal["requirements_rejected"] = "requirements_rejected"
    reason: Annotated[RejectionReason, OPEN]
    note: str


class NoticeKept(Value):
    """A shipping event came too early; it is kept until it fits."""

    type: Literal["notice_kept"] = "notice_kept"
    notice: Notice


class ShippingStarted(Value):
    """The goods are on their way."""

    type: Literal["goods_shipped"] = "goods_shipped"
    tracking: str


class ShippingEnded(Value):
    """The goods arrived. `counts_from` is the instant from which the partner's deadline runs."""

    type: Literal["goods_received"] = "goods_received"
    received_at: datetime
    counts_from: datetime


class AppointmentSet(Value):
    """A date stands."""

    type: Literal["appointment_set"] = "appointment_set"
    start: datetime
    end: datetime


class AppointmentMoved(Value):
    """Another date stands in its place."""

    type: Literal["appointment_moved"] = "appointment_moved"
    start: datetime
    end: datetime
    reason: str


class ExecutionConfirmed(Value):
    """The service was done."""

    type: Literal["execution_confirmed"] = "execution_confirmed"
    executed_on: date
    note: str


class NotExecuted(Value):
    """The service could not be done; operations decide."""

    type: Literal["not_executed"] = "not_executed"
    reason: Annotated[NotExecutedReason, OPEN]
    note: str


class ReviewDecided(Value):
    """Operations decided how it goes on. `executed_on` stands with `accept_as_executed` alone."""

    type: Literal["review_decided"] = "review_decided"
    decision: Decision
    note: str
    executed_on: date | None = None


class Cancelled(Value):
    """The shop or operations ended the order."""

    type: Literal["cancelled"] = "cancelled"
    reason: str


class Reassigned(Value):
    """Another partner has it now, from the start."""

    type: Literal["reassigned"] = "reassigned"
    from_partner_id: str
    partner: Assignee
    calendar: Calendar
    reason: str


class Billed(Value):
    """A settlement claimed the order."""

    type: Literal["billed"] = "billed"
    settlement_id: str


class Released(Value):
    """The settlement that had billed the order was taken back: another one may bill it."""

    type: Literal["released"] = "released"
    settlement_id: str


class ReminderDue(Value):
    """A deadline comes near: the partner is reminded."""

    type: Literal["reminder"] = "reminder"
    kind: DeadlineKind
    due: datetime


class DeadlineMissed(Value):
    """A deadline has passed. The order goes on."""

    type: Literal["deadline_missed"] = "deadline_missed"
    kind: DeadlineKind
    due: datetime


class Escalated(Value):
    """A missed deadline is written about: level 1 on the deadline, then once for each repetition."""

    type: Literal["escalation"] = "escalation"
    kind: DeadlineKind
    due: datetime
    level: int


class MailUndelivered(Value):
    """A mail was refused until it was given up."""

    type: Literal["mail_undelivered"] = "mail_undelivered"
    key: str
    mail: str
    """Its kind; events of former versions add the audience: "reminder to partner"."""


class CommandRefused(Value):
    """A command that was left as a signal turned out not to be allowed."""

    type: Literal["command_refused"] = "command_refused"
    action: str
    code: str
    sender: Actor


class CalendarRenewed(Value):
    """The pinned calendar was prolonged."""

    type: Literal["calendar_renewed"] = "calendar_renewed"
    calendar: Calendar


class RulesAdopted(Value):
    """From here on newer rules hold for the order. `policy`: its own with the keys that came with them, if any did."""

    type: Literal["rules_adopted"] = "rules_adopted"
    version: int
    policy: Policy | None = None


class UnknownEvent(Value):
    """An event that only a newer process can read, as it came: it is shown as such, kept, and never applied."""

    type: str


KnownEvent = Annotated[
    Placed
    | Paid
    | TransmissionStarted
    | Transmitted
    | Accepted
    | ContactLogged
    | RequirementsConfirmed
    | RequirementsRejected
    | NoticeKept
    | ShippingStarted
    | ShippingEnded
    | AppointmentSet
    | AppointmentMoved
    | ExecutionConfirmed
    | NotExecuted
    | ReviewDecided
    | Cancelled
    | Reassigned
    | Billed
    | Released
    | ReminderDue
    | DeadlineMissed
    | Escalated
    | MailUndelivered
    | CommandRefused
    | CalendarRenewed
    | RulesAdopted,
    Field(discriminator="type"),
]
Event = Annotated[KnownEvent | UnknownEvent, Field(union_mode="left_to_right")]


class Recorded(RecordedEvent):
    """An event in its place in the order's life."""

    event: Event
