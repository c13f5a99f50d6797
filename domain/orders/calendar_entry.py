"""The entry of an order in its partner's calendar: the agreed visit, or the day on which it was carried out."""

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


class RemovedEntry(NamedTuple):
    """A visit that was taken out of a partner's calendar at `removed_at`, before it was over.

    `sequence`: the version of its order then. `service`: the name of the order's service.
    """

    sp_id: str
    start: datetime
    end: datetime
    removed_at: datetime
    sequence: int
    service: str


def calendar_entry(order: Order) -> CalendarEntry | None:
    """The order's entry in its partner's calendar; None if it has none.

    It is the appointment; after an execution on another day, the whole day of the execution.
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
