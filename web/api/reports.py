"""The API's call for the deadline report, as JSON or as CSV for a spreadsheet."""

from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.months import Month
from domain.orders.deadline import DeadlineKind
from domain.orders.punctuality import TARGET
from domain.spreadsheet import MEDIA_TYPE, csv_file
from use_cases.principal import Principal
from use_cases.reports import DeadlineReport, Punctuality, Reports
from web.problems import documented
from web.security import GuardedRouter, may

router = GuardedRouter(tags=["operations"], responses=documented(401, 403, 422, 500, 503))

_LINE: dict[str, Any] = {
    "partner_id": "elektro-huber",
    "partner_name": "Elektro Huber AG",
    "kind": "accept",
    "orders": 61,
    "met": 60,
    "missed": 1,
    "on_time_share": 0.9836,
    "on_target": True,
}
_COLUMNS = ("month", *_LINE)
_TABLE = (
    f"{';'.join(_COLUMNS)}\r\n2026-10;elektro-huber;Elektro Huber AG;accept;61;60;1;0.9836;yes\r\n"
)
_NUMBERS = ("orders", "met", "missed", "on_time_share")


class DeadlineLine(BaseModel):
    """A partner's deadlines of one kind: how many were met and missed."""

    partner_id: str
    partner_name: str
    kind: DeadlineKind
    orders: int = Field(description="the orders that these deadlines belong to")
    met: int
    missed: int = Field(
        description="by the partner; the time in which somebody else had the ball does not count"
    )
    on_time_share: float | None = Field(
        description="the share that was met, between 0 and 1, rounded to four decimals"
    )
    on_target: bool = Field(description="whether the share reaches the target, before rounding")


class PartnerLine(BaseModel):
    """All deadlines of a partner: how many were met and missed."""

    partner_id: str
    partner_name: str
    met: int
    missed: int
    on_time_share: float | None
    on_target: bool


class DeadlineReportAnswer(BaseModel):
    """A month's deadlines. Partners and kinds without a deadline that counts are left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "month": "2026-10",
                    "as_of": "2026-11-02T07:00:00Z",
                    "target": 0.98,
                    "items": [_LINE],
                    "partners": [{k: v for k, v in _LINE.items() if k not in ("kind", "orders")}],
                }
            ]
        }
    )

    month: str
    as_of: datetime = Field(description="the instant as of which open deadlines are judged")
    target: float = Field(description="the share that is to be reached")
    items: list[DeadlineLine] = Field(
        description="by partner, then in the order of an order's life"
    )
    partners: list[PartnerLine]


async def _reports(request: Request) -> Reports:
    return cast(Reports, request.app.state.reports)


@router.get(
    "/reports/deadlines",
    summary="How punctual partners were in a month",
    response_model=DeadlineReportAnswer,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": _TABLE}}},
    },
)
async def report_deadlines(
    request: Request,
    principal: Annotated[Principal, may("report")],
    reports: Annotated[Reports, Depends(_reports)],
    month: Annotated[str, Query(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-10"])],
) -> Response | DeadlineReportAnswer:
    """For each partner and kind of deadline: how many orders, met, missed, and the share that was on time.

    A partner's deadline counts in the month in which it was due (Europe/Zurich). It does not count if its order was
    cancelled or reassigned, or its appointment moved, before it was due; while it is open and not late; or if the
    partner got the ball too late to meet it, and then took no longer than the whole span.
    With `Accept: text/csv` the items come as a table.
    """
    report = await reports.deadlines(principal, Month.parse(month))
    if _wants_csv(request):
        return Response(report_csv(report), media_type=MEDIA_TYPE, headers=download(report))
    return DeadlineReportAnswer(
        month=month,
        as_of=report.as_of,
        target=float(TARGET),
        items=[DeadlineLine.model_validate(each) for each in report_lines(report)],
        partners=[
            PartnerLine(partner_id=each.partner_id, partner_name=each.name, **_shares(each))
            for each in report.partners
        ],
    )


def report_lines(report: DeadlineReport) -> list[dict[str, Any]]:
    """The values of a `DeadlineLine` for each partner and kind."""
    return [
        {
            "partner_id": partner.partner_id,
            "partner_name": partner.name,
            "kind": each.kind,
            "orders": each.orders,
            **_shares(each),
        }
        for partner in report.partners
        for each in partner.kinds
    ]


def report_csv(report: DeadlineReport) -> bytes:
    """The report's lines as CSV, each with its month."""
    rows = (
        {"month": report.month, **line, "on_target": "yes" if line["on_target"] else "no"}
        for line in report_lines(report)
    )
    return csv_file(
        _COLUMNS,
        ({k: "" if v is None else str(v) for k, v in row.items()} for row in rows),
        numbers=_NUMBERS,
    )


def download(report: DeadlineReport) -> dict[str, str]:
    """The headers that make a browser save the table as a file."""
    name = f"deadlines-{report.month}.csv"
    return {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}


def _shares(counts: Punctuality) -> dict[str, Any]:
    share = counts.share
    return {
        "met": counts.met,
        "missed": counts.missed,
        "on_time_share": None if share is None else float(share),
        "on_target": counts.on_target,
    }


def _wants_csv(request: Request) -> bool:
    kinds = [
        part.partition(";")[0].strip().lower()
        for part in request.headers.get("Accept", "").split(",")
    ]
    return "text/csv" in kinds and "application/json" not in kinds
