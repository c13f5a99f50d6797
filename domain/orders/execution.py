"""On which days a service can have been executed, and how its confirmation is taken back."""

from datetime import datetime

from domain.errors import InvalidCommand
from domain.orders.access import actions
from domain.orders.commands import ConfirmExecution
from domain.orders.errors import Refused
from domain.orders.events import Event, ExecutionConfirmed, ExecutionTakenBack
from domain.orders.order import Order


def confirm_execution(order: Order, command: ConfirmExecution, now: datetime) -> list[Event]:
    """The event of a service that was done.

    Raises:
        InvalidCommand: it cannot have been done on that day.
    """
    local = order.calendar.local
    today = local(now).date()
    executed_on = command.executed_on or today
    if executed_on > today:
        raise InvalidCommand("executed_on", "in_future")
    if order.placed_at and executed_on < local(order.placed_at).date():
        raise InvalidCommand("executed_on", "before_order")
    if order.rules < 2:
        return [ExecutionConfirmed(executed_on=executed_on, note=command.note)]
    received_at = order.shipment.received_at if order.shipment else None
    if received_at is None:
        raise InvalidCommand("executed_on", "goods_not_received")
    if executed_on < local(received_at).date():
        raise InvalidCommand("executed_on", "before_goods_received")
    appointment = order.appointment
    early = appointment is not None and executed_on < local(appointment.start).date()
    if early and not command.early:
        raise InvalidCommand("executed_on", "before_appointment")
    return [ExecutionConfirmed(executed_on=executed_on, note=command.note, early=early)]


def undo(order: Order, now: datetime) -> list[Event]:
    """The partner takes back its confirmation.

    Raises:
        Refused: the time for it is over, or operations completed the order.
    """
    if order.undo_until is None or now > order.undo_until:
        raise Refused(order, "undo", "undo_over", actions(order, now))
    return [ExecutionTakenBack()]
