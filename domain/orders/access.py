"""Who may do what to an order, in which state, and how the timeline names them."""

from domain import rules
from domain.actors import Actor, Role
from domain.authors import Author, author_of
from domain.orders.commands import ACTIONS, COMMANDS, Command, CommandRule, action_of
from domain.orders.errors import Refused
from domain.orders.order import Order, Status

_BEFORE_GOODS = (
    Status.AWAITING_PAYMENT,
    Status.IN_TRANSMISSION,
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.REQUIREMENTS_MET,
)


def actions(order: Order) -> tuple[str, ...]:
    """The actions that the order's state allows, to any role."""
    return rules.under(ACTIONS, order.rules).get(order.status, ())


def allowed(order: Order, role: Role) -> tuple[str, ...]:
    """The actions that a caller of this role may take now."""
    may = {
        action
        for rule in rules.holding(COMMANDS, order.rules)
        if role in rule.roles
        for action in rule.actions
    }
    return tuple(action for action in actions(order) if action in may)


def rule_of(order: Order, command: Command) -> CommandRule | None:
    """The row of `COMMANDS` for a command; None for a command that only the order's own workflow gives."""
    holding = rules.holding(COMMANDS, order.rules)
    return next((rule for rule in holding if isinstance(command, rule.command)), None)


def authorise(order: Order, command: Command, actor: Actor) -> None:
    """Check that this actor may give this command to this order, whatever its state.

    Raises:
        Refused: the role may not, or the order belongs to another partner (it may have been reassigned meanwhile).
    """
    rule = rule_of(order, command)
    roles: tuple[Role, ...] = rule.roles if rule else ("system",)
    action = action_of(command)
    if actor.role not in roles:
        raise Refused(order, action, "role", allowed(order, actor.role))
    if actor.role == "partner" and actor.partner_id != order.partner.partner_id:
        raise Refused(order, action, "not_yours", ())


def author(order: Order, command: Command, actor: Actor) -> Author:
    """The author of a command's events."""
    rule = rule_of(order, command)
    is_partners = rule is not None and rule.is_partners
    return author_of(actor, on_behalf_of=order.partner.partner_id if is_partners else None)


def why_not(order: Order, action: str) -> str | None:
    """Why the order's state does not allow an action, as `Refused.code`; None if it does allow it."""
    if action in actions(order):
        return None
    if order.status.is_final:
        return "final"
    if action == "set_appointment" and order.status in _BEFORE_GOODS:
        return "before_goods"
    return "wrong_state"


def check_state(order: Order, action: str) -> None:
    """Check that the order's state allows an action.

    Raises:
        Refused: it does not.
    """
    code = why_not(order, action)
    if code is not None:
        raise Refused(order, action, code, actions(order))
