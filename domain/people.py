"""The people of a service partner: what their roles may do, and which mails they get (docs/rules.md, "People")."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

PartnerRole = Literal["office", "technician"]
PARTNER_ROLES: tuple[PartnerRole, ...] = get_args(PartnerRole)
"""`office`: all that the partner may do. `technician`: what is done for orders that are assigned to it."""

Notification = Literal["assigned", "changes", "today", "new_orders", "digest"]
NOTIFICATIONS: tuple[Notification, ...] = get_args(Notification)
"""The mails that a person gets itself, beside those to its partner's address.

`assigned`: an order was assigned to it. `changes`: the appointment of such an order was set or moved by somebody
else, or the order was cancelled or taken away. `today`: in the morning, its appointments of the day. `new_orders`: the
partner got an order. `digest`: in the morning, what is open.
"""

TECHNICIANS: frozenset[str] = frozenset(
    {
        "read",
        "read_agenda",
        "log_contact",
        "confirm_requirements",
        "reject_requirements",
        "goods_received",
        "set_appointment",
        "confirm_execution",
        "report_not_executed",
        "report_problem",
        "withdraw_problem",
        "resume",
        "undo",
        "read_messages",
        "write_message",
        "read_on_site",
        "write_on_site",
    }
)
"""The use cases of a technician, by the names of commands and of `use_cases.access.MAY`. Only the office may accept and
decline orders, and only it sees the partner's money, figures and people."""

_BY_DEFAULT: Mapping[PartnerRole, tuple[Notification, ...]] = {
    "office": ("assigned", "changes"),
    "technician": ("assigned", "changes"),
}
_POSSIBLE: Mapping[PartnerRole, tuple[Notification, ...]] = {
    "office": NOTIFICATIONS,
    "technician": ("assigned", "changes", "today"),
}


def may(role: PartnerRole | None, use_case: str) -> bool:
    """Whether this role lets a caller use a use case. None: the caller is a partner's software, or not of a partner."""
    return role != "technician" or use_case in TECHNICIANS


def possible(role: PartnerRole) -> tuple[Notification, ...]:
    """The notifications that a person of this role can switch on."""
    return _POSSIBLE[role]


def wanted(role: PartnerRole, chosen: Iterable[str] | None) -> tuple[Notification, ...]:
    """The notifications that a person gets. `chosen`: those chosen for it; None: no choice was made, the default holds.

    Those that its role does not allow are left out: the role may have changed since.
    """
    choice: Iterable[str] = _BY_DEFAULT[role] if chosen is None else set(chosen)
    return tuple(each for each in _POSSIBLE[role] if each in choice)
