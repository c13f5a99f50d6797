"""Who may do what to a settlement, in which state, and how the timeline names them."""

from datetime import datetime
from typing import assert_never

from domain import rules
from domain.actors import Actor, Role
from domain.authors import Author, author_of
from domain.settlements.commands import (
    AcceptHeldInvoice,
    AdoptRules,
    ApproveInvoice,
    Close,
    Command,
    NoteInvoice,
    NotePaid,
    NoteReleased,
    NoteUndelivered,
    PassTime,
    RefuseHeldInvoice,
    ReturnInvoice,
    Select,
    TakeClaims,
    TakeStatement,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.errors import SettlementRefused
from domain.settlements.settlement import Settlement, SettlementStatus

_PARTNER: tuple[Role, ...] = ("partner", "operations")
# Both are keyed by rules version; a later version lists only what it changes or adds.
ROLES: dict[int, dict[str, tuple[Role, ...]]] = {
    1: {
        "select": _PARTNER,
        "close": _PARTNER,
        "invoice": _PARTNER,
        "note_invoice": ("accounting", "operations"),
        "void": ("operations",),
        "adopt_rules": ("operations", "system"),
    },
    # Who orders the work must not decide what is paid, so operations may do none of these.
    2: {
        "approve": ("accounting",),
        "return": ("accounting",),
        "pay": ("accounting",),
        # an invoice that is right except for its account
        "accept_invoice": ("accounting", "operations"),
        "refuse_invoice": ("accounting", "operations"),
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
    2: {
        SettlementStatus.ISSUED: (
            "accept_invoice",
            "refuse_invoice",
            "invoice",
            "note_invoice",
            "void",
        ),
        SettlementStatus.INVOICED: ("approve", "return"),
        SettlementStatus.APPROVED: ("pay", "return"),
        SettlementStatus.PAID: (),
    },
}


_OF_HELD = ("accept_invoice", "refuse_invoice")


def actions(settlement: Settlement) -> tuple[str, ...]:
    """The actions that the state allows, to any role. `invoice`: hand in an invoice, uploaded or made by CMI."""
    if settlement.status is SettlementStatus.INVOICED and not settlement.awaits_payment:
        return ()
    of_state = rules.under(ACTIONS, settlement.rules).get(settlement.status, ())
    if settlement.held is None:
        return tuple(action for action in of_state if action not in _OF_HELD)
    return of_state


def allowed(settlement: Settlement, role: str) -> tuple[str, ...]:
    """The actions that a caller of this role may take now."""
    may = rules.under(ROLES, settlement.rules)
    return tuple(action for action in actions(settlement) if role in may[action])


def authorise(settlement: Settlement, action: str, actor: Actor, now: datetime) -> None:
    """Check that this actor may take this action at `now`.

    Raises:
        SettlementRefused: the role may not, the settlement is another partner's, or the state does not allow it.
    """
    may = allowed(settlement, actor.role)
    if actor.role not in _roles(settlement, action):
        raise SettlementRefused(action, "role", settlement.status, may)
    if actor.role == "partner" and actor.partner_id != settlement.opening.partner.partner_id:
        raise SettlementRefused(action, "not_yours", settlement.status)
    if action not in actions(settlement) and action != "adopt_rules":
        until = settlement.selectable_until
        if action == "select" and until is not None and until <= now:
            raise SettlementRefused(action, "too_late", settlement.status, may)
        raise SettlementRefused(action, "wrong_state", settlement.status, may)


def _roles(settlement: Settlement, action: str) -> tuple[Role, ...]:
    """The roles of an action. One that only newer rules have gets its roles from those; no state allows it."""
    under = rules.under(ROLES, settlement.rules)
    return under[action] if action in under else rules.under(ROLES, rules.CURRENT)[action]


def author(settlement: Settlement, command: Command | None, actor: Actor) -> Author:
    """The author of a command's events; without a command, of the settlement's opening."""
    is_partners = command is None or isinstance(command, Select | Close | TakeVerdict)
    partner_id = settlement.opening.partner.partner_id
    return author_of(actor, on_behalf_of=partner_id if is_partners else None)


def action_of(command: Command) -> str | None:
    """The action that a command takes, as `ROLES` lists it; None for commands that only the workflow gives."""
    match command:
        case TakeVerdict():
            return "invoice"
        case (
            VoidSettlement()
            | Select()
            | Close()
            | NoteInvoice()
            | ApproveInvoice()
            | ReturnInvoice()
            | NotePaid()
            | AcceptHeldInvoice()
            | RefuseHeldInvoice()
            | AdoptRules()
        ):
            return command.type
        case PassTime() | TakeClaims() | TakeStatement() | NoteReleased() | NoteUndelivered():
            return None
        case _:
            assert_never(command)
