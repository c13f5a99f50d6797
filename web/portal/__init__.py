"""The pages: how people log in, and how partners and staff work with orders."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from web.portal import account, entrance, orders, pages, settlements, staff

_AREAS = (entrance, account, orders, staff, settlements)


def install(app: FastAPI) -> None:
    """Give the application its pages."""
    for area in _AREAS:
        _answer_head(area.router)
        app.include_router(area.router)
    pages.install(app)
    app.mount("/static", _Static(directory=pages.HERE / "static"))


def _answer_head(router: APIRouter) -> None:
    """Let what looks at a page's address without wanting the page (programs that check links in mails) find it."""
    for context in iter_route_contexts(router.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")


class _Static(StaticFiles):
    """Files that a browser may keep, but asks about before it uses them again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Cache-Control"] = "no-cache"
            await send(message)

        await super().__call__(scope, receive, kept)
