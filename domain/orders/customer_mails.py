"""The mails to customers, each of which the policy switches on: which event causes each (docs/mail.md, "Customers")."""

from datetime import datetime, timedelta

from domain.customer_policy import CustomerMailPolicy
from domain.orders.events import (
    Accepted,
    AppointmentMoved,
    AppointmentSet,
    Cancelled,
    Declined,
    HoldEnded,
    Reassigned,
    Recorded,
    ReviewDecided,
    Transmitted,
    Unassigned,
)
from domain.orders.mails import Cause, MailRule
from domain.orders.order import Order, Status
from domain.orders.standing import removed_appointment, standing
from domain.values import Value, mark

_TAKES_AWAY: tuple[type[Value], ...] = (
    Cancelled,
    ReviewDecided,
    Reassigned,
    Unassigned,
    Declined,
)
_ONE_DAY = timedelta(days=1)


def _policy(cause: Cause) -> CustomerMailPolicy:
    return cause.after.policy.customer_mails


def _has_a_partner_at_once(cause: Cause) -> bool:
    """Whether a partner has the order without having to accept it."""
    return (
        _policy(cause).caller
        and cause.after.transmitted_at is not None
        and _is_with_partner(cause.after)
    )


def _is_with_partner(order: Order) -> bool:
    """Whether a partner works on the order."""
    return order.status not in (
        Status.AWAITING_PAYMENT,
        Status.IN_TRANSMISSION,
        Status.NEW,
        Status.UNASSIGNED,
        Status.CANCELLED,
    )


def _cancels_visit(cause: Cause) -> bool:
    """Whether an appointment is cancelled, or an order whose partner the customer knows."""
    if not _policy(cause).cancelled:
        return False
    if removed_appointment(cause.before, cause.after, cause.recorded.at) is not None:
        return True
    return cause.after.status is Status.CANCELLED and _is_with_partner(cause.before)


def stands_again(cause: Cause) -> bool:
    """Whether the event ends a hold that had removed the appointment from the calendar, and it is still to come."""
    stood = standing(cause.after)
    return standing(cause.before) is None and stood is not None and stood.start > cause.recorded.at


CUSTOMER: tuple[MailRule, ...] = (
    MailRule(
        "caller",
        "customer",
        Accepted,
        name=mark("Wer die Kundschaft anruft"),
        when=lambda c: _policy(c).caller,
    ),
    MailRule("caller", "customer", Transmitted, when=_has_a_partner_at_once),
    MailRule("caller", "customer", Reassigned, when=_has_a_partner_at_once),
    MailRule(
        "visit_set",
        "customer",
        AppointmentSet,
        name=mark("Termin an die Kundschaft"),
        when=lambda c: _policy(c).appointment,
    ),
    MailRule(
        "visit_set",
        "customer",
        HoldEnded,
        when=lambda c: _policy(c).appointment and stands_again(c),
    ),
    MailRule(
        "visit_moved",
        "customer",
        AppointmentMoved,
        name=mark("Verschobener Termin an die Kundschaft"),
        when=lambda c: _policy(c).moved,
    ),
    *(
        MailRule(
            "visit_cancelled",
            "customer",
            event,
            name=mark("Absage an die Kundschaft") if event is Cancelled else "",
            when=_cancels_visit,
        )
        for event in _TAKES_AWAY
    ),
)
"""The mails that follow from an event at once."""
DAY_BEFORE: tuple[MailRule, ...] = (
    MailRule(
        "visit_tomorrow", "customer", AppointmentSet, name=mark("Erinnerung an die Kundschaft")
    ),
    MailRule("visit_tomorrow", "customer", AppointmentMoved),
)
"""The mails of the day before an appointment. Their cause is the event that set it."""


def day_before(order: Order, recorded: Recorded) -> datetime | None:
    """When the customer is reminded of the appointment that an event set: when the offices open on the day before.

    None if that was before the event, or the policy has no such mail.
    """
    event = recorded.event
    if (
        not isinstance(event, AppointmentSet | AppointmentMoved)
        or not order.policy.customer_mails.day_before
    ):
        return None
    day = order.calendar.local(event.start).date() - _ONE_DAY
    at = order.calendar.instant(day, order.policy.office.opens)
    return at if at > recorded.at else None
