"""The page of an order's execution protocol: what was checked, when, and the customer's signature; and its PDF."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError

from domain.errors import InvalidCommand
from domain.orders.order import Order
from domain.orders.protocol import (
    HEIGHT,
    WIDTH,
    Checked,
    CheckResult,
    Ending,
    Protocol,
    Strokes,
    why_no_protocol,
)
from domain.values import Language
from records.orders import StoredOrder
from temporal.calls import TemporalAway
from use_cases.access import Forbidden
from use_cases.confined_work import NotNow
from use_cases.on_site import NoProtocol, OnSiteView
from use_cases.order_errors import NotAllowed, RequestReused, UnknownOrder
from use_cases.principal import Principal
from web.downloads import pdf_headers
from web.portal.commands import command_id
from web.portal.device import kept_on_device, refusal_header
from web.portal.forms import Form
from web.portal.orders.common import failure_text, find
from web.portal.orders.fields import (
    LONGEST_NOTE,
    WrongForm,
    message,
    read_choice,
    read_clock,
    read_day,
    read_instant,
    read_note,
)
from web.portal.orders.on_site import on_site_use_cases
from web.portal.orders.order import RejectedForm
from web.portal.pages import (
    error_page,
    form_of,
    page,
    reader_language,
    redirect,
    register_notices,
    require_login,
)
from web.problems import NOT_MADE_RETRY_AFTER_SECONDS
from words import refusal_reason
from words.protocol import ending_label, item_label, result_label
from words.translations import TRANSLATIONS, mark, say

router = APIRouter(include_in_schema=False)
register_notices({"protocol-kept": mark("Das Protokoll ist gespeichert.")})

_RESULTS: tuple[CheckResult, ...] = ("done", "not_done", "not_needed")
_ENDINGS: tuple[Ending, ...] = ("signed", "refused", "absent")
_STROKES: TypeAdapter[Strokes] = TypeAdapter(Strokes)
_LONGEST_SIGNER = 200
_NAMES = {
    "protocol.begun": mark("Beginn"),
    "protocol.ended": mark("Ende"),
    "protocol.day": mark("Datum"),
    "protocol.ending": mark("Unterschrift"),
    "protocol.strokes": mark("Unterschrift"),
    "protocol.signer": mark("Name"),
    "protocol.reason": mark("Grund"),
}


class Times(NamedTuple):
    """The proposed values of the fields day, begin and end."""

    day: str
    begun: str
    ended: str


@router.get("/orders/{sp_id}/protocol")
async def protocol_page(request: Request, sp_id: str) -> Response:
    """The form of the protocol."""
    principal = await require_login(request, "partner", "operations")
    return await _show(request, principal, await find(request, principal, sp_id))


@router.post("/orders/{sp_id}/protocol")
async def write(request: Request, sp_id: str) -> Response:
    """Write the protocol, or a new version of it."""
    principal = await require_login(request, "partner", "operations")
    form, language = await form_of(request), reader_language(request, principal)
    found = await find(request, principal, sp_id)
    on_site = on_site_use_cases(request)
    items = (await on_site.view(principal, found.order)).items
    try:
        protocol = _read(form, found.order, items)
        signed = protocol.ending == "signed" and not protocol.strokes
        picture = form.get("protocol.signature_photo") if signed else ""
        content = protocol.model_dump_json() + picture
        await on_site.write_protocol(
            principal,
            found.order,
            protocol,
            request_id=command_id(principal, form, sp_id, f"protocol\n{content}"),
            signature_photo=picture or None,
        )
    except WrongForm as error:
        return await _show(request, principal, found, 422, RejectedForm(form, error.codes))
    except InvalidCommand as error:
        sent = RejectedForm(form, {_place(error.field, items): error.code})
        return await _show(request, principal, found, 422, sent)
    except UnknownOrder:
        return error_page(request, 404)
    except Forbidden:
        return error_page(request, 403)
    except (NotAllowed, TemporalAway, RequestReused) as error:
        status = 503 if isinstance(error, TemporalAway) else 409
        sent = RejectedForm(form, problem=failure_text(error, language))
        return await _show(request, principal, found, status, sent)
    return redirect(request, f"/orders/{quote(sp_id, safe='')}#on-site", said="protocol-kept")


@router.get("/orders/{sp_id}/protocol.pdf")
async def latest_pdf(request: Request, sp_id: str) -> Response:
    """The latest protocol as PDF."""
    return await _pdf(request, sp_id, None)


@router.get("/orders/{sp_id}/protocols/{sha256}.pdf")
async def pdf(request: Request, sp_id: str, sha256: str) -> Response:
    """Any version as PDF, by its SHA-256."""
    return await _pdf(request, sp_id, sha256)


async def _pdf(request: Request, sp_id: str, sha256: str | None) -> Response:
    principal = await require_login(request, "partner", "operations")
    order = (await find(request, principal, sp_id)).order
    on_site = on_site_use_cases(request)
    try:
        kept, made = await (
            on_site.pdf(principal, order)
            if sha256 is None
            else on_site.pdf_by_checksum(principal, order, sha256)
        )
    except Forbidden:
        return error_page(request, 403)
    except NoProtocol:
        return error_page(request, 404)
    except NotNow:
        return error_page(request, 503, {"Retry-After": str(NOT_MADE_RETRY_AFTER_SECONDS)})
    return Response(made, media_type="application/pdf", headers=pdf_headers(kept.version))


def _place(field: str, items: tuple[str, ...]) -> str:
    """The name on the page of a field of the protocol."""
    name, _, item = field.partition(".")
    if name == "checklist" and item in items:
        return f"protocol.check.{items.index(item)}"
    return f"protocol.{name}"


def _read(form: Form, order: Order, items: tuple[str, ...]) -> Protocol:
    """The protocol in the form's fields. Raises `WrongForm`."""
    wrong: dict[str, str] = {}
    checked = tuple(
        Checked(item=item, result=read_choice(form, f"protocol.check.{n}", _RESULTS, wrong))
        for n, item in enumerate(items)
    )
    day = read_day(form.get("protocol.day"), "protocol.day", wrong)
    begin = read_clock(form, "protocol.begun", wrong)
    end = read_clock(form, "protocol.ended", wrong)
    begun = read_instant(order.calendar, day, begin, "protocol.begun", wrong)
    ended = read_instant(order.calendar, day, end, "protocol.ended", wrong, after=begun)
    ending = read_choice(form, "protocol.ending", _ENDINGS, wrong)
    is_signed = ending == "signed"
    signer = " ".join(read_note(form, "protocol.signer", wrong).split())[:_LONGEST_SIGNER]
    reason = read_note(form, "protocol.reason", wrong)
    remarks = read_note(form, "protocol.remarks", wrong)
    materials = read_note(form, "protocol.materials", wrong)
    strokes: Strokes = ()
    if is_signed and (drawn := form.get("protocol.strokes")):
        try:
            strokes = _STROKES.validate_json(drawn)
        except ValidationError:
            wrong["protocol.strokes"] = "signature_missing"
    if wrong or begun is None or ended is None:
        raise WrongForm(wrong)
    return Protocol(
        checklist=checked,
        begun=begun,
        ended=ended,
        remarks=remarks,
        materials=materials,
        ending=ending,
        signer=signer if is_signed else "",
        strokes=strokes,
        reason="" if is_signed else reason,
    )


