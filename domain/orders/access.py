"""Who may do what to an order, in which state, and how the timeline names them."""

from datetime import datetime

from domain import rules
from domain.actors import Actor, Role
from domain.authors import Author, author_of
from domain.orders.command_rules import ACTIONS, COMMANDS, CommandRule
from domain.orders.commands import Command, action_of
from domain.orders.errors import Refused
from domain.orders.limits import fits
from domain.orders.order import Order, Status
from domain.orders.shipment import GoodsReceived

_BEFORE_GOODS = (
    Status.AWAITING_PAYMENT,
    Status.IN_TRANSMISSION,
    Status.NEW,
    Status.UNASSIGNED,
    Status.CHECK_REQUIREMENTS,
    Status.REQUIREMENTS_MET,
)


def actions(order: Order, now: datetime | None = None) -> tuple[str, ...]:
    """The actions that the order's state allows to any role. Without `now`, whatever the time is."""
    listed = rules.under(ACTIONS, order.rules).get(order.status, ())
    if order.rules < 2:
        return listed
    return tuple(action for action in listed if _fits(order, action, now))


def _fits(order: Order, action: str, now: datetime | None) -> bool:
    """Whether the goods and the time allow an action that the state lists. Version 2 of the rules checks that."""
    shipment = order.shipment
    match action:
        case "goods_received":
            return shipment is not None and shipment.received_at is None
        case "reship":
            return shipment is not None
        case "new_appointment" | "accept_as_executed":
            return shipment is not None and bool(shipment.shipped_at or shipment.received_at)
        case "undo":
            until = order.undo_until
            return until is not None and (now is None or now <= until)
        case _:
            return True


def allowed(order: Order, role: Role, now: datetime | None = None) -> tuple[str, ...]:
    """The actions that a caller of this role may take. Without `now`, whatever the time is.

    An order with too many events allows only those that lead to its end (`limits.fits`).
    """
    may = {
        action
        for rule in rules.holding(COMMANDS, order.rules)
        if role in rule.roles
        for action in rule.actions
    }
    return tuple(action for action in actions(order, now) if action in may and fits(order, action))


def rule_of(order: Order, command: Command) -> CommandRule | None:
    """The row of `COMMANDS` for a command; None for a command that only the order's own workflow gives."""
    rows = [rule for rule in COMMANDS if rule.command is type(command)]
    return next(rules.holding(rows, order.rules), None)


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
    if actor.role == "partner" and not _has(actor, order):
        raise Refused(order, action, "not_yours", ())


def _has(actor: Actor, order: Order) -> bool:
    """Whether the order is this partner's. An unassigned order belongs to nobody."""
    return actor.partner_id == order.partner.partner_id and order.status is not Status.UNASSIGNED


def check_role_in_state(order: Order, command: Command, actor: Actor) -> None:
    """Check that the order's state allows a command, unless the role may give it in any state (`in_any_state`).

    A second report that the goods were received passes: it is a repetition, whoever sends it.

    Raises:
        Refused: the state does not allow it.
    """
    rule = rule_of(order, command)
    if rule is None or actor.role in rule.in_any_state:
        return
    received = order.shipment is not None and order.shipment.received_at is not None
    if isinstance(command, GoodsReceived) and received and "report_problem" in actions(order):
        return
    check_state(order, action_of(command))


def author(order: Order, command: Command, actor: Actor) -> Author:
    """The author of a command's events."""
    rule = rule_of(order, command)
    is_partners = rule is not None and rule.is_partners
    return author_of(actor, on_behalf_of=order.partner.partner_id if is_partners else None)


def why_not(order: Order, action: str) -> str | None:
    """Why the order's state does not allow an action: a code of `Refused`. None if it allows it."""
    if action in actions(order):
        return None
    if order.status.is_final:
        return "final"
    if action == "set_appointment" and order.status in _BEFORE_GOODS:
        return "before_goods"
    if action == "new_appointment" and order.status is Status.UNDER_REVIEW:
        return "before_goods"
    if action == "undo" and order.status is Status.COMPLETED:
        return "undo_over"
    return "wrong_state"


def check_state(order: Order, action: str) -> None:
    """Check that the order's state allows an action.

    Raises:
        Refused: it does not.
    """
    code = why_not(order, action)
    if code is not None:
        raise Refused(order, action, code, actions(order))
