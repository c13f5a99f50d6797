"""The forms on an order's page: each becomes a command, and the answer is a page with its result."""

from collections.abc import Awaitable
from datetime import datetime
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from domain.errors import InvalidCommand
from domain.values import Language
from records.orders import StoredOrder
from use_cases import access
from use_cases.access import Forbidden
from use_cases.orders import NotAllowed, RequestReused, Stored, TemporalAway, UnknownOrder
from use_cases.principal import Principal
from web.portal.commands import command_id
from web.portal.formats import instant
from web.portal.orders.common import failure_text, find, order_use_cases
from web.portal.orders.fields import WrongForm
from web.portal.orders.forms import FORMS, NoInChecklist, read_reassignment
from web.portal.orders.order import RejectedForm, show
from web.portal.pages import (
    error_page,
    form_of,
    reader_language,
    redirect,
    register_notices,
    require_login,
)
from words.order_view import order_view
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)

register_notices(
    {
        **{f"order-{name}": form.said for name, form in FORMS.items()},
        "order-reassign": mark("Der Auftrag ist neu zugeteilt."),
        "order-stored": mark(
            "Das ist sicher gespeichert und wird ausgeführt, sobald das System wieder Zeit dafür hat. "
            "Sie müssen nichts mehr tun; falls es nicht möglich ist, schreiben wir Ihnen."
        ),
    }
)
_CONFIRM_REJECTION = mark(
    "Sie haben eine Frage mit «Nein» beantwortet. Damit sind die Anforderungen nicht erfüllt, und der "
    "Auftrag wird storniert. Bitte prüfen Sie den Grund und bestätigen Sie es hier."
)
_MEANWHILE = mark("Zuletzt: %(what)s (%(who)s, %(when)s).")


@router.post("/orders/{sp_id}/reassign")
async def reassign(request: Request, sp_id: str) -> Response:
    """Reassign the order to another partner."""
    principal = await require_login(request, "operations")
    form = await form_of(request)
    found = await find(request, principal, sp_id)
    try:
        partner_id, reason = read_reassignment(form)
    except WrongForm as wrong:
        sent = RejectedForm(form, wrong.codes, opened="reassign")
        return await show(request, principal, found, 422, sent)
    request_id = command_id(principal, form, sp_id, f"{partner_id}\n{reason}")
    work = order_use_cases(request).reassign(principal, sp_id, partner_id, reason, request_id)
    return await _carry_out(request, principal, found, "reassign", work)


@router.post("/orders/{sp_id}/{form_name}")
async def act(request: Request, sp_id: str, form_name: str) -> Response:
    """Any other form of the order's page."""
    principal = await require_login(request, "partner", "operations")
    form = await form_of(request)
    if form_name not in FORMS:
        return error_page(request, 404)
    found = await find(request, principal, sp_id)
    try:
        command = FORMS[form_name].read(form_name, form, found.order)
    except WrongForm as wrong:
        sent = RejectedForm(form, wrong.codes, opened=form_name)
        return await show(request, principal, found, 422, sent)
    except NoInChecklist as no:
        language = reader_language(request, principal)
        filled = {
            "rejection.reason": no.reason,
            "rejection.note": form.get("requirements.note"),
        }
        problem = TRANSLATIONS[language].gettext(_CONFIRM_REJECTION)
        sent = RejectedForm(form, problem=problem, opened="rejection", filled=filled)
        return await show(request, principal, found, 422, sent)
    request_id = command_id(principal, form, sp_id, command.model_dump_json())
    work = order_use_cases(request).command(principal, sp_id, command, request_id)
    return await _carry_out(request, principal, found, form_name, work)


async def _carry_out(
    request: Request,
    principal: Principal,
    found: StoredOrder,
    form_name: str,
    work: Awaitable[StoredOrder | Stored],
) -> Response:
    """Carry out the command. Redirects to the order, or shows its page with the reason for a failure."""
    form, sp_id = await form_of(request), found.order.sp_id
    language = reader_language(request, principal)
    try:
        done = await work
    except Forbidden:
        return error_page(request, 403)
    except UnknownOrder:
        return error_page(request, 404)
    except InvalidCommand as invalid:
        places = FORMS[form_name].places if form_name in FORMS else {}
        field = f"{form_name}.{places.get(invalid.field, invalid.field)}"
        sent = RejectedForm(form, {field: invalid.code}, opened=form_name)
        return await show(request, principal, found, 422, sent)
    except TemporalAway as away:
        sent = RejectedForm(form, problem=failure_text(away, language), opened=form_name)
        return await show(request, principal, found, 503, sent)
    except (NotAllowed, RequestReused) as refused:
        found = await find(request, principal, sp_id)
        meanwhile = _meanwhile(principal, found, order_use_cases(request).now, language)
        problem = f"{failure_text(refused, language)} {meanwhile}"
        return await show(request, principal, found, 409, RejectedForm(form, problem=problem))
    said = "stored" if isinstance(done, Stored) else form_name
    return redirect(request, f"/orders/{quote(sp_id, safe='')}#main", said=f"order-{said}")


def _meanwhile(principal: Principal, found: StoredOrder, now: datetime, language: Language) -> str:
    """The order's last event and who caused it: usually the reason why the command is no longer possible."""
    role = access.viewing_role(principal)
    last = order_view(found.order, found.events, now, language, role).timeline[-1]
    return TRANSLATIONS[language].gettext(_MEANWHILE) % {
        "what": last.text,
        "who": last.author_text,
        "when": instant(last.at),
    }
