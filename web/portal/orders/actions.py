"""The forms on an order's page: each becomes a command, and the answer is a page with its result."""

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from domain.errors import InvalidCommand
from domain.orders.order import Status
from domain.values import Language
from records.orders import StoredOrder
from use_cases import access
from use_cases.access import Forbidden
from use_cases.orders import NotAllowed, RequestReused, Stored, TemporalAway, UnknownOrder
from use_cases.principal import Principal
from web.portal.commands import command_id, typed_content
from web.portal.formats import instant
from web.portal.orders.common import failure_text, find, order_use_cases
from web.portal.orders.fields import WrongForm
from web.portal.orders.forms import NOTICES, forms_of
from web.portal.orders.order import RejectedForm, show
from web.portal.orders.readers import NoInChecklist, reassignment
from web.portal.orders.reminders import reminders
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
        **{f"order-{code}": said for code, said in NOTICES.items()},
        "order-reassign": mark("Der Auftrag ist neu zugeteilt."),
        "order-stored": mark(
            "Das ist sicher gespeichert und wird ausgeführt, sobald das System wieder verfügbar ist. "
            "Sie müssen nichts mehr tun; falls es nicht möglich ist, schreiben wir Ihnen."
        ),
    }
)
_CONFIRM_REJECTION = {
    1: mark(
        "Sie haben eine Frage mit «Nein» beantwortet. Damit sind die Anforderungen nicht erfüllt, und der "
        "Auftrag wird storniert. Bitte prüfen Sie den Grund und bestätigen Sie es hier."
    ),
    2: mark(
        "Sie haben eine Frage mit «Nein» beantwortet. Damit sind die Anforderungen nicht erfüllt, und das "
        "Servicepartner-Team klärt ab, wie es weitergeht. Bitte prüfen Sie den Grund und bestätigen Sie es hier."
    ),
}
"""The question to confirm, by the first version of the rules that has it."""
_REVIEW_LISTS = ("/staff", "/staff/reviews")
"""The lists in which a review is decided with one click. The answer leads back to them."""
_NO_REASON = ("partner_notified", "order_seen", "reminder", "escalation", "mail_undelivered")
"""Events that never make a command impossible."""
_MEANWHILE = mark("Zuletzt: %(what)s (%(who)s, %(when)s).")


@router.post("/orders/{sp_id}/reassign")
async def reassign(request: Request, sp_id: str) -> Response:
    """Reassign the order to another partner."""
    principal = await require_login(request, "operations")
    found = await find(request, principal, sp_id)
    return await _reassign(request, principal, found, "reassign")


@router.post("/orders/{sp_id}/review")
async def review(request: Request, sp_id: str) -> Response:
    """Decide how an order goes on that is reviewed. One of the decisions is another partner."""
    principal = await require_login(request, "operations")
    form = await form_of(request)
    found = await find(request, principal, sp_id)
    is_cancelled = "review.cancel" in form
    if form.get("review.decision") == "reassign" and found.order.rules >= 2 and not is_cancelled:
        return await _reassign(request, principal, found, "review", Status.UNDER_REVIEW)
    return await _act(request, principal, found, "review")


async def _reassign(
    request: Request,
    principal: Principal,
    found: StoredOrder,
    form_name: Literal["reassign", "review"],
    only_in: Status | None = None,
) -> Response:
    form, sp_id = await form_of(request), found.order.sp_id
    try:
        partner_id, reason = reassignment(form, form_name)
    except WrongForm as wrong:
        sent = RejectedForm(form, wrong.codes, opened=form_name)
        return await show(request, principal, found, 422, sent)
    request_id = command_id(principal, form, sp_id, f"{partner_id}\n{reason}")
    work = order_use_cases(request).reassign(
        principal, sp_id, partner_id, reason, request_id, only_in=only_in
    )
    return await _carry_out(request, principal, found, form_name, work, notice="reassign")


@router.post("/orders/{sp_id}/{form_name}")
async def act(request: Request, sp_id: str, form_name: str) -> Response:
    """Any other form of the order's page."""
    principal = await require_login(request, "partner", "operations")
    await form_of(request)
    found = await find(request, principal, sp_id)
    if form_name not in forms_of(found.order.rules):
        return error_page(request, 404)
    return await _act(request, principal, found, form_name)


async def _act(
    request: Request, principal: Principal, found: StoredOrder, form_name: str
) -> Response:
    form, sp_id, version = await form_of(request), found.order.sp_id, found.order.rules
    shape = forms_of(version)[form_name]
    try:
        command = shape.read(form_name, form, found.order, order_use_cases(request).now)
    except WrongForm as wrong:
        sent = RejectedForm(form, wrong.codes, opened=form_name)
        return await show(request, principal, found, 422, sent)
    except NoInChecklist as no:
        language = reader_language(request, principal)
        filled = {
            "rejection.reason": no.reason,
            "rejection.note": form.get("requirements.note"),
        }
        question = _CONFIRM_REJECTION[
            max(since for since in _CONFIRM_REJECTION if since <= version)
        ]
        problem = TRANSLATIONS[language].gettext(question)
        sent = RejectedForm(form, problem=problem, opened="rejection", filled=filled)
        return await show(request, principal, found, 422, sent)
    request_id = command_id(principal, form, sp_id, typed_content(form, form_name))
    work = order_use_cases(request).command(principal, sp_id, command, request_id)
    notice = shape.notice or form_name
    return await _carry_out(request, principal, found, form_name, work, notice, shape.places)


async def _carry_out(
    request: Request,
    principal: Principal,
    found: StoredOrder,
    form_name: str,
    work: Awaitable[StoredOrder | Stored],
    notice: str,
    places: Mapping[str, str] = {},
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
    if form_name == "contact":  # the person has called, so the reminder to call is done
        await reminders(request).clear(principal.login_id, sp_id)
    if isinstance(done, Stored):
        return redirect(request, f"/orders/{quote(sp_id, safe='')}#main", said="order-stored")
    back = form.get("back")
    if form_name == "review" and back in _REVIEW_LISTS:
        return redirect(request, f"{back}#main", said=f"order-{notice}")
    if form_name == "decline" and principal.role == "partner":
        return redirect(request, "/#main", said=f"order-{notice}")  # the partner no longer has it
    return redirect(request, f"/orders/{quote(sp_id, safe='')}#main", said=f"order-{notice}")


def _meanwhile(principal: Principal, found: StoredOrder, now: datetime, language: Language) -> str:
    """What happened to the order last and who caused it: usually why the command is no longer possible."""
    role = access.viewing_role(principal)
    entries = order_view(found.order, found.events, now, language, role).timeline
    last = next((each for each in reversed(entries) if each.type not in _NO_REASON), entries[-1])
    return TRANSLATIONS[language].gettext(_MEANWHILE) % {
        "what": last.text,
        "who": last.author_text,
        "when": instant(last.at),
    }
