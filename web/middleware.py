"""What every request goes through: its id, the size of its body, security headers, one line in the log."""

import asyncio
import contextlib
import contextvars
import logging
import re
import secrets
import time
import traceback
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem, answer, unexpected

access_log = logging.getLogger("cmi.web.access")
logger = logging.getLogger("cmi.web")

API = "/api/v1"
"""Below this the JSON API is."""
BODY_LIMIT = 1024 * 1024
UPLOAD_LIMIT = 20 * 1024 * 1024 + 64 * 1024
"""Of a form with an invoice of 20 MiB."""
_LET_PASS = 64 * 1024 * 1024
_LET_PASS_SECONDS = 10.0
_UPLOAD = re.compile(rf"(?:{API})?/settlements/[^/]+/invoice")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# In the log of a path: ids of things only. What else stands there may be a name of a person, or a link's secret.
_SHOWN_PARAMETER = re.compile(r"[A-Za-z0-9._-]{1,64}")

_request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What an answer carries unless it says otherwise itself."""
_HSTS = "max-age=31536000; includeSubDomains"


class RequestIdFilter(logging.Filter):
    """Puts the id of the request that is being answered into each line of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True."""
        request_id = _request_id.get()
        if request_id is not None and not hasattr(record, "request_id"):
            record.request_id = request_id
        return True


class Hygiene:
    """The outermost layer. Nothing that goes wrong inside it leaves it but as an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(scope, receive, send).run(self._app)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        headers = Headers(scope=scope)
        wanted = headers.get("x-request-id", "")
        self._id = wanted if _SANE_ID.fullmatch(wanted) else secrets.token_hex(12)
        self._announced = _announced(headers)
        self._limit = UPLOAD_LIMIT if _UPLOAD.fullmatch(scope["path"]) else BODY_LIMIT
        self._taken = 0
        self._arrived = False  # the whole body
        self._gone = False  # the caller, in the middle of it
        self._status: int | None = None

    async def run(self, app: ASGIApp) -> None:
        scope = self._scope
        scope.setdefault("state", {})["request_id"] = self._id
        began = time.perf_counter()
        token = _request_id.set(self._id)
        try:
            if self._announced is not None and self._announced > self._limit:
                await self._answer(_too_large())
                return
            try:
                await app(scope, self._limited, self._dressed)
            except ClientDisconnect:
                self._gone = True  # nobody is left to answer to
            except Exception as error:
                if self._status is not None:
                    _log_mistake(error)
                    raise
                await self._answer(error)
        finally:
            self._log(time.perf_counter() - began)
            _request_id.reset(token)

    async def _answer(self, error: Exception) -> None:
        problem, is_mistake = (error, False) if isinstance(error, Problem) else unexpected(error)
        if is_mistake:
            _log_mistake(error)
        if problem.status_code == 413:
            await self._let_pass()
        response = await answer(Request(self._scope), problem)
        await response(self._scope, self._receive, self._dressed)

    async def _let_pass(self) -> None:
        """Take what still comes of a body that is too large, within reason: who is sending it does not listen yet."""
        passed = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LET_PASS_SECONDS):
                while passed < _LET_PASS:
                    message = await self._receive()
                    passed += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    async def _limited(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self._arrived = not message.get("more_body", False)
            if self._taken > self._limit:
                raise _too_large()
        elif not self._arrived:
            self._gone = True
        return message

    async def _dressed(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._scope.get("scheme") == "https":
                headers.setdefault("Strict-Transport-Security", _HSTS)
            headers["X-Request-Id"] = self._id
        await self._send(message)

    def _log(self, seconds: float) -> None:
        """Who did what, without what anybody typed: no query (`q` holds names), no address, no body."""
        scope = self._scope
        route = getattr(scope.get("route"), "path", None)
        if route is not None and scope["path"].startswith(API):
            route = API + route  # a route itself does not know below what it was included
        facts: dict[str, Any] = {
            "request_id": self._id,
            "method": scope["method"] if scope["method"].isalpha() else "?",
            "route": route,
            "status": None if self._gone else self._status,
            "ms": round(seconds * 1000, 1),
        }
        for name, value in (scope.get("path_params") or {}).items():
            if name.endswith("_id") and _SHOWN_PARAMETER.fullmatch(str(value)):
                facts[name] = value
        principal = scope["state"].get("principal")
        if principal is not None:
            facts |= {"role": principal.role, "login": principal.login_id}
        quiet = facts["route"] in ("/healthz", "/readyz") and self._status == 200
        what = "the caller went away" if self._gone else "answered"
        access_log.log(logging.DEBUG if quiet else logging.INFO, what, extra=facts)


def _announced(headers: Headers) -> int | None:
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None


def _too_large() -> Problem:
    return Problem(
        413,
        "Content Too Large",
        "The body is larger than this call takes.",
        headers={"Connection": "close"},
    )


def _log_mistake(error: BaseException) -> None:
    """What went wrong and where; not the message, which may repeat what was sent."""
    chain: list[str] = []
    found: BaseException | None = error
    while found is not None and len(chain) < 5:
        frames = traceback.extract_tb(found.__traceback__)[-8:]
        where = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
        chain.append(f"{type(found).__name__} at {where}")
        found = found.__cause__ or found.__context__
    logger.error("a request went wrong", extra={"error": type(error).__name__, "trace": chain})
