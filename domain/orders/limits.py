"""How long an order's history can get before repeatable commands are refused (docs/rules.md, "The life of an order").

These are technical limits, not rules of the business. They are checked where a command comes in, and hold under all
versions of the rules. The replay of a workflow does not check them.
"""

from domain.orders.commands import Command, action_of
from domain.orders.errors import Refused
from domain.orders.order import Order, Status

MOST_EVENTS = 300
"""The events of an order after which it takes no more of `_REPEATABLE`. An ordinary life has 20 to 40."""
_REPEATABLE = frozenset({"log_contact", "withdraw_problem", "undo", "reopen"})


def has_room(order: Order) -> bool:
    """Whether an order still takes commands that can be repeated any number of times."""
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
