"""Who may give which command to a service order, and in which state (docs/rules.md, "The life of an order")."""

from collections.abc import Mapping
from typing import NamedTuple

from domain.actors import Role
from domain.orders.commands import (
    Accept,
    AdoptRules,
    Bill,
    Cancel,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    Decline,
    LogContact,
    NoteSeen,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    Reopen,
    ReportNotExecuted,
    ReportProblem,
    Resume,
    SetAppointment,
    StretchDeadlines,
    Unassign,
    Undo,
    WithdrawProblem,
)
from domain.orders.order import Status
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.values import Value, mark


class CommandRule(NamedTuple):
    """A command from outside: who may give it, how, and under which versions of the rules.

    Its API call (web/api/order_commands.py) and its form on the order's page (web/portal/orders/forms.py) are made from
    its fields. Its docstring and the examples of its fields describe the call.

    Attributes:
        roles: who may give it; the role that it is made for comes first. What a partner may do, operations may do on
            its behalf.
        label: the text of its button, in German.
        path: its API call is `POST /orders/{sp_id}/<path>`. None if it has no call, or one that is written by hand.
        method: the method of its API call, if it is not POST.
        when: the true-or-false field of the body that distinguishes commands of the same path, and its value for this
            one. The first of them describes the call.
        call: the name of the API call, if it is not that of the command.
        choices: the actions that it can choose, by their names in `ACTIONS` and `allowed`, with their labels. Empty for
            a command that is one action.
        in_any_state: the roles that may give it in states that do not list it, too; `decide` says what it does there.
        since, until: the first and the last version of the rules that has it (domain/rules.py).
    """

    command: type[Value]
    roles: tuple[Role, ...]
    label: str = ""
    path: str | None = None
    method: str = "POST"
    when: tuple[str, bool] | None = None
    call: str | None = None
    choices: Mapping[str, str] = {}
    in_any_state: tuple[Role, ...] = ()
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
_DECISIONS = {
    "new_appointment": mark("Neuen Kundentermin verlangen"),
    "reship": mark("Ware nochmals versenden"),
    "cancel": mark("Auftrag stornieren"),
    "accept_as_executed": mark("Als ausgeführt anerkennen"),
}

COMMANDS: tuple[CommandRule, ...] = (
    CommandRule(
        PaymentReceived,
        ("shop",),
        mark("Zahlungseingang melden"),
        "payment-received",
        in_any_state=("shop",),
    ),
    CommandRule(
        GoodsShipped,
        ("warehouse",),
        mark("Versand der Ware melden"),
        "goods-shipped",
        in_any_state=("warehouse",),
    ),
    CommandRule(
        GoodsReceived,
        ("warehouse",),
        mark("Erhalt der Ware melden"),
        "goods-received",
        in_any_state=("warehouse",),
        until=1,
    ),
    CommandRule(
        GoodsReceived,
        ("warehouse", *_PARTNER),
        mark("Erhalt der Ware melden"),
        "goods-received",
        in_any_state=("warehouse",),
        since=2,
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
    CommandRule(Decline, _PARTNER, mark("Auftrag ablehnen"), "decline", since=2),
    CommandRule(ReportProblem, _PARTNER, mark("Problem melden"), "problem", since=2),
    CommandRule(
        WithdrawProblem,
        _PARTNER,
        mark("Meldung zurückziehen"),
        "problem",
        method="DELETE",
        since=2,
    ),
    CommandRule(Resume, _PARTNER, mark("Auftrag fortsetzen"), "resume", since=2),
    CommandRule(Undo, _PARTNER, mark("Bestätigung zurücknehmen"), "undo", since=2),
    CommandRule(Reopen, ("operations",), mark("Abschluss zurücknehmen"), "reopen", since=2),
    CommandRule(DecideReview, ("operations",), choices=_DECISIONS, until=1),
    CommandRule(
        DecideReview,
        ("operations",),
        choices={
            **_DECISIONS,
            "continue": mark("Wie geplant weiterfahren"),
            "wait_until": mark("Zurückstellen bis zu einem Datum"),
        },
        since=2,
    ),
    CommandRule(Reassign, ("operations",), mark("Anderem Servicepartner zuteilen")),
    CommandRule(
        Unassign,
        ("operations", "system"),
        mark("Servicepartner entziehen"),
        in_any_state=("operations", "system"),
        since=2,
    ),
    CommandRule(
        NoteSeen, ("system",), mark("Einsicht vermerken"), in_any_state=("system",), since=2
    ),
    CommandRule(
        StretchDeadlines,
        ("system",),
        mark("Fristen verlängern"),
        in_any_state=("system",),
        since=2,
    ),
    CommandRule(Bill, ("system",), mark("Auftrag verrechnen"), in_any_state=("system",)),
    CommandRule(
        AdoptRules,
        ("operations", "system"),
        mark("Auf neuere Regeln umstellen"),
        in_any_state=("operations", "system"),
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
        Status.UNDER_REVIEW: ("new_appointment", "reship", "cancel", "accept_as_executed"),
        Status.COMPLETED: ("bill",),
        Status.BILLED: (),
        Status.CANCELLED: (),
    },
    2: {
        Status.AWAITING_PAYMENT: ("payment_received", "cancel", "reassign"),
        Status.IN_TRANSMISSION: ("cancel", "reassign"),
        Status.NEW: ("accept", "decline", "cancel", "reassign"),
        Status.UNASSIGNED: ("reassign", "cancel"),
        Status.CHECK_REQUIREMENTS: (
            "log_contact",
            "confirm_requirements",
            "reject_requirements",
            "report_problem",
            "cancel",
            "reassign",
        ),
        Status.REQUIREMENTS_MET: (
            "goods_shipped",
            "goods_received",
            "log_contact",
            "report_problem",
            "cancel",
            "reassign",
        ),
        Status.SET_APPOINTMENT: (
            "log_contact",
            "set_appointment",
            "goods_received",
            "report_problem",
            "cancel",
            "reassign",
        ),
        Status.CONFIRM_EXECUTION: (
            "confirm_execution",
            "set_appointment",
            "log_contact",
            "goods_received",
            "report_problem",
            "report_not_executed",
            "cancel",
            "reassign",
        ),
        Status.UNDER_REVIEW: (
            "continue",
            "new_appointment",
            "reship",
            "wait_until",
            "reassign",
            "cancel",
            "accept_as_executed",
            "withdraw_problem",
        ),
        Status.ON_HOLD: ("resume", "log_contact", "report_problem", "cancel", "reassign"),
        Status.COMPLETED: ("bill", "reopen", "undo"),
    },
}
