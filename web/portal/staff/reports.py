"""Punctuality reports: a month as table and chart, as CSV, and the late orders behind the figures."""

from fastapi import APIRouter, Request, Response

from domain.months import Month
from domain.orders.deadline import DeadlineKind
from domain.orders.punctuality import KINDS, TARGET
from domain.spreadsheet import MEDIA_TYPE
from use_cases.figures import FigureUseCases
from use_cases.reports import DeadlineReport, PartnersMonth, Punctuality, Reports
from web.api.reports import download, report_csv
from web.portal.formats import month_name, today
from web.portal.pages import error_page, page, reader_language, redirect
from web.portal.punctuality import (
    LATENESS,
    REASONS,
    REPORTS,
    STEPS,
    duration,
    month_choices,
    on_time,
    read_month,
)
from web.portal.staff.common import address, require_operations

router = APIRouter(include_in_schema=False)

PER_PAGE = 50


def _reports(request: Request) -> Reports:
    reports: Reports = request.app.state.reports
    return reports


@router.get("/staff/reports")
async def month_page(request: Request) -> Response:
    """The report of a month. The partners farthest below the target come first."""
    principal = await require_operations(request)
    month = read_month(request.query_params.get("month"))
    if month is None:
        return redirect(request, "/staff/reports")
    report = await _reports(request).deadlines(principal, month)
    figures: FigureUseCases = request.app.state.figures
    details = await figures.details(principal, month)
    ranked = sorted(report.partners, key=_rank)
    first = _number(request.query_params.get("after", ""))
    language = reader_language(request, principal)
    return page(
        request,
        "staff/report",
        principal=principal,
        report=report,
        target=TARGET,
        on_time=on_time,
        partners=ranked[first : first + PER_PAGE],
        kinds=_by_kind(report),
        details=details,
        trend=[(each, month_name(each.month, language)) for each in details.trend],
        miss_reasons=REASONS,
        lateness=LATENESS,
        steps=STEPS,
        report_types=REPORTS,
        said_impossible=sorted(details.reports.items(), key=lambda each: (-each[1], each[0])),
        duration=lambda time: duration(time, language),
        missing=sum(not each.on_target for each in report.partners),
        months=month_choices(month, language),
        title=month_name(month, language),
        previous=month.previous,
        following=month.next if month < Month.of(today()) else None,
        next_page=address("/staff/reports", month=month, after=first + PER_PAGE)
        if len(ranked) > first + PER_PAGE
        else None,
    )


@router.get("/staff/reports/{month}/deadlines.csv")
async def month_table(request: Request, month: str) -> Response:
    """The report of a month as CSV for a spreadsheet."""
    principal = await require_operations(request)
    wanted = read_month(month)
    if wanted is None:
        return error_page(request, 404)
    report = await _reports(request).deadlines(principal, wanted)
    return Response(report_csv(report), media_type=MEDIA_TYPE, headers=download(report))


@router.get("/staff/reports/{month}/late")
async def late_orders(request: Request, month: str) -> Response:
    """The missed deadlines behind the figures, of all partners and kinds or of one."""
    principal = await require_operations(request)
    wanted = read_month(month)
    if wanted is None:
        return error_page(request, 404)
    query = request.query_params
    partner_id = query.get("partner_id", "")[:64]
    kind = query["kind"] if query.get("kind") in KINDS else None
    path = f"/staff/reports/{wanted}/late"
    reports = _reports(request)
    try:
        misses = await reports.misses(
            principal, wanted, partner_id or None, kind, PER_PAGE, query.get("cursor") or None
        )
    except ValueError:
        return redirect(request, address(path, partner_id=partner_id, kind=kind))
    report = await reports.deadlines(principal, wanted)
    figures: FigureUseCases = request.app.state.figures
    sp_ids = [miss.sp_id for miss in misses.items]
    return page(
        request,
        "staff/late_orders",
        principal=principal,
        misses=misses.items,
        why=await figures.reasons(principal, wanted, sp_ids),
        miss_reasons=REASONS,
        month=wanted,
        title=month_name(wanted, reader_language(request, principal)),
        partner=next((p for p in report.partners if p.partner_id == partner_id), None),
        partner_id=partner_id,
        kind=kind,
        names={each.partner_id: each.name for each in report.partners},
        target=TARGET,
        on_time=on_time,
        next_page=address(path, partner_id=partner_id, kind=kind, cursor=misses.next_cursor)
        if misses.next_cursor
        else None,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _rank(partner: PartnersMonth) -> tuple[bool, object, int, str]:
    """The sort key: partners below the target first, the least punctual of them first."""
    share = partner.met / partner.counted if partner.counted else 1.0
    return (partner.on_target, share, -partner.missed, partner.partner_id)


def _by_kind(report: DeadlineReport) -> list[tuple[DeadlineKind, Punctuality]]:
    """The sums over all partners for each kind of deadline."""
    sums = []
    for kind in KINDS:
        counts = [
            each for partner in report.partners for each in partner.kinds if each.kind == kind
        ]
        if counts:
            met, missed = sum(each.met for each in counts), sum(each.missed for each in counts)
            sums.append((kind, Punctuality(met=met, missed=missed)))
    return sums
