"""What can be asked of a service order, and by whom (docs/rules.md, "The life of an order")."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from domain.actors import Actor
from domain.calendar import Calendar
from domain.fields import Identifier, Instant, Note, Reason
from domain.orders.order import Assignee, GoodsReceived, GoodsShipped
from domain.policy import Policy
from domain.values import Value

ChecklistItem = Literal["connections", "space", "passages", "kit", "wall"]
ChecklistAnswer = Literal["yes", "not_applicable"]
RejectionReason = Literal[
    "no_connection",
    "no_space",
    "passage_too_narrow",
    "missing_kit",
    "wall_unsuitable",
    "customer_withdrew",
    "customer_unreachable",
    "other",
]
NotExecutedReason = Literal[
    "transport_damage", "customer_absent", "site_not_ready", "wrong_goods", "other"
]
Decision = Literal["new_appointment", "reship", "cancel", "accept_as_executed"]


class PaymentReceived(Value):
    """The shop: the customer has paid."""

    type: Literal["payment_received"] = "payment_received"


class Accept(Value):
    """The partner takes the order on."""

    type: Literal["accept"] = "accept"


class LogContact(Value):
    """The partner tried to reach the customer."""

    type: Literal["log_contact"] = "log_contact"
    outcome: Literal["reached", "not_reached"]
    note: Note = ""


class ConfirmRequirements(Value):
    """The place is ready: each item of the order's checklist is answered."""

    type: Literal["confirm_requirements"] = "confirm_requirements"
    checklist: dict[str, str]
    note: Note = ""


class RejectRequirements(Value):
    """The place is not ready: this ends the order."""

    type: Literal["reject_requirements"] = "reject_requirements"
    reason: RejectionReason
    note: Note = ""


class SetAppointment(Value):
    """A date agreed with the customer, or another one in its place, and then with the reason."""

    type: Literal["set_appointment"] = "set_appointment"
    start: Instant
    end: Instant
    reason: Note = ""


class ConfirmExecution(Value):
    """The service was done; `executed_on` is the local day, today if it is not said."""

    type: Literal["confirm_execution"] = "confirm_execution"
    executed_on: date | None = None
    note: Note = ""


class ReportNotExecuted(Value):
    """The service could not be done."""

    type: Literal["report_not_executed"] = "report_not_executed"
    reason: NotExecutedReason
    note: Note = ""


class DecideReview(Value):
    """Operations say how it goes on after a service that was not executed."""

    type: Literal["decide_review"] = "decide_review"
    decision: Decision
    note: Note = ""


class Cancel(Value):
    """The shop or operations end the order before it is completed."""

    type: Literal["cancel"] = "cancel"
    reason: Reason


class Reassign(Value):
    """Operations hand the order to another partner, whose calendar comes with it."""

    type: Literal["reassign"] = "reassign"
    partner: Assignee
    calendar: Calendar
    reason: Reason


class Bill(Value):
    """A settlement claims the completed order."""

    type: Literal["bill"] = "bill"
    settlement_id: Identifier


class AdoptRules(Value):
    """The order goes on under newer rules. `policy` is today's: for keys that came with them it has the values."""

    type: Literal["adopt_rules"] = "adopt_rules"
    version: int
    policy: Policy


class PassTime(Value):
    """Nothing happened but time: what is due now?"""

    type: Literal["pass_time"] = "pass_time"


class ConfirmTransmission(Value):
    """The partner has been sent the order."""

    type: Literal["confirm_transmission"] = "confirm_transmission"


class NoteUndelivered(Value):
    """A mail was refused for so long that it was given up."""

    type: Literal["note_undelivered"] = "note_undelivered"
    key: str
    mail: str


class NoteRefusal(Value):
    """A command that came as a signal turned out not to be allowed; its sender is told."""

    type: Literal["note_refusal"] = "note_refusal"
    refused: str
    code: str
    sender: Actor


class RenewCalendar(Value):
    """The pinned calendar comes to its end while the order still lives."""

    type: Literal["renew_calendar"] = "renew_calendar"
    calendar: Calendar


PartnerCommand = (
    Accept
    | LogContact
    | ConfirmRequirements
    | RejectRequirements
    | SetAppointment
    | ConfirmExecution
    | ReportNotExecuted
)
ExternalCommand = (
    PartnerCommand
    | DecideReview
    | Cancel
    | Reassign
    | Bill
    | AdoptRules
    | PaymentReceived
    | GoodsShipped
    | GoodsReceived
)
InternalCommand = PassTime | ConfirmTransmission | NoteUndelivered | NoteRefusal | RenewCalendar
Command = ExternalCommand | InternalCommand


class Request(Value):
    """A command as it travels to an order's workflow: what, by whom, and the name under which it may come twice.

    `at` is when a command that could not be answered at once was safely received: it counts from then.
    """

    command: Annotated[ExternalCommand, Field(discriminator="type")]
    actor: Actor
    request_id: str
    at: Instant | None = None


def is_newer(error: Exception) -> bool:
    """Whether a `Request` could not be read because a newer process made it.

    Then all that is wrong with it is a command, or a code in it, that is not known here.
    """
    return isinstance(error, ValidationError) and all(
        each["type"] in ("union_tag_invalid", "literal_error") for each in error.errors()
    )


def action_of(command: Command) -> str:
    """The name of what a command does, as `allowed` lists it: a review's decision is an action of its own."""
    return command.decision if isinstance(command, DecideReview) else command.type
