"""The page of a month for accounting: sums by partner and state, downloads, and who decided what."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

import words
from domain import spreadsheet
from domain.months import Month
from domain.settlements.lines import NOTHING
from domain.settlements.settlement import SettlementStatus
from records.accounting import BOOKED, BookedSum, Decision
from use_cases import zip_files
from use_cases.accounting import Accounting
from web.downloads import streamed
from web.portal.formats import local
from web.portal.pages import EarlyResponse, error_page, page, reader_language, require_login

router = APIRouter(include_in_schema=False)


class Sums(NamedTuple):
    """The sums of some settlements. `to_pay`: the total of those that are not paid."""

    settlements: int
    orders: int
    net: Decimal
    vat: Decimal
    total: Decimal
    to_pay: Decimal

    @classmethod
    def of(cls, booked: Iterable[BookedSum]) -> "Sums":
        """The sums of these settlements."""
        all_ = tuple(booked)
        return cls(
            settlements=len(all_),
            orders=sum(each.orders for each in all_),
            net=sum((each.net for each in all_), NOTHING),
            vat=sum((each.vat for each in all_), NOTHING),
            total=sum((each.total for each in all_), NOTHING),
            to_pay=sum(
                (each.total for each in all_ if each.status is not SettlementStatus.PAID), NOTHING
            ),
        )


class _Decided(NamedTuple):
    """A decision in words."""

    decision: Decision
    author: str
    text: str


def accounting_use_cases(request: Request) -> Accounting:
    """The use cases of accounting."""
    accounting: Accounting = request.app.state.accounting
    return accounting


@router.get("/accounting/month")
async def month_page(request: Request) -> Response:
    """The month in the query."""
    principal = await require_login(request, "accounting")
    month = _month(request)
    language = reader_language(request, principal)
    use_cases = accounting_use_cases(request)
    booked = await use_cases.sums(principal, month)
    decided = [
        _Decided(
            each,
            words.author_text(each.recorded.by, each.recorded.on_behalf_of, language),
            words.settlement_event_text(each.recorded, language, local),
        )
        for each in await use_cases.decisions(principal, month)
    ]
    by_state = [
        (state, Sums.of(each for each in booked if each.status is state)) for state in BOOKED
    ]
    return page(
        request,
        "accounting/month",
        principal=principal,
        month=month,
        booked=booked,
        by_state=[(state, sums) for state, sums in by_state if sums.settlements],
        total=Sums.of(booked),
        decided=decided,
    )


@router.get("/accounting/lines.csv")
async def lines(request: Request) -> Response:
    """All lines of the month in the query."""
    principal = await require_login(request, "accounting")
    month = _month(request)
    parts = accounting_use_cases(request).lines(principal, month)
    return await streamed(parts, f"lines-{month}.csv", spreadsheet.MEDIA_TYPE)


@router.get("/accounting/papers.zip")
async def papers(request: Request) -> Response:
    """All papers of the month in the query."""
    principal = await require_login(request, "accounting")
    month = _month(request)
    parts = accounting_use_cases(request).papers(principal, month)
    return await streamed(parts, f"papers-{month}.zip", zip_files.MEDIA_TYPE)


def _month(request: Request) -> Month:
    """The month in the query.

    Raises:
        EarlyResponse: a page with 422 if it is not a month.
    """
    try:
        return Month.parse(request.query_params.get("month", ""))
    except ValueError:
        raise EarlyResponse(error_page(request, 422)) from None
