"""The outermost layer around every request: request id, limit of the body, security headers, access log, errors."""

import asyncio
import contextlib
import contextvars
import logging
import re
import secrets
import time
import traceback
from collections.abc import Iterator
from itertools import islice
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from records.failures import causes
from telemetry.metrics import HTTP_IN_FLIGHT, HTTP_REQUESTS, HTTP_SECONDS
from telemetry.tracing import Span, SpanKind, span
from use_cases.security_events import How, Visit, visiting
from web.problems import Problem, answer, unexpected
from web.request_limits import (
    ADDRESS_LIMIT,
    API,
    HEADER_LIMIT,
    address_too_long,
    announced_length,
    body_limit,
    headers_too_large,
    too_large,
)

access_log = logging.getLogger("cmi.web.access")
logger = logging.getLogger("cmi.web")

_DRAIN_LIMIT = 64 * 1024 * 1024
_DRAIN_SECONDS = 10.0
_LOGGED_CAUSES = 5
_PROBES = ("/healthz", "/readyz")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# The log shows the ids in a path only. Other parts of it may be a person's name or the secret of a link.
_LOGGED_PARAMETER = re.compile(r"[A-Za-z0-9._-]{1,64}")

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
"""The default headers of each response."""
_HSTS = "max-age=31536000; includeSubDomains"


class RequestIdFilter(logging.Filter):
    """Adds the id of the current request to each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True."""
        request_id = _request_id.get()
        if request_id is not None and not hasattr(record, "request_id"):
            record.request_id = request_id
        return True


