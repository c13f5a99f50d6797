"""The service worker of partners' browsers, its page without a connection, and what it needs to send kept forms."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from web.portal.device import NOBODY, PERSON, person_key
from web.portal.forms import form_token
from web.portal.pages import HERE, current_principal, language_of, page, set_form_cookie
from web.security import session_of

router = APIRouter(include_in_schema=False)

_WORKER = HERE / "static" / "sw.js"
_LAST_WORKER = """\
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) await caches.delete(name);
  await registration.unregister();
})()));
"""
"""The script that deletes all kept pages and then itself."""
_WORKER_HEADERS = {
    # The policy of the worker itself: it calls this site only.
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
    "Cache-Control": "no-cache",
}


@router.get("/sw.js")
async def service_worker(request: Request) -> Response:
    """The service worker. Its address decides that it serves all pages of this site.

    If operations have switched it off, browsers get one that deletes the kept pages and ends itself.
    """
    if not request.app.state.settings.offline_pages:
        return Response(_LAST_WORKER, media_type="text/javascript", headers=_WORKER_HEADERS)
    return FileResponse(_WORKER, media_type="text/javascript", headers=_WORKER_HEADERS)


@router.get("/offline")
async def offline_page(request: Request) -> Response:
    """The page that the service worker shows without a connection. It is kept, so it says nothing about anybody."""
    principal = await session_of(request)
    language = language_of(request, principal.language if principal else None)
    return page(request, "offline", language=language)


@router.get("/offline/session")
async def session(request: Request) -> Response:
    """Who is logged in, and the token for forms that are sent later, as JSON; 401 if nobody of a partner is."""
    principal = await current_principal(request)
    headers = {"Cache-Control": "no-store"}
    if principal is None or principal.role != "partner" or principal.is_factor_due:
        return JSONResponse({"person": NOBODY}, 401, headers | {PERSON: NOBODY})
    token, is_new = form_token(request)
    answer = JSONResponse({"person": person_key(principal), "form_token": token}, headers=headers)
    if is_new:
        set_form_cookie(request, answer, token)
    return answer
