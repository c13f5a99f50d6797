"""The pages to log in and out, and those behind the links in invitations and resets (docs/accounts.md)."""

import math
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from domain.values import Language
from records.accounts import User
from use_cases.account_errors import (
    BadLogin,
    LinkUnusable,
    LoginEnded,
    SecondFactorNeeded,
    Throttled,
    WrongFields,
)
from use_cases.passwords import LONGEST, SHORTEST
from use_cases.sessions import Session
from use_cases.throttle import DEVICE_REMEMBERED
from web.portal.accounts import accounts_of
from web.portal.forms import Form, SavedForm
from web.portal.pages import (
    current_principal,
    form_of,
    language_of,
    local_path,
    page,
    redirect,
    resend_page,
)
from web.security import device_cookie, is_https, session_cookie
from words.translations import mark, say

router = APIRouter(include_in_schema=False)

BAD_LOGIN = mark("E-Mail-Adresse oder Passwort ist nicht richtig.")
LOGIN_ENDED = mark(
    "Die Zusammenarbeit mit Ihrer Firma ist beendet, darum ist dieses Login gesperrt. Bei Fragen melden Sie sich bitte "
    "beim Servicepartner-Team."
)
BAD_CODE = mark("Dieser Code ist nicht richtig oder wurde schon gebraucht.")
TOO_LATE = mark("Das hat zu lange gedauert. Bitte melden Sie sich noch einmal an.")
THROTTLED = mark("Zu viele Versuche. Bitte versuchen Sie es in %(wait)s wieder.")
DIFFERENT = mark("Die beiden Passwörter sind nicht gleich.")
WEAK = {
    "too_short": mark("Das Passwort muss mindestens %(shortest)s Zeichen haben."),
    "too_long": mark("Das Passwort darf höchstens %(longest)s Zeichen haben."),
    "too_simple": mark("Das Passwort muss mehr als drei verschiedene Zeichen haben."),
    "own_name": mark("Das Passwort darf nicht Ihr Name oder Ihre E-Mail-Adresse sein."),
    "common": mark(
        "Das Passwort ist eines, das viele verwenden, oder ihm sehr ähnlich. Nehmen Sie zum Beispiel vier Wörter, die "
        "nichts miteinander zu tun haben."
    ),
}
_PRIVATE = {"Referrer-Policy": "no-referrer"}  # the address contains a secret


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:
    """The login form. A person who is logged in already is redirected at once."""
    if await current_principal(request) is not None:
        return redirect(request, local_path(next))
    return _step_page(request, "login", Form([("next", next)]))


@router.post("/login")
async def login(request: Request) -> Response:
    """Check e-mail and password."""
    form = await form_of(request)
    email = form.get("email").strip()
    try:
        session = await accounts_of(request).sessions.log_in(
            email,
            form.get("password"),
            _client_address(request),
            device=_device(request),
            user_agent=request.headers.get("User-Agent", ""),
        )
    except SecondFactorNeeded as needed:
        return _step_page(request, "code", Form([("ticket", needed.ticket), *form.fields]))
    except LoginEnded:
        return _step_page(request, "login", form, LOGIN_ENDED, 422)
    except BadLogin:
        return _step_page(request, "login", form, BAD_LOGIN, 422)
    except Throttled as error:
        return _step_page(request, "login", form, THROTTLED, 429, error)
    return await _logged_in(request, session, form)


@router.post("/login/code")
async def login_code(request: Request) -> Response:
    """Check the code of the second factor, after the password."""
    form = await form_of(request)
    ticket, code = form.get("ticket"), form.get("code").strip()
    try:
        session = await accounts_of(request).sessions.finish_log_in(
            ticket,
            code,
            _client_address(request),
            _device(request),
            request.headers.get("User-Agent", ""),
        )
    except LinkUnusable:
        return _step_page(request, "login", form, TOO_LATE, 422)
    except BadLogin:
        return _step_page(request, "code", form, BAD_CODE, 422)
    except Throttled as error:
        return _step_page(request, "code", form, THROTTLED, 429, error)
    return await _logged_in(request, session, form)


@router.get("/logout")
async def logout_page(request: Request) -> Response:
    """A page with a button: a link from elsewhere must not log anybody out."""
    principal = await current_principal(request)
    if principal is None:
        return redirect(request, "/login")
    return page(request, "account/logout", principal=principal)


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    await form_of(request)
    return await end_session(request)


async def end_session(request: Request, said: str | None = None) -> Response:
    """Log out. `said` is the code of a notice for the login page."""
    await _end_session(request)
    answer = redirect(request, "/login", said)
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
    """The form for a new password. Opening it does not use up the link, because programs that scan mails open links."""
    try:
        user, _ = await accounts_of(request).open_link(secret)
    except LinkUnusable:
        return _dead_link_page(request)
    return _password_page(request, user)


