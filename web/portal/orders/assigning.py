"""The forms that assign one order, or several at once, to a person of the partner."""

from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response

from domain.errors import InvalidCommand
from use_cases.access import Forbidden
from use_cases.order_errors import UnknownOrder
from use_cases.principal import Principal
from web.portal.orders.common import MOST_AT_ONCE, assignment_use_cases, find
from web.portal.orders.order import RejectedForm, show
from web.portal.pages import (
    error_page,
    form_of,
    local_path,
    redirect,
    register_notices,
    require_login,
)
from words.translations import mark

router = APIRouter(include_in_schema=False)
register_notices(
    {
        "order-assigned": mark("Die Zuteilung ist gespeichert."),
        "orders-assigned": mark("Die Zuteilung der ausgewählten Aufträge ist gespeichert."),
    }
)
register_notices(
    {
        "orders-assigned-some": mark(
            "Einige der ausgewählten Aufträge sind nicht mehr bei Ihnen; die anderen sind zugeteilt."
        ),
        "orders-none": mark("Sie haben keinen Auftrag ausgewählt."),
        "person-missing": mark("Bitte wählen Sie, wem die Aufträge zugeteilt werden."),
        "person-gone": mark("Diese Person gibt es in Ihrer Firma nicht (mehr)."),
    },
    refused=True,
)


@router.post("/orders/{sp_id}/assignment")
async def assign(request: Request, sp_id: str) -> Response:
    """Assign the order to the person of `assignment.user_id`; empty: to nobody."""
    principal = await require_login(request, "partner")
    form = await form_of(request)
    try:
        await _assign(request, principal, sp_id, form.get("assignment.user_id"))
    except Forbidden:
        return error_page(request, 403)
    except UnknownOrder:
        return error_page(request, 404)
    except InvalidCommand as invalid:
        found = await find(request, principal, sp_id)
        sent = RejectedForm(form, {f"assignment.{invalid.field}": invalid.code})
        return await show(request, principal, found, 422, sent)
    return redirect(request, f"/orders/{quote(sp_id, safe='')}#main", said="order-assigned")


@router.get("/several/assign")
async def back_to_list(request: Request) -> Response:
    """Redirect a person who opens the address of the form."""
    return redirect(request, "/orders")


@router.post("/several/assign")
async def assign_several(request: Request) -> Response:
    """Assign the ticked orders to the person of `user_id`; `nobody`: to nobody."""
    principal = await require_login(request, "partner")
    form = await form_of(request)
    back, sp_ids = local_path(form.get("back", "/orders")), form.getlist("sp_id")[:MOST_AT_ONCE]
    said, chosen = "orders-assigned" if sp_ids else "orders-none", form.get("user_id")
    if not chosen:
        return redirect(request, _still_ticked(back, sp_ids), said="person-missing")
    for sp_id in sp_ids:
        try:
            await _assign(request, principal, sp_id, "" if chosen == "nobody" else chosen)
        except Forbidden:
            return error_page(request, 403)
        except UnknownOrder:
            said = "orders-assigned-some"
        except InvalidCommand:
            return redirect(request, _still_ticked(back, sp_ids), said="person-gone")
    return redirect(request, back, said=said)


def _still_ticked(back: str, sp_ids: list[str]) -> str:
    """The address of the list in which these orders are ticked."""
    ticks = urlencode([("tick", each) for each in sp_ids])
    return f"{back}{'&' if '?' in back else '?'}{ticks}" if ticks else back


async def _assign(request: Request, principal: Principal, sp_id: str, user_id: str) -> None:
    use_cases = assignment_use_cases(request)
    if user_id:
        await use_cases.assign(principal, sp_id, user_id)
    else:
        await use_cases.clear(principal, sp_id)
