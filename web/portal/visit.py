"""The page behind the link in a customer's mail: its order's state, and the wish for another day. Without a login."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from domain.orders.another_day import LONGEST_NOTE, may_ask
from domain.orders.order import Order, Status
from domain.orders.standing import standing
from domain.values import Language
from use_cases.confined_work import NotNow
from use_cases.customer_links import CustomerLinkUseCases
from use_cases.on_site import NoProtocol
from web.downloads import pdf_headers
from web.portal.formats import local
from web.portal.orders.fields import read_note
from web.portal.orders.on_site import on_site_use_cases
from web.portal.pages import error_page, form_of, page, redirect
from web.problems import NOT_MADE_RETRY_AFTER_SECONDS
from words.telephone import dialled
from words.translations import mark, say

router = APIRouter(include_in_schema=False)

_PRIVATE = {"Referrer-Policy": "no-referrer"}  # the address contains a secret
_STATES = {
    "waiting": mark(
        "Ein Servicepartner wird Sie anrufen, um einen Termin mit Ihnen zu vereinbaren."
    ),
    "caller": mark("%(partner)s ruft Sie an, um einen Termin mit Ihnen zu vereinbaren."),
    "agreed": mark("%(partner)s kommt an diesem Termin zu Ihnen."),
    "clarifying": mark("Es wird noch etwas geklärt. Sie müssen nichts tun; wir melden uns."),
    "done": mark("Erledigt. Vielen Dank."),
    "cancelled": mark("Dieser Auftrag ist storniert. Es kommt niemand vorbei."),
}


def customer_links(request: Request) -> CustomerLinkUseCases:
    """The links and wishes of customers."""
    found: CustomerLinkUseCases = request.app.state.customer_links
    return found


@router.get("/visit/{secret}")
async def visit(request: Request, secret: str) -> Response:
    """The state of the order and its appointment."""
    order = await customer_links(request).open(secret)
    return _dead(request) if order is None else await _show(request, order)


@router.get("/visit/{secret}/protocol.pdf")
async def protocol(request: Request, secret: str) -> Response:
    """The execution protocol, if the policy gives it to customers."""
    order = await customer_links(request).open(secret)
    if order is None:
        return _dead(request)
    try:
        kept, made = await on_site_use_cases(request).customers_pdf(order)
    except NoProtocol:
        return _dead(request)
    except NotNow:
        return error_page(request, 503, {"Retry-After": str(NOT_MADE_RETRY_AFTER_SECONDS)})
    headers = pdf_headers(kept.version) | _PRIVATE
    return Response(made, media_type="application/pdf", headers=headers)


@router.post("/visit/{secret}")
async def ask(request: Request, secret: str) -> Response:
    """Ask for another day."""
    form = await form_of(request)
    links = customer_links(request)
    order = await links.open(secret)
    if order is None:
        return _dead(request)
    if not await links.ask(order, read_note(form, "note", {})):
        return await _show(request, order, too_late=True)
    return redirect(request, f"/visit/{quote(secret, safe='')}")


async def _show(request: Request, order: Order, *, too_late: bool = False) -> HTMLResponse:
    links = customer_links(request)
    language: Language = order.intake.placement.customer.language
    partner = await links.partner_of(order)
    stood, wish = standing(order), await links.open_wish(order)
    number = dialled(partner.phone) if partner is not None else ""
    values: dict[str, Any] = {
        "state": say(language, _STATES[_state(order)], partner=order.partner.name),
        "appointment": stood and (local(stood.start), local(stood.end)),
        "partner": partner,
        "phone_link": f"tel:{number}" if number else None,
        "service": order.intake.placement.service.name,
        "product": order.intake.placement.product,
        "wish": wish,
        "may_ask": wish is None and may_ask(order, links.now),
        "too_late": too_late,
        "has_protocol": order.policy.protocol.for_customer
        and await on_site_use_cases(request).for_customer(order) is not None,
        "longest": LONGEST_NOTE,
    }
    return _page(request, "visit/visit", 409 if too_late else 200, language, **values)


def _state(order: Order) -> str:
    match order.status:
        case Status.CANCELLED:
            return "cancelled"
        case Status.COMPLETED | Status.BILLED:
            return "done"
        case Status.CONFIRM_EXECUTION:
            return "agreed"
        case Status.UNDER_REVIEW | Status.ON_HOLD:
            return "clarifying"
        case Status.CHECK_REQUIREMENTS | Status.REQUIREMENTS_MET | Status.SET_APPOINTMENT:
            return "caller"
        case _:
            return "waiting"


def _dead(request: Request) -> HTMLResponse:
    return _page(request, "visit/dead", 404, None)


def _page(
    request: Request, template: str, status: int, language: Language | None, **values: Any
) -> HTMLResponse:
    company = request.app.state.settings.company_name
    return page(
        request, template, status, language=language, headers=_PRIVATE, company=company, **values
    )