@router.post("/invitation/{secret}")
@router.post("/reset/{secret}")
async def set_password(request: Request, secret: str) -> Response:
    """Set the new password."""
    form = await form_of(request)
    accounts = accounts_of(request)
    try:
        user, _ = await accounts.open_link(secret)
        password = form.get("password")
        if password != form.get("again"):
            return _password_page(request, user, again=say(user.language, DIFFERENT))
        try:
            await accounts.accept_invitation(secret, password)
        except WrongFields as error:
            return _password_page(request, user, password=weakness_text(user.language, error))
    except LinkUnusable:
        return _dead_link_page(request)
    return page(request, "account/password_set", language=user.language, headers=_PRIVATE)


@router.get("/reset")
async def reset_page(request: Request) -> Response:
    """The form that asks for a link to set a new password."""
    return page(request, "account/reset", error=None)


@router.post("/reset")
async def reset(request: Request) -> Response:
    """Mail the link. The answer is the same whether the login exists or not."""
    form = await form_of(request)
    try:
        await accounts_of(request).resets.request(
            form.get("email").strip(), _client_address(request), _device(request)
        )
    except Throttled as error:
        text = throttled_text(language_of(request), error)
        return page(request, "account/reset", 429, headers=retry_after_header(error), error=text)
    return page(request, "account/reset_sent")


def weakness_text(language: Language, error: WrongFields) -> str:
    """Why a new password is not accepted."""
    return say(language, WEAK[error.faults[0].code], shortest=SHORTEST, longest=LONGEST)


def throttled_text(language: Language, error: Throttled) -> str:
    """How long a person has to wait after too many wrong attempts."""
    seconds = error.retry_after
    wait = f"{seconds} s" if seconds < 60 else f"{math.ceil(seconds / 60)} min"
    return say(language, THROTTLED, wait=wait)


def retry_after_header(error: Throttled) -> dict[str, str]:
    """The `Retry-After` header with the same time."""
    return {"Retry-After": str(error.retry_after)}


def _step_page(
    request: Request,
    step: Literal["login", "code"],
    form: Form,
    error: str | None = None,
    status: int = 200,
    throttled: Throttled | None = None,
) -> HTMLResponse:
    """The page of one login step. It keeps what was typed, except secrets."""
    remembered = {"login": "email", "code": "ticket"}[step]
    typed: dict[str, Any] = {remembered: form.get(remembered)}
    language = language_of(request)
    text = say(language, error) if error and throttled is None else None
    if throttled is not None:
        text = throttled_text(language, throttled)
    return page(
        request,
        f"account/{step}",
        status,
        headers=retry_after_header(throttled) if throttled else None,
        error=text,
        next=local_path(form.get("next", "/")),
        kept=form.get("kept"),
        **typed,
    )


def _password_page(request: Request, user: User, **errors: str) -> HTMLResponse:
    return page(
        request,
        "account/password",
        422 if errors else 200,
        language=user.language,
        headers=_PRIVATE,
        user=user,
        shortest=SHORTEST,
        errors=errors,
    )


def _dead_link_page(request: Request) -> HTMLResponse:
    return page(request, "account/dead_link", 410, headers=_PRIVATE)


async def _logged_in(request: Request, session: Session, form: Form) -> Response:
    await _end_session(request)  # the one that this browser had before
    request.state.principal = session.principal
    saved = SavedForm.load(form.get("kept"))
    if saved is None:
        answer: Response = redirect(request, local_path(form.get("next", "/")))
    else:
        answer = resend_page(request, saved)
    settings = request.app.state.settings
    answer.set_cookie(
        session_cookie(settings),
        session.secret,
        max_age=int(session.lasts.total_seconds()),  # a browser's clock may be wrong
        path="/",
        secure=is_https(settings),
        httponly=True,
        samesite="lax",
    )
    answer.set_cookie(
        device_cookie(settings),
        session.device,
        max_age=int(DEVICE_REMEMBERED.total_seconds()),
        path="/",
        secure=is_https(settings),
        httponly=True,
        samesite="lax",
    )
    return answer


async def _end_session(request: Request) -> None:
    secret = request.cookies.get(session_cookie(request.app.state.settings))
    if secret:
        await accounts_of(request).sessions.end(secret)


def _device(request: Request) -> str | None:
    return request.cookies.get(device_cookie(request.app.state.settings))


def _client_address(request: Request) -> str:
    return request.client.host if request.client else ""
