"""Whether an order's appointment stands, and which one an event takes away: what calendars are told (docs/mail.md)."""

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


def fallen(before: Order, after: Order, at: datetime) -> Appointment | None:
    """The appointment that an event at `at` took from the partner of the order before it; None if it took none.

    An order that is done, and an appointment that is over, have taken nothing away.
    """
    stood = standing(before)
    if stood is None or stood.end <= at or after.status in (Status.COMPLETED, Status.BILLED):
        return None
    if after.partner.partner_id == before.partner.partner_id and standing(after) is not None:
        return None
    return stood
