"""The parts of an order's page for operations only: its partner, its mails, the link into the Temporal UI."""

from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from domain.orders.command_rules import COMMANDS
from domain.orders.deadlines import highest_level
from domain.orders.order import Order
from domain.rules import holding
from domain.values import Language
from records.mails import MailRow
from records.partners import Partner
from temporal.runs import latest_run
from use_cases.asked_reminders import waits_for_partner
from use_cases.operations import Operations
from use_cases.principal import Principal
from web.portal.orders.common import find, partner_choices, phone_link
from web.portal.pages import require_login
from web.portal.temporal_ui import workflow_address
from words import mail_label
from words.translations import mark, say

router = APIRouter(include_in_schema=False)

_STATES = {
    "sent": mark("zugestellt"),
    "sending": mark("wird noch versucht"),
    "refused": mark("abgewiesen, wird noch versucht"),
    "given_up": mark("aufgegeben"),
    "obsolete": mark("nicht mehr nötig"),
}
_AUDIENCES = {
    "partner": mark("Servicepartner"),
    "operations": mark("Servicepartner-Team"),
    "person": mark("Person des Servicepartners"),
}


class ToldMail(NamedTuple):
    """A mail about the order in the reader's language. `to`: its audience. `address`: its recipient."""

    row: MailRow
    what: str
    to: str
    address: str
    state: str
    is_lost: bool


async def operations_values(
    request: Request,
    principal: Principal,
    order: Order,
    may: frozenset[str],
    opened: str | None,
    language: Language,
) -> dict[str, Any]:
    """The values for operations on the page of an order; for all others, the same names without content."""
    values: dict[str, Any] = {
        "for_operations": False,
        "behalf_of": "",
        "partners": (),
        "told": (),
        "looks": (),
    }
    if principal.role != "operations":
        return values
    state = request.app.state
    operations: Operations = state.operations
    partner: Partner | None = await operations.partner(principal, order.partner.partner_id)
    partners_own = _partners_actions(order) & may
    return {
        "for_operations": True,
        "partner": partner,
        "partner_call": phone_link(partner.phone) if partner else None,
        "partner_level": highest_level(order, "partner"),
        "level": highest_level(order),
        "can_remind": waits_for_partner(order, operations.now) is not None,
        "behalf_of": order.partner.name if partners_own else "",
        "behalf_opened": opened is not None and opened not in _OWN_FORMS,
        "partners": await partner_choices(request, order.partner.partner_id)
        if "reassign" in may
        else (),
        "told": [
            _told(row, language) for row in await operations.mails_about(principal, order.sp_id)
        ],
        "looks": await state.accounts.traces.looks(principal, order.sp_id),
    }


_OWN_FORMS = ("review", "reassign", "cancel", "reopen", "resume")
"""The forms of an order's page for operations' own commands."""


def _partners_actions(order: Order) -> frozenset[str]:
    """The actions of a partner, which operations may take on its behalf."""
    partners = {rule.type for rule in holding(COMMANDS, order.rules) if rule.is_partners}
    return frozenset(partners - {"resume"})


def _told(row: MailRow, language: Language) -> ToldMail:
    audience = _AUDIENCES.get(row.audience)
    return ToldMail(
        row,
        mail_label(row.kind, language),
        say(language, audience) if audience else "",
        row.recipient,
        say(language, _STATES[row.state]),
        row.state in ("given_up", "refused"),
    )


@router.get("/orders/{sp_id}/temporal")
async def temporal_ui(request: Request, sp_id: str) -> Response:
    """Lead to the current details of the order's workflow in the Temporal UI; to the workflow if Temporal is away."""
    principal = await require_login(request, "operations")
    order = (await find(request, principal, sp_id)).order
    run = await latest_run(request.app.state.temporal, order.sp_id)
    return RedirectResponse(workflow_address(request, order.sp_id, run), 303)
