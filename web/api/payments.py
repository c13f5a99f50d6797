"""The API's calls of accounting: approve, return and pay an invoice, import payments."""

from collections import Counter
from typing import Annotated, Any

from fastapi import Body, Request, Response
from starlette.datastructures import UploadFile

from domain.settlements.commands import NotePaid
from use_cases.payment_import import Imported
from use_cases.principal import Principal
from web.api import settlement_examples as examples
from web.api.bodies import Nothing
from web.api.settlement_bodies import ImportAnswer, ImportedRow, PaidBody, ReturnBody
from web.api.settlement_call import OneSettlementCallDep, SettlementCallDep, settlement_router
from web.problems import documented, invalid
from web.security import may
from words.payments import payment_result_text
from words.settlement_view import SettlementView

router = settlement_router()
_TAGS: list[Any] = ["accounting"]


@router.post(
    "/settlements/{settlement_id}/approve",
    tags=_TAGS,
    summary="Approve the invoice for payment",
    response_model=SettlementView,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
)
async def approve_invoice(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("approve")],
    body: Annotated[Nothing | None, Body(openapi_examples=examples.NOTHING)] = None,
) -> Response:
    """Possible while the settlement is `invoiced`, under version 2 of the rules. Accounting only."""
    request_id = call.command_id(principal, "approve")
    work = call.settlements.payments.approve(principal, call.settlement_id, request_id)
    return await call.outcome(principal, work)


@router.post(
    "/settlements/{settlement_id}/return",
    tags=_TAGS,
    summary="Return the invoice to the partner",
    response_model=SettlementView,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
)
async def return_invoice(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("return")],
    body: Annotated[ReturnBody, Body(openapi_examples=examples.RETURN)],
) -> Response:
    """Possible while the settlement is `invoiced` or `approved`. The partner gets a mail with the reason. The
    settlement is `issued` again and waits for another invoice, with its reminders."""
    request_id = call.command_id(principal, "return")
    work = call.settlements.payments.return_invoice(
        principal, call.settlement_id, body.reason, request_id
    )
    return await call.outcome(principal, work)


@router.post(
    "/settlements/{settlement_id}/paid",
    tags=_TAGS,
    summary="Note the payment",
    response_model=SettlementView,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
)
async def note_paid(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("pay")],
    body: Annotated[PaidBody, Body(openapi_examples=examples.PAID)],
) -> Response:
    """Possible while the settlement is `approved`. `paid_on`: from the day of the statement until today; the partner
    sees it. Repeating the same payment changes nothing."""
    request_id = call.command_id(principal, "pay")
    payment = NotePaid(paid_on=body.paid_on, reference=body.reference)
    work = call.settlements.payments.pay(principal, call.settlement_id, payment, request_id)
    return await call.outcome(principal, work)


@router.post(
    "/payments",
    tags=_TAGS,
    summary="Import a file of payments",
    response_model=ImportAnswer,
    responses=documented(401, 403, 413, 422, 500, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": examples.PAYMENTS_FILE},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": {"type": "string", "format": "binary"}},
                    },
                    "example": {"file": examples.PAYMENTS_FILE},
                },
            },
        }
    },
)
async def import_payments(
    request: Request,
    call: SettlementCallDep,
    principal: Annotated[Principal, may("import_payments")],
) -> Response:
    """CSV in UTF-8, with `;` or `,`; the first line names the columns `settlement_id`, `amount`, `paid_on` and, if
    wanted, `reference`. Each line pays one approved settlement, or says why not; a bad line stops none of the others.
    The same file again changes nothing. The file is the body, or the field `file` of a form; at most 2000 payments.
    """
    content = await _file(request)
    async with call.translating(principal):
        done = await call.settlements.payment_import.run(principal, content)
    counts = Counter(each.result for each in done)
    return call.answer(ImportAnswer(counts=dict(counts), rows=[_row(each, call) for each in done]))


async def _file(request: Request) -> bytes:
    """The file in a request. Raises `Problem`: 422 if its form has no field `file`."""
    if not request.headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
        return await request.body()
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise invalid([("file", "is missing")])
        return await file.read()


def _row(imported: Imported, call: SettlementCallDep) -> ImportedRow:
    settlement = imported.stored.settlement if imported.stored else None
    statement = settlement.statement if settlement else None
    return ImportedRow(
        line=imported.row.line,
        settlement_id=imported.row.settlement_id,
        result=imported.result,
        column=imported.column,
        text=payment_result_text(
            imported.result,
            imported.code,
            call.language,
            total=statement.total if statement else None,
            status=settlement.status if settlement else None,
        ),
    )
