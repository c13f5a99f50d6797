"""The commands of a service order, who may give them, and in which state (docs/rules.md, "The life of an order")."""

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple, get_args

from pydantic import Field

from domain.actors import Role
from domain.calendar import Calendar
from domain.fields import Identifier, Instant, Note, Reason
from domain.orders.codes import Decision, NotExecutedReason, RejectionReason
from domain.orders.internal import InternalCommand
from domain.orders.order import Assignee, GoodsReceived, GoodsShipped, Status
from domain.policy import Policy
from domain.values import Value, mark


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

    Confirming asks the warehouse to ship; rejecting ends the order.
    """

    type: Literal["confirm_requirements"] = "confirm_requirements"
    checklist: dict[str, str] = Field(
        examples=[{"connections": "yes", "space": "yes", "passages": "not_applicable"}]
    )
    note: Note = ""


class RejectRequirements(Value):
    """The place is not ready: this ends the order."""

    type: Literal["reject_requirements"] = "reject_requirements"
    reason: RejectionReason = Field(examples=["no_connection"])
    note: Note = Field("", examples=["No tap in the laundry room."])


class SetAppointment(Value):
    """Set or move the appointment.

    Not before the goods are on their way. Moving an appointment needs a reason.
    """

    type: Literal["set_appointment"] = "set_appointment"
    start: Instant = Field(examples=["2026-11-09T08:00:00+01:00", "2026-11-11T13:00:00+01:00"])
    end: Instant = Field(examples=["2026-11-09T10:00:00+01:00", "2026-11-11T15:00:00+01:00"])
    reason: Note = Field("", examples=["", "The customer is away on Monday."])


class ConfirmExecution(Value):
    """Confirm the execution, or report that it was not possible.

    Confirming completes the order; what was not executed is reviewed by operations.
    """

    type: Literal["confirm_execution"] = "confirm_execution"
    executed_on: date | None = Field(None, examples=["2026-11-09"])
    note: Note = ""


class ReportNotExecuted(Value):
    """The service could not be done. With the reason `other` a note says why."""

    type: Literal["report_not_executed"] = "report_not_executed"
    reason: NotExecutedReason = Field(examples=["customer_absent"])
    note: Note = Field("", examples=["Rang twice."])


class DecideReview(Value):
    """Decide what happens to a service that was not executed.

    Only while the order is `under_review`.
    """

    type: Literal["decide_review"] = "decide_review"
    decision: Decision = Field(examples=["new_appointment"])
    note: Note = Field("", examples=["Rung up by us."])


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
    reason: Reason


class Bill(Value):
    """A settlement claims the completed order."""

    type: Literal["bill"] = "bill"
    settlement_id: Identifier


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
    | DecideReview
    | Cancel
    | Reassign
    | Bill
    | AdoptRules
    | PaymentReceived
    | GoodsShipped
    | GoodsReceived
)
Command = ExternalCommand | InternalCommand


class CommandRule(NamedTuple):
    """A command from outside: who may give it, how, and under which versions of the rules.

    Its API call (web/api/order_commands.py) and its form on the order's page (web/portal/orders/forms.py) are made from
    its fields. Its docstring and the examples of its fields describe the call.

    Attributes:
        roles: who may give it; the role that it is made for comes first. What a partner may do, operations may do on
            its behalf.
        label: the text of its button, in German.
        path: its API call is `POST /orders/{sp_id}/<path>`. None if it has no call, or one that is written by hand.
        when: the true-or-false field of the body that distinguishes commands of the same path, and its value for this
            one. The first of them describes the call.
        call: the name of the API call, if it is not that of the command.
        choices: the actions that it can choose, by their names in `ACTIONS` and `allowed`, with their labels. Empty for
            a command that is one action.
        in_any_state: whether states that do not list it may take it, too; `decide` says what it does there.
        since, until: the first and the last version of the rules that has it (domain/rules.py).
    """

    command: type[Value]
    roles: tuple[Role, ...]
    label: str = ""
    path: str | None = None
    when: tuple[str, bool] | None = None
    call: str | None = None
    choices: Mapping[str, str] = {}
    in_any_state: bool = False
    since: int = 1
    until: int | None = None

    @property
    def type(self) -> str:
        """The name of the command in messages."""
        name: str = self.command.model_fields["type"].default
        return name

    @property
    def actions(self) -> Mapping[str, str]:
        """Its actions by their names in `ACTIONS` and `allowed`, with their labels."""
        return self.choices or {self.type: self.label}

    @property
    def is_partners(self) -> bool:
        """Whether it is a partner's command, which operations may give on the partner's behalf."""
        return "partner" in self.roles

    @property
    def is_internal(self) -> bool:
        """Whether our own processes give it, and not a caller of API or pages."""
        return "system" in self.roles


_PARTNER: tuple[Role, ...] = ("partner", "operations")

COMMANDS: tuple[CommandRule, ...] = (
    CommandRule(
        PaymentReceived,
        ("shop",),
        mark("Zahlungseingang melden"),
        "payment-received",
        in_any_state=True,
    ),
    CommandRule(
        GoodsShipped,
        ("warehouse",),
        mark("Versand der Ware melden"),
        "goods-shipped",
        in_any_state=True,
    ),
    CommandRule(
        GoodsReceived,
        ("warehouse",),
        mark("Erhalt der Ware melden"),
        "goods-received",
        in_any_state=True,
    ),
    CommandRule(Cancel, ("shop", "operations"), mark("Auftrag stornieren"), "cancel"),
    CommandRule(Accept, _PARTNER, mark("Auftrag akzeptieren"), "accept"),
    CommandRule(LogContact, _PARTNER, mark("Kontaktversuch festhalten"), "contacts"),
    CommandRule(
        ConfirmRequirements,
        _PARTNER,
        mark("Anforderungen bestätigen"),
        "requirements",
        when=("met", True),
        call="check_requirements",
    ),
    CommandRule(
        RejectRequirements,
        _PARTNER,
        mark("Anforderungen nicht erfüllt melden"),
        "requirements",
        when=("met", False),
    ),
    CommandRule(SetAppointment, _PARTNER, mark("Kundentermin setzen"), "appointment"),
    CommandRule(
        ConfirmExecution,
        _PARTNER,
        mark("Ausführung bestätigen"),
        "execution",
        when=("executed", True),
        call="report_execution",
    ),
    CommandRule(
        ReportNotExecuted,
        _PARTNER,
        mark("Nicht ausgeführt melden"),
        "execution",
        when=("executed", False),
    ),
    CommandRule(
        DecideReview,
        ("operations",),
        path="review",
        call="review",
        choices={
            "new_appointment": mark("Neuen Kundentermin verlangen"),
            "reship": mark("Ware nochmals versenden"),
            "cancel": mark("Auftrag stornieren"),
            "accept_as_executed": mark("Als ausgeführt anerkennen"),
        },
    ),
    CommandRule(Reassign, ("operations",), mark("Anderem Servicepartner zuteilen")),
    CommandRule(Bill, ("system",), mark("Auftrag verrechnen"), in_any_state=True),
    CommandRule(
        AdoptRules, ("operations", "system"), mark("Auf neuere Regeln umstellen"), in_any_state=True
    ),
)
"""All commands from outside. Nothing else lists them."""

# The actions that each state allows, in the order in which they are shown (docs/rules.md, "The life of an order"). By
# version of the rules: a later version lists only the states that it changes or adds.
ACTIONS: dict[int, dict[Status, tuple[str, ...]]] = {
    1: {
        Status.AWAITING_PAYMENT: ("payment_received", "cancel"),
        Status.IN_TRANSMISSION: ("cancel",),
        Status.NEW: ("accept", "cancel", "reassign"),
        Status.CHECK_REQUIREMENTS: (
            "log_contact",
            "confirm_requirements",
            "reject_requirements",
            "cancel",
            "reassign",
        ),
        Status.REQUIREMENTS_MET: ("goods_shipped", "goods_received", "cancel"),
        Status.SET_APPOINTMENT: ("log_contact", "set_appointment", "cancel"),
        Status.CONFIRM_EXECUTION: (
            "confirm_execution",
            "set_appointment",
            "report_not_executed",
            "cancel",
        ),
        Status.UNDER_REVIEW: get_args(Decision),
        Status.COMPLETED: ("bill",),
        Status.BILLED: (),
        Status.CANCELLED: (),
    },
}


def action_of(command: Command) -> str:
    """The action that a command takes, as `allowed` lists it. Each decision of a review is an action of its own."""
    return command.decision if isinstance(command, DecideReview) else command.type
