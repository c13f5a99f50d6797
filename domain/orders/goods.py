"""What the warehouse's notices do to an order. A notice may come twice, late or before the order expects it."""

from datetime import datetime
from typing import assert_never

from domain.orders.events import (
    Event,
    GoodsUnexpected,
    NoticeKept,
    ProblemReported,
    ShippingEnded,
    ShippingStarted,
)
from domain.orders.evolve import apply
from domain.orders.order import Order, Status
from domain.orders.shipment import GoodsReceived, GoodsShipped, Notice

_EXPECTING_GOODS = (Status.REQUIREMENTS_MET, Status.SET_APPOINTMENT, Status.CONFIRM_EXECUTION)


def take_notice(order: Order, notice: Notice, now: datetime) -> list[Event]:
    """The events of a notice: it is applied, or kept until the order expects goods. Empty if it is a repetition."""
    match notice:
        case GoodsShipped():
            return _goods_shipped(order, notice)
        case GoodsReceived():
            return _goods_received(order, notice, now)
        case _:
            assert_never(notice)


def with_kept_notices(order: Order, opening: Event, now: datetime) -> list[Event]:
    """`opening`, after which the order expects goods, then the events of the notices that were kept until now."""
    events = [opening]
    kept = order.kept
    order = apply(order, opening, now)
    for notice in kept:
        applied = take_notice(order, notice, now)
        if isinstance(notice, GoodsReceived) and notice.damaged and applied and order.rules >= 2:
            applied.append(ProblemReported(reason="damaged_on_receipt", note=""))
        for event in applied:
            order = apply(order, event, now)
            events.append(event)
    return events


def _goods_shipped(order: Order, notice: GoodsShipped) -> list[Event]:
    if any(notice.tracking in shipment.trackings for shipment in order.shipments):
        return []
    shipment = order.shipment
    if _needs_none(order) and not _is_late(order):
        return _unexpected(order, notice)
    # During a review the notice is about the current shipment, if that has not been reported as shipped; otherwise
    # about a reshipment that operations have not decided yet.
    of_this_attempt = shipment is not None and shipment.shipped_at is None
    if _expects(order) or (order.status is Status.UNDER_REVIEW and of_this_attempt):
        return [ShippingStarted(tracking=notice.tracking)]
    return [] if notice in order.kept else [NoticeKept(notice=notice)]


def _goods_received(order: Order, notice: GoodsReceived, now: datetime) -> list[Event]:
    shipment = order.shipment
    received_at = min(notice.received_at or now, now)
    received = GoodsReceived(received_at=received_at, damaged=notice.damaged)
    if shipment is not None:
        of_an_earlier_attempt = shipment.attempt > 1 and (
            received_at < shipment.requested_at
            or (order.rules < 2 and received_at == shipment.requested_at)
        )
        if shipment.received_at is not None or of_an_earlier_attempt:
            return []
        if _needs_none(order):
            return _unexpected(order, received)
        if _expects(order) or order.status is Status.UNDER_REVIEW:
            # If the goods arrived before they were requested, the partner's deadline runs from the request.
            counts_from = _counts_from(order, max(received_at, shipment.requested_at), now)
            return [
                ShippingEnded(
                    received_at=received_at, counts_from=counts_from, damaged=notice.damaged
                )
            ]
    if any(isinstance(kept, GoodsReceived) for kept in order.kept):
        return []
    if _needs_none(order):
        return _unexpected(order, received)
    # The kept notice has the instant of the receipt, since it may be applied much later.
    return [NoticeKept(notice=received)]


def _expects(order: Order) -> bool:
    """Whether a notice about the current shipment is applied at once."""
    if order.status in _EXPECTING_GOODS:
        return True
    # After a reassignment the goods of the former partner are still on their way.
    return (
        order.rules >= 2
        and order.shipment is not None
        and order.status in (Status.NEW, Status.UNASSIGNED, Status.ON_HOLD)
    )


def _needs_none(order: Order) -> bool:
    """Whether the order has ended without a need for goods. Operations are notified if they arrive all the same."""
    ended = order.status.is_final or order.status is Status.COMPLETED
    return order.rules >= 2 and ended


def _is_late(order: Order) -> bool:
    """Whether the shipping of goods that were received and installed has not been reported yet."""
    shipment = order.shipment
    if shipment is None or order.status is Status.CANCELLED:
        return False
    return shipment.received_at is not None and shipment.shipped_at is None


def _unexpected(order: Order, notice: Notice) -> list[Event]:
    """The event of goods that are not needed; none if they were reported before."""
    if notice in order.kept:
        return []
    if isinstance(notice, GoodsReceived) and any(
        isinstance(kept, GoodsReceived) for kept in order.kept
    ):
        return []
    return [GoodsUnexpected(notice=notice)]


def _counts_from(order: Order, received_at: datetime, now: datetime) -> datetime:
    """The instant from which the partner's deadline for the appointment runs: the receipt of the goods.

    If the receipt is reported so late that the deadline would be over, it runs from the report: a delay that somebody
    else caused does not count against the partner (docs/rules.md, "What counts against a partner").
    """
    span = order.policy.deadlines.set_appointment
    if span is None or order.calendar.due(received_at, span) > now:
        return received_at
    return now
