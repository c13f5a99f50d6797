"""The refusal of a command that an order does not allow now."""

from collections.abc import Iterable

from domain.orders.order import Order, Status


class Refused(Exception):
    """A command that is not allowed now.

    Attributes:
        action: the action that was asked for.
        code: why not: `wrong_state`, `final`, `before_goods`, `not_yours`, `role`, `other_settlement`, `undo_over`,
            `too_many_entries` (domain/orders/limits.py).
        status: the state that refused.
        allowed: the actions allowed now.
    """

    def __init__(self, order: Order, action: str, code: str, allowed: Iterable[str]) -> None:
        self.action = action
        self.code = code
        self.status: Status = order.status
        self.allowed = tuple(allowed)
        super().__init__(
            f"{action} is refused in state {order.status} ({code}); "
            f"allowed now: {', '.join(self.allowed) or 'nothing'}"
        )
