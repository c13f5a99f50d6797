"""Checks a command before it is sent as a signal, because no worker answers or the caller does not wait."""

from datetime import datetime

from domain.errors import NotUnderstood
from domain.orders.access import allowed
from domain.orders.errors import Refused
from domain.orders.lifecycle import handle
from domain.orders.limits import check_room
from domain.orders.order import Order
from domain.orders.request import Request
from use_cases.order_errors import NotAllowed


def check_before_leaving(order: Order, request: Request, now: datetime) -> None:
    """Check the values of a command that is sent as a signal. The order itself checks whether its state allows it.

    Raises:
        InvalidCommand: the values are invalid.
        NotAllowed: the order has no room for it. A refusal by the order itself would be one more entry.
    """
    command, role = request.command, request.actor.role
    try:
        check_room(order, command, allowed(order, role, now))
    except Refused as refused:
        raise NotAllowed(refused.action, refused.code, refused.status, refused.allowed) from None
    try:
        handle(order, command, request.actor, now)
    except (Refused, NotUnderstood):
        return
