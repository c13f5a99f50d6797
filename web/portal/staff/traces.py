"""The page of security events, with the orders that an account looked at."""

from datetime import date, datetime, time, timedelta

from fastapi import APIRouter, Request, Response

from use_cases.security_events import Kind
from web.portal.accounts import accounts_of
from web.portal.formats import ZURICH
from web.portal.pages import page, redirect
from web.portal.staff.common import address, require_operations
from words.translations import mark

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
MOST_LOOKS_SHOWN = 500
KINDS: dict[Kind, str] = {
    "log_in": mark("Anmeldung"),
    "second_factor": mark("Zweiter Faktor"),
    "token": mark("Token"),
    "calendar": mark("Kalenderabo"),
    "login": mark("Login"),
    "password": mark("Passwort"),
    "access_refused": mark("Zugriff verweigert"),
    "export": mark("Export"),
    "erasure": mark("Löschung"),
    "partner": mark("Servicepartner"),
    "iban_change": mark("Neue IBAN"),
}
OUTCOMES: dict[str, str] = {
    "succeeded": mark("gelungen"),
    "failed": mark("misslungen"),
    "throttled": mark("gebremst"),
    "refused": mark("verweigert"),
    "made": mark("erstellt"),
    "first_used": mark("zum ersten Mal gebraucht"),
    "set": mark("gesetzt"),
    "changed": mark("geändert"),
    "asked": mark("verlangt"),
    "confirmed": mark("bestätigt"),
    "reset": mark("zurückgesetzt"),
    "removed": mark("entfernt"),
    "ended": mark("beendet"),
}
HOW: dict[str, str] = {
    "page": mark("auf einer Seite"),
    "api": mark("über die API"),
    "export": mark("als Datei"),
    "pdf": mark("als PDF"),
}
"""How somebody looked at a customer's data."""


@router.get("/staff/security-events")
async def security_events(request: Request) -> Response:
    """Security events, the newest first. Invalid filters are ignored."""
    principal = await require_operations(request)
    typed = {
        name: request.query_params.get(name, "").strip()[:254]
        for name in ("kind", "account", "from", "to")
    }
    kind = typed["kind"] if typed["kind"] in KINDS else None
    since, last = _midnight(typed["from"]), _midnight(typed["to"])
    path = request.scope["path"]
    try:
        items, following = await accounts_of(request).traces.events(
            principal,
            kind=kind,
            account=typed["account"] or None,
            since=since,
            until=last and last + timedelta(days=1),
            limit=PER_PAGE,
            cursor=request.query_params.get("cursor") or None,
        )
        looks, more_looks = (
            await accounts_of(request).traces.looks_by(
                principal,
                typed["account"],
                since and since.date(),
                last and last.date(),
                MOST_LOOKS_SHOWN,
            )
            if typed["account"]
            else ((), False)
        )
    except ValueError:  # a cursor of another list
        return redirect(request, address(path, **typed))
    return page(
        request,
        "staff/security_events",
        principal=principal,
        items=items,
        looks=looks,
        more_looks=more_looks,
        how=HOW,
        typed=typed,
        kinds=KINDS,
        outcomes=OUTCOMES,
        next_page=address(path, **typed, cursor=following) if following else None,
    )


def _midnight(day: str) -> datetime | None:
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return None
    return datetime.combine(found, time(), ZURICH) if 2000 < found.year < 9000 else None
