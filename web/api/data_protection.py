"""The API's calls of data protection: erase the customer's data of an order, export a customer's data."""

from typing import Annotated

from fastapi import Body, Request, Response

from use_cases.customer_export import CustomerQuery, as_file
from use_cases.principal import Principal
from web.api.orders import CallDep, OrderCallDep
from web.idempotency import answer_is_secret
from web.problems import documented
from web.security import GuardedRouter, may
from words.order_view import OrderView

router = GuardedRouter(strict_content_type=False)


@router.post(
    "/orders/{sp_id}/erase",
    tags=["operations"],
    summary="Erase the customer's data of an order",
    response_model=OrderView,
    responses=documented(401, 403, 404, 409, 422, 500, 503),
)
async def erase(
    request: Request, call: OrderCallDep, principal: Annotated[Principal, may("erase")]
) -> Response:
    """Only for a billed or cancelled order. The rest still counts in figures and settlements. It cannot be undone."""
    async with call.translating(principal):
        found = await request.app.state.erasure_use_cases.erase(principal, call.sp_id)
    return call.answer(call.view(principal, found))


@router.post(
    "/customer-exports",
    tags=["operations"],
    summary="Export all data of a customer",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/json": {"schema": {"type": "object"}, "example": {"orders": []}}
            },
            "description": "All orders of the customer.",
        },
        **documented(401, 403, 404, 422, 500, 503),
    },
)
@answer_is_secret
async def export(
    request: Request,
    call: CallDep,
    principal: Annotated[Principal, may("export")],
    query: Annotated[CustomerQuery, Body(openapi_examples={"order": {"value": {"sp_id": "SP-1"}}})],
) -> Response:
    """By an order, or by e-mail address and name or telephone number. Each export is recorded."""
    async with call.translating(principal):
        exported = await request.app.state.customer_exports.export(principal, query)
    named = {"Content-Disposition": 'attachment; filename="customer.json"'}
    return Response(as_file(exported), media_type="application/json", headers=named)
