"""The API's calls about a settlement's documents: the statement, the draft invoice, the partner's invoice."""

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, File, Response, UploadFile

from domain.settlements.invoicing import OwnInvoice, Verdict
from invoices.check import LARGEST
from invoices.problems import problem_text
from records.papers import Paper
from use_cases.principal import Principal
from web.api import settlement_examples as examples
from web.api.settlement_bodies import InvoiceAnswer, InvoiceDecisionBody, InvoiceToMakeBody
from web.api.settlement_call import (
    OneSettlementCall,
    OneSettlementCallDep,
    Reader,
    settlement_router,
)
from web.problems import Problem, documented, invalid
from web.security import may
from words.settlement_view import SettlementView

router = settlement_router()


@router.post(
    "/settlements/{settlement_id}/invoice",
    tags=["settlements"],
    summary="Upload the invoice",
    response_model=InvoiceAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
    openapi_extra=examples.UPLOAD,
)
async def upload_invoice(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("invoice")],
    file: Annotated[UploadFile, File(description="the PDF, at most 20 MiB")],
) -> Response:
    """The PDF is checked for the settlement id, every SP-ID (none missing, none foreign) and the total. A correct
    invoice goes to accounting, and the settlement is `invoiced`. Otherwise the answer says what is wrong, and another
    one can be uploaded. If only its account is not the registered one, accounting decides.

    429 with a `code` (`too_many_uploads`, `too_many_megabytes`, `too_many_checks`), `limit` and `frees_at`: the partner
    has uploaded too much within 24 hours, or too many of its invoices are being checked.
    """
    if (file.size or 0) > LARGEST:
        raise Problem(413, "Content Too Large", "The file is larger than 20 MiB.")
    content = await file.read()
    async with call.translating(principal):
        verdict = await call.settlements.papers.upload_invoice(
            principal, call.settlement_id, content, file.filename or ""
        )
    return _verdict(call, verdict)


@router.post(
    "/settlements/{settlement_id}/make-invoice",
    tags=["settlements"],
    summary="Make the invoice and hand it in",
    response_model=InvoiceAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
)
async def make_invoice(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("invoice")],
    body: Annotated[InvoiceToMakeBody, Body(openapi_examples=examples.TO_MAKE)],
) -> Response:
    """The invoice is made from the statement, with the partner's own number and date and a QR-bill, and handed in like
    an uploaded one: it is checked, goes to accounting, and the settlement is `invoiced`.

    `invoice_number`: 1 to 35 printable characters; a partner uses each for one settlement only. `invoice_date`: from
    the first day of the settlement's month until today. The partner's IBAN must be registered (409 otherwise). The same
    invoice again gets the same answer.
    """
    invoice = OwnInvoice(number=body.invoice_number, date=body.invoice_date)
    async with call.translating(principal):
        verdict = await call.settlements.papers.make_invoice(principal, call.settlement_id, invoice)
    return _verdict(call, verdict)


def _verdict(call: OneSettlementCall, verdict: Verdict) -> Response:
    return call.answer(
        InvoiceAnswer(
            accepted=verdict.accepted,
            accounting_decides=verdict.accounting_decides,
            missing=list(verdict.missing),
            foreign=list(verdict.foreign),
            problems=[problem_text(problem, call.language) for problem in verdict.problems],
        )
    )


@router.post(
    "/settlements/{settlement_id}/invoice-decision",
    tags=["settlements"],
    summary="Decide about an invoice with another account",
    response_model=SettlementView,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
)
async def decide_about_invoice(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("accept_invoice")],
    body: Annotated[InvoiceDecisionBody, Body(openapi_examples=examples.DECISION)],
) -> Response:
    """For an invoice that is right except for its account (`accounting_decides`). If it is accepted, it goes on like
    any invoice. If it is returned, the partner is told why and sends another one.
    """
    if body.decision == "return" and not body.reason:
        raise invalid([("reason", "must say why")])
    request_id = call.command_id(principal, "decide_invoice")
    work = call.settlements.papers.decide_about_held(
        principal,
        call.settlement_id,
        reason=body.reason if body.decision == "return" else None,
        request_id=request_id,
    )
    return await call.outcome(principal, work)


def paper_route(
    of: APIRouter, path: str, summary: str, *more: int, media_type: str = "application/pdf"
) -> Callable[[Any], Any]:
    """A route of this router that answers with a paper. `more`: further errors."""
    content = {media_type: {"schema": {"type": "string"}, "example": examples.PAPERS[media_type]}}
    return of.get(
        f"/settlements/{{settlement_id}}/{path}",
        tags=["settlements"],
        summary=summary,
        response_class=Response,
        responses={
            200: {
                "description": "The file. `ETag` is its SHA-256.",
                "content": content,
                "headers": {"ETag": {"schema": {"type": "string"}}},
            },
            304: {"description": "The caller has it already (`If-None-Match`)."},
            **documented(401, 403, 404, 422, 500, 503, *more),
        },
    )


def _paper(path: str, summary: str, media_type: str = "application/pdf") -> Callable[[Any], Any]:
    return paper_route(router, path, summary, media_type=media_type)


@_paper("statement.pdf", "The statement")
async def get_statement(call: OneSettlementCallDep, principal: Reader) -> Response:
    """404 until the settlement is `issued`. The statement is not an invoice."""
    work = call.settlements.papers.statement(principal, call.settlement_id)
    return await paper_response(call, principal, work, "application/pdf")


@_paper("statement.csv", "The statement's lines", "text/csv")
async def get_statement_lines(call: OneSettlementCallDep, principal: Reader) -> Response:
    """404 until the settlement is `issued`."""
    work = call.settlements.papers.statement_csv(principal, call.settlement_id)
    return await paper_response(call, principal, work, "text/csv")


@_paper("draft-invoice.pdf", "A draft of the invoice")
async def get_draft_invoice(
    call: OneSettlementCallDep, principal: Annotated[Principal, may("invoice")]
) -> Response:
    """Made from the partner's address and the statement, with a QR-bill if the partner's IBAN is known. The partner
    checks it and sends it as its own invoice. 404 unless an invoice is awaited.
    """
    work = call.settlements.papers.draft(principal, call.settlement_id)
    return await paper_response(call, principal, work, "application/pdf")


@_paper("invoice.pdf", "The invoice that was accepted, or about which accounting decides")
async def get_invoice(call: OneSettlementCallDep, principal: Reader) -> Response:
    """The file as it was uploaded or made. 404 if there is none, or accounting received the invoice some other way."""
    work = call.settlements.papers.invoice(principal, call.settlement_id)
    return await paper_response(call, principal, work, "application/pdf")


async def paper_response(
    call: OneSettlementCall, principal: Principal, work: Awaitable[Paper], media_type: str
) -> Response:
    """Answers with a document, byte for byte, or with 304 if the caller has it already."""
    async with call.translating(principal):
        paper = await work
    digest = base64.b64encode(bytes.fromhex(paper.sha256)).decode()
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(paper.name, safe='')}",
        "ETag": f'"{paper.sha256}"',
        "Repr-Digest": f"sha-256=:{digest}:",
        "Cache-Control": "private, no-cache",
    }
    known = call.request.headers.get("If-None-Match", "")
    if headers["ETag"] in known.replace("W/", "").replace(" ", "").split(","):
        return Response(status_code=304, headers=headers)
    return Response(paper.content, headers=headers, media_type=media_type)
