"""Who may do what to a settlement, in which state, and how the timeline names them."""

from datetime import datetime
from typing import TYPE_CHECKING

from domain import rules
from domain.actors import Actor, Role
from domain.settlements.commands import (
    AdoptRules,
    Close,
    Command,
    NoteInvoice,
    Select,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.errors import SettlementRefused
from domain.settlements.settlement import SettlementStatus

if TYPE_CHECKING:
    from domain.settlements.lifecycle import Settling

_PARTNER: tuple[Role, ...] = ("partner", "operations")
# Both by rules version, as an order's: a later one lists only what it changes or adds.
ROLES: dict[int, dict[str, tuple[Role, ...]]] = {
    1: {
        "select": _PARTNER,
        "close": _PARTNER,
        "invoice": _PARTNER,
        "note_invoice": ("accounting", "operations"),
        "void": ("operations",),
        "adopt_rules": ("operations", "system"),
    },
}
ACTIONS: dict[int, dict[SettlementStatus, tuple[str, ...]]] = {
    1: {
        SettlementStatus.OPEN: ("select", "close", "void"),
        SettlementStatus.CLOSING: (),
        SettlementStatus.ISSUED: ("invoice", "note_invoice", "void"),
        SettlementStatus.INVOICED: (),
        SettlementStatus.VOID: (),
    },
}


def actions(settling: "Settling") -> tuple[str, ...]:
    """What the state allows, whoever does it; `invoice` is to upload one."""
    return rules.under(ACTIONS, settling.rules).get(settling.status, ())


def allowed(settling: "Settling", role: str) -> tuple[str, ...]:
    """What a caller of this role may do now."""
    may = rules.under(ROLES, settling.rules)
    return tuple(action for action in actions(settling) if role in may[action])


def authorise(settling: "Settling", action: str, actor: Actor, now: datetime) -> None:
    """Check that this actor may do this at `now`.

    Raises:
        SettlementRefused: not in this role, not to this partner's settlement, not in this state.
    """
    may = allowed(settling, actor.role)
    if actor.role not in rules.under(ROLES, settling.rules)[action]:
        raise SettlementRefused(action, "role", settling.status, may)
    if actor.role == "partner" and actor.partner_id != settling.opening.partner.partner_id:
        raise SettlementRefused(action, "not_yours", settling.status)
    if action not in actions(settling) and action != "adopt_rules":
        until = settling.selectable_until
        if action == "select" and until is not None and until <= now:
            raise SettlementRefused(action, "too_late", settling.status, may)
        raise SettlementRefused(action, "wrong_state", settling.status, may)


def author(settling: "Settling", command: Command | None, actor: Actor) -> str:
    """Who did it, and for whom, in the words of the timeline. Without a command it is the opening."""
    if actor.role == "partner":
        return f"partner:{actor.partner_id}"
    named = f"{actor.role}:{actor.name}" if actor.name else actor.role
    partners = command is None or isinstance(command, Select | Close | TakeVerdict)
    if actor.role == "operations" and partners:
        return f"{named} for partner:{settling.opening.partner.partner_id}"
    return named


def action_of(command: Command) -> str | None:
    """The name of what somebody does by a command, as `ROLES` lists it; None of what only the system does."""
    match command:
        case TakeVerdict():
            return "invoice"
        case VoidSettlement() | Select() | Close() | NoteInvoice() | AdoptRules():
            return command.type
        case _:
            return None
