"""The forms of an order's page that add and delete photos, and the pictures themselves."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from domain.errors import InvalidCommand
from domain.orders.photos import PhotoKind
from temporal.calls import TemporalAway
from use_cases.access import Forbidden
from use_cases.confined_work import NotNow
from use_cases.on_site import NoSuchPhoto
from use_cases.order_errors import NotAllowed, UnknownOrder
from web.downloads import PICTURE_HEADERS
from web.portal.orders.common import failure_text, find, order_use_cases
from web.portal.orders.on_site import on_site_use_cases
from web.portal.orders.order import RejectedForm, show
from web.portal.pages import (
    error_page,
    form_of,
    reader_language,
    redirect,
    register_notices,
    require_login,
)
from web.problems import NOT_MADE_RETRY_AFTER_SECONDS
from words.translations import mark, say

router = APIRouter(include_in_schema=False)
register_notices(
    {
        "photo-kept": mark("Das Foto ist gespeichert."),
        "photo-deleted": mark("Das Foto ist gelöscht."),
    }
)
_NOT_NOW = mark(
    "Das lässt sich im Moment nicht verarbeiten. Bitte versuchen Sie es in einer Minute noch einmal."
)


@router.get("/orders/{sp_id}/photos/{photo_id}")
async def picture(request: Request, sp_id: str, photo_id: str) -> Response:
    """A photo; with `?size=small` its small copy."""
    principal = await require_login(request, "partner", "operations")
    small = request.query_params.get("size") == "small"
    orders = order_use_cases(request)
    try:
        # Small copies are part of the order's page. A look at that page is recorded already.
        order = (
            await orders.check_sight(principal, sp_id)
            if small
            else (await orders.find(principal, sp_id)).order
        )
        photo, jpeg = await on_site_use_cases(request).picture(
            principal, order, photo_id, small=small
        )
    except (UnknownOrder, NoSuchPhoto):
        return error_page(request, 404)
    except Forbidden:
        return error_page(request, 403)
    except TemporalAway:
        return error_page(request, 503)
    headers = PICTURE_HEADERS | {"Content-Disposition": f'inline; filename="{photo.photo_id}.jpg"'}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.post("/orders/{sp_id}/photos")
async def add(request: Request, sp_id: str) -> Response:
    """Add a photo: the file `photo`; `kind` says whether it is of a signature on paper."""
    principal = await require_login(request, "partner", "operations")
    form, language = await form_of(request), reader_language(request, principal)
    found = await find(request, principal, sp_id)
    kind: PhotoKind = "signature" if form.get("kind") == "signature" else "photo"
    upload = form.files.get("photo")
    try:
        if upload is None or not upload.content:
            raise InvalidCommand("photo", "photo_missing")
        await on_site_use_cases(request).add_photo(principal, found.order, upload.content, kind)
    except InvalidCommand as error:
        sent = RejectedForm(form, {"photo": error.code}, opened="photo")
        return await show(request, principal, found, 422, sent)
    except UnknownOrder:
        return error_page(request, 404)
    except Forbidden:
        return error_page(request, 403)
    except NotNow:
        sent = RejectedForm(form, problem=say(language, _NOT_NOW), opened="photo")
        later = {"Retry-After": str(NOT_MADE_RETRY_AFTER_SECONDS)}
        answer = await show(request, principal, found, 503, sent)
        answer.headers.update(later)
        return answer
    except (NotAllowed, TemporalAway) as error:
        status = 409 if isinstance(error, NotAllowed) else 503
        sent = RejectedForm(form, problem=failure_text(error, language), opened="photo")
        return await show(request, principal, found, status, sent)
    page = f"/orders/{quote(sp_id, safe='')}"
    if kind == "signature":
        return redirect(request, f"{page}/protocol#signature", said="photo-kept")
    return redirect(request, f"{page}#on-site", said="photo-kept")


@router.post("/orders/{sp_id}/photos/{photo_id}/removal")
async def delete(request: Request, sp_id: str, photo_id: str) -> Response:
    """Delete a photo."""
    principal = await require_login(request, "partner", "operations")
    await form_of(request)
    found = await find(request, principal, sp_id)
    try:
        await on_site_use_cases(request).delete_photo(principal, found.order, photo_id)
    except UnknownOrder:
        return error_page(request, 404)
    except Forbidden:
        return error_page(request, 403)
    except (NotAllowed, TemporalAway) as error:
        status = 409 if isinstance(error, NotAllowed) else 503
        language = reader_language(request, principal)
        sent = RejectedForm(problem=failure_text(error, language), opened="photo")
        return await show(request, principal, found, status, sent)
    return redirect(request, f"/orders/{quote(sp_id, safe='')}#on-site", said="photo-deleted")
