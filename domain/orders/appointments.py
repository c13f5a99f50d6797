"""When an appointment can be: which times are refused, and which have to be confirmed as unusual."""

from datetime import date, datetime, timedelta
from itertools import islice

from domain.errors import InvalidCommand
from domain.orders.commands import SetAppointment
from domain.orders.events import AppointmentMoved, AppointmentSet, Event
from domain.orders.order import Order

LONGEST_APPOINTMENT = timedelta(days=7)
FARTHEST_UNDER_FIRST_RULES = timedelta(days=366)

_SATURDAY = 5
_SUNDAY = 6
_DAYS_AHEAD = 30
_ONE_DAY = timedelta(days=1)


def set_appointment(order: Order, command: SetAppointment, now: datetime) -> list[Event]:
    """The event of an appointment that is set or moved; none if the order has exactly this appointment.

    Raises:
        InvalidCommand: the times are not possible, or a move has no reason.
    """
    _check_times(order, command, now)
    unusual = order.rules >= 2 and is_unusual(order, command.start, command.end)
    standing = order.appointment
    if standing is None:
        _check_usual(command, unusual)
        return [AppointmentSet(start=command.start, end=command.end, unusual=unusual)]
    if (command.start, command.end) == (standing.start, standing.end):
        return []
    _check_usual(command, unusual)
    if not command.reason:
        raise InvalidCommand("reason", "move_needs_reason")
    moved_by = command.moved_by if order.rules >= 2 else ""
    return [
        AppointmentMoved(
            start=command.start,
            end=command.end,
            reason=command.reason,
            moved_by=moved_by,
            unusual=unusual,
        )
    ]


def is_unusual(order: Order, start: datetime, end: datetime) -> bool:
    """Whether an appointment is outside the usual times, or on a Sunday or a holiday of the customer's canton."""
    local = order.calendar.local
    first, last = local(start), local(end)
    usual = order.policy.appointment
    begins_well = usual.earliest <= first.time() < usual.latest
    ends_well = usual.earliest < last.time() <= usual.latest
    if not (begins_well and ends_well):
        return True
    days = (last.date() - first.date()).days
    return any(_is_free(order, first.date() + n * _ONE_DAY) for n in range(days + 1))


def proposed_days(order: Order, now: datetime, number: int) -> tuple[date, ...]:
    """The next days for an appointment from tomorrow on: no weekend and no holiday of the customer's canton."""
    today = order.calendar.local(now).date()
    coming = (today + n * _ONE_DAY for n in range(1, _DAYS_AHEAD))
    usual = (day for day in coming if day.weekday() < _SATURDAY and not _is_free(order, day))
    return tuple(islice(usual, number))


def _is_free(order: Order, day: date) -> bool:
    holidays = order.intake.customer_holidays or order.calendar.holidays
    return day.weekday() == _SUNDAY or day in holidays


def _check_usual(command: SetAppointment, unusual: bool) -> None:
    if unusual and not command.unusual:
        raise InvalidCommand("start", "appointment_unusual")


def _check_times(order: Order, command: SetAppointment, now: datetime) -> None:
    if command.end <= command.start:
        raise InvalidCommand("end", "end_before_start")
    if command.end - command.start > LONGEST_APPOINTMENT:
        raise InvalidCommand("end", "appointment_too_long")
    local = order.calendar.local
    if order.rules >= 2:
        if command.start < now:
            raise InvalidCommand("start", "appointment_in_past")
        if command.start > order.calendar.due(now, order.policy.appointment.farthest):
            raise InvalidCommand("start", "appointment_beyond_policy")
    elif command.start > now + FARTHEST_UNDER_FIRST_RULES:
        raise InvalidCommand("start", "appointment_too_far")
    shipment = order.shipment
    sent = shipment and min(at for at in (shipment.shipped_at, shipment.received_at, now) if at)
    if sent and local(command.start).date() < local(sent).date():
        raise InvalidCommand("start", "appointment_before_goods")
