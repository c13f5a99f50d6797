"""Downloads of a settlement's documents: statement, its lines as CSV, draft invoice, uploaded invoice."""

from collections.abc import Awaitable
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

import words
from domain.settlements.errors import SettlementRefused
from records.papers import Paper
from temporal.calls import TemporalAway
from use_cases.access import Forbidden
from use_cases.settlements import NoSuchPaper, PaperNotMade, UnknownSettlement
from use_cases.uploads import FileDeleted
from web.portal.pages import error_page, reader_language, require_login
from web.portal.settlements.common import PARTNERS, READERS, find, settlement_use_cases
from web.portal.settlements.settlement import RejectedForm, show
from words.uploads import file_deleted_text

router = APIRouter(include_in_schema=False)

# Some documents were uploaded. Browsers save them as files, and run no script if they open one all the same.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
_PDF, _CSV = "application/pdf", "text/csv; charset=utf-8"


@router.get("/settlements/{settlement_id}/statement.pdf")
async def statement(request: Request, settlement_id: str) -> Response:
    """The statement. It is not an invoice."""
    principal = await require_login(request, *READERS)
    return await _download(
        request, settlement_use_cases(request).papers.statement(principal, settlement_id), _PDF
    )


@router.get("/settlements/{settlement_id}/statement.csv")
async def statement_csv(request: Request, settlement_id: str) -> Response:
    """The statement's lines as CSV."""
    principal = await require_login(request, *READERS)
    return await _download(
        request, settlement_use_cases(request).papers.statement_csv(principal, settlement_id), _CSV
    )


@router.get("/settlements/{settlement_id}/draft-invoice.pdf")
async def draft(request: Request, settlement_id: str) -> Response:
    """A draft of the invoice, made on request."""
    principal = await require_login(request, *PARTNERS)
    try:
        return await _download(
            request, settlement_use_cases(request).papers.draft(principal, settlement_id), _PDF
        )
    except PaperNotMade:
        found = await find(request, principal, settlement_id)
        sent = RejectedForm(
            "invoice", problem=words.paper_not_made_text(reader_language(request, principal))
        )
        return await show(request, principal, found, 503, sent=sent)


@router.get("/settlements/{settlement_id}/invoice.pdf")
async def invoice(request: Request, settlement_id: str) -> Response:
    """The invoice that was accepted."""
    principal = await require_login(request, *READERS)
    return await _download(
        request, settlement_use_cases(request).papers.invoice(principal, settlement_id), _PDF
    )


@router.get("/settlements/{settlement_id}/invoices/{sha256}.pdf")
async def uploaded_invoice(request: Request, settlement_id: str, sha256: str) -> Response:
    """The file of an invoice. Once it is deleted, the settlement's page says so."""
    principal = await require_login(request, *READERS)
    use_cases = settlement_use_cases(request)
    try:
        return await _download(
            request, use_cases.uploaded_invoices.file(principal, settlement_id, sha256), _PDF
        )
    except FileDeleted as error:
        found = await find(request, principal, settlement_id)
        at = error.deleted_at.astimezone(use_cases.zone)
        text = file_deleted_text(at, reader_language(request, principal))
        return await show(request, principal, found, 410, sent=RejectedForm("file", problem=text))


async def _download(request: Request, work: Awaitable[Paper], media_type: str) -> Response:
    try:
        paper = await work
    except Forbidden:
        return error_page(request, 403)
    except (UnknownSettlement, NoSuchPaper):
        return error_page(request, 404)
    except SettlementRefused:
        return error_page(request, 409)
    except TemporalAway:
        return error_page(request, 503)
    name = f"attachment; filename*=UTF-8''{quote(paper.name, safe='')}"
    return Response(
        paper.content, media_type=media_type, headers=_HEADERS | {"Content-Disposition": name}
    )
