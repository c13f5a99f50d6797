"""What each event changes in an order."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from domain import digest
from domain.errors import NotUnderstood
from domain.orders import deadlines
from domain.orders.ball import partner_since
from domain.orders.deadline import Deadline, DeadlineKind
from domain.orders.deadline_events import DeadlineMissed, DeadlinesStretched, Escalated, ReminderDue
from domain.orders.events import (
    Accepted,
    AppointmentMoved,
    AppointmentSet,
    Billed,
    CalendarRenewed,
    Cancelled,
    CommandRefused,
    ContactLogged,
    Declined,
    Event,
    ExecutionConfirmed,
    ExecutionTakenBack,
    GoodsUnexpected,
    HoldEnded,
    MailUndelivered,
    NotExecuted,
    NoticeKept,
    OrderSeen,
    Paid,
    PartnerNotified,
    Placed,
    ProblemReported,
    ProblemWithdrawn,
    Reassigned,
    Recorded,
    Released,
    RequirementsConfirmed,
    RequirementsRejected,
    ReviewDecided,
    RulesAdopted,
    ShippingEnded,
    ShippingStarted,
    TransmissionStarted,
    Transmitted,
    Unassigned,
    UnknownEvent,
)
from domain.orders.order import Appointment, Order, Status
from domain.orders.stretching import stretch
from domain.orders.transitions import (
    after_review,
    after_transmission,
    ask_to_ship,
    on_its_way,
    reassigned,
    resumed,
    status_by_goods,
    to_review,
    without_partner,
)

_OF_THE_GOODS = ("goods", "delivery")
_MET_BY_REASSIGNMENT = ("assign", "review")


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
        ended_at=_ended_at(before, order, recorded.at),
        partner_since=partner_since(before, order, recorded.at),
    )
    # When the notice of an order is late, the partner's first deadlines wait for it.
    waits = isinstance(event, DeadlineMissed) and event.kind == "transmit" and order.rules >= 2
    if isinstance(event, ReminderDue | DeadlineMissed | Escalated) and not waits:
        return order
    return deadlines.reconcile(
        order,
        recorded.at,
        is_void=lambda kind: _voids(event, kind, before),
        adopted=isinstance(event, RulesAdopted),
        waits=waits,
    )


def _voids(event: Event, kind: DeadlineKind, before: Order) -> bool:
    """Whether an event that ends a deadline does so without its having been met."""
    match event:
        case AppointmentMoved() | RulesAdopted() | Unassigned() | Declined():
            return True
        case Cancelled():
            return before.rules < 2 or kind != "assign"
        case Reassigned():
            return before.rules < 2 or kind not in _MET_BY_REASSIGNMENT
        case ReviewDecided():
            return before.rules >= 2 and kind in _OF_THE_GOODS
        case ProblemReported():
            # At the appointment, the report is what the deadline asks for.
            return kind != "confirm_execution"
        case RequirementsRejected(reason="customer_unreachable"):
            return before.rules >= 2 and kind == "contact_customer"
        case _:
            return False


def _ended_at(before: Order, order: Order, at: datetime) -> datetime | None:
    """When the order ended. What comes afterwards, such as late goods, does not change it."""
    if not order.status.is_final:
        return None
    return before.end if before.status.is_final else at


def apply(order: Order, event: Event, at: datetime) -> Order:
    """The order after an event at `at`, with the deadlines, the version and the digest from before it.

    Raises:
        NotUnderstood: only a newer process knows the event.
    """
    match event:
        case Placed():
            return order.replace(placed_at=at, released_at=None if event.prepaid else at)
        case Paid():
            if order.status is Status.UNASSIGNED:
                return order.replace(released_at=at)
            return order.replace(released_at=at, status=Status.IN_TRANSMISSION)
        case TransmissionStarted():
            return order.replace(sending_since=at)
        case Transmitted():
            if order.status is Status.IN_TRANSMISSION:
                return order.replace(transmitted_at=at, status=after_transmission(order))
            return order.replace(transmitted_at=at)
        case PartnerNotified():
            return order.replace(notified_at=at)
        case OrderSeen():
            return order.replace(seen_at=at)
        case Declined() | Unassigned():
            return without_partner(order, at)
        case Accepted():
            if order.rules < 2:
                return order.replace(accepted_at=at, status=Status.CHECK_REQUIREMENTS)
            return order.replace(
                accepted_at=at, seen_at=order.seen_at or at, status=status_by_goods(order)
            )
        case ContactLogged():
            if event.outcome == "reached":
                return order.replace(reached_at=order.reached_at or at)
            return order.replace(attempts=(*order.attempts, at))
        case RequirementsConfirmed():
            confirmed = ask_to_ship(order, at).replace(reached_at=order.reached_at or at)
            return confirmed if order.rules < 2 else confirmed.replace(seen_at=order.seen_at or at)
        case RequirementsRejected():
            if order.rules < 2:
                return order.replace(reached_at=order.reached_at or at, status=Status.CANCELLED)
            reached = event.reason != "customer_unreachable"
            reviewed = to_review(order, event.reason, at)
            return reviewed.replace(reached_at=order.reached_at or at) if reached else reviewed
        case NoticeKept():
            return order.replace(kept=(*order.kept, event.notice))
        case ShippingStarted():
            shipment = order.shipments[-1]
            return on_its_way(
                order,
                shipment.replace(
                    shipped_at=shipment.shipped_at or at,
                    trackings=(*shipment.trackings, event.tracking),
                ),
            )
        case ShippingEnded():
            shipment = order.shipments[-1].replace(received_at=event.received_at)
            return on_its_way(order, shipment).replace(
                appointment_from=order.appointment_from or event.counts_from
            )
        case AppointmentSet() | AppointmentMoved():
            by_partner = isinstance(event, AppointmentMoved) and event.moved_by == "partner"
            return order.replace(
                appointment=Appointment(
                    start=event.start,
                    end=event.end,
                    sequence=order.moves,
                    unusual=event.unusual,
                ),
                moves=order.moves + 1,
                partner_moves=order.partner_moves + by_partner,
                reached_at=order.reached_at or (at if order.rules >= 2 else None),
                seen_at=order.seen_at or (at if order.rules >= 2 else None),
                status=Status.CONFIRM_EXECUTION,
            )
        case ExecutionConfirmed():
            undo = order.policy.billing.undo
            return order.replace(
                executed_on=event.executed_on,
                undo_until=order.calendar.due(at, undo) if order.rules >= 2 else None,
                status=Status.COMPLETED,
            )
        case ExecutionTakenBack():
            return order.replace(
                executed_on=None,
                undo_until=None,
                resumed_at=at,
                status=Status.CONFIRM_EXECUTION,
            )
        case NotExecuted() | ProblemReported():
            return to_review(order, event.reason, at)
        case ProblemWithdrawn() | HoldEnded():
            return resumed(order, at)
        case ReviewDecided():
            return after_review(order, event, at)
        case Cancelled():
            return order.replace(status=Status.CANCELLED)
        case Reassigned():
            return reassigned(order, event, at)
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
                rules=event.version,
                later_policy=event.policy or order.later_policy,
                # Under the first rules an order was transmitted when its partner was notified.
                notified_at=order.notified_at or order.transmitted_at,
            )
        case GoodsUnexpected():
            return order.replace(kept=(*order.kept, event.notice))
        case DeadlinesStretched():
            return stretch(order, event.begin, event.end, at)
        case MailUndelivered() | CommandRefused():
            return order
        case UnknownEvent():
            raise NotUnderstood(f"event {event.type}")
        case _:
            assert_never(event)


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
