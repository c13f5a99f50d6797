"""Views of the list of orders: a person keeps filters under a name, and removes them."""

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from records.list_views import ListViews
from web.portal.orders.listing import Wanted
from web.portal.pages import form_of, redirect, register_notices
from web.portal.staff.common import require_operations
from words.translations import mark

router = APIRouter(include_in_schema=False)

LONGEST_NAME = 60
register_notices(
    {
        "view-kept": mark("Die Ansicht ist gespeichert."),
        "view-removed": mark("Die Ansicht ist gelöscht."),
        "view-unnamed": mark("Die Ansicht braucht einen Namen. Sie ist nicht gespeichert."),
        "view-too-many": mark("Sie haben schon 30 Ansichten. Löschen Sie zuerst eine davon."),
    }
)


@router.post("/views")
async def keep(request: Request) -> Response:
    """Keep the filters of the list, without the searched text, as a view of the reader."""
    principal = await require_operations(request)
    form = await form_of(request)
    wanted = Wanted.read(dict(parse_qsl(form.get("query")[:1000])), principal)
    name = " ".join("".join(c if c.isprintable() else " " for c in form.get("name")).split())
    name = name[:LONGEST_NAME].strip()
    if not name:
        return redirect(request, wanted.address(), said="view-unnamed")
    views: ListViews = request.app.state.list_views
    kept = await views.keep(principal.login_id, name, wanted.kept)
    said = "view-kept" if kept else "view-too-many"
    return redirect(request, f"/orders?{wanted.kept}", said=said)


@router.post("/views/{view_id}/removal")
async def remove(request: Request, view_id: str) -> Response:
    """Remove one of the reader's views."""
    principal = await require_operations(request)
    await form_of(request)
    views: ListViews = request.app.state.list_views
    await views.remove(principal.login_id, view_id)
    return redirect(request, "/orders", said="view-removed")
