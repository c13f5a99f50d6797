"""How an order changes when it goes to another partner, into review, on hold, or to the warehouse (`evolve`)."""

from datetime import datetime
from typing import assert_never

from domain.orders.events import Reassigned, ReviewDecided
from domain.orders.order import Order, Status
from domain.orders.shipment import Shipment


def after_transmission(order: Order) -> Status:
    """The state after transmission: `new`, or the state after acceptance if the policy has no accept step."""
    if order.policy.deadlines.accept is not None:
        return Status.NEW
    return Status.CHECK_REQUIREMENTS if order.rules < 2 else status_by_goods(order)


def status_by_goods(order: Order) -> Status:
    """The state of an order that its partner has accepted, by where its goods are."""
    shipment = order.shipment
    if shipment is None:
        return Status.CHECK_REQUIREMENTS
    underway = shipment.shipped_at or shipment.received_at
    return Status.SET_APPOINTMENT if underway else Status.REQUIREMENTS_MET


def without_partner(order: Order, at: datetime) -> Order:
    return order.replace(
        transmitted_at=None,
        unassigned_at=at,
        appointment=None,
        held_until=None,
        resume_status=None,
        review_reason="",
        status=Status.UNASSIGNED,
    )


def reassigned(order: Order, event: Reassigned, at: datetime) -> Order:
    """The order with its new partner, which starts from the beginning. Goods that are under way stay under way."""
    assigned = order.replace(
        partner=event.partner, calendar=event.calendar, accepted_at=None, reached_at=None
    )
    if order.rules < 2:
        return assigned.replace(transmitted_at=at, status=after_transmission(order))
    assigned = assigned.replace(
        reassigned_at=at,
        notified_at=None,
        seen_at=None,
        unassigned_at=None,
        attempts=(),
        partner_moves=0,
        appointment=None,
        resume_status=None,
        resumed_at=None,
        held_until=None,
        review_reason="",
    )
    if order.awaits_payment:
        return assigned.replace(status=Status.AWAITING_PAYMENT)
    if order.status is Status.IN_TRANSMISSION:
        return assigned  # its new partner sees it when the hold is over
    return assigned.replace(transmitted_at=at, status=after_transmission(assigned))


def to_review(order: Order, reason: str, at: datetime) -> Order:
    """The order in review. `continue` leads back to the state that it had, also after a hold."""
    interrupted = order.resume_status if order.status is Status.ON_HOLD else order.status
    return order.replace(
        reported_at=at,
        review_reason=reason,
        resume_status=interrupted,
        held_until=None,
        status=Status.UNDER_REVIEW,
    )


def resumed(order: Order, at: datetime) -> Order:
    """The order in its state before the review or hold, or in a later one if the goods have arrived meanwhile."""
    status = order.resume_status or Status.CONFIRM_EXECUTION
    if status is Status.REQUIREMENTS_MET:
        status = status_by_goods(order)
    return order.replace(
        status=status, resume_status=None, resumed_at=at, held_until=None, review_reason=""
    )


def ask_to_ship(order: Order, at: datetime) -> Order:
    shipment = Shipment(attempt=len(order.shipments) + 1, requested_at=at)
    return order.replace(
        shipments=(*order.shipments, shipment),
        kept=(),
        appointment=None,
        appointment_from=None,
        status=Status.REQUIREMENTS_MET,
    )


def on_its_way(order: Order, shipment: Shipment) -> Order:
    """The order with a changed current shipment. If it waited for goods, the appointment can be set now."""
    order = order.replace(shipments=(*order.shipments[:-1], shipment))
    if order.status is Status.REQUIREMENTS_MET:
        return order.replace(status=Status.SET_APPOINTMENT)
    return order


def after_review(order: Order, event: ReviewDecided, at: datetime) -> Order:
    decided = order.replace(resume_status=None, review_reason="")
    match event.decision:
        case "new_appointment":
            return decided.replace(
                appointment=None, appointment_from=at, status=Status.SET_APPOINTMENT
            )
        case "reship":
            return ask_to_ship(decided, at)
        case "cancel":
            return decided.replace(status=Status.CANCELLED)
        case "accept_as_executed":
            # Who executed an order knows of it, whatever became of the notice.
            return decided.replace(
                executed_on=event.executed_on,
                undo_until=None,
                seen_at=order.seen_at or (at if order.rules >= 2 else None),
                status=Status.COMPLETED,
            )
        case "continue":
            return resumed(order, at)
        case "wait_until":
            return order.replace(held_until=event.held_until, status=Status.ON_HOLD)
        case _:
            assert_never(event.decision)
