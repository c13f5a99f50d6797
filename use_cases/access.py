"""Access rules: which role may do what, and who sees which orders and settlements. All else is denied."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import get_args

from domain.actors import Role as ActorRole
from domain.orders.command_rules import COMMANDS
from domain.orders.erasure import (
    contact_is_over,
    erase_events,
    hide_contact,
    hide_customer,
    is_erased,
)
from domain.orders.order import Order
from domain.people import may
from domain.retention import RULES
from records.orders import StoredOrder
from use_cases.principal import Principal, Role
from use_cases.security_events import note

_PARTNER: frozenset[Role] = frozenset({"partner", "operations"})
_OPERATIONS: frozenset[Role] = frozenset({"operations"})
_ACCOUNTING: frozenset[Role] = frozenset({"accounting"})

MAY: Mapping[str, frozenset[Role]] = {
    "place": frozenset({"shop"}),
    "read": frozenset({"shop", "partner", "operations", "accounting"}),
    **{
        rule.type: frozenset(role for role in get_args(Role) if role in rule.roles)
        for rule in COMMANDS
        if not rule.is_internal
    },
    "read_messages": _PARTNER,
    "write_message": _PARTNER,
    "close_message": _OPERATIONS,
    "read_on_site": _PARTNER,
    "write_on_site": _PARTNER,
    "erase": _OPERATIONS,
    "export": _OPERATIONS,
    "administer": _OPERATIONS,
    "read_own_figures": frozenset({"partner"}),
    "read_agenda": frozenset({"partner"}),
    "remind": _OPERATIONS,
    "report": _OPERATIONS,
    "watch": _OPERATIONS,
    "read_people": frozenset({"partner"}),
    "manage_people": frozenset({"partner"}),
    "assign": frozenset({"partner"}),
    "settle": _PARTNER,
    "read_settlements": frozenset({"partner", "operations", "accounting"}),
    "select": _PARTNER,
    "close": _PARTNER,
    "invoice": _PARTNER,
    "note_invoice": frozenset({"accounting", "operations"}),
    "accept_invoice": frozenset({"accounting", "operations"}),
    "refuse_invoice": frozenset({"accounting", "operations"}),
    "approve": _ACCOUNTING,
    "return": _ACCOUNTING,
    "pay": _ACCOUNTING,
    "import_payments": _ACCOUNTING,
    "read_journal": _ACCOUNTING,
    "void": _OPERATIONS,
    "correct": _OPERATIONS,
    "trace": _OPERATIONS,
    "read_corrections": frozenset({"operations", "accounting"}),
}
"""The roles of each use case (docs/contract.md). Commands have their names from `domain/orders/commands.py` and
`domain/settlements/commands.py`."""


CONTACT = timedelta(days=RULES["contact"].days)
"""How long after its end a partner sees how to reach the customer of an order, unless settings say otherwise."""


class Forbidden(Exception):
    """The caller's role may not do this in any state."""


def check(principal: Principal, use_case: str) -> None:
    """Raise `Forbidden` unless this caller's role may use this use case, also within its firm (domain/people.py)."""
    if not is_allowed(principal, use_case):
        note("access_refused", "refused", principal.login_id, use_case)
        raise Forbidden(f"{principal.role} may not {use_case}")


def is_allowed(principal: Principal, use_case: str) -> bool:
    """Whether this caller's role may use this use case, also within its firm."""
    is_one = principal.role in MAY.get(use_case, frozenset())
    return is_one and may(principal.partner_role, use_case)


def sees(principal: Principal, order: Order, person_id: str | None) -> bool:
    """Whether this caller may know of an order. A partner sees its current orders that were transmitted to it, and a
    technician only those that are assigned to it.

    `person_id`: the person that the order is assigned to. It matters for technicians only.
    """
    match principal.role:
        case "operations" | "shop" | "warehouse" | "accounting":
            return True
        case "partner":
            own = principal.partner_id is not None
            return (
                own
                and order.partner.partner_id == principal.partner_id
                and order.transmitted_at is not None
                and principal.only_assigned_to in (None, person_id)
            )


def sees_on_site(principal: Principal, order: Order, now: datetime, contact: timedelta) -> bool:
    """Whether this caller may still see photos and protocols of an order that it may know of.

    A partner sees them as long as it sees how to reach the customer (`shown_to`).
    """
    return principal.role != "partner" or not contact_is_over(order, now, contact)


def sees_settlements_of(principal: Principal, partner_id: str) -> bool:
    """Whether this caller may know of a partner's settlements."""
    match principal.role:
        case "operations" | "accounting":
            return True
        case "partner":
            is_own = principal.partner_id is not None and principal.partner_id == partner_id
            return is_own and principal.only_assigned_to is None
        case "shop" | "warehouse":
            return False


def own_partner(principal: Principal) -> str | None:
    """The partner whose orders and settlements this caller sees in lists; None if the caller sees all.

    Raises:
        Forbidden: the caller has the role `partner` but no partner.
    """
    if principal.role != "partner":
        return None
    if principal.partner_id is None:
        raise Forbidden("a partner's login that belongs to no partner")
    return principal.partner_id


def own_actions(principal: Principal, actions: Iterable[str]) -> tuple[str, ...]:
    """The actions among these that the caller may take within its firm. A technician lacks those of the office."""
    return tuple(action for action in actions if may(principal.partner_role, action))


def viewing_role(principal: Principal) -> ActorRole | None:
    """The role for which orders are shown to this caller: the `role` of `words.order_view.order_view`."""
    return None if principal.role == "accounting" else principal.role


def shown_to(
    principal: Principal, stored: StoredOrder, now: datetime, contact: timedelta
) -> StoredOrder:
    """What this caller sees of an order that it may know of.

    A partner no longer sees how to reach the customer when the order has been closed for the span `contact`.
    Accounting sees of the customer only postal code, town and language, and nothing that people wrote.
    """
    order, events = stored.order, stored.events
    if principal.role == "accounting":
        return StoredOrder(hide_customer(order), erase_events(events))
    if (
        principal.role == "partner"
        and contact_is_over(order, now, contact)
        and not is_erased(order)
    ):
        return StoredOrder(hide_contact(order), events)
    return stored
