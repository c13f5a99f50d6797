"""The forms of the account page that end one session of a person, or all others."""

from fastapi import APIRouter, Request, Response

from use_cases.principal import Principal
from use_cases.sessions import id_of
from web.portal.accounts import accounts_of
from web.portal.login import end_session
from web.portal.pages import form_of, redirect, register_notices, require_login
from web.security import session_secret
from words.translations import mark

router = APIRouter(include_in_schema=False)

register_notices(
    {
        "elsewhere": mark("Auf allen anderen Geräten sind Sie abgemeldet."),
        "session_ended": mark("Auf jenem Gerät sind Sie abgemeldet."),
    }
)


@router.post("/account/sessions/end-others")
async def log_out_elsewhere(request: Request) -> Response:
    """End all sessions of this login but this one."""
    principal = await _somebody(request)
    await form_of(request)
    await accounts_of(request).sessions.end_others(principal.login_id, session_secret(request))
    return redirect(request, "/account#sessions-title", said="elsewhere")


@router.post("/account/sessions/{session_id}/end")
async def log_out_there(request: Request, session_id: str) -> Response:
    """End one session of this login. It may have ended already, or be this one."""
    principal = await _somebody(request)
    await form_of(request)
    if session_id == id_of(session_secret(request)):
        return await end_session(request)
    await accounts_of(request).sessions.end_one(principal.login_id, session_id)
    return redirect(request, "/account#sessions-title", said="session_ended")


async def _somebody(request: Request) -> Principal:
    return await require_login(request, "partner", "operations", "accounting")
