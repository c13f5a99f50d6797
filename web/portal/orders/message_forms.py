"""The forms of an order's page to write messages and notes, and to mark a message as needing no answer."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from domain.errors import InvalidCommand
from temporal.calls import TemporalAway
from use_cases.order_errors import NotAllowed, RequestReused, UnknownOrder
from use_cases.principal import Principal
from web.portal.commands import command_id
from web.portal.orders.common import failure_text, find
from web.portal.orders.fields import WrongForm, read_note
from web.portal.orders.messages import message_use_cases
from web.portal.orders.order import RejectedForm, show
from web.portal.pages import (
    error_page,
    form_of,
    reader_language,
    redirect,
    register_notices,
    require_login,
)
from words.translations import mark

router = APIRouter(include_in_schema=False)
register_notices(
    {
        "message-sent": mark("Die Nachricht ist gesendet."),
        "note-kept": mark("Die interne Notiz ist gespeichert."),
        "no-answer-kept": mark("Diese Nachricht wartet nicht mehr auf eine Antwort."),
    }
)


@router.post("/orders/{sp_id}/messages")
async def send(request: Request, sp_id: str) -> Response:
    """Write to the other side: `message.text`, and for operations `message.partner_id`, the partner they write to."""
    principal = await require_login(request, "partner", "operations")
    return await _write(request, principal, sp_id, "message")


@router.post("/orders/{sp_id}/notes")
async def keep_note(request: Request, sp_id: str) -> Response:
    """Write an internal note: `note.text`."""
    principal = await require_login(request, "operations")
    return await _write(request, principal, sp_id, "note")


@router.post("/orders/{sp_id}/no-answer")
async def need_no_answer(request: Request, sp_id: str) -> Response:
    """Mark a partner's message as needing no answer: `message_id`."""
    principal = await require_login(request, "operations")
    form = await form_of(request)
    order = (await find(request, principal, sp_id)).order
    try:
        await message_use_cases(request).close(principal, order, form.get("message_id"))
    except InvalidCommand:
        return error_page(request, 422)
    return _back(request, sp_id, "no-answer-kept")


async def _write(request: Request, principal: Principal, sp_id: str, name: str) -> Response:
    form, language = await form_of(request), reader_language(request, principal)
    found = await find(request, principal, sp_id)
    internal, field = name == "note", f"{name}.text"
    wrong: dict[str, str] = {}
    text = read_note(form, field, wrong)
    if not text:
        wrong.setdefault(field, "message_missing")
    to = form.get(f"{name}.partner_id") if principal.role == "operations" else ""
    try:
        if wrong:
            raise WrongForm(wrong)
        await message_use_cases(request).write(
            principal,
            found.order,
            text,
            internal=internal,
            to=to or None,
            request_id=command_id(principal, form, sp_id, f"{name}\n{text}"),
        )
    except WrongForm as error:
        sent = RejectedForm(form, error.codes, opened=name)
        return await show(request, principal, found, 422, sent)
    except InvalidCommand as error:
        sent = RejectedForm(form, {field: error.code}, opened=name)
        return await show(request, principal, found, 422, sent)
    except UnknownOrder:
        return error_page(request, 404)
    except RequestReused:
        return _back(request, sp_id, "message-sent")
    except (NotAllowed, TemporalAway) as error:
        status = 409 if isinstance(error, NotAllowed) else 503
        found = await find(request, principal, sp_id)  # another partner may have it meanwhile
        sent = RejectedForm(form, problem=failure_text(error, language), opened=name)
        return await show(request, principal, found, status, sent)
    return _back(request, sp_id, "note-kept" if internal else "message-sent")


def _back(request: Request, sp_id: str, said: str) -> Response:
    return redirect(request, f"/orders/{quote(sp_id, safe='')}#messages", said=said)
