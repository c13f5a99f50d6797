"""The API's calls about settlements and corrections: each translates a request for the desk, and the answer back."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, File, Path, Query, Request, Response, UploadFile

import words
from domain.settlements.errors import SettlementRefused
from invoices.check import LARGEST, problem_text
from records.corrections import Correction
from records.papers import Paper
from records.settlements import StoredSettlement
from use_cases.opening import MOST_LEFT_OUT
from use_cases.principal import Principal
from use_cases.settlements import (
    AlreadySettled,
    NoSuchPaper,
    NothingToBill,
    PaperNotMade,
    SettlementUseCases,
    UnknownPartner,
    UnknownSettlement,
)
from web import idempotency
from web.api import settlement_examples as examples
from web.api.bodies import Nothing
from web.api.orders import AcceptLanguage, Call
from web.api.settlement_bodies import (
    CorrectionAnswer,
    CorrectionBody,
    CorrectionList,
    InvoiceAnswer,
    InvoiceReceivedBody,
    OpeningBody,
    SelectionBody,
    SettlementList,
    VoidBody,
    Wanted,
)
from web.problems import Problem, documented, invalid, not_made
from web.security import GuardedRoute, may
from words.settlement_view import SettlementView, settlement_view

router = APIRouter(route_class=GuardedRoute, strict_content_type=False)

_NAMED_ERRORS = 50


class AnyCall(Call):
    """What all calls of settlements have in common."""

    def __init__(self, request: Request, accept_language: AcceptLanguage = None) -> None:
        super().__init__(request, accept_language)
        self.settlements: SettlementUseCases = request.app.state.settlement_desk

    def shown(self, principal: Principal, found: StoredSettlement) -> SettlementView:
        """The settlement as this caller sees it now."""
        return settlement_view(
            found.settlement,
            found.account,
            found.events,
            self.settlements.now,
            self.language,
            principal.role,
        )

    def corrected(self, correction: Correction) -> CorrectionAnswer:
        """A correction as it is answered."""
        return CorrectionAnswer(
            correction_id=correction.correction_id,
            partner_id=correction.partner_id,
            sp_id=correction.line.sp_id,
            amount=correction.line.amount,
            reason=correction.line.reason,
            by=correction.by,
            at=correction.at.astimezone(self.settlements.zone),
            settlement_id=correction.settlement_id,
        )

    def request_id(self, principal: Principal, about: str, action: str) -> str:
        """The name under which this is done once."""
        return idempotency.request_id(self.request, principal, about, action)

    @asynccontextmanager
    async def translating(
        self, principal: Principal, asked: Sequence[str] = ()
    ) -> AsyncIterator[None]:
        """What the desk refuses becomes a problem, in the caller's language. `asked`: the SP-IDs that were sent."""
        try:
            async with super().translating(principal):
                yield
        except UnknownSettlement as error:
            raise Problem(404, "Not Found", "There is no such settlement.") from error
        except UnknownPartner as error:
            raise Problem(404, "Not Found", "There is no such partner.") from error
        except NoSuchPaper as error:
            raise Problem(404, "Not Found", "There is no such document (yet).") from error
        except PaperNotMade as error:
            raise not_made(words.paper_not_made_text(self.language)) from error
        except NothingToBill as error:
            raise self._nothing(error, asked) from error
        except AlreadySettled as error:
            raise Problem(
                409,
                "Settled already",
                f"There is a settlement of this month: {error.settlement_id}.",
                allowed=list(error.allowed),
                code="already_settled",
                settlement_id=error.settlement_id,
                settlement_status=error.status,
            ) from error
        except SettlementRefused as refused:
            text = words.settlement_refusal_text(
                refused.action, refused.code, refused.status, refused.allowed, self.language
            )
            raise Problem(
                409,
                "Not allowed now",
                text,
                allowed=list(refused.allowed),
                code=refused.code,
                settlement_status=refused.status,
                settlement_status_label=words.settlement_status_label(
                    refused.status, self.language
                ),
            ) from refused

    def _nothing(self, error: NothingToBill, asked: Sequence[str]) -> Problem:
        place = {sp_id: number for number, sp_id in reversed(list(enumerate(asked)))}
        errors = [
            (f"sp_ids.{place[each.sp_id]}", words.left_out_text(each.reason, self.language))
            for each in error.left_out[:_NAMED_ERRORS]
        ]
        if error.too_many:
            return invalid(errors, f"More than {MOST_LEFT_OUT} of these orders cannot be billed.")
        return invalid(errors, "None of these orders can be billed.")


