"""The entrance: log in and out, and the pages behind the links that mails carry (docs/accounts.md)."""

import math
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from desk.account_errors import (
    BadLogin,
    LinkUnusable,
    SecondFactorNeeded,
    Throttled,
    WrongFields,
)
from desk.accounts import Accounts, Session
from desk.passwords import SHORTEST
from domain.values import Language
from records.accounts import User
from web.portal.pages import (
    HERE,
    PHRASES,
    form_of,
    language_of,
    local_path,
    page,
    redirect,
    who,
)
from web.security import is_https, session_cookie

router = APIRouter(include_in_schema=False)
_PRIVATE = {"Referrer-Policy": "no-referrer"}  # the address is a secret


def install(app: FastAPI) -> None:
    """Give the application the pages."""
    app.include_router(router)
    app.mount("/static", _Static(directory=HERE / "static"))


@router.get("/")
async def home(request: Request) -> Response:
    """Who is logged in, and where things are."""
    principal = await who(request)
    if principal is None:
        return redirect(request, "/login")
    return page(request, "home", language=principal.language, principal=principal)


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:
    """The form; who is logged in goes on at once."""
    if await who(request) is not None:
        return redirect(request, local_path(next))
    return _step(request, "login", {"next": next})


@router.post("/login")
async def login(request: Request) -> Response:
    """E-mail and password."""
    form = await form_of(request)
    if form is None:
        return _refused(request)
    email = form.get("email", "").strip()
    try:
        session = await _accounts(request).log_in(email, form.get("password", ""), _from(request))
    except SecondFactorNeeded as needed:
        return _step(request, "code", form | {"ticket": needed.ticket})
    except BadLogin:
        return _step(request, "login", form, "bad_login", 422)
    except Throttled as error:
        return _step(request, "login", form, "throttled", 429, error)
    return await _logged_in(request, session, form)


@router.post("/login/code")
async def login_code(request: Request) -> Response:
    """The code of the second factor, after the password."""
    form = await form_of(request)
    if form is None:
        return _refused(request)
    ticket, code = form.get("ticket", ""), form.get("code", "").strip()
    try:
        session = await _accounts(request).finish_log_in(ticket, code, _from(request))
    except LinkUnusable:
        return _step(request, "login", form, "too_late", 422)
    except BadLogin:
        return _step(request, "code", form, "bad_code", 422)
    except Throttled as error:
        return _step(request, "code", form, "throttled", 429, error)
    return await _logged_in(request, session, form)


@router.get("/logout")
async def logout_page(request: Request) -> Response:
    """A button: a link alone logs nobody out."""
    principal = await who(request)
    if principal is None:
        return redirect(request, "/login")
    return page(request, "logout", language=principal.language, principal=principal)


