"""Submitted forms: their fields, the token that proves that our page sent them, and forms to be sent again."""

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
_LOCAL = re.compile(
    r"/(?![/\\])[!-\[\]-~]{0,500}"
)  # a path on this site: printable ASCII, no backslash
_MOST_FIELDS = 5_000
_MOST_FILES = 4
_SECRETS = {TOKEN_FIELD, "password", "former", "again", "code", "confirm_password", "confirm_code"}


class Upload(NamedTuple):
    """An uploaded file."""

    filename: str
    content: bytes


class Form:
    """The fields of a submitted form in their order, and its uploaded files by field."""

    def __init__(
        self, fields: list[tuple[str, str]], files: dict[str, Upload] | None = None
    ) -> None:
        self.fields = fields
        self.files = files or {}

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field, or the default."""
        return next((value for field, value in self.fields if field == name), default)

    def getlist(self, name: str) -> list[str]:
        """All values of a field, such as those of the ticked checkboxes."""
        return [value for field, value in self.fields if field == name]

    def __contains__(self, name: str) -> bool:
        return any(field == name for field, _ in self.fields)


class SavedForm(NamedTuple):
    """A form that was not accepted, saved so that it can be sent again.

    `to` is the path it was sent to, `back` the page that it is on. Secrets and files are not saved.
    """

    to: str
    back: str
    fields: list[tuple[str, str]]

    @property
    def readable(self) -> list[tuple[str, str]]:
        """The fields that a person reads before the form is sent again: those that are filled in."""
        left_out = ("request_id", "back")
        return [(name, value) for name, value in self.fields if value and name not in left_out]

    def dump(self) -> str:
        """The form as the value of one hidden field."""
        return json.dumps(self)

    @classmethod
    def load(cls, dumped: str) -> "SavedForm | None":
        """The form from such a value; None if the value is malformed."""
        try:
            to, back, fields = json.loads(dumped)
            saved = cls(to, back, [(str(name), str(value)) for name, value in fields])
        except (ValueError, TypeError, RecursionError):
            return None
        local = all(isinstance(path, str) and local_path(path) == path for path in (to, back))
        return saved if local else None

    @classmethod
    def of(cls, request: Request, form: Form) -> "SavedForm":
        """The form that a request sent."""
        query = request.url.query
        path = request.scope["path"] + (f"?{query}" if query else "")
        fields = [(name, value) for name, value in form.fields if name not in _SECRETS]
        return cls(local_path(path), local_path(form.get("back", "/")), fields)


async def read_form(request: Request) -> Form:
    """The fields and files of a request. Where they come from is not checked."""
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


def sent_by_our_page(request: Request, form: Form) -> bool:
    """Whether one of our pages sent a form.

    The browser must not name another site as the form's origin, and the token in the form must equal the one in the
    cookie. Pages without a referrer (those of mailed links) send `Origin: null`, which proves nothing.
    """
    cookie = request.cookies.get(form_cookie(request), "")
    same = hmac.compare_digest(cookie.encode(), form.get(TOKEN_FIELD).encode())
    return bool(_TOKEN.fullmatch(cookie)) and same and _not_from_elsewhere(request)


def is_same_origin(request: Request) -> bool:
    """Whether the browser confirms that the form was on one of our pages. Another site cannot forge that header."""
    return request.headers.get("Sec-Fetch-Site") == "same-origin"


def form_cookie(request: Request) -> str:
    """The name of the cookie with the form token."""
    settings: Settings = request.app.state.settings
    return "__Host-cmi_form" if is_https(settings) else "cmi_form"


def form_token(request: Request) -> tuple[str, bool]:
    """The form token of this browser, and whether it is new and its cookie has to be set."""
    token = request.cookies.get(form_cookie(request), "")
    if _TOKEN.fullmatch(token):
        return token, False
    return secrets.token_urlsafe(32), True


def new_request_id() -> str:
    """An id for a form, so that its command is carried out once even if it is sent several times."""
    return secrets.token_urlsafe(16)


def request_id_of(form: Form) -> str:
    """The id of a form's command. It is the same each time that the same form is sent."""
    given = form.get("request_id")
    return f"page.{given if _REQUEST_ID.fullmatch(given) else new_request_id()}"


def local_path(wanted: str) -> str:
    """The wanted path if it is one on this site, else the first page."""
    return wanted if _LOCAL.fullmatch(wanted) else "/"


def _not_from_elsewhere(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin", "null").lower()
    public = urlsplit(request.app.state.settings.public_url)
    here = {f"{public.scheme}://{public.netloc}", f"{request.url.scheme}://{request.url.netloc}"}
    return origin == "null" or origin in {each.lower() for each in here}
