"""The events of a service order: what has happened to it."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.actors import Actor
from domain.authors import RecordedEvent
from domain.calendar import Calendar
from domain.fields import FreeText
from domain.orders.codes import (
    ChecklistAnswer,
    ChecklistItem,
    Decision,
    DeclineReason,
    MovedBy,
    NotExecutedReason,
    ProblemReason,
    RejectionReason,
    UnassignReason,
)
from domain.orders.deadline_events import DeadlineMissed, DeadlinesStretched, Escalated, ReminderDue
from domain.orders.placement import Assignee
from domain.orders.shipment import Notice
from domain.policy import Policy
from domain.values import OPEN, Value


class Placed(Value):
    """The shop placed the order."""

    type: Literal["placed"] = "placed"
    prepaid: bool


class Paid(Value):
    """A prepaid order was paid. From now on it is like any other order."""

    type: Literal["paid"] = "paid"


class TransmissionStarted(Value):
    """The hold is over: the order is being sent to the partner."""

    type: Literal["transmission_started"] = "transmission_started"


class Transmitted(Value):
    """The partner has been sent the order and sees it from now on."""

    type: Literal["transmitted"] = "transmitted"
    partner_id: str


class PartnerNotified(Value):
    """The mail about the new order was handed to the mail server."""

    type: Literal["partner_notified"] = "partner_notified"


class OrderSeen(Value):
    """The partner looked at the order before it was notified of it."""

    type: Literal["order_seen"] = "order_seen"


class Declined(Value):
    """The partner declined the order. It has no partner now."""

    type: Literal["declined"] = "declined"
    reason: Annotated[DeclineReason, OPEN]
    note: FreeText


class Unassigned(Value):
    """The order was taken from its partner and has none now."""

    type: Literal["unassigned"] = "unassigned"
    reason: Annotated[UnassignReason, OPEN]


class Accepted(Value):
    """The partner accepted the order."""

    type: Literal["accepted"] = "accepted"


class ContactLogged(Value):
    """The partner tried to reach the customer."""

    type: Literal["contact_logged"] = "contact_logged"
    outcome: Literal["reached", "not_reached"]
    note: FreeText


class RequirementsConfirmed(Value):
    """The place is ready; the warehouse is asked to ship."""

    type: Literal["requirements_confirmed"] = "requirements_confirmed"
    checklist: dict[ChecklistItem, ChecklistAnswer]
    note: FreeText


class RequirementsRejected(Value):
    """The place is not ready: operations decide. Under the first rules the order is cancelled."""

    type: Literal["requirements_rejected"] = "requirements_rejected"
    reason: Annotated[RejectionReason, OPEN]
    note: FreeText


class NoticeKept(Value):
    """A notice of the warehouse came too early. It is kept until it can be applied."""

    type: Literal["notice_kept"] = "notice_kept"
    notice: Notice


class ShippingStarted(Value):
    """The goods are on their way."""

    type: Literal["goods_shipped"] = "goods_shipped"
    tracking: FreeText


class ShippingEnded(Value):
    """The goods arrived. `counts_from` is the instant from which the partner's deadline runs."""

    type: Literal["goods_received"] = "goods_received"
    received_at: datetime
    counts_from: datetime
    damaged: bool = False


class AppointmentSet(Value):
    """The appointment was set."""

    type: Literal["appointment_set"] = "appointment_set"
    start: datetime
    end: datetime
    unusual: bool = False


class AppointmentMoved(Value):
    """The appointment was moved. `moved_by`: who wanted it; empty under the first rules."""

    type: Literal["appointment_moved"] = "appointment_moved"
    start: datetime
    end: datetime
    reason: FreeText
    moved_by: Annotated[MovedBy, OPEN] | Literal[""] = ""
    unusual: bool = False


class ExecutionConfirmed(Value):
    """The service was done; `early`: before the day of its appointment."""

    type: Literal["execution_confirmed"] = "execution_confirmed"
    executed_on: date
    note: FreeText
    early: bool = False