class SettlementCall(AnyCall):
    """A call about one settlement."""

    def __init__(
        self,
        request: Request,
        settlement_id: Annotated[str, Path(max_length=64, examples=["V202610-7KQ4MXBP"])],
        accept_language: AcceptLanguage = None,
    ) -> None:
        super().__init__(request, accept_language)
        self.settlement_id = settlement_id

    async def outcome(
        self, principal: Principal, work: Awaitable[StoredSettlement], asked: Sequence[str] = ()
    ) -> Response:
        """The settlement as it is then."""
        async with self.translating(principal, asked):
            found = await work
        return self.answer(self.shown(principal, found))

    def named(self, principal: Principal, action: str) -> str:
        """The name under which the settlement takes this once."""
        return self.request_id(principal, self.settlement_id, action)

    async def download(
        self, principal: Principal, work: Awaitable[Paper], media_type: str
    ) -> Response:
        """A paper, byte for byte; 304 if the caller has it already."""
        async with self.translating(principal):
            paper = await work
        digest = base64.b64encode(bytes.fromhex(paper.sha256)).decode()
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(paper.name, safe='')}",
            "ETag": f'"{paper.sha256}"',
            "Repr-Digest": f"sha-256=:{digest}:",
            "Cache-Control": "private, no-cache",
        }
        known = self.request.headers.get("If-None-Match", "")
        if headers["ETag"] in known.replace("W/", "").replace(" ", "").split(","):
            return Response(status_code=304, headers=headers)
        return Response(paper.content, headers=headers, media_type=media_type)


AnySettlement = Annotated[AnyCall, Depends()]
Ordering = Annotated[SettlementCall, Depends()]
Reader = Annotated[Principal, may("read_settlements")]


# --- opening and looking -----------------------------------------------------------------------------------------


@router.post(
    "/settlements",
    tags=["settlements"],
    summary="Bill completed orders: open the month's settlement",
    status_code=201,
    response_model=SettlementView,
    responses=documented(401, 403, 409, 413, 422, 500, 503),
)
async def open_settlement(
    call: AnySettlement,
    principal: Annotated[Principal, may("settle")],
    body: Annotated[OpeningBody, Body(openapi_examples=examples.OPENING)],
) -> Response:
    """The settlement of the current month, the only one that a partner has of it. It is closed at once, and goes on
    behind the answer: the orders are claimed, then the statement is issued.

    Orders that cannot be billed are left out and named in `left_out`; an order of another partner is `unknown` there,
    like one that does not exist. If none can be billed, or more than 1000 cannot, nothing is opened (422).
    """
    request_id = call.request_id(principal, "settlements", "open")
    async with call.translating(principal, body.sp_ids):
        found = await call.settlements.open(principal, body.sp_ids, request_id, body.partner_id)
    where = {"Location": f"/api/v1/settlements/{found.settlement.settlement_id}"}
    return call.answer(call.shown(principal, found), 201, where)


