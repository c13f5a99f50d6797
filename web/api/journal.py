"""The API's calls for accounting's tables: the journal of a month, and the accruals of a day."""

from typing import Annotated

from fastapi import Query, Request, Response

from domain.months import Month
from domain.spreadsheet import MEDIA_TYPE
from use_cases.journal import ACCRUALS, JOURNAL, Journal
from use_cases.principal import Principal
from web.api.bodies import IsoDay
from web.api.settlement_call import SettlementCallDep, settlement_router
from web.problems import documented
from web.security import may

router = settlement_router()

_JOURNAL = (
    f"{';'.join(JOURNAL)}\r\n2026-11;V202611-Q93Q3BS6;elektro-huber;Elektro Huber AG;paid;8.1;258.00;20.90;278.90;"
    "R-2026-117;2026-12-01;2026-11-30;2026-12-01;2026-12-03;2026-12-14;2026-4711\r\n"
)
_ACCRUALS = (
    f"{';'.join(ACCRUALS)}\r\n2026-11-30;2026-11-26;SP-1048213;48392011;elektro-huber;Elektro Huber AG;"
    "Waschmaschine anschliessen;129.00\r\n"
)


@router.get(
    "/reports/journal",
    tags=["accounting"],
    summary="The settlements of a month by VAT rate",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": _JOURNAL}}},
        **documented(401, 403, 422, 500, 503),
    },
)
async def month_journal(
    request: Request,
    call: SettlementCallDep,
    principal: Annotated[Principal, may("read_journal")],
    month: Annotated[str, Query(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-10"])],
) -> Response:
    """CSV with a row for each settlement and VAT rate. Settlements without a statement and void ones are left out."""
    journal: Journal = request.app.state.journal
    async with call.translating(principal):
        table = await journal.month(principal, Month.parse(month))
    return csv_download(table, f"journal-{month}.csv")


@router.get(
    "/reports/accruals",
    tags=["accounting"],
    summary="Executed and unbilled orders on a day",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": _ACCRUALS}}},
        **documented(401, 403, 422, 500, 503),
    },
)
async def day_accruals(
    request: Request,
    call: SettlementCallDep,
    principal: Annotated[Principal, may("read_journal")],
    day: Annotated[IsoDay, Query(examples=["2026-10-31"])],
) -> Response:
    """CSV with a row for each order that was executed by that day and not billed then, by day of execution."""
    journal: Journal = request.app.state.journal
    async with call.translating(principal):
        table = await journal.accruals(principal, day)
    return csv_download(table, f"accruals-{day.isoformat()}.csv")


def csv_download(table: bytes, name: str) -> Response:
    """A table as a file."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return Response(table, media_type=MEDIA_TYPE, headers=headers)
