"""Whether an order's appointment stands, and which one an event removes from calendars (docs/mail.md)."""

from datetime import datetime

from domain.orders.order import Appointment, Order, Status

_STANDS = frozenset({Status.CONFIRM_EXECUTION, Status.UNDER_REVIEW, Status.ON_HOLD})


def standing(order: Order) -> Appointment | None:
    """The appointment that is agreed and still to be carried out; None if there is none.

    It also stands while a problem is reviewed. During a hold it stands if it begins after the hold.
    """
    appointment = order.appointment
    if appointment is None or order.status not in _STANDS:
        return None
    if order.status is Status.ON_HOLD and order.held_until is not None:
        return appointment if appointment.start >= order.held_until else None
    return appointment


def removed_appointment(before: Order, after: Order, at: datetime) -> Appointment | None:
    """The appointment that an event at `at` removes from the calendar of the partner who had it; None if there is none.

    An appointment that is over stays in the calendar, and so does that of an order that is done.
    """
    stood = standing(before)
    if stood is None or stood.end <= at or after.status in (Status.COMPLETED, Status.BILLED):
        return None
    if after.partner.partner_id == before.partner.partner_id and standing(after) is not None:
        return None
    return stood
