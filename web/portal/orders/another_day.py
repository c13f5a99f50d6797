"""The forms of an order's page about its customer's link and wish for another day."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from domain.orders.order import Order
from use_cases.principal import Principal
from web.portal.orders.common import find
from web.portal.pages import form_of, redirect, register_notices, require_login
from web.portal.visit import customer_links
from words.translations import mark

router = APIRouter(include_in_schema=False)
register_notices(
    {
        "wish-answered": mark("Der Wunsch der Kundschaft ist als geklärt festgehalten."),
        "links-revoked": mark("Die Links der Kundschaft gelten nicht mehr."),
    }
)


async def wish_values(request: Request, principal: Principal, order: Order) -> dict[str, Any]:
    """What the page of an order shows: the open `wish` (or None), and whether there are links that can be revoked."""
    if principal.role not in ("partner", "operations"):
        return {"wish": None, "has_links": False}
    links = customer_links(request)
    has_links = principal.role == "operations" and await links.has_links(order)
    return {"wish": await links.open_wish(order), "has_links": has_links}


@router.post("/orders/{sp_id}/another-day")
async def answered(request: Request, sp_id: str) -> Response:
    """Note that the wish is settled with the customer."""
    principal = await require_login(request, "partner", "operations")
    form = await form_of(request)
    order = (await find(request, principal, sp_id)).order
    await customer_links(request).answered(order)
    back = "/#main" if form.get("back") == "/" else _page_of(order)
    return redirect(request, back, said="wish-answered")


@router.post("/orders/{sp_id}/customer-links")
async def revoke(request: Request, sp_id: str) -> Response:
    """End all links of the customer."""
    principal = await require_login(request, "operations")
    await form_of(request)
    order = (await find(request, principal, sp_id)).order
    await customer_links(request).revoke(order)
    return redirect(request, _page_of(order), said="links-revoked")


def _page_of(order: Order) -> str:
    return f"/orders/{quote(order.sp_id, safe='')}#main"
