"""The API's calls by which operations decide how an order goes on, and who does it."""

from typing import Annotated

from fastapi import Body, Response

from domain.orders.commands import DecideReview
from domain.orders.order import Status
from use_cases.principal import Principal
from web.api import examples
from web.api.bodies import Reassignment, Review
from web.api.orders import COMMAND_ANSWERS, OrderCallDep
from web.problems import invalid
from web.security import GuardedRouter, may

router = GuardedRouter(strict_content_type=False)


@router.post(
    "/orders/{sp_id}/reassign",
    tags=["operations"],
    summary="Hand an order to another partner",
    **COMMAND_ANSWERS,
)
async def reassign(
    call: OrderCallDep,
    principal: Annotated[Principal, may("reassign")],
    body: Annotated[Reassignment, Body(openapi_examples=examples.REASSIGNMENT)],
) -> Response:
    """Possible in every open state. The new partner starts at `new`, with new deadlines. Goods under way stay so."""
    request_id = call.request_id(principal, "reassign")
    return await call.outcome(
        principal,
        call.orders.reassign(
            principal, call.sp_id, body.partner_id, body.reason, request_id, call.respond_async
        ),
    )


@router.post(
    "/orders/{sp_id}/review",
    tags=["operations"],
    summary="Decide how an order goes on",
    name="review",
    **COMMAND_ANSWERS,
)
async def review(
    call: OrderCallDep,
    principal: Annotated[Principal, may("decide_review")],
    body: Annotated[Review, Body(openapi_examples=examples.REVIEW)],
) -> Response:
    """Only while the order is `under_review`. `wait_until` needs `until`, `reassign` needs `partner_id`."""
    if body.decision != "reassign":
        if body.partner_id is not None:
            raise invalid([("partner_id", "belongs to the decision reassign")])
        command = DecideReview(decision=body.decision, note=body.note, until=body.until)
        return await call.do(principal, command)
    if body.partner_id is None:
        raise invalid([("partner_id", "is needed to reassign")])
    if body.until is not None:
        raise invalid([("until", "belongs to the decision wait_until")])
    request_id = call.request_id(principal, "decide_review")
    return await call.outcome(
        principal,
        call.orders.reassign(
            principal,
            call.sp_id,
            body.partner_id,
            body.note,
            request_id,
            call.respond_async,
            only_in=Status.UNDER_REVIEW,
        ),
    )