@router.get(
    "/settlements",
    tags=["settlements"],
    summary="List and search settlements",
    response_model=SettlementList,
    responses=documented(401, 403, 422, 500, 503),
)
async def list_settlements(
    call: AnySettlement, principal: Reader, wanted: Annotated[Wanted, Query()]
) -> Response:
    """The newest first, in pages, each as `GET /settlements/{settlement_id}` answers it. A partner sees its own."""
    try:
        async with call.translating(principal):
            found, next_cursor = await call.settlements.list_whole(principal, **dict(wanted))
    except ValueError as error:
        raise invalid([("cursor", "is not a cursor of this list")]) from error
    items = [call.shown(principal, each) for each in found]
    return call.answer(SettlementList(items=items, next_cursor=next_cursor))


@router.get(
    "/settlements/{settlement_id}",
    tags=["settlements"],
    summary="Look at a settlement",
    response_model=SettlementView,
    responses=documented(401, 403, 404, 422, 500, 503),
)
async def get_settlement(call: Ordering, principal: Reader) -> Response:
    """The settlement as it stands, its lines, what was left out and why, what may be done now, and its timeline."""
    return await call.outcome(principal, call.settlements.find(principal, call.settlement_id))


# --- what is decided ---------------------------------------------------------------------------------------------


def _command(path: str, summary: str) -> Callable[[Any], Any]:
    return router.post(
        f"/settlements/{{settlement_id}}/{path}",
        tags=["settlements"],
        summary=summary,
        response_model=SettlementView,
        responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
    )


@_command("selection", "Pick other orders")
async def select_orders(
    call: Ordering,
    principal: Annotated[Principal, may("select")],
    body: Annotated[SelectionBody, Body(openapi_examples=examples.SELECTION)],
) -> Response:
    """While it is `open`, until `selectable_until`. These orders take the place of those picked before."""
    request_id = call.named(principal, "select")
    work = call.settlements.select(principal, call.settlement_id, body.sp_ids, request_id)
    return await call.outcome(principal, work, body.sp_ids)


@_command("close", "Close the selection")
async def close_settlement(
    call: Ordering,
    principal: Annotated[Principal, may("close")],
    body: Annotated[Nothing | None, Body(openapi_examples=examples.NOTHING)] = None,
) -> Response:
    """The orders are claimed now; the statement follows. It happens by itself at `selectable_until`."""
    request_id = call.named(principal, "close")
    return await call.outcome(
        principal, call.settlements.close(principal, call.settlement_id, request_id)
    )


@_command("void", "Take a settlement back")
async def void_settlement(
    call: Ordering,
    principal: Annotated[Principal, may("void")],
    body: Annotated[VoidBody, Body(openapi_examples=examples.VOID)],
) -> Response:
    """While it is `open` or `issued`. Its orders become `completed` again, free for the partner's next settlement."""
    request_id = call.named(principal, "void")
    work = call.settlements.void(principal, call.settlement_id, body.reason, request_id)
    return await call.outcome(principal, work)


@_command("invoice-received", "The invoice came by another way")
async def invoice_received(
    call: Ordering,
    principal: Annotated[Principal, may("note_invoice")],
    body: Annotated[InvoiceReceivedBody | None, Body(openapi_examples=examples.RECEIVED)] = None,
) -> Response:
    """Accounting has the partner's invoice, and it is right: nothing is awaited any more."""
    request_id = call.named(principal, "note_invoice")
    note = body.note if body else ""
    work = call.settlements.note_invoice(principal, call.settlement_id, note, request_id)
    return await call.outcome(principal, work)


# --- papers ------------------------------------------------------------------------------------------------------


