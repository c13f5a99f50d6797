"""The commands of a service order. `command_rules.py` says who may give them, and in which state."""

from datetime import date
from typing import Literal

from pydantic import Field

from domain.calendar import Calendar
from domain.fields import Identifier, Instant, Note, Reason
from domain.orders.codes import (
    Decision,
    DeclineReason,
    MovedBy,
    NotExecutedReason,
    ProblemReason,
    RejectionReason,
)
from domain.orders.internal import InternalCommand
from domain.orders.placement import Assignee
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import Policy
from domain.values import Value


class PaymentReceived(Value):
    """A prepaid order was paid.

    A repetition has no effect.
    """

    type: Literal["payment_received"] = "payment_received"


class Accept(Value):
    """Accept an order.

    From `new` to `check_requirements`.
    """

    type: Literal["accept"] = "accept"


class LogContact(Value):
    """Log an attempt to reach the customer.

    The first that reached the customer ends the deadline `contact_customer`.
    """

    type: Literal["log_contact"] = "log_contact"
    outcome: Literal["reached", "not_reached"] = Field(examples=["reached", "not_reached"])
    note: Note = Field("", examples=["Second floor, lift.", ""])


class ConfirmRequirements(Value):
    """Confirm or reject the requirements.

    Confirming asks the warehouse to ship; what is rejected is reviewed by operations.
    """

    type: Literal["confirm_requirements"] = "confirm_requirements"
    checklist: dict[str, str] = Field(
        examples=[{"connections": "yes", "space": "yes", "passages": "not_applicable"}]
    )
    note: Note = ""


class RejectRequirements(Value):
    """The place is not ready; operations decide. Under the first rules this ends the order."""

    type: Literal["reject_requirements"] = "reject_requirements"
    reason: RejectionReason = Field(examples=["no_connection"])
    note: Note = Field("", examples=["No tap in the laundry room."])


class SetAppointment(Value):
    """Set or move the appointment.

    Not before the goods are on their way. Moving an appointment needs a reason, and says who wanted it. An appointment
    outside the usual times is refused, unless it is said to be `unusual`.
    """

    type: Literal["set_appointment"] = "set_appointment"
    start: Instant = Field(examples=["2026-11-09T08:00:00+01:00", "2026-11-11T13:00:00+01:00"])
    end: Instant = Field(examples=["2026-11-09T10:00:00+01:00", "2026-11-11T15:00:00+01:00"])
    reason: Note = Field("", examples=["", "The customer is away on Monday."])
    moved_by: MovedBy = Field("partner", examples=["customer"])
    unusual: bool = False


class ConfirmExecution(Value):
    """Confirm the execution, or report that it was not possible.

    Confirming completes the order; what was not executed is reviewed by operations. The day of execution is not before
    that of the appointment, unless the service was done `early`.
    """

    type: Literal["confirm_execution"] = "confirm_execution"
    executed_on: date | None = Field(None, examples=["2026-11-09"])
    note: Note = ""
    early: bool = False


class ReportNotExecuted(Value):
    """The service could not be done. With the reason `other` a note says why."""

    type: Literal["report_not_executed"] = "report_not_executed"
    reason: NotExecutedReason = Field(examples=["customer_absent"])
    note: Note = Field("", examples=["Rang twice."])


class ReportProblem(Value):
    """Report that the service cannot go on as planned.

    Operations decide how it goes on. With the reason `other` a note says why; `customer_postpones` needs a date,
    `until`.
    """

    type: Literal["report_problem"] = "report_problem"
    reason: ProblemReason = Field(examples=["site_not_ready"])
    note: Note = Field("", examples=["The tiler is not done."])
    until: date | None = None


class WithdrawProblem(Value):
    """Withdraw a problem that has been reported, as long as operations have not decided."""

    type: Literal["withdraw_problem"] = "withdraw_problem"


class Decline(Value):
    """Decline a new order. Operations give it to another partner."""

    type: Literal["decline"] = "decline"
    reason: DeclineReason = Field(examples=["no_capacity"])
    note: Note = ""


class Resume(Value):
    """Go on with an order that is on hold, before the hold ends by itself."""

    type: Literal["resume"] = "resume"


class Reopen(Value):
    """Take back the completion of an order that has not been billed."""

    type: Literal["reopen"] = "reopen"
    reason: Reason = Field(examples=["Confirmed by mistake."])


class Undo(Value):
    """Take back one's own confirmation of the execution, within the time of the policy."""

    type: Literal["undo"] = "undo"


class DecideReview(Value):
    """Decide how the order goes on.

    Only while it is `under_review`. `wait_until` needs a date, `until`.
    """

    type: Literal["decide_review"] = "decide_review"
    decision: Decision = Field(examples=["new_appointment"])
    note: Note = Field("", examples=["Rung up by us."])
    until: date | None = None


class Cancel(Value):
    """Cancel an order.

    In every state before `completed`.
    """

    type: Literal["cancel"] = "cancel"
    reason: Reason = Field(examples=["The customer withdrew from the purchase."])


class Reassign(Value):
    """Operations hand the order to another partner, whose calendar comes with it."""

    type: Literal["reassign"] = "reassign"
    partner: Assignee
    calendar: Calendar
    reason: Note


class Bill(Value):
    """A settlement claims the completed order."""

    type: Literal["bill"] = "bill"
    settlement_id: Identifier


class Unassign(Value):
    """Take the order from its partner, which works for the retailer no longer. Nothing happens if it has another."""

    type: Literal["unassign"] = "unassign"
    partner_id: Identifier


class NoteSeen(Value):
    """The partner looked at a new order before it was notified of it."""

    type: Literal["note_seen"] = "note_seen"
    partner_id: Identifier


class StretchDeadlines(Value):
    """CMI was down from `begin` to `end`, and partners could not do their work."""

    type: Literal["stretch_deadlines"] = "stretch_deadlines"
    begin: Instant
    end: Instant


class AdoptRules(Value):
    """The order goes on under newer rules. `policy`: today's, for the values of keys that the newer rules need."""

    type: Literal["adopt_rules"] = "adopt_rules"
    version: int
    policy: Policy


ExternalCommand = (
    Accept
    | LogContact
    | ConfirmRequirements
    | RejectRequirements
    | SetAppointment
    | ConfirmExecution
    | ReportNotExecuted
    | ReportProblem
    | WithdrawProblem
    | Decline
    | Resume
    | Reopen
    | Undo
    | DecideReview
    | Cancel
    | Reassign
    | Unassign
    | NoteSeen
    | StretchDeadlines
    | Bill
    | AdoptRules
    | PaymentReceived
    | GoodsShipped
    | GoodsReceived
)
Command = ExternalCommand | InternalCommand


def action_of(command: Command) -> str:
    """The action that a command takes, as `allowed` lists it. Each decision of a review is an action of its own."""
    return command.decision if isinstance(command, DecideReview) else command.type
