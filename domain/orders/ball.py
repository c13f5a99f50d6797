"""Who has the ball: whose turn it is, and since when it is the partner's."""

from datetime import datetime

from domain.orders.order import Order, Party, Status


def ball(order: Order, now: datetime) -> Party | None:
    """Whose turn it is; None if nothing can follow (docs/rules.md, "What counts against a partner")."""
    match order.status:
        case Status.AWAITING_PAYMENT | Status.ON_HOLD:
            return "customer"
        case Status.IN_TRANSMISSION | Status.UNDER_REVIEW | Status.UNASSIGNED:
            return "retailer"
        case Status.NEW | Status.CHECK_REQUIREMENTS | Status.COMPLETED:
            return "partner"
        case Status.REQUIREMENTS_MET:
            return "warehouse"
        case Status.SET_APPOINTMENT:
            return "partner" if order.appointment_from else "warehouse"
        case Status.CONFIRM_EXECUTION:
            # Until the appointment ends, everybody waits for it.
            return "customer" if order.appointment and now < order.appointment.end else "partner"
        case _:  # final, or a state that only a newer process knows
            return None


def partner_since(before: Order, order: Order, at: datetime) -> datetime | None:
    """Since when the partner has the ball; None if it does not. An event at `at` made `order` from `before`."""
    if ball(order, at) != "partner":
        return None
    if ball(before, at) != "partner":
        return at
    # The ball also comes to the partner when the appointment ends, which is no event.
    return before.partner_since or (before.appointment.end if before.appointment else None)
