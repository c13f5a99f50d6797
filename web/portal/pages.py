"""How a page is made: its language, its phrases, its headers, and the token that shows a form is ours."""

import hmac
import re
import secrets
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import UploadFile

from desk.principal import Principal
from domain.values import LANGUAGES, Language
from settings import Settings
from web.languages import negotiate
from web.security import is_https, session_of

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")  # a path of ours: printable ASCII, no backslash
_MOST_FIELDS = 20

PHRASES: dict[Language, dict[str, str]] = {
    language: tomllib.loads((HERE / "phrases" / f"{language}.toml").read_text(encoding="utf-8"))
    for language in LANGUAGES
}
_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


async def who(request: Request) -> Principal | None:
    """Who is logged in; None for nobody."""
    principal = await session_of(request)
    if principal is not None:
        request.state.principal = principal
    return principal


def language_of(request: Request, chosen: Language | None = None) -> Language:
    """The reader's own language if it is known, or the one that the browser asks for."""
    return chosen or negotiate(request.headers.get("Accept-Language"))


def local_path(wanted: str) -> str:
    """Where to go after logging in: a path on this site. Anything else is the first page."""
    return wanted if _LOCAL.fullmatch(wanted) else "/"


def page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    language: Language | None = None,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page of the portal. `values` are for its template."""
    spoken = language_of(request, language)
    token = request.cookies.get(_form_cookie(request), "")
    known = _TOKEN.fullmatch(token) is not None
    if not known:
        token = secrets.token_urlsafe(32)
    html = _templates.get_template(f"{template}.html").render(
        t=PHRASES[spoken], language=spoken, root=_root(request), form_token=token, **values
    )
    answer = HTMLResponse(html, status, headers=HEADERS | {"Vary": "Accept-Language, Cookie"})
    answer.headers.update(headers or {})
    if not known:
        answer.set_cookie(
            _form_cookie(request),
            token,
            path="/",
            secure=is_https(request.app.state.settings),
            httponly=True,
            samesite="lax",
        )
    return answer


def redirect(request: Request, path: str) -> RedirectResponse:
    """To another page of ours, with GET."""
    return RedirectResponse(_root(request) + path, 303, headers=HEADERS)


async def form_of(request: Request) -> dict[str, str] | None:
    """The fields of a form that one of our pages sent; None if it did not come from one.

    Two things have to be right: what the browser says about where the form was, and the token, which is in a cookie and
    in the form. A page without referrer (those of mailed links) sends `Origin: null`; that says nothing.
    """
    async with request.form(max_fields=_MOST_FIELDS, max_files=0) as sent:
        form = {
            name: "" if isinstance(value, UploadFile) else value.replace("\0", "")
            for name, value in sent.multi_items()
        }
    cookie = request.cookies.get(_form_cookie(request), "")
    given = form.get("form_token", "")
    same = hmac.compare_digest(cookie.encode(), given.encode())
    return form if _TOKEN.fullmatch(cookie) and same and _from_here(request) else None


def _from_here(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin", "null").lower()
    public = urlsplit(request.app.state.settings.public_url)
    here = {f"{public.scheme}://{public.netloc}", f"{request.url.scheme}://{request.url.netloc}"}
    return origin == "null" or origin in {each.lower() for each in here}


def _form_cookie(request: Request) -> str:
    settings: Settings = request.app.state.settings
    return "__Host-cmi_form" if is_https(settings) else "cmi_form"


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