@router.post(
    "/settlements/{settlement_id}/invoice",
    tags=["settlements"],
    summary="Upload the invoice",
    response_model=InvoiceAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
    openapi_extra=examples.UPLOAD,
)
async def upload_invoice(
    call: Ordering,
    principal: Annotated[Principal, may("invoice")],
    file: Annotated[UploadFile, File(description="the PDF, at most 20 MiB")],
) -> Response:
    """The PDF is checked for the settlement id, every SP-ID (none missing, none foreign) and the total. One that is
    right goes to accounting, and the settlement is `invoiced`; else the answer says what is wrong, and another may be
    sent.
    """
    if (file.size or 0) > LARGEST:
        raise Problem(413, "Content Too Large", "The file is larger than 20 MiB.")
    content = await file.read()
    async with call.translating(principal):
        verdict = await call.settlements.upload_invoice(
            principal, call.settlement_id, content, file.filename or ""
        )
    return call.answer(
        InvoiceAnswer(
            accepted=verdict.accepted,
            missing=list(verdict.missing),
            foreign=list(verdict.foreign),
            problems=[problem_text(problem, call.language) for problem in verdict.problems],
        )
    )


def _paper(path: str, summary: str, media_type: str = "application/pdf") -> Callable[[Any], Any]:
    content = {media_type: {"schema": {"type": "string"}, "example": examples.PAPERS[media_type]}}
    return router.get(
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
            **documented(401, 403, 404, 422, 500, 503),
        },
    )


@_paper("statement.pdf", "The statement")
async def get_statement(call: Ordering, principal: Reader) -> Response:
    """404 until it is `issued`. It is not an invoice."""
    work = call.settlements.statement(principal, call.settlement_id)
    return await call.download(principal, work, "application/pdf")


@_paper("statement.csv", "The statement's lines", "text/csv")
async def get_statement_lines(call: Ordering, principal: Reader) -> Response:
    """404 until it is `issued`."""
    work = call.settlements.statement_csv(principal, call.settlement_id)
    return await call.download(principal, work, "text/csv")


@_paper("draft-invoice.pdf", "A draft of the invoice")
async def get_draft_invoice(
    call: Ordering, principal: Annotated[Principal, may("invoice")]
) -> Response:
    """Made from the partner's address and the statement, with a QR-bill if the partner's IBAN is known. The invoice
    stays the partner's, who checks it and sends it. 404 unless an invoice is awaited.
    """
    work = call.settlements.draft(principal, call.settlement_id)
    return await call.download(principal, work, "application/pdf")


@_paper("invoice.pdf", "The invoice that was accepted")
async def get_invoice(call: Ordering, principal: Reader) -> Response:
    """As the partner uploaded it. 404 if none was, or it came by another way."""
    work = call.settlements.invoice_paper(principal, call.settlement_id)
    return await call.download(principal, work, "application/pdf")


# --- corrections -------------------------------------------------------------------------------------------------

_PartnerId = Annotated[str, Path(max_length=64, examples=["elektro-huber"])]


@router.post(
    "/partners/{partner_id}/corrections",
    tags=["settlements"],
    summary="Add a correction to a partner's next settlement",
    status_code=201,
    response_model=CorrectionAnswer,
    responses=documented(401, 403, 404, 413, 422, 500, 503),
)
async def add_correction(
    call: AnySettlement,
    principal: Annotated[Principal, may("correct")],
    partner_id: _PartnerId,
    body: Annotated[CorrectionBody, Body(openapi_examples=examples.CORRECTION)],
) -> Response:
    """Plus or minus, for an order that this partner executed. Nothing is ever edited in place."""
    request_id = call.request_id(principal, partner_id, "correct")
    async with call.translating(principal):
        made = await call.settlements.add_correction(
            principal, partner_id, body.sp_id, body.amount, body.reason, request_id
        )
    return call.answer(call.corrected(made), 201)


@router.get(
    "/partners/{partner_id}/corrections",
    tags=["settlements"],
    summary="A partner's corrections",
    response_model=CorrectionList,
    responses=documented(401, 403, 404, 422, 500, 503),
)
async def list_corrections(
    call: AnySettlement,
    principal: Annotated[Principal, may("read_corrections")],
    partner_id: _PartnerId,
) -> Response:
    """The oldest first, each with the settlement that took it."""
    async with call.translating(principal):
        found = await call.settlements.corrections(principal, partner_id)
    return call.answer(CorrectionList(items=[call.corrected(each) for each in found]))
