"""A partner's own figures: its punctuality by month and deadline, and why deadlines were missed."""

from fastapi import APIRouter, Request, Response

from domain.months import Month
from domain.orders.punctuality import TARGET
from use_cases.access import Forbidden
from use_cases.figures import FigureUseCases
from use_cases.reports import Punctuality
from web.portal.formats import month_name, today
from web.portal.pages import error_page, page, reader_language, redirect, require_login
from web.portal.punctuality import (
    LATENESS,
    REASONS,
    month_choices,
    on_time,
    read_month,
)

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
"""How many missed deadlines a page lists."""


@router.get("/figures")
async def figures(request: Request) -> Response:
    """The figures of a month, by default the current one. A partner sees only its own."""
    principal = await require_login(request, "partner")
    month = read_month(request.query_params.get("month"))
    if month is None:
        return redirect(request, "/figures")
    use_cases: FigureUseCases = request.app.state.figures
    try:
        own = await use_cases.own(principal, month)
    except Forbidden:
        return error_page(request, 403)
    language = reader_language(request, principal)
    counted = own.figures
    given = request.query_params.get("after", "")
    first = int(given) if given.isascii() and given.isdigit() and len(given) < 7 else 0
    last = first + PER_PAGE
    return page(
        request,
        "figures/own",
        principal=principal,
        month=month,
        title=month_name(month, language),
        months=month_choices(month, language),
        previous=month.previous,
        following=month.next if month < Month.of(today()) else None,
        target=TARGET,
        total=Punctuality(met=counted.met, missed=counted.missed),
        kinds=[(each, Punctuality(met=each.met, missed=each.missed)) for each in counted.kinds],
        misses=counted.misses[first:last],
        next_page=f"/figures?month={month}&after={last}" if len(counted.misses) > last else None,
        visible=own.visible,
        trend=[(each, month_name(each.month, language)) for each in own.trend],
        on_time=on_time,
        reasons=REASONS,
        lateness=LATENESS,
        as_of=own.as_of,
    )
