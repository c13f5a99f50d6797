"""The page of accounting: invoices that wait for it, months, the import of payments, the tables to book from."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

import words
from domain.errors import InvalidCommand
from domain.months import Month
from domain.settlements.payments import read_day
from domain.settlements.settlement import SettlementStatus
from domain.values import Language
from records.settlements import SettlementRow
from use_cases.journal import Journal
from use_cases.payment_import import Imported
from use_cases.principal import Principal
from web.api.journal import csv_download
from web.portal.accounting_month import Sums, accounting_use_cases
from web.portal.accounting_month import router as month_router
from web.portal.pages import (
    error_page,
    form_of,
    page,
    reader_language,
    redirect,
    require_login,
)
from web.portal.settlements.common import settlement_use_cases
from words.payments import payment_result_text
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)
router.include_router(month_router)

_SHOWN = 25
_MONTHS = 6
_FINE = ("paid", "already_paid")
_NO_FILE = mark("Wählen Sie die Datei mit den Zahlungen aus.")


class _List(NamedTuple):
    """Settlements that wait. `nothing`: the text if there is none; `all_in`: the state of all, if more than shown."""

    name: str
    title: str
    nothing: str
    rows: Sequence[SettlementRow]
    all_in: SettlementStatus | None


class _Row(NamedTuple):
    """A line of an imported file as the page shows it."""

    line: int
    settlement_id: str
    column: str | None
    text: str
    is_known: bool
    is_wrong: bool


def _journal(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal


@router.get("/accounting")
async def overview(request: Request) -> Response:
    """The invoices to decide about, approve and pay, the overdue ones, and the last months."""
    principal = await require_login(request, "accounting")
    return await _overview(request, principal)


@router.get("/accounting/payments")
async def back_to_overview(request: Request) -> Response:
    """Redirect a person who reloads the result of an import."""
    await require_login(request, "accounting")
    return redirect(request, "/accounting")


@router.post("/accounting/payments")
async def import_payments(request: Request) -> Response:
    """Import a file of payments, and show the result of each line."""
    principal = await require_login(request, "accounting")
    form = await form_of(request)
    language = reader_language(request, principal)
    file = form.files.get("file")
    if file is None:
        problem = TRANSLATIONS[language].gettext(_NO_FILE)
        return await _overview(request, principal, 422, problem)
    try:
        done = await settlement_use_cases(request).payment_import.run(principal, file.content)
    except InvalidCommand as invalid:
        problem = words.invalid_text(invalid.code, language)
        return await _overview(request, principal, 422, problem)
    rows = [_row(each, language) for each in done]
    return page(
        request,
        "accounting/imported",
        principal=principal,
        rows=rows,
        paid=sum(each.result == "paid" for each in done),
        wrong=sum(each.is_wrong for each in rows),
    )


@router.get("/accounting/journal.csv")
async def journal(request: Request) -> Response:
    """The journal of the month in the query."""
    principal = await require_login(request, "accounting")
    try:
        month = Month.parse(request.query_params.get("month", ""))
    except ValueError:
        return error_page(request, 422)
    table = await _journal(request).month(principal, month)
    return csv_download(table, f"journal-{month}.csv")


@router.get("/accounting/accruals.csv")
async def accruals(request: Request) -> Response:
    """The accruals of the day in the query."""
    principal = await require_login(request, "accounting")
    day = read_day(request.query_params.get("day", ""))
    if day is None:
        return error_page(request, 422)
    try:
        table = await _journal(request).accruals(principal, day)
    except InvalidCommand:
        return error_page(request, 422)
    return csv_download(table, f"accruals-{day.isoformat()}.csv")


async def _overview(
    request: Request, principal: Principal, status: int = 200, problem: str | None = None
) -> Response:
    language = reader_language(request, principal)
    gettext = TRANSLATIONS[language].gettext
    use_cases = settlement_use_cases(request)
    accounting = accounting_use_cases(request)
    waiting = await accounting.waiting(principal, _SHOWN + 1)
    to_approve, to_pay = [
        await use_cases.list(principal, status=state, awaits_payment=True, limit=_SHOWN)
        for state in (SettlementStatus.INVOICED, SettlementStatus.APPROVED)
    ]
    lists = [
        _List(name, gettext(title), gettext(nothing), rows[:_SHOWN], status if more else None)
        for name, title, nothing, rows, status, more in (
            (
                "held",
                mark("Rechnungen zum Entscheiden"),
                mark("Im Moment wartet keine Rechnung auf einen Entscheid."),
                waiting.held,
                SettlementStatus.ISSUED,
                len(waiting.held) > _SHOWN,
            ),
            (
                "invoiced",
                mark("Rechnungen zum Freigeben"),
                mark("Im Moment ist keine Rechnung freizugeben."),
                to_approve.items,
                SettlementStatus.INVOICED,
                bool(to_approve.next_cursor),
            ),
            (
                "approved",
                mark("Rechnungen zum Bezahlen"),
                mark("Im Moment ist keine Rechnung zu bezahlen."),
                to_pay.items,
                SettlementStatus.APPROVED,
                bool(to_pay.next_cursor),
            ),
            (
                "overdue",
                mark("Überfällige Rechnungen"),
                mark("Im Moment ist keine Rechnung überfällig."),
                waiting.overdue,
                SettlementStatus.ISSUED,
                len(waiting.overdue) > _SHOWN,
            ),
        )
    ]
    today: date = _journal(request).today
    months = [Month.of(today)]
    while len(months) < _MONTHS:
        months.append(months[-1].previous)
    booked = await accounting.sums(principal, *months)
    return page(
        request,
        "accounting/overview",
        status,
        principal=principal,
        lists=lists,
        months=[(each, Sums.of(sum_ for sum_ in booked if sum_.month == each)) for each in months],
        problem=problem,
        today=today,
        month=months[1],
    )


def _row(imported: Imported, language: Language) -> _Row:
    settlement = imported.stored.settlement if imported.stored else None
    statement = settlement.statement if settlement else None
    return _Row(
        line=imported.row.line,
        settlement_id=settlement.settlement_id if settlement else imported.row.settlement_id,
        column=imported.column,
        text=payment_result_text(
            imported.result,
            imported.code,
            language,
            total=statement.total if statement else None,
            status=settlement.status if settlement else None,
        ),
        is_known=settlement is not None,
        is_wrong=imported.result not in _FINE,
    )
