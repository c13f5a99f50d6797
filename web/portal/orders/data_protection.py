"""The forms of an order's page by which operations export or erase the customer's data."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from temporal.calls import TemporalAway
from use_cases.customer_export import CustomerQuery, as_file
from use_cases.orders import NotAllowed
from web.portal.orders.common import failure_text, find
from web.portal.orders.order import RejectedForm, show
from web.portal.pages import form_of, reader_language, redirect, register_notices, require_login
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)
register_notices({"order-erased": mark("Die Daten der Kundschaft sind gelöscht.")})
_NOT_SURE = mark("Bestätigen Sie, dass die Daten gelöscht werden dürfen.")


@router.post("/orders/{sp_id}/erase")
async def erase(request: Request, sp_id: str) -> Response:
    """Erase the customer's data, if the box is ticked."""
    principal = await require_login(request, "operations")
    form, language = await form_of(request), reader_language(request, principal)
    found = await find(request, principal, sp_id)
    if form.get("erase.sure") != "yes":
        problem = TRANSLATIONS[language].gettext(_NOT_SURE)
        return await show(request, principal, found, 422, RejectedForm(form, problem=problem))
    try:
        await request.app.state.erasure_use_cases.erase(principal, sp_id)
    except (NotAllowed, TemporalAway) as error:
        status = 409 if isinstance(error, NotAllowed) else 503
        sent = RejectedForm(form, problem=failure_text(error, language))
        return await show(request, principal, found, status, sent)
    return redirect(request, f"/orders/{quote(sp_id, safe='')}#main", said="order-erased")


@router.post("/orders/{sp_id}/export")
async def export(request: Request, sp_id: str) -> Response:
    """Everything about the order's customer as a file."""
    principal = await require_login(request, "operations")
    await form_of(request)
    await find(request, principal, sp_id)
    query = CustomerQuery(sp_id=sp_id)
    exported = await request.app.state.customer_exports.export(principal, query)
    named = {"Content-Disposition": 'attachment; filename="customer.json"'}
    return Response(as_file(exported), media_type="application/json", headers=named)
