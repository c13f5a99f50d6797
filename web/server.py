"""The HTTP server of the application, with limits for slow requests and for the number of connections."""

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from settings import Settings

_KEEP_ALIVE_SECONDS = (
    75  # longer than that of a proxy, so that the proxy closes idle connections and not we
)
_DRAIN_SECONDS = 15
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 17\r\n"
    b"Connection: close\r\n\r\nRequest timed out"
)


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn has it, but a request that arrives too slowly gets 408, and its connection is closed."""

    HEADER_SECONDS = 20.0
    """From the connection, or the first byte of a further request, to the end of the headers."""
    PAUSE_SECONDS = 30.0
    """Between two pieces of a body."""
    BODY_SECONDS = 300.0
    """From the headers to the end of the body: 20 MiB at 70 kB a second."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._arriving: asyncio.TimerHandle | None = None
        self._body_ends_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection: its first request has to follow."""
        super().connection_made(transport)
        self._allow(self.HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes between two requests start the time of the next one."""
        super().data_received(data)
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and self._arriving is None and self.timeout_keep_alive_task is None:
            self._allow(self.HEADER_SECONDS)

    def on_message_begin(self) -> None:
        """The first byte of a request. The time of the first request began with the connection."""
        super().on_message_begin()
        if self._arriving is None:
            self._allow(self.HEADER_SECONDS)

    def on_headers_complete(self) -> None:
        """The headers are there; the body follows."""
        self._body_ends_at = self.loop.time() + self.BODY_SECONDS
        self._allow(self.PAUSE_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._allow(min(self.PAUSE_SECONDS, self._body_ends_at - self.loop.time()))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._arrived()
        super().on_message_complete()

    def _allow(self, seconds: float) -> None:
        self._arrived()
        self._arriving = self.loop.call_later(max(seconds, 0), self._too_slow)

    def _arrived(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _too_slow(self) -> None:
        self._arriving = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused:  # the application is slow, not the caller
            self._allow(self.PAUSE_SECONDS)
            return
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(_TOO_SLOW)
        self.transport.close()


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How the web process serves the application."""
    return uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        log_config=None,
        access_log=False,  # web.middleware logs each request, with its id and without user input
        server_header=False,
        limit_concurrency=settings.http_connections,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
