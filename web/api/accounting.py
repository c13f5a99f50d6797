"""The API's calls for a month's lines as CSV, and for all its papers as one ZIP file."""

from typing import Annotated

from fastapi import Query, Request, Response

from domain import spreadsheet
from domain.months import Month
from use_cases import zip_files
from use_cases.accounting import LINES, Accounting
from use_cases.principal import Principal
from web.api.settlement_call import SettlementCallDep, settlement_router
from web.downloads import streamed
from web.problems import documented
from web.security import may

router = settlement_router()

_EXAMPLE = (
    f"{';'.join(LINES)}\r\n2026-11;V202611-Q93Q3BS6;elektro-huber;Elektro Huber AG;paid;order;SP-1048213;48392011;"
    "2026-11-26;Waschmaschine anschliessen;8606 Nänikon;;129.00;8.1\r\n"
)
_MonthQuery = Annotated[str, Query(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-10"])]


@router.get(
    "/reports/lines",
    tags=["accounting"],
    summary="All lines of a month's settlements",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": _EXAMPLE}}},
        **documented(401, 403, 422, 500, 503),
    },
)
async def month_lines(
    request: Request,
    call: SettlementCallDep,
    principal: Annotated[Principal, may("read_journal")],
    month: _MonthQuery,
) -> Response:
    """CSV with a row for each billed order and each correction. Settlements without a statement and void ones are left
    out."""
    accounting: Accounting = request.app.state.accounting
    async with call.translating(principal):
        parts = accounting.lines(principal, Month.parse(month))
        return await streamed(parts, f"lines-{month}.csv", spreadsheet.MEDIA_TYPE)


@router.get(
    "/reports/papers",
    tags=["accounting"],
    summary="All papers of a month",
    response_class=Response,
    responses={
        200: {
            "content": {
                zip_files.MEDIA_TYPE: {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "PK…",
                }
            }
        },
        **documented(401, 403, 422, 500, 503),
    },
)
async def month_papers(
    request: Request,
    call: SettlementCallDep,
    principal: Annotated[Principal, may("read_journal")],
    month: _MonthQuery,
) -> Response:
    """A ZIP file with a folder for each settlement that has a statement: statement, its lines, invoice and returned
    invoices. Those of void settlements are in the folder `void`. The journal, all lines and the decisions are beside
    them as CSV. `missing.txt` names papers that are not stored. The file is made while it is sent."""
    accounting: Accounting = request.app.state.accounting
    async with call.translating(principal):
        parts = accounting.papers(principal, Month.parse(month))
        return await streamed(parts, f"papers-{month}.zip", zip_files.MEDIA_TYPE)
