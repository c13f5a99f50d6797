"""How a page is made: who sees it, in which language, with which headers; and what its forms and links may do."""

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain import words as domain_words
from domain.values import LANGUAGES, Language
from use_cases.principal import Principal, Role
from web.languages import negotiate
from web.portal.formats import filters
from web.portal.forms import (
    Form,
    Kept,
    form_cookie,
    form_token,
    is_ours,
    local_path,
    new_request_id,
    read_form,
    request_id_of,
    surely_from_here,
)
from web.portal.words import WORDS, mark
from web.problems import Problem
from web.security import is_https, session_of

__all__ = [
    "Answered",
    "Form",
    "error_page",
    "form_of",
    "install",
    "language_of",
    "local_path",
    "member",
    "page",
    "redirect",
    "request_id_of",
    "spoken",
    "who",
    "will_say",
]

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}


def _environment(language: Language) -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    texts = WORDS[language]
    made.install_gettext_callables(  # type: ignore[attr-defined]
        texts.gettext,
        texts.ngettext,
        newstyle=True,
        pgettext=texts.pgettext,
        npgettext=texts.npgettext,
    )
    made.filters.update(filters(language))
    made.globals.update(language=language, words=domain_words, new_request_id=new_request_id)
    return made


_environments = {language: _environment(language) for language in LANGUAGES}
_said: dict[str, str] = {}


class Answered(Exception):
    """Ends a request with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def will_say(phrases: dict[str, str]) -> None:
    """Add phrases that `redirect(…, said=code)` can have the next page say: marked texts by their codes."""
    assert not phrases.keys() & _said.keys(), "a code stands for one phrase"
    _said.update(phrases)


async def who(request: Request) -> Principal | None:
    """Who is logged in; None for nobody."""
    principal = await session_of(request)
    if principal is not None:
        request.state.principal = principal
    return principal


async def member(request: Request, *roles: Role) -> Principal:
    """The person who is logged in, of one of these roles.

    Raises:
        Answered: with the way to the log-in, and from there back. A form that was sent after its session had ended is
            kept meanwhile (`Kept`), so nothing that was typed is lost. Another role gets a page with 403.
    """
    principal = await who(request)
    if principal is None:
        raise Answered(await _to_log_in(request))
    if principal.role not in roles:
        raise Answered(error_page(request, 403))
    return principal


async def _to_log_in(request: Request) -> Response:
    if request.method in ("GET", "HEAD"):
        query = request.url.query
        wanted = request.scope["path"] + (f"?{query}" if query else "")
        onward = "?next=" + quote(local_path(wanted), safe="/") if wanted != "/" else ""
        return redirect(request, f"/login{onward}")
    form = await read_form(request)
    if not (is_ours(request, form) or surely_from_here(request)):
        return page(request, "account/refused", 403)
    kept = Kept.of(request, form)
    return page(
        request, "account/login", 403, next=kept.back, kept=kept.dump(), email="", error=None
    )


async def form_of(request: Request) -> Form:
    """The fields of a form that one of our pages sent.

    Raises:
        Answered: it did not come from one, as far as one can tell. If the browser says that it did, and only the token
            is another (cookies were deleted, say), the person can send it again from the page that says so.
    """
    form = await read_form(request)
    if is_ours(request, form):
        return form
    if surely_from_here(request) and await who(request) is not None:
        raise Answered(again_page(request, Kept.of(request, form), 403))
    raise Answered(page(request, "account/refused", 403))


def again_page(request: Request, kept: Kept, status: int = 200) -> HTMLResponse:
    """A page from which a form can be sent again that was not taken the first time."""
    left_out = ("request_id", "back")
    shown = [(name, value) for name, value in kept.fields if value and name not in left_out]
    return page(request, "account/again", status, kept=kept, shown=shown)


def language_of(request: Request, chosen: Language | None = None) -> Language:
    """The reader's own language if it is known, or the one that the browser asks for."""
    return chosen or negotiate(request.headers.get("Accept-Language"))


def spoken(request: Request, principal: Principal) -> Language:
    """The language in which somebody who is logged in reads."""
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

    Besides, templates know: `principal` (or None), `language`, `words` (the domain's), `root` (before each address),
    `here` (the path of this page), `form_token`, `said`.
    """
    principal = principal or getattr(request.state, "principal", None)
    chosen = language_of(request, language or (principal.language if principal else None))
    token, is_new = form_token(request)
    html = (
        _environments[chosen]
        .get_template(f"{template}.html")
        .render(
            principal=principal,
            root=_root(request),
            here=request.scope["path"],
            form_token=token,
            said=_said.get(request.query_params.get("said", "")),
            **values,
        )
    )
    answer = HTMLResponse(html, status, headers=HEADERS | {"Vary": "Accept-Language, Cookie"})
    answer.headers["Content-Language"] = chosen
    answer.headers.update(headers or {})
    if is_new:
        answer.set_cookie(
            form_cookie(request),
            token,
            path="/",
            secure=is_https(request.app.state.settings),
            httponly=True,
            samesite="lax",
        )
    return answer


def redirect(request: Request, path: str, said: str | None = None) -> RedirectResponse:
    """To another page of ours, with GET. `said` is the code of what that page then says (`will_say`)."""
    if said is not None:
        assert said in _said, f"nobody knows the phrase {said}"
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
    return page(request, "error", status, headers=headers, title=title, text=text, number=number)


async def _draw_problem(request: Request, problem: Problem) -> Response:
    if problem.status_code < 500:
        with suppress(
            Exception
        ):  # for the menu and the language; the page is made without them, too
            await who(request)
    return error_page(request, problem.status_code, dict(problem.headers or {}))


def install(app: FastAPI) -> None:
    """Let `Answered` end requests, and people see a page where something goes wrong."""

    def answered(_: Request, error: Exception) -> Response:
        assert isinstance(error, Answered)
        return error.response

    app.add_exception_handler(Answered, answered)
    app.state.draw_problem = _draw_problem


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