@router.post("/logout")
async def logout(request: Request) -> Response:
    """The session ends."""
    if await form_of(request) is None:
        return _refused(request)
    await _end_session(request)
    answer = redirect(request, "/login")
    settings = request.app.state.settings
    answer.delete_cookie(
        session_cookie(settings),
        path="/",
        secure=is_https(settings),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get("/invitation/{secret}")
@router.get("/reset/{secret}")
async def password_page(request: Request, secret: str) -> Response:
    """The form for a new password. Opening it uses nothing up: programs that look into mails open links, too."""
    try:
        user, _ = await _accounts(request).open_link(secret)
    except LinkUnusable:
        return _dead_link(request)
    return _password(request, user)


@router.post("/invitation/{secret}")
@router.post("/reset/{secret}")
async def set_password(request: Request, secret: str) -> Response:
    """The new password."""
    form = await form_of(request)
    if form is None:
        return _refused(request)
    accounts = _accounts(request)
    try:
        user, _ = await accounts.open_link(secret)
        password = form.get("password", "")
        if password != form.get("again", ""):
            return _password(request, user, again="different")
        try:
            await accounts.accept_invitation(secret, password)
        except WrongFields as error:
            return _password(request, user, password=f"weak_{error.faults[0].code}")
    except LinkUnusable:
        return _dead_link(request)
    return _done(request, "password_set", "login", language=user.language, headers=_PRIVATE)


@router.get("/reset")
async def reset_page(request: Request) -> Response:
    """Ask for a link to set a new password."""
    return page(request, "reset", error=None)


@router.post("/reset")
async def reset(request: Request) -> Response:
    """The same answer whether there is such a login or not."""
    form = await form_of(request)
    if form is None:
        return _refused(request)
    try:
        await _accounts(request).request_reset(form.get("email", "").strip(), _from(request))
    except Throttled as error:
        text = _text(request, "throttled", error)
        return page(request, "reset", 429, headers=_later(error), error=text)
    return _done(request, "reset_sent", "login")


def _step(
    request: Request,
    step: Literal["login", "code"],
    form: dict[str, str],
    error: str | None = None,
    status: int = 200,
    throttled: Throttled | None = None,
) -> HTMLResponse:
    """One of the two steps of logging in, with what was typed still there, but for the secrets."""
    kept = {"login": "email", "code": "ticket"}[step]
    typed: dict[str, Any] = {kept: form.get(kept, "")}
    return page(
        request,
        step,
        status,
        headers=_later(throttled),
        error=_text(request, error, throttled),
        next=local_path(form.get("next", "/")),
        **typed,
    )


def _password(request: Request, user: User, **errors: str) -> HTMLResponse:
    phrases = PHRASES[user.language]
    return page(
        request,
        "password",
        422 if errors else 200,
        language=user.language,
        headers=_PRIVATE,
        user=user,
        shortest=SHORTEST,
        errors={field: phrases[code].format(shortest=SHORTEST) for field, code in errors.items()},
    )


def _done(
    request: Request,
    said: str,
    onward: str,
    status: int = 200,
    *,
    language: Language | None = None,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """A page that says something, and a link to where one goes on: `login` or `reset`."""
    return page(
        request, "done", status, language=language, headers=headers, said=said, onward=onward
    )


def _dead_link(request: Request) -> HTMLResponse:
    return _done(request, "dead_link", "reset", 410, headers=_PRIVATE)


def _refused(request: Request) -> HTMLResponse:
    return _done(request, "form_refused", "login", 403, headers=_PRIVATE)


def _text(request: Request, phrase: str | None, throttled: Throttled | None = None) -> str | None:
    if phrase is None:
        return None
    wait = ""
    if throttled is not None:
        seconds = throttled.retry_after
        wait = f"{seconds} s" if seconds < 60 else f"{math.ceil(seconds / 60)} min"
    return PHRASES[language_of(request)][phrase].format(wait=wait)


def _later(throttled: Throttled | None) -> dict[str, str]:
    return {} if throttled is None else {"Retry-After": str(throttled.retry_after)}


async def _logged_in(request: Request, session: Session, form: dict[str, str]) -> Response:
    await _end_session(request)  # whose this browser had before
    request.state.principal = session.principal
    answer = redirect(request, local_path(form.get("next", "/")))
    settings = request.app.state.settings
    answer.set_cookie(
        session_cookie(settings),
        session.secret,
        expires=session.expires_at,
        path="/",
        secure=is_https(settings),
        httponly=True,
        samesite="lax",
    )
    return answer


async def _end_session(request: Request) -> None:
    secret = request.cookies.get(session_cookie(request.app.state.settings))
    if secret:
        await _accounts(request).end_session(secret)


def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.app.state.accounts
    return accounts


def _from(request: Request) -> str:
    return request.client.host if request.client else ""


class _Static(StaticFiles):
    """Files that a browser may keep, but asks about before it uses them again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Cache-Control"] = "no-cache"
            await send(message)

        await super().__call__(scope, receive, kept)
