"""Forms as pages send them: their fields, the token that shows a form is ours, and forms that come too late."""

import hmac
import json
import re
import secrets
from typing import NamedTuple
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import UploadFile

from settings import Settings
from web.security import is_https

TOKEN_FIELD = "form_token"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")  # a path of ours: printable ASCII, no backslash
_MOST_FIELDS = 5_000
_MOST_FILES = 4
_SECRETS = {TOKEN_FIELD, "password", "former", "again", "code"}


class Upload(NamedTuple):
    """A file that was chosen in a form."""

    filename: str
    content: bytes


class Form:
    """The fields of a form, in their order; `files` are the files that were chosen."""

    def __init__(
        self, fields: list[tuple[str, str]], files: dict[str, Upload] | None = None
    ) -> None:
        self.fields = fields
        self.files = files or {}

    def get(self, name: str, default: str = "") -> str:
        """The value of a field, or what stands for a missing one."""
        return next((value for field, value in self.fields if field == name), default)

    def getlist(self, name: str) -> list[str]:
        """All values of a field: of the checkboxes that are ticked."""
        return [value for field, value in self.fields if field == name]

    def __contains__(self, name: str) -> bool:
        return any(field == name for field, _ in self.fields)


class Kept(NamedTuple):
    """A form that could not be taken, so that it can be sent again: where to, the page it is on, and its fields.

    Secrets and files are not kept.
    """

    to: str
    back: str
    fields: list[tuple[str, str]]

    def dump(self) -> str:
        """As the value of one hidden field."""
        return json.dumps(self)

    @classmethod
    def load(cls, dumped: str) -> "Kept | None":
        """From that value; None for anything else."""
        try:
            to, back, fields = json.loads(dumped)
            kept = cls(to, back, [(str(name), str(value)) for name, value in fields])
        except (ValueError, TypeError):
            return None
        local = all(isinstance(path, str) and local_path(path) == path for path in (to, back))
        return kept if local else None

    @classmethod
    def of(cls, request: Request, form: Form) -> "Kept":
        """What a request sent."""
        query = request.url.query
        path = request.scope["path"] + (f"?{query}" if query else "")
        fields = [(name, value) for name, value in form.fields if name not in _SECRETS]
        return cls(local_path(path), local_path(form.get("back", "/")), fields)


async def read_form(request: Request) -> Form:
    """The fields and files of a request, whoever sent them."""
    known = getattr(request.state, "form", None)
    if isinstance(known, Form):
        return known
    fields: list[tuple[str, str]] = []
    files: dict[str, Upload] = {}
    async with request.form(max_fields=_MOST_FIELDS, max_files=_MOST_FILES) as sent:
        for name, value in sent.multi_items():
            if not isinstance(value, UploadFile):
                fields.append((name, value.replace("\0", "")))
            elif value.filename:
                files[name] = Upload(value.filename, await value.read())
    form = request.state.form = Form(fields, files)
    return form


def is_ours(request: Request, form: Form) -> bool:
    """Whether one of our pages sent a form.

    Two things have to be right: what the browser says about where the form was, and the token, which is in a cookie and
    in the form. A page without referrer (those of mailed links) sends `Origin: null`; that says nothing.
    """
    cookie = request.cookies.get(form_cookie(request), "")
    same = hmac.compare_digest(cookie.encode(), form.get(TOKEN_FIELD).encode())
    return bool(_TOKEN.fullmatch(cookie)) and same and _from_here(request)


def surely_from_here(request: Request) -> bool:
    """Whether the browser itself says that the form was on a page of ours; another site cannot make it say so."""
    return request.headers.get("Sec-Fetch-Site") == "same-origin"


def form_cookie(request: Request) -> str:
    """The name of the cookie with the token of forms."""
    settings: Settings = request.app.state.settings
    return "__Host-cmi_form" if is_https(settings) else "cmi_form"


def form_token(request: Request) -> tuple[str, bool]:
    """The token for forms of this browser, and whether it is new, so that its cookie has to be set."""
    token = request.cookies.get(form_cookie(request), "")
    if _TOKEN.fullmatch(token):
        return token, False
    return secrets.token_urlsafe(32), True


def new_request_id() -> str:
    """What a form carries, so that the command it gives is done once however often it is sent."""
    return secrets.token_urlsafe(16)


def request_id_of(form: Form) -> str:
    """The id of the command that a form gives: the same for the same form on the same page."""
    given = form.get("request_id")
    return f"page.{given if _REQUEST_ID.fullmatch(given) else new_request_id()}"


def local_path(wanted: str) -> str:
    """Where to go on: a path on this site. Anything else is the first page."""
    return wanted if _LOCAL.fullmatch(wanted) else "/"


def _from_here(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin", "null").lower()
    public = urlsplit(request.app.state.settings.public_url)
    here = {f"{public.scheme}://{public.netloc}", f"{request.url.scheme}://{request.url.netloc}"}
    return origin == "null" or origin in {each.lower() for each in here}
