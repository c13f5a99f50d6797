"""The pages: login, and the work of partners and staff with orders and settlements."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

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
    static_files,
    visit,
)

_AREAS = (
    login, visit, offline, account, sessions, orders, staff, settlements, accounting, figures, people,
    agenda, calendar_feed,
)  # fmt: skip


def install(app: FastAPI) -> None:
    """Add the pages to the application."""
    # The files come first, so that none is compared with all pages before.
    app.mount("/static", static_files.app())
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
