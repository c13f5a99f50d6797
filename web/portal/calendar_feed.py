"""A person's subscription to its calendar: made, ended, and read by calendars at a secret address without a login.

The address works on the server only: no link of a page leads to it, and neither logs nor traces have it.
"""

from email.utils import format_datetime, parsedate_to_datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from documents.calendar_feed import MEDIA_TYPE
from use_cases.account_errors import Conflict
from use_cases.calendar_feeds import BACK, CalendarFeedUseCases, Reading
from use_cases.principal import Principal
from web.call_limits import Buckets
from web.portal.confirming import confirmed_form
from web.portal.pages import form_of, page, redirect, register_notices, require_login
from words.translations import mark

router = APIRouter(include_in_schema=False)

READS = 30
"""How often a subscription may be read in a minute, in each web process."""
MISSES = 60
"""How many addresses that do not work may be tried in a minute, from one network address."""
_PRIVATE = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_CALENDAR = {
    "Cache-Control": "private, no-cache",  # a calendar may keep it, and must revalidate it before each use
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}

register_notices(
    {
        "calendar_ended": mark("Das Abo ist beendet. Die Adresse gibt keine Termine mehr heraus."),
        "calendar_unavailable": mark("Das Abo konnte nicht angelegt werden."),
    }
)


@router.get("/agenda/calendar")
async def calendar(request: Request) -> Response:
    """The page of the reader's subscription."""
    principal = await require_login(request, "partner")
    return await _show(request, principal)


@router.post("/agenda/calendar")
async def make(request: Request) -> Response:
    """Make a subscription in place of the former one. Its address is shown on this page only."""
    principal = await require_login(request, "partner")
    form = await confirmed_form(request, principal, "make_calendar")
    try:
        address = await _use_cases(request).make(principal, form.get("scope") == "everybody")
    except Conflict:
        return redirect(request, "/agenda/calendar", said="calendar_unavailable")
    return await _show(request, principal, address)


@router.post("/agenda/calendar/end")
async def end(request: Request) -> Response:
    """End the reader's subscription."""
    principal = await require_login(request, "partner")
    await form_of(request)
    await _use_cases(request).end(principal)
    return redirect(request, "/agenda/calendar", said="calendar_ended")


async def _show(request: Request, principal: Principal, address: str | None = None) -> HTMLResponse:
    feed = await _use_cases(request).of(principal)
    return page(
        request,
        "agenda/calendar",
        principal=principal,
        headers=_PRIVATE,
        feed=feed,
        address=address,
        may_have_all=principal.only_assigned_to is None,
        days=BACK.days,
    )


@router.get("/calendar/{secret}.ics")
async def read(request: Request, secret: str) -> Response:
    """The calendar behind a secret address. Wrong and expired addresses get the same answer."""
    limits: Buckets = request.app.state.calendar_limits
    caller = f"address/{request.client.host if request.client else ''}"
    if seconds := limits.wait(caller, MISSES):
        return _too_many(seconds)
    use_cases = _use_cases(request)
    reading = await use_cases.open(secret)
    if reading is None:
        limits.take(caller, MISSES)
        return PlainTextResponse("Not found.\n", 404, headers=_PRIVATE)
    if seconds := limits.take(f"user/{reading.subscriber.user_id}", READS):
        return _too_many(seconds)
    request.state.principal = reading.principal  # for the access log and the traces
    headers = _CALENDAR | {"ETag": f'"{reading.tag}"'}
    if reading.last_modified is not None:
        headers["Last-Modified"] = format_datetime(reading.last_modified, usegmt=True)
    if _has_it(request, reading):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = 'inline; filename="cmi.ics"'
    return Response(await use_cases.content(reading), media_type=MEDIA_TYPE, headers=headers)


def _too_many(seconds: int) -> Response:
    headers = _PRIVATE | {"Retry-After": str(seconds)}
    return PlainTextResponse("Too many requests.\n", 429, headers=headers)


def _has_it(request: Request, reading: Reading) -> bool:
    """Whether the request says that the caller has this content already (RFC 9110, 13.2.2)."""
    tags = request.headers.get("If-None-Match")
    if tags is not None:
        listed = {each.strip().removeprefix("W/") for each in tags.split(",")}
        return "*" in listed or f'"{reading.tag}"' in listed
    since = request.headers.get("If-Modified-Since", "")
    try:
        known = parsedate_to_datetime(since)
    except (ValueError, OverflowError):
        return False
    return known.tzinfo is not None and reading.changed_at <= known


def _use_cases(request: Request) -> CalendarFeedUseCases:
    found: CalendarFeedUseCases = request.app.state.calendar_feeds
    return found
