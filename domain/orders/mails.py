"""The mails about an order that its workflow sends: which event causes each, and to whom it goes (docs/mail.md)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from domain.orders.deadline import DeadlineKind
from domain.orders.deadline_events import Escalated, ReminderDue
from domain.orders.deadline_rules import owner_of
from domain.orders.deadlines import ends_assignment
from domain.orders.events import (
    AppointmentMoved,
    Cancelled,
    CommandRefused,
    Declined,
    ExecutionTakenBack,
    GoodsUnexpected,
    HoldEnded,
    NotExecuted,
    ProblemReported,
    ProblemWithdrawn,
    Reassigned,
    Recorded,
    RequirementsRejected,
    ReviewDecided,
    ShippingEnded,
    ShippingStarted,
    TransmissionStarted,
    Transmitted,
    Unassigned,
)
from domain.orders.order import Order, Status
from domain.orders.outgoing import Audience, MailKind
from domain.values import Value, mark


class Cause(NamedTuple):
    """An event that a mail may follow from, with the order before and after it."""

    before: Order
    recorded: Recorded
    after: Order

    @property
    def event(self) -> Any:
        """What happened."""
        return self.recorded.event


class MailRule(NamedTuple):
    """A mail: its kind, its audience, the event that causes it, and the rules under which it is sent.

    Its text is `templates/mail/<kind>.<audience>.txt`.

    Attributes:
        name: the name of the kind, in German; only the first rule of a kind has it.
        when: a further condition on the event and the order.
        about: the deadline that it mentions, if that is open.
        facts: the fields of the event that the mail takes, by their names in `MailFacts`.
        to_former: whether it is sent to the partner that had the order before the event.
        discreet: whether it names neither the customer nor the firm that has the order now.
        since, until: the versions of the rules under which it is sent (domain/rules.py).
    """

    kind: MailKind
    audience: Audience
    cause: type[Value]
    name: str = ""
    when: Callable[[Cause], bool] = lambda cause: True
    about: Callable[[Cause], DeadlineKind | None] = lambda cause: None
    facts: tuple[str, ...] = ()
    to_former: bool = False
    discreet: Callable[[Cause], bool] = lambda cause: False
    since: int = 1
    until: int | None = None


def _first_step(cause: Cause) -> DeadlineKind:
    """The first deadline of a partner that has just been given the order."""
    if cause.after.status is Status.NEW:
        return "accept"
    return _next_step(cause) if cause.after.rules >= 2 else "check_requirements"


def _next_step(cause: Cause) -> DeadlineKind:
    """The partner's next deadline: its kind has the name of the order's state, if that state has a deadline."""
    return cause.after.status.value


def _deadline_of_event(cause: Cause) -> DeadlineKind:
    """The deadline that the event is about."""
    kind: DeadlineKind = cause.event.kind
    return kind


def _after_decision(cause: Cause) -> DeadlineKind | None:
    return _next_step(cause) if cause.event.decision in ("new_appointment", "continue") else None


def _of_others(cause: Cause) -> bool:
    """Whether somebody other than the partner did it. The partner gets no mail about its own deeds."""
    return not cause.recorded.by.startswith("partner:")


def _reported_by_partner(cause: Cause) -> bool:
    """Whether the partner reported the receipt, and not the warehouse before the partner asked for the goods."""
    shipment = cause.before.shipment
    kept = shipment is not None and shipment.requested_at == cause.recorded.at
    return not kept and not _of_others(cause)


def _takes_the_order(cause: Cause) -> bool:
    """Whether the partner loses the order with this escalation: the mail about that replaces it."""
    return ends_assignment(cause.after, cause.event.kind, cause.event.level)


MAILS: tuple[MailRule, ...] = (
    MailRule("new_order", "partner", TransmissionStarted, name=mark("Neuer Auftrag"), until=1),
    MailRule(
        "new_order",
        "partner",
        Transmitted,
        when=lambda c: c.before.sending_since == c.recorded.at,  # its hold ends now
        about=_first_step,
        since=2,
    ),
    MailRule(
        "goods_shipped",
        "partner",
        ShippingStarted,
        name=mark("Ware unterwegs"),
        when=lambda c: c.before.status is Status.REQUIREMENTS_MET,  # the first parcel
        facts=("tracking",),
    ),
    MailRule(
        "goods_received",
        "partner",
        ShippingEnded,
        name=mark("Ware eingetroffen"),
        when=lambda c: c.after.status is Status.SET_APPOINTMENT and not _reported_by_partner(c),
        about=lambda c: "set_appointment",
    ),
    MailRule(
        "cancelled",
        "partner",
        Cancelled,
        name=mark("Auftrag storniert"),
        when=lambda c: c.after.transmitted_at is not None,
        facts=("reason",),
    ),
    MailRule(
        "cancelled",
        "partner",
        Transmitted,
        # Cancelled while its first mail was being sent: the partner must be told of the cancellation, too.
        when=lambda c: c.after.status is Status.CANCELLED,
        until=1,
    ),
    MailRule(
        "reassigned",
        "partner",
        Reassigned,
        name=mark("Auftrag anders zugeteilt"),
        when=lambda c: c.before.transmitted_at is not None,
        to_former=True,
        discreet=lambda c: True,
    ),
    MailRule(
        "new_order",
        "partner",
        Reassigned,
        when=lambda c: c.after.transmitted_at is not None,
        about=_first_step,
    ),
    MailRule(
        "withdrawn",
        "partner",
        Unassigned,
        name=mark("Auftrag entzogen"),
        when=lambda c: c.before.transmitted_at is not None,
        to_former=True,
        discreet=lambda c: True,
        facts=("reason",),
        since=2,
    ),
    MailRule(
        "unassigned",
        "operations",
        Declined,
        name=mark("Auftrag ohne Servicepartner"),
        about=lambda c: "assign",
        facts=("reason", "note"),
        since=2,
    ),
    MailRule(
        "unassigned",
        "operations",
        Unassigned,
        about=lambda c: "assign",
        facts=("reason",),
        since=2,
    ),
    MailRule("reminder", "partner", ReminderDue, name=mark("Erinnerung"), about=_deadline_of_event),
    MailRule(
        "escalation",
        "partner",
        Escalated,
        name=mark("Verpasste Frist"),
        when=lambda c: owner_of(c.event.kind) == "partner" and not _takes_the_order(c),
        about=_deadline_of_event,
        facts=("level",),
    ),
    MailRule(
        "escalation",
        "operations",
        Escalated,
        when=lambda c: c.event.kind != "transmit" and not _takes_the_order(c),
        about=_deadline_of_event,
        facts=("level",),
    ),
    MailRule(
        "transmission_failed",
        "operations",
        Escalated,
        name=mark("Übermittlung fehlgeschlagen"),
        when=lambda c: c.event.kind == "transmit",
        about=_deadline_of_event,
        facts=("level",),
    ),
    MailRule(
        "review_needed",
        "operations",
        NotExecuted,
        name=mark("Abklärung nötig"),
        about=lambda c: "review",
        facts=("reason", "note"),
    ),
    MailRule(
        "review_needed",
        "operations",
        RequirementsRejected,
        about=lambda c: "review",
        facts=("reason", "note"),
        since=2,
    ),
    MailRule(
        "review_needed",
        "operations",
        ProblemReported,
        about=lambda c: "review",
        facts=("reason", "note", "until"),
        since=2,
    ),
    MailRule(
        "problem_withdrawn",
        "operations",
        ProblemWithdrawn,
        name=mark("Meldung zurückgezogen"),
        since=2,
    ),
    MailRule(
        "moved_again",
        "operations",
        AppointmentMoved,
        name=mark("Termin erneut verschoben"),
        when=lambda c: c.event.moved_by == "partner" and c.after.partner_moves >= 2,
        facts=("reason",),
        since=2,
    ),
    MailRule(
        "goods_unexpected",
        "operations",
        GoodsUnexpected,
        name=mark("Ware trotz Ende des Auftrags"),
        since=2,
    ),
    MailRule(
        "reopened",
        "partner",
        ExecutionTakenBack,
        name=mark("Abschluss zurückgenommen"),
        when=lambda c: bool(c.event.reason),  # by operations; the partner knows of its own
        about=lambda c: "confirm_execution",
        facts=("reason",),
        since=2,
    ),
    MailRule(
        "hold_ended",
        "partner",
        HoldEnded,
        name=mark("Auftrag geht weiter"),
        when=_of_others,
        about=_next_step,
        since=2,
    ),
    MailRule(
        "cancelled",
        "partner",
        ReviewDecided,
        when=lambda c: c.event.decision == "cancel",
        facts=("note",),
    ),
    MailRule(
        "review_decided",
        "partner",
        ReviewDecided,
        name=mark("Entscheid zur Abklärung"),
        when=lambda c: c.event.decision != "cancel",
        about=_after_decision,
        facts=("decision", "note", "until"),
    ),
    MailRule(
        "command_refused",
        "sender",
        CommandRefused,
        name=mark("Aktion abgelehnt"),
        discreet=lambda c: c.event.code == "not_yours",
        facts=("action", "code"),
    ),
)
"""All mails about an order. Those of one event are sent in this order. Nothing else lists
the kinds of mails that workflows send."""
