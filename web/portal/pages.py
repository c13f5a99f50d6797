"""Makes pages: checks logins and forms, chooses the language, renders the template, sets the headers."""

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import words
from domain.values import LANGUAGES, Language
from use_cases.principal import Principal, Role
from use_cases.security_events import note
from web.languages import negotiate
from web.portal.device import OTHER_PERSON, is_from_other_person, person_header, refusal_header
from web.portal.field_names import FIELD_NAMES
from web.portal.formats import filters, language_name
from web.portal.forms import (
    Form,
    SavedForm,
    form_cookie,
    form_token,
    is_same_origin,
    local_path,
    new_request_id,
    read_form,
    request_id_of,
    sent_by_our_page,
)
from web.portal.static_files import versioned_name
from web.problems import Problem
from web.security import is_https, session_of
from words.translations import mark, say, translate

__all__ = [
    "EarlyResponse",
    "Form",
    "current_principal",
    "error_page",
    "form_of",
    "install",
    "language_of",
    "local_path",
    "page",
    "reader_language",
    "redirect",
    "register_notices",
    "request_id_of",
    "require_login",
    "set_form_cookie",
]

FACTOR_PAGE = "/account/second-factor"
HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}


def _environment(language: Language) -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    translate(made, language)
    made.filters.update(filters(language))
    made.globals.update(language=language, words=words, versioned_name=versioned_name)
    made.globals.update(new_request_id=new_request_id, field_names=FIELD_NAMES)
    return made


_environments = {language: _environment(language) for language in LANGUAGES}
_notices: dict[str, str] = {}
_refusals: set[str] = set()  # the codes of notices about something that was not done


class EarlyResponse(Exception):
    """Raised to end a request with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def register_notices(notices: dict[str, str], *, refused: bool = False) -> None:
    """Register notices, marked texts by their codes. `redirect(…, said=code)` shows one on the page it leads to.

    `refused`: they are about something that was not done, and do not look like a success.
    """
    assert not notices.keys() & _notices.keys(), "two notices have the same code"
    _notices.update(notices)
    if refused:
        _refusals.update(notices)


async def current_principal(request: Request) -> Principal | None:
    """The person who is logged in with this browser, or None."""
    principal = await session_of(request)
    if principal is not None:
        request.state.principal = principal
    return principal


async def require_login(request: Request, *roles: Role, without_factor: bool = False) -> Principal:
    """The person who is logged in, who must have one of these roles.

    `without_factor`: also if the person has to set up a second factor now, and gets nothing else.

    Raises:
        EarlyResponse: if nobody is logged in, the login page, which leads back here afterwards. If the request is a
            form whose session has ended, the login page carries its fields (`SavedForm`), so that no input is lost.
            A person with another role gets a page with 403. A person who has to set up a second factor gets the page
            for that.
    """
    principal = await current_principal(request)
    if principal is None:
        raise EarlyResponse(await _ask_to_log_in(request))
    if principal.is_factor_due and not without_factor:
        if request.method in ("GET", "HEAD"):
            raise EarlyResponse(redirect(request, FACTOR_PAGE))
        raise EarlyResponse(factor_needed_page(request, principal, 403))
    if principal.role not in roles:
        note("access_refused", "refused", principal.login_id, request.scope["route"].path)
        raise EarlyResponse(error_page(request, 403))
    return principal


def factor_needed_page(request: Request, principal: Principal, status: int = 200) -> HTMLResponse:
    """The only page for a person who has to set up a second factor now."""
    return page(
        request,
        "account/factor_needed",
        status,
        principal=principal,
        languages=[(each, language_name(each, each)) for each in LANGUAGES],
    )


async def _ask_to_log_in(request: Request) -> Response:
    if request.method in ("GET", "HEAD"):
        query = request.url.query
        wanted = request.scope["path"] + (f"?{query}" if query else "")
        query_next = "?next=" + quote(local_path(wanted), safe="/") if wanted != "/" else ""
        return redirect(request, f"/login{query_next}")
    if request.headers.get("Content-Type", "").lower().startswith("multipart/"):
        # Nobody is logged in, so an upload is refused before it is read. A file could not be kept anyway.
        back = local_path(request.scope["path"].rpartition("/")[0])
        return page(
            request,
            "account/login",
            403,
            headers={"Connection": "close"},
            next=back,
            kept="",
            email="",
            error=None,
        )
    form = await read_form(request)
    if not (sent_by_our_page(request, form) or is_same_origin(request)):
        return page(request, "account/refused", 403)
    saved = SavedForm.of(request, form)
    return page(
        request, "account/login", 403, next=saved.back, kept=saved.dump(), email="", error=None
    )


async def form_of(request: Request) -> Form:
    """The fields of a form that was sent from one of our pages.

    Raises:
        EarlyResponse: the form may come from another site, or another person typed it. If the browser confirms that it
            comes from our page, and only the token differs (for example because cookies were deleted), the response is
            a page from which it can be sent again.
    """
    form = await read_form(request)
    if is_from_other_person(request, getattr(request.state, "principal", None)):
        headers = refusal_header(request, OTHER_PERSON)
        raise EarlyResponse(page(request, "account/refused", 403, headers=headers))
    if sent_by_our_page(request, form):
        return form
    if is_same_origin(request) and await current_principal(request) is not None:
        raise EarlyResponse(resend_page(request, SavedForm.of(request, form), 403))
    raise EarlyResponse(page(request, "account/refused", 403))


def resend_page(request: Request, saved: SavedForm, status: int = 200) -> HTMLResponse:
    """A page that shows a form that was not accepted, with a button that sends it again."""
    return page(request, "account/again", status, saved=saved)


def language_of(request: Request, chosen: Language | None = None) -> Language:
    """The chosen language, or the one that the browser asks for."""
    return chosen or negotiate(request.headers.get("Accept-Language"))


def reader_language(request: Request, principal: Principal) -> Language:
    """The language in which a person who is logged in reads the pages."""
    return language_of(request, principal.language)


def page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    principal: Principal | None = None,
    language: Language | None = None,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page: `templates/<template>.html` with these values, in the language of the person who is logged in.

    Every template also gets `principal` (or None), `language`, `words` (the package), `root` (the prefix of each
    address), `here` (the path of this page), `form_token`, `said` (the notice to show, or None) and
    `is_refusal` (whether that is about something that was not done).
    """
    principal = principal or getattr(request.state, "principal", None)
    chosen = language_of(request, language or (principal.language if principal else None))
    token, is_new = form_token(request)
    said = request.query_params.get("said", "")
    html = (
        _environments[chosen]
        .get_template(f"{template}.html")
        .render(
            principal=principal,
            root=_root(request),
            here=request.scope["path"],
            form_token=token,
            offline_pages=request.app.state.settings.offline_pages,
            said=_notices.get(said),
            is_refusal=said in _refusals,
            **values,
        )
    )
    answer = HTMLResponse(html, status, headers=HEADERS | {"Vary": "Accept-Language, Cookie"})
    answer.headers["Content-Language"] = chosen
    answer.headers.update(person_header(principal, template == "account/login"))
    if said in _refusals:
        answer.headers.update(refusal_header(request, say(chosen, _notices[said])))
    answer.headers.update(headers or {})
    if is_new:
        set_form_cookie(request, answer, token)
    return answer


