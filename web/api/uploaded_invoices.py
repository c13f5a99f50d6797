"""The API's calls about the invoices of a settlement: their list, and the file of each."""

import datetime
from typing import Any

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from invoices.problems import problem_text
from use_cases.uploads import Outcome, UploadedInvoice
from web.api.settlement_call import (
    OneSettlementCall,
    OneSettlementCallDep,
    Reader,
    settlement_router,
)
from web.api.settlement_papers import paper_response, paper_route
from web.problems import documented
from words.uploads import upload_outcome_text

router = settlement_router()


_REFUSED: dict[str, Any] = {
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "name": "rechnung.pdf",
    "size": 0,
    "uploaded_at": "2026-11-03T09:12:00Z",
    "outcome": "refused",
    "outcome_label": "bei der Prüfung zurückgewiesen",
    "missing": ["SP-1048213"],
    "foreign": [],
    "problems": ["Das Total von CHF 1234.50 kommt nicht vor."],
    "deleted_at": "2026-12-04T02:30:00Z",
}


class UploadedInvoiceItem(BaseModel):
    """An invoice. Hash and verdict stay when its file is deleted."""

    sha256: str
    name: str
    size: int = Field(description="bytes that are kept: 0 once the file is deleted")
    uploaded_at: datetime.datetime
    outcome: Outcome
    outcome_label: str
    missing: list[str]
    foreign: list[str]
    problems: list[str]
    deleted_at: datetime.datetime | None = Field(description="since when its file is not kept")


class UploadedInvoiceList(BaseModel):
    """The invoices of a settlement, in the order in which they came."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_REFUSED]}]})

    items: list[UploadedInvoiceItem]


@router.get(
    "/settlements/{settlement_id}/invoices",
    tags=["settlements"],
    summary="The invoices that came",
    response_model=UploadedInvoiceList,
    responses=documented(401, 403, 404, 422, 500, 503),
)
async def list_invoices(call: OneSettlementCallDep, principal: Reader) -> Response:
    """All invoices that were uploaded or made, with the outcome of each. The file of an invoice that accounting never
    had is deleted after a month.
    """
    async with call.translating(principal):
        found = await call.settlements.uploaded_invoices.list(principal, call.settlement_id)
    return call.answer(UploadedInvoiceList(items=[_item(call, each) for each in found]))


@paper_route(router, "invoices/{sha256}.pdf", "One of the invoices that came", 410)
async def get_uploaded_invoice(
    call: OneSettlementCallDep,
    principal: Reader,
    sha256: str = Path(pattern=r"^[0-9a-f]{64}$", max_length=64, examples=["0" * 64]),
) -> Response:
    """By the SHA-256 of the list. 410 once its file is deleted."""
    work = call.settlements.uploaded_invoices.file(principal, call.settlement_id, sha256)
    return await paper_response(call, principal, work, "application/pdf")


def _item(call: OneSettlementCall, found: UploadedInvoice) -> UploadedInvoiceItem:
    kept, verdict = found.kept, found.verdict
    return UploadedInvoiceItem(
        sha256=kept.sha256,
        name=kept.name,
        size=kept.size,
        uploaded_at=kept.created_at,
        outcome=found.outcome,
        outcome_label=upload_outcome_text(found.outcome, call.language),
        missing=list(verdict.missing) if verdict else [],
        foreign=list(verdict.foreign) if verdict else [],
        problems=[problem_text(each, call.language) for each in verdict.problems]
        if verdict
        else [],
        deleted_at=kept.deleted_at,
    )