class RequestMiddleware:
    """Handles each request (see above). Any exception from the application becomes a response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(scope, receive, send).run(self._app)


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        headers = Headers(scope=scope)
        wanted = headers.get("x-request-id", "")
        self._id = wanted if _VALID_ID.fullmatch(wanted) else secrets.token_hex(12)
        self._announced_length = announced_length(headers)
        self._limit = body_limit(scope["path"])
        self._received = 0
        self._is_complete = False  # the whole body has arrived
        self._is_disconnected = False  # the caller went away before that
        self._status: int | None = None

    async def run(self, app: ASGIApp) -> None:
        scope = self._scope
        scope.setdefault("state", {})["request_id"] = self._id
        if scope["path"] in _PROBES:
            await self._run(app)
            return
        with span("request", kind=SpanKind.SERVER) as made:
            await self._run(app)
            self._describe(made)

    async def _run(self, app: ASGIApp) -> None:
        scope, began = self._scope, time.perf_counter()
        token = _request_id.set(self._id)
        HTTP_IN_FLIGHT.inc()
        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_LIMIT:
                await self._answer(headers_too_large())
                return
            if len(scope["raw_path"]) + len(scope["query_string"]) > ADDRESS_LIMIT:
                await self._answer(address_too_long())
                return
            _keep_own_cookies(scope)
            _warn_of_untrusted_proxy(scope)
            if self._announced_length is not None and self._announced_length > self._limit:
                await self._answer(too_large())
                return
            try:
                _check_charset(scope)
                with _visit(scope, self._id):
                    await app(scope, self._receive_limited, self._send_with_headers)
            except ClientDisconnect:
                self._is_disconnected = True  # the caller cannot receive an answer
            except Exception as error:
                if self._status is not None:
                    _log_failure(error)
                    raise
                await self._answer(error)
        finally:
            HTTP_IN_FLIGHT.dec()
            seconds = time.perf_counter() - began
            self._log(seconds)
            self._count(seconds)
            _request_id.reset(token)

    async def _answer(self, error: Exception) -> None:
        problem, is_our_fault = (error, False) if isinstance(error, Problem) else unexpected(error)
        if is_our_fault:
            _log_failure(error)
        if problem.status_code == 413:
            await self._drain()
        response = await answer(Request(self._scope), problem)
        await response(self._scope, self._receive, self._send_with_headers)

    async def _drain(self) -> None:
        """Read and drop the rest of a body that is too large: a client that is still sending reads no response."""
        drained = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while drained < _DRAIN_LIMIT:
                    message = await self._receive()
                    drained += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    async def _receive_limited(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self._is_complete = not message.get("more_body", False)
            if self._received > self._limit:
                raise too_large()
        elif not self._is_complete:
            self._is_disconnected = True
        return message

    async def _send_with_headers(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._scope.get("scheme") == "https":
                headers.setdefault("Strict-Transport-Security", _HSTS)
            headers["X-Request-Id"] = self._id
        await self._send(message)

    def _describe(self, made: Span) -> None:
        """Describe a request in its trace: no query, no address, no name, and only the ids of its path."""
        route = self._route or "none"
        made.update_name(f"{self._scope['method'][:10]} {route}")
        made.set_attribute("http.route", route)
        made.set_attribute("http.response.status_code", self._status or 0)
        made.set_attribute("cmi.request_id", self._id)
        for name, value in self._ids():
            made.set_attribute(f"cmi.{name}", value)

    def _ids(self) -> Iterator[tuple[str, str]]:
        """The parameters of the path that are ids."""
        for name, value in (self._scope.get("path_params") or {}).items():
            if name.endswith("_id") and _LOGGED_PARAMETER.fullmatch(str(value)):
                yield name, str(value)

    @property
    def _route(self) -> str | None:
        """The template of the path; None if there is no such path."""
        route: str | None = getattr(self._scope.get("route"), "path", None)
        if route is not None and self._scope["path"].startswith(API):
            return API + route  # `route.path` lacks the prefix of the router
        return route

    def _count(self, seconds: float) -> None:
        """Count the request in the metrics. Unusual methods count as one."""
        method = self._scope["method"]
        of = (method if method in _METHODS else "other", self._route or "none")
        status = 0 if self._is_disconnected else self._status or 0
        HTTP_REQUESTS.labels(*of, str(status)).inc()
        HTTP_SECONDS.labels(*of).observe(seconds)

    def _log(self, seconds: float) -> None:
        """Write the access log: who did what. No user input: no query (`q` holds names), no address, no body."""
        scope = self._scope
        facts: dict[str, Any] = {
            "request_id": self._id,
            "method": scope["method"] if scope["method"].isalpha() else "?",
            "route": self._route,
            "status": None if self._is_disconnected else self._status,
            "ms": round(seconds * 1000, 1),
        }
        facts |= dict(self._ids())
        principal = scope["state"].get("principal")
        if principal is not None:
            facts |= {"role": principal.role, "login": principal.login_id}
        quiet = facts["route"] in _PROBES and self._status == 200
        event = "the caller went away" if self._is_disconnected else "answered"
        access_log.log(logging.DEBUG if quiet else logging.INFO, event, extra=facts)


def _visit(scope: Scope, request_id: str) -> contextlib.AbstractContextManager[None]:
    """The context of a request for its security events (`use_cases.security_events`)."""
    app = scope.get("app")
    accounts = getattr(app.state, "accounts", None) if app is not None else None
    if accounts is None:
        return contextlib.nullcontext()
    path, state = scope["path"], scope["state"]
    how: How = "api" if path.startswith(API) else "page"
    if path.endswith(".pdf"):
        how = "pdf"
    elif path.endswith((".csv", ".ics")):
        how = "export"

    def login() -> str:
        principal = state.get("principal")
        return "" if principal is None else str(principal.login_id)

    address = (scope.get("client") or ("", 0))[0]
    return visiting(Visit(accounts.recorder, address, request_id, login, how))


_OWN_COOKIE = re.compile(rb"(?:__Host-)?cmi_[a-z]+=[A-Za-z0-9_-]{0,200}")


def _keep_own_cookies(scope: Scope) -> None:
    """Drop cookies that are not ours, and values that ours never have.

    The parser of cookies takes quadratic time for a quoted value with backslashes: half a second for 16 KiB.
    """

    def own(value: bytes) -> bytes:
        return b"; ".join(
            filter(_OWN_COOKIE.fullmatch, (part.strip() for part in value.split(b";")))
        )

    scope["headers"] = [
        (name, own(value) if name == b"cookie" else value) for name, value in scope["headers"]
    ]


def _check_charset(scope: Scope) -> None:
    """Raise `Problem` (415) if a form with parts names another encoding than UTF-8, which no browser does.

    The parser of forms takes any codec of Python: "punycode" takes quadratic time, a minute for a field of 1 MiB, and
    "utf-7" gives characters that cannot be stored.
    """
    media_type, parameters = parse_options_header(Headers(scope=scope).get("content-type"))
    charset = parameters.get(b"charset", b"utf-8").lower()
    if media_type.startswith(b"multipart/") and charset not in (b"utf-8", b"utf8"):
        raise _unsupported_charset()


_warned_of: set[str] = set()
_MOST_WARNED_OF = 100


def _warn_of_untrusted_proxy(scope: Scope) -> None:
    """Log once for each address that its `X-Forwarded-For` is not believed: all its callers count as one address.

    The server replaces the address of a trusted proxy by that of its caller, whose port is then 0.
    """
    host, port = scope.get("client") or ("", 0)
    if port == 0 or host in _warned_of or len(_warned_of) >= _MOST_WARNED_OF:
        return
    if any(name == b"x-forwarded-for" for name, _ in scope["headers"]):
        _warned_of.add(host)
        logger.warning(
            "X-Forwarded-For comes from an address that is not in CMI_TRUSTED_PROXIES, and is not believed",
            extra={"address": host},
        )


def _unsupported_charset() -> Problem:
    return Problem(
        415,
        "Unsupported Media Type",
        "The parts of a form are read as UTF-8 only.",
        headers={"Connection": "close"},
    )


def _log_failure(error: BaseException) -> None:
    """Log the types of the exceptions and where they were raised, not their messages: these may repeat user input."""
    chain: list[str] = []
    for each in islice(causes(error), _LOGGED_CAUSES):
        frames = traceback.extract_tb(each.__traceback__)[-8:]
        where = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
        chain.append(f"{type(each).__name__} at {where}")
    logger.error("a request failed", extra={"error": type(error).__name__, "trace": chain})