async def _show(
    request: Request,
    principal: Principal,
    found: StoredOrder,
    status: int = 200,
    sent: RejectedForm | None = None,
) -> Response:
    order, sent = found.order, sent or RejectedForm()
    language = reader_language(request, principal)
    view = await on_site_use_cases(request).view(principal, order)
    translate = TRANSLATIONS[language].gettext
    code = why_no_protocol(order)
    values: dict[str, Any] = {
        "order": order,
        "view": view,
        "sent": sent,
        "errors": {f: message(code, language, translate) for f, code in sent.codes.items()},
        "error_names": _error_names(sent, view, language)
        | {k: say(language, v) for k, v in _NAMES.items()},
        "refusal": refusal_reason("", code, order.status, language) if code else None,
        "items": [item_label(each, language) for each in view.items],
        "results": [(each, result_label(each, language)) for each in _RESULTS],
        "endings": [(each, ending_label(each, language)) for each in _ENDINGS],
        "times": _times(order, on_site_use_cases(request).now),
        "customer": order.intake.placement.customer.name,
        "width": WIDTH,
        "height": HEIGHT,
        "strokes": _clean(sent.value("protocol.strokes")),
        "longest": LONGEST_NOTE,
    }
    headers = kept_on_device(principal) if status == 200 else None
    if sent.problem or sent.codes:
        refusals = [sent.problem or "", *values["errors"].values()]
        headers = refusal_header(request, " ".join(filter(None, refusals)))
    return page(request, "orders/protocol", status, principal=principal, headers=headers, **values)


def _error_names(sent: RejectedForm, view: OnSiteView, language: Language) -> dict[str, str]:
    prefix = "protocol.check."
    return {
        field: item_label(view.items[int(field.removeprefix(prefix))], language)
        for field in sent.codes
        if field.startswith(prefix)
    }


def _clean(drawn: str) -> str:
    """The strokes of a form that was not accepted, or nothing if they are malformed."""
    try:
        return json.dumps(_STROKES.validate_json(drawn), separators=(",", ":"))
    except ValidationError:
        return ""


def _times(order: Order, now: datetime) -> Times:
    """The appointment's day and begin if it has begun; otherwise today, without a begin."""
    local = order.calendar.local
    today, appointment = local(now), order.appointment
    start = local(appointment.start) if appointment is not None else None
    if start is None or start > today:
        return Times(f"{today:%Y-%m-%d}", "", f"{today:%H:%M}")
    is_today = start.date() == today.date()
    return Times(f"{start:%Y-%m-%d}", f"{start:%H:%M}", f"{today:%H:%M}" if is_today else "")
