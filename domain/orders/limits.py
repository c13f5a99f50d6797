"""How long an order's history may get: what can be repeated stops there (docs/rules.md, "The life of an order").

These are limits of the machine and no rules of the business: they are checked where a command comes in, and hold for
orders under all versions of the rules. A workflow that replays an order never asks them.
"""

from domain.orders.commands import Command, action_of
from domain.orders.errors import Refused
from domain.orders.order import Order, Status

MOST_EVENTS = 300
"""The events of an order after which it takes no more of `_REPEATABLE`. An ordinary life has 20 to 40."""
_REPEATABLE = frozenset({"log_contact", "withdraw_problem", "undo", "reopen"})


def has_room(order: Order) -> bool:
    """Whether an order takes commands that can be repeated without end."""
    return order.version < MOST_EVENTS


def fits(order: Order, action: str) -> bool:
    """Whether an order has room for an action. What leads to its end always has room."""
    is_move = action == "set_appointment" and order.status is Status.CONFIRM_EXECUTION
    return has_room(order) or not (action in _REPEATABLE or is_move)


def check_room(order: Order, command: Command, allowed: tuple[str, ...]) -> None:
    """Check that an order has room for a command. `allowed`: what its sender may do now.

    Raises:
        Refused: it has not, with the code `too_many_entries`.
    """
    action = action_of(command)
    if not fits(order, action):
        raise Refused(order, action, "too_many_entries", allowed)
