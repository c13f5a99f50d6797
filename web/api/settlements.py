"""The API's calls about settlements: each translates a request for the use cases, and their answer back."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Body, Query, Response

from use_cases.principal import Principal
from web.api import settlement_examples as examples
from web.api.bodies import Nothing
from web.api.settlement_bodies import (
    InvoiceReceivedBody,
    OpeningBody,
    SelectionBody,
    SettlementList,
    VoidBody,
    Wanted,
)
from web.api.settlement_call import (
    OneSettlementCallDep,
    Reader,
    SettlementCallDep,
    settlement_router,
)
from web.problems import documented, invalid
from web.security import may
from words.settlement_view import SettlementView

router = settlement_router()


@router.post(
    "/settlements",
    tags=["settlements"],
    summary="Bill completed orders: open the month's settlement",
    status_code=201,
    response_model=SettlementView,
    responses=documented(401, 403, 409, 413, 422, 500, 503),
)
async def open_settlement(
    call: SettlementCallDep,
    principal: Annotated[Principal, may("settle")],
    body: Annotated[OpeningBody, Body(openapi_examples=examples.OPENING)],
) -> Response:
    """The settlement of the current month; a partner has one for each month. It is closed at once. After the answer the
    orders are claimed, then the statement is issued.

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
    call: SettlementCallDep, principal: Reader, wanted: Annotated[Wanted, Query()]
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
async def get_settlement(call: OneSettlementCallDep, principal: Reader) -> Response:
    """The current settlement, its lines, the orders left out with reasons, the allowed actions, and its timeline."""
    return await call.outcome(principal, call.settlements.find(principal, call.settlement_id))


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
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("select")],
    body: Annotated[SelectionBody, Body(openapi_examples=examples.SELECTION)],
) -> Response:
    """Possible while it is `open`, until `selectable_until`. These orders replace the former selection."""
    request_id = call.command_id(principal, "select")
    work = call.settlements.select(principal, call.settlement_id, body.sp_ids, request_id)
    return await call.outcome(principal, work, body.sp_ids)


@_command("close", "Close the selection")
async def close_settlement(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("close")],
    body: Annotated[Nothing | None, Body(openapi_examples=examples.NOTHING)] = None,
) -> Response:
    """The orders are claimed now; the statement follows. Otherwise that happens by itself at `selectable_until`."""
    request_id = call.command_id(principal, "close")
    return await call.outcome(
        principal, call.settlements.close(principal, call.settlement_id, request_id)
    )


@_command("void", "Take a settlement back")
async def void_settlement(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("void")],
    body: Annotated[VoidBody, Body(openapi_examples=examples.VOID)],
) -> Response:
    """Possible while it is `open` or `issued`. Its orders become `completed` again, for the next settlement."""
    request_id = call.command_id(principal, "void")
    work = call.settlements.void(principal, call.settlement_id, body.reason, request_id)
    return await call.outcome(principal, work)


@_command("invoice-received", "The invoice came by another way")
async def invoice_received(
    call: OneSettlementCallDep,
    principal: Annotated[Principal, may("note_invoice")],
    body: Annotated[InvoiceReceivedBody | None, Body(openapi_examples=examples.RECEIVED)] = None,
) -> Response:
    """Accounting has the partner's invoice, and it is right: nothing is awaited any more."""
    request_id = call.command_id(principal, "note_invoice")
    note = body.note if body else ""
    work = call.settlements.note_invoice(principal, call.settlement_id, note, request_id)
    return await call.outcome(principal, work)
