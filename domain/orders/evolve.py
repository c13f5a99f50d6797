"""What each event changes in an order."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from domain import digest
from domain.errors import NotUnderstood
from domain.orders import deadlines
from domain.orders.ball import partner_since
from domain.orders.events import (
    Accepted,
    AppointmentMoved,
    AppointmentSet,
    Billed,
    CalendarRenewed,
    Cancelled,
    CommandRefused,
    ContactLogged,
    DeadlineMissed,
    Escalated,
    Event,
    ExecutionConfirmed,
    MailUndelivered,
    NotExecuted,
    NoticeKept,
    Paid,
    Placed,
    Reassigned,
    Recorded,
    Released,
    ReminderDue,
    RequirementsConfirmed,
    RequirementsRejected,
    ReviewDecided,
    RulesAdopted,
    ShippingEnded,
    ShippingStarted,
    TransmissionStarted,
    Transmitted,
    UnknownEvent,
)
from domain.orders.order import Appointment, Deadline, Order, Shipment, Status

# Events that end a deadline without the partner having met it.
_UNFULFILLED = (Cancelled, Reassigned, AppointmentMoved, RulesAdopted)


def evolve(order: Order, recorded: Recorded) -> Order:
    """The order after an event, with the deadlines that run then.

    Raises:
        NotUnderstood: only a newer process knows the event.
    """
    before, event = order, recorded.event
    order = apply(order, event, recorded.at)
    order = order.replace(
        version=recorded.seq,
        digest=digest.extend(before.digest, [recorded]),
        changed_at=recorded.at,
        partner_since=partner_since(before, order, recorded.at),
    )
    if isinstance(event, ReminderDue | DeadlineMissed | Escalated):
        return order
    return deadlines.reconcile(
        order,
        recorded.at,
        unfulfilled=isinstance(event, _UNFULFILLED),
        adopted=isinstance(event, RulesAdopted),
    )


def apply(order: Order, event: Event, at: datetime) -> Order:
    """The order after an event at `at`, with the deadlines, the version and the digest from before it.

    Raises:
        NotUnderstood: only a newer process knows the event.
    """
    match event:
        case Placed():
            return order.replace(placed_at=at, released_at=None if event.prepaid else at)
        case Paid():
            return order.replace(released_at=at, status=Status.IN_TRANSMISSION)
        case TransmissionStarted():
            return order.replace(sending_since=at)
        case Transmitted():
            if order.status is Status.IN_TRANSMISSION:
                return order.replace(transmitted_at=at, status=_after_transmission(order))
            return order.replace(transmitted_at=at)
        case Accepted():
            return order.replace(accepted_at=at, status=Status.CHECK_REQUIREMENTS)
        case ContactLogged():
            reached_now = event.outcome == "reached" and not order.reached_at
            return order.replace(reached_at=at) if reached_now else order
        case RequirementsConfirmed():
            return _ask_to_ship(order, at).replace(reached_at=order.reached_at or at)
        case RequirementsRejected():
            return order.replace(reached_at=order.reached_at or at, status=Status.CANCELLED)
        case NoticeKept():
            return order.replace(kept=(*order.kept, event.notice))
        case ShippingStarted():
            shipment = order.shipments[-1]
            return _on_its_way(
                order,
                shipment.replace(
                    shipped_at=shipment.shipped_at or at,
                    trackings=(*shipment.trackings, event.tracking),
                ),
            )
        case ShippingEnded():
            shipment = order.shipments[-1].replace(received_at=event.received_at)
            return _on_its_way(order, shipment).replace(
                appointment_from=order.appointment_from or event.counts_from
            )
        case AppointmentSet() | AppointmentMoved():
            return order.replace(
                appointment=Appointment(start=event.start, end=event.end, sequence=order.moves),
                moves=order.moves + 1,
                status=Status.CONFIRM_EXECUTION,
            )
        case ExecutionConfirmed():
            return order.replace(executed_on=event.executed_on, status=Status.COMPLETED)
        case NotExecuted():
            return order.replace(reported_at=at, status=Status.UNDER_REVIEW)
        case ReviewDecided():
            return _after_review(order, event, at)
        case Cancelled():
            return order.replace(status=Status.CANCELLED)
        case Reassigned():
            return order.replace(
                partner=event.partner,
                calendar=event.calendar,
                transmitted_at=at,
                accepted_at=None,
                reached_at=None,
                status=_after_transmission(order),
            )
        case Billed():
            return order.replace(settlement_id=event.settlement_id, status=Status.BILLED)
        case Released():
            return order.replace(
                settlement_id=None,
                freed_from=(*order.freed_from, event.settlement_id),
                status=Status.COMPLETED,
            )
        case ReminderDue():
            return _with_deadline(order, event, lambda d: d.replace(reminded=True))
        case DeadlineMissed():
            return _with_deadline(order, event, lambda d: d.replace(missed=True))
        case Escalated():
            return _with_deadline(order, event, lambda d: d.replace(level=event.level))
        case CalendarRenewed():
            return order.replace(calendar=event.calendar)
        case RulesAdopted():
            return order.replace(
                rules=event.version, later_policy=event.policy or order.later_policy
            )
        case MailUndelivered() | CommandRefused():
            return order
        case UnknownEvent():
            raise NotUnderstood(f"event {event.type}")
        case _:
            assert_never(event)


def _after_transmission(order: Order) -> Status:
    """The state after transmission: `new`, or `check_requirements` if the policy has no accept step."""
    return Status.NEW if order.policy.deadlines.accept is not None else Status.CHECK_REQUIREMENTS


def _ask_to_ship(order: Order, at: datetime) -> Order:
    shipment = Shipment(attempt=len(order.shipments) + 1, requested_at=at)
    return order.replace(
        shipments=(*order.shipments, shipment),
        kept=(),
        appointment=None,
        appointment_from=None,
        status=Status.REQUIREMENTS_MET,
    )


def _on_its_way(order: Order, shipment: Shipment) -> Order:
    """The order with a changed current shipment. If it waited for goods, the appointment can be set now."""
    order = order.replace(shipments=(*order.shipments[:-1], shipment))
    if order.status is Status.REQUIREMENTS_MET:
        return order.replace(status=Status.SET_APPOINTMENT)
    return order


def _after_review(order: Order, event: ReviewDecided, at: datetime) -> Order:
    match event.decision:
        case "new_appointment":
            return order.replace(
                appointment=None, appointment_from=at, status=Status.SET_APPOINTMENT
            )
        case "reship":
            return _ask_to_ship(order, at)
        case "cancel":
            return order.replace(status=Status.CANCELLED)
        case "accept_as_executed":
            return order.replace(executed_on=event.executed_on, status=Status.COMPLETED)
        case _:
            assert_never(event.decision)


def _with_deadline(
    order: Order,
    event: ReminderDue | DeadlineMissed | Escalated,
    change: Callable[[Deadline], Deadline],
) -> Order:
    """The order with a change to the open deadline that the event is about."""
    return order.replace(
        deadlines=tuple(
            change(d) if d.is_open and d.kind == event.kind and d.due == event.due else d
            for d in order.deadlines
        )
    )
