"""The values that pages show about an order's photos and execution protocols."""

from typing import Any

from fastapi import Request

from domain.orders.order import Order, Status
from domain.values import Language
from use_cases import access
from use_cases.on_site import OnSite
from use_cases.principal import Principal
from web.portal.orders.messages import partner_names
from words import refusal_reason

_BEFORE = (Status.NEW,)
"""The states before acceptance, in which there is nothing to record yet."""


def on_site_use_cases(request: Request) -> OnSite:
    """The use cases of photos and protocols."""
    use_cases: OnSite = request.app.state.on_site
    return use_cases


async def on_site_values(
    request: Request, principal: Principal, order: Order, language: Language
) -> dict[str, Any]:
    """The values for the page of an order. `on_site` is None for callers who see no photos and protocols."""
    if principal.role not in access.MAY["read_on_site"]:
        return {"on_site": None}
    found = await on_site_use_cases(request).view(principal, order)
    may_begin = found.refusal is None and order.status not in _BEFORE
    if not (found.photos or found.protocols or may_begin):
        return {"on_site": None}
    former = {each.partner_id for each in found.photos} - {order.partner.partner_id}
    return {
        "on_site": found,
        "on_site_refusal": refusal_reason("", found.refusal, order.status, language)
        if found.refusal
        else None,
        "on_site_partners": await partner_names(request, former),
    }
