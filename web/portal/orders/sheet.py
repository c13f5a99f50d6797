"""The job sheet of an order, for printing on one A4 page, and the sheets of all appointments of a day."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from domain.orders.order import Order, Status
from domain.orders.protocol import checklist_of
from domain.values import Language
from records.orders import StoredOrder
from records.partners import Partner
from use_cases import access
from use_cases.account_errors import NotFound
from use_cases.principal import Principal
from use_cases.related import RelatedOrders
from web.portal.device import kept_on_device
from web.portal.formats import ZURICH, language_name, local, long_day
from web.portal.orders.common import assignment_use_cases, find, order_use_cases
from web.portal.orders.fields import Wrong, read_day
from web.portal.pages import page, reader_language, require_login
from words.order_view import OrderView, order_view
from words.protocol import item_label

router = APIRouter(include_in_schema=False)

_ONE_DAY = timedelta(days=1)


class Sheet(NamedTuple):
    """The values of a sheet. `firm` is the partner with its address; None if the records do not have it.

    `person`: the name of the person that the order is assigned to; empty if there is none.
    """

    view: OrderView
    firm_name: str
    firm: Partner | None
    items: tuple[str, ...]
    customer_language: str
    stands: bool
    person: str


@router.get("/orders/sheets")
async def sheets_of_day(request: Request) -> Response:
    """The sheets of a partner's appointments on `day` (today if there is none), the earliest first.

    `person`: only those of orders that are assigned to this person.
    """
    principal = await require_login(request, "partner")
    wrong = Wrong()
    day = read_day(request.query_params.get("day", ""), "day", wrong)
    if day is None or not date(2000, 1, 1) < day < date(2200, 1, 1):
        day = local(order_use_cases(request).now).date()
    related: RelatedOrders = request.app.state.related_orders
    start = datetime.combine(day, time(), ZURICH).astimezone(UTC)
    end = datetime.combine(day + _ONE_DAY, time(), ZURICH).astimezone(UTC)
    orders = await related.appointments(principal, start, end)
    sp_ids = [order.sp_id for order in orders]
    if person_id := request.query_params.get("person"):
        assigned = await assignment_use_cases(request).of(principal, sp_ids)
        sp_ids = [each for each in sp_ids if (who := assigned[each]) and who.user_id == person_id]
    found = [await find(request, principal, sp_id) for sp_id in sp_ids]
    return await _show(request, principal, found, reader_language(request, principal), day)


@router.get("/orders/{sp_id}/sheet")
async def sheet(request: Request, sp_id: str) -> Response:
    """The sheet of one order: for its partner in the reader's language, for operations in the partner's."""
    principal = await require_login(request, "partner", "operations")
    found = await find(request, principal, sp_id)
    language = reader_language(request, principal)
    if principal.role == "operations":
        language = found.order.partner.language
    return await _show(request, principal, [found], language)


async def _show(
    request: Request,
    principal: Principal,
    found: list[StoredOrder],
    language: Language,
    day: date | None = None,
) -> Response:
    now = order_use_cases(request).now
    sheets = [await _sheet(request, principal, each, now, language) for each in found]
    return page(
        request,
        "orders/sheet",
        principal=principal,
        language=language,
        headers=kept_on_device(principal),
        sheets=sheets,
        day=long_day(language)(day) if day else None,
        the_day=day,
        local=local,
        now=now,
        company=request.app.state.settings.company_name,
    )


async def _sheet(
    request: Request, principal: Principal, found: StoredOrder, now: datetime, language: Language
) -> Sheet:
    order = found.order
    assigned = await assignment_use_cases(request).of(principal, [order.sp_id])
    person = assigned[order.sp_id]
    view = order_view(order, found.events, now, language, access.viewing_role(principal))
    return Sheet(
        view,
        order.partner.name,
        await _firm(request, order),
        tuple(item_label(item, language) for item in checklist_of(order)),
        language_name(view.customer.language, language),
        order.appointment is not None and order.status is Status.CONFIRM_EXECUTION,
        person.name if person else "",
    )


async def _firm(request: Request, order: Order) -> Partner | None:
    try:
        firm: Partner = await request.app.state.accounts.partners.get(order.partner.partner_id)
    except NotFound:
        return None
    return firm
