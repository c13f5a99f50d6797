"""The pages: login, and the work of partners and staff with orders and settlements."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.portal import (
    account,
    accounting,
    agenda,
    calendar_feed,
    figures,
    login,
    offline,
    orders,
    pages,
    people,
    sessions,
    settlements,
    staff,
    visit,
)

_AREAS = (
    login, visit, offline, account, sessions, orders, staff, settlements, accounting, figures, people,
    agenda, calendar_feed,
)  # fmt: skip


def install(app: FastAPI) -> None:
    """Add the pages to the application."""
    # The files come first, so that none is compared with all pages before.
    # Pages stay as they are: compressed, the length of one that repeats a caller's text would tell of its secrets.
    static = GZipMiddleware(_Static(directory=pages.HERE / "static"), compresslevel=6)
    app.mount("/static", _HeadAsGet(static))
    for area in _AREAS:
        _accept_head(area.router)
        app.include_router(area.router)
    pages.install(app)


def _accept_head(router: APIRouter) -> None:
    """Accept HEAD wherever GET is: programs that check the links in mails use it."""
    for context in iter_route_contexts(router.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")


class _HeadAsGet:
    """Answers HEAD with the headers of GET: `GZipMiddleware` sets some of its own only when there is a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)


class _Static(StaticFiles):
    """Files that a browser may cache but must revalidate before each use."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_no_cache(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Cache-Control"] = "no-cache"
            await send(message)

        await super().__call__(scope, receive, send_no_cache)
