"""What an order is in the calendar of its partner: the visit that is agreed, or the day on which it was carried out."""

from datetime import datetime, time, timedelta
from typing import NamedTuple

from domain.orders.appointments import LONGEST_APPOINTMENT
from domain.orders.order import Order, Status
from domain.orders.standing import standing

LONGEST_ENTRY = LONGEST_APPOINTMENT + timedelta(days=1)
"""No entry is longer: queries by time rely on it."""


class CalendarEntry(NamedTuple):
    """The time of a visit. `whole_day`: nobody knows the hour; it begins and ends at midnight."""

    start: datetime
    end: datetime
    whole_day: bool = False


class FallenEntry(NamedTuple):
    """A visit of a partner that fell at an instant, before it was over.

    `sequence`: the version of its order then. `service`: the name of the order's service.
    """

    sp_id: str
    start: datetime
    end: datetime
    fallen_at: datetime
    sequence: int
    service: str


def calendar_entry(order: Order) -> CalendarEntry | None:
    """What the calendar of the order's partner shows; None if there is nothing (any more).

    While the visit is to come it is the appointment that stands. Once it is carried out it is the appointment as well,
    or the whole day of the execution if that was another one.
    """
    if order.transmitted_at is None:
        return None
    if order.status not in (Status.COMPLETED, Status.BILLED):
        stands = standing(order)
        return CalendarEntry(stands.start, stands.end) if stands is not None else None
    day, appointment = order.executed_on, order.appointment
    if day is None:
        return None
    if appointment is not None:
        first, last = (
            order.calendar.local(at).date() for at in (appointment.start, appointment.end)
        )
        if first <= day <= last:
            return CalendarEntry(appointment.start, appointment.end)
    begin = order.calendar.instant(day, time())
    return CalendarEntry(begin, order.calendar.instant(day + timedelta(days=1), time()), True)