class ExecutionTakenBack(Value):
    """The confirmation of the execution was taken back: by operations with a reason, or by the partner itself."""

    type: Literal["execution_taken_back"] = "execution_taken_back"
    reason: FreeText = ""


class NotExecuted(Value):
    """The service could not be done; operations decide."""

    type: Literal["not_executed"] = "not_executed"
    reason: Annotated[NotExecutedReason, OPEN]
    note: FreeText


class ProblemReported(Value):
    """The service cannot go on as planned; operations decide. `until`: to when the customer postpones it."""

    type: Literal["problem_reported"] = "problem_reported"
    reason: Annotated[ProblemReason, OPEN]
    note: FreeText
    until: date | None = None


class ProblemWithdrawn(Value):
    """The partner withdrew what it had reported: the order goes on where it was."""

    type: Literal["problem_withdrawn"] = "problem_withdrawn"


class ReviewDecided(Value):
    """Operations decided how it goes on. Only `accept_as_executed` has `executed_on`, only `wait_until` has `until`,
    and `held_until`, the instant at which the hold ends."""

    type: Literal["review_decided"] = "review_decided"
    decision: Decision
    note: FreeText
    executed_on: date | None = None
    until: date | None = None
    held_until: datetime | None = None


class HoldEnded(Value):
    """The order goes on where it was: the date has come, or somebody resumed it."""

    type: Literal["hold_ended"] = "hold_ended"


class GoodsUnexpected(Value):
    """The warehouse reported goods for an order that no longer needs any."""

    type: Literal["goods_unexpected"] = "goods_unexpected"
    notice: Notice


class Cancelled(Value):
    """The shop or operations ended the order."""

    type: Literal["cancelled"] = "cancelled"
    reason: FreeText


class Reassigned(Value):
    """The order was given to another partner, which starts from the beginning."""

    type: Literal["reassigned"] = "reassigned"
    from_partner_id: str
    partner: Assignee
    calendar: Calendar
    reason: FreeText


class Billed(Value):
    """A settlement claimed the order."""

    type: Literal["billed"] = "billed"
    settlement_id: str


class Released(Value):
    """The settlement that had billed the order was taken back: another one may bill it."""

    type: Literal["released"] = "released"
    settlement_id: str


class MailUndelivered(Value):
    """A mail was refused again and again, and was given up."""

    type: Literal["mail_undelivered"] = "mail_undelivered"
    key: str
    mail: str
    """Its kind; events of earlier releases add the audience: "reminder to partner"."""


class CommandRefused(Value):
    """A command that was sent as a signal was not allowed."""

    type: Literal["command_refused"] = "command_refused"
    action: str
    code: str
    sender: Actor


class CalendarRenewed(Value):
    """The pinned calendar was prolonged."""

    type: Literal["calendar_renewed"] = "calendar_renewed"
    calendar: Calendar


class RulesAdopted(Value):
    """Newer rules apply from now on. `policy`: its own, with the keys that the newer rules need, if there are any."""

    type: Literal["rules_adopted"] = "rules_adopted"
    version: int
    policy: Policy | None = None


class UnknownEvent(Value):
    """An event that only a newer process can read. It is kept as it came, shown as unknown, and never applied."""

    type: str


KnownEvent = Annotated[
    Placed
    | Paid
    | TransmissionStarted
    | Transmitted
    | PartnerNotified
    | OrderSeen
    | Declined
    | Unassigned
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
    | ExecutionTakenBack
    | NotExecuted
    | ProblemReported
    | ProblemWithdrawn
    | ReviewDecided
    | HoldEnded
    | GoodsUnexpected
    | DeadlinesStretched
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
    """An event of an order, with its number, instant and author.

    `person`: that of `Author`. In JSON it is left out without one, as in the events of former releases.
    """

    person: str | None = Field(default=None, exclude_if=lambda person: person is None)
    event: Event
