"""The errors of placing, finding and commanding orders."""

from domain.orders.order import Order, Status


class AlreadyPlaced(Exception):
    """An order with this SP-ID exists already, with other content."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"{order.sp_id} is placed already, with other content")


class UnknownOrder(Exception):
    """There is no such order, or this caller may not know of it; the two look the same."""


class NotAllowed(Exception):
    """The order refused a command. The attributes are those of `domain.orders.errors.Refused`."""

    def __init__(self, action: str, code: str, status: Status, allowed: tuple[str, ...]) -> None:
        self.action = action
        self.code = code
        self.status = status
        self.allowed = allowed
        super().__init__(f"{action} is refused in state {status} ({code})")


class RequestReused(Exception):
    """The request id was used before, for another command."""