def set_form_cookie(request: Request, answer: Response, token: str) -> None:
    """Set the cookie with the form token of this browser."""
    answer.set_cookie(
        form_cookie(request),
        token,
        path="/",
        secure=is_https(request.app.state.settings),
        httponly=True,
        samesite="lax",
    )


def redirect(request: Request, path: str, said: str | None = None) -> RedirectResponse:
    """A redirect to another of our pages, with GET. `said` is the code of a notice for it (`register_notices`)."""
    if said is not None:
        assert said in _notices, f"unknown notice {said}"
        path, mark_, anchor = path.partition("#")
        path += f"{'&' if '?' in path else '?'}said={said}{mark_}{anchor}"
    return RedirectResponse(_root(request) + path, 303, headers=HEADERS)


_ERRORS: dict[int, tuple[str, str]] = {
    403: (
        mark("Diese Seite ist nicht für Sie"),
        mark("Ihr Login hat dafür keine Berechtigung."),
    ),
    404: (
        mark("Diese Seite gibt es nicht"),
        mark("Vielleicht ist die Adresse nicht vollständig, oder der Auftrag ist nicht Ihrer."),
    ),
    405: (
        mark("So geht es nicht"),
        mark("Diese Adresse lässt sich nicht öffnen. Es wurde nichts geändert."),
    ),
    409: (
        mark("Das ist jetzt nicht mehr möglich"),
        mark("Inzwischen hat sich etwas geändert. Bitte sehen Sie nach, was jetzt gilt."),
    ),
    413: (
        mark("Das ist zu gross"),
        mark("Was Sie gesendet haben, ist grösser als hier angenommen wird. Es wurde nichts geändert."),
    ),
    422: (
        mark("Das konnte nicht gelesen werden"),
        mark("Bitte öffnen Sie die Seite neu und versuchen Sie es noch einmal."),
    ),
    500: (
        mark("Da ist uns ein Fehler passiert"),
        mark("Bitte versuchen Sie es noch einmal. Wenn es wieder geschieht, nennen Sie uns diese Nummer:"),
    ),
    503: (
        mark("Im Moment nicht erreichbar"),
        mark("Bitte versuchen Sie es in ein paar Sekunden noch einmal. Was bestätigt wurde, ist nicht verloren."),
    ),
}  # fmt: skip


def error_page(
    request: Request, status: int, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """A page that says what went wrong and how to go on."""
    title, text = _ERRORS.get(status, _ERRORS[422 if status < 500 else 500])
    number = request.state.request_id if status == 500 else None
    principal = getattr(request.state, "principal", None)
    refusal = refusal_header(
        request, say(language_of(request, principal and principal.language), title)
    )
    headers = refusal | (headers or {})
    return page(request, "error", status, headers=headers, title=title, text=text, number=number)


async def _render_problem(request: Request, problem: Problem) -> Response:
    if problem.status_code < 500:
        # The login only decides menu and language. The page is useful without it.
        with suppress(Exception):
            await current_principal(request)
    return error_page(request, problem.status_code, dict(problem.headers or {}))


def install(app: FastAPI) -> None:
    """Make `EarlyResponse` end requests, and show problems to people as pages."""

    def early_response(_: Request, error: Exception) -> Response:
        assert isinstance(error, EarlyResponse)
        return error.response

    app.add_exception_handler(EarlyResponse, early_response)
    app.state.render_problem = _render_problem


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
