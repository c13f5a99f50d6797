"""The API's calls to place, list, read and reassign orders, and common parts of all calls about orders."""

import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, Depends, Header, Query, Request, Response
from pydantic import BaseModel

import words
from domain.errors import InvalidCommand
from domain.orders.access import allowed
from domain.orders.commands import ExternalCommand
from domain.orders.order import Status
from domain.policies import UnknownPolicy
from domain.values import Language
from records.orders import StoredOrder
from temporal.calls import Broken
from use_cases import access
from use_cases.access import Forbidden
from use_cases.assignments import AssignmentUseCases
from use_cases.messages import MessageUseCases
from use_cases.orders import (
    AlreadyPlaced,
    NotAllowed,
    Notice,
    OrderUseCases,
    RequestReused,
    Stored,
    TemporalAway,
    UnknownOrder,
)
from use_cases.principal import Principal
from use_cases.related import RelatedOrders
from web import idempotency
from web.api import examples
from web.api.bodies import (
    Accepted,
    ListedOrder,
    NewOrder,
    OrderList,
    WantedOrders,
)
from web.api.dependencies import made_in_loop
from web.languages import negotiate
from web.problems import (
    NOT_MADE_RETRY_AFTER_SECONDS,
    Problem,
    broken,
    documented,
    invalid,
    unavailable,
)
from web.security import GuardedRouter, may
from words.order_view import ClashView, OrderView, RelatedOrder, order_view, zoned

logger = logging.getLogger("cmi.web")

router = GuardedRouter(strict_content_type=False)

_NOT_THE_PARTNERS = (Status.AWAITING_PAYMENT, Status.IN_TRANSMISSION, Status.UNASSIGNED)

AcceptLanguage = Annotated[
    str | None,
    Header(description="language of labels and sentences: de (also if none fits), fr, it, en"),
]


class Call:
    """A call of the API: its use cases, the language of its answer, and the conversion of errors."""

    def __init__(self, request: Request, accept_language: AcceptLanguage = None) -> None:
        self.request = request
        self.orders: OrderUseCases = request.app.state.order_use_cases
        self.related: RelatedOrders = request.app.state.related_orders
        self.messages: MessageUseCases = request.app.state.message_use_cases
        self.assignments: AssignmentUseCases = request.app.state.assignment_use_cases
        self.language: Language = negotiate(accept_language)

    def view(self, principal: Principal, found: StoredOrder) -> OrderView:
        """The order as this caller sees it now."""
        role = access.viewing_role(principal)
        seen = order_view(found.order, found.events, self.orders.now, self.language, role)
        return seen.model_copy(update={"allowed": access.own_actions(principal, seen.allowed)})

    async def whole_view(self, principal: Principal, found: StoredOrder) -> OrderView:
        """The order as this caller sees it now, with the orders that are related to it."""
        order, related = found.order, self.related
        siblings = await related.siblings(principal, order)
        clashes = await related.clashes(principal, order)
        unread = await self.messages.unread(principal, (order.sp_id,))
        people = await self.assignments.of(principal, (order.sp_id,))
        return self.view(principal, found).model_copy(
            update={
                "unread_messages": unread[order.sp_id],
                "assigned_to": people[order.sp_id],
                "related": tuple(
                    RelatedOrder(
                        sp_id=each.sp_id,
                        service=each.intake.placement.service.name,
                        status=each.status,
                        status_label=words.status_label(each.status, self.language),
                    )
                    for each in siblings
                ),
                "clashes": tuple(
                    ClashView(
                        sp_id=each.sp_id,
                        start=zoned(order.calendar, each.start),
                        end=zoned(order.calendar, each.end),
                    )
                    for each in clashes
                ),
            }
        )

    def answer(
        self, model: BaseModel, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """A response with a model as JSON. The model is not validated again."""
        headers = {"Content-Language": self.language, "Vary": "Accept-Language", **(headers or {})}
        return Response(model.model_dump_json(), status, headers, media_type="application/json")

    @asynccontextmanager
    async def translating(self, principal: Principal) -> AsyncIterator[None]:
        """Turns errors of the use cases into problem documents in the caller's language."""
        try:
            yield
        except Forbidden as error:
            raise Problem(
                403, "Forbidden", f"This is not for the role {principal.role}."
            ) from error
        except UnknownOrder as error:
            raise Problem(404, "Not Found", "There is no such order.") from error
        except NotAllowed as refused:
            raise self._refusal(refused, principal) from refused
        except AlreadyPlaced as error:
            raise Problem(
                409,
                "Placed already",
                f"There is another order with this SP-ID: {error.order.sp_id}.",
                allowed=list(_allowed(error, principal)),
                order_status=error.order.status,
                code="already_placed",
            ) from error
        except UnknownPolicy as error:
            logger.error("a partner's policy is missing", extra={"policy": error.name})
            raise Problem(
                503,
                "Policy missing",
                words.policy_missing_text(error.name, self.language),
                headers={"Retry-After": str(NOT_MADE_RETRY_AFTER_SECONDS)},
            ) from error
        except InvalidCommand as error:
            text = words.invalid_text(error.code, self.language)
            raise invalid([(error.field, text)], text) from error
        except RequestReused as error:
            raise invalid(
                [(idempotency.HEADER, "was used before, with another body")],
                "The same Idempotency-Key came with another request.",
            ) from error
        except TemporalAway as error:
            if isinstance(error, Broken) and principal.role == "operations":
                raise broken(error.workflow_id, error.cause) from error
            raise unavailable("Temporal") from error

    def _refusal(self, refused: NotAllowed, principal: Principal) -> Problem:
        may_now = access.own_actions(principal, refused.allowed)
        text = words.refusal_text(
            refused.action, refused.code, refused.status, may_now, self.language
        )
        return Problem(
            409,
            "Not allowed now",
            text,
            allowed=list(may_now),
            order_status=refused.status,
            order_status_label=words.status_label(refused.status, self.language),
            code=refused.code,
        )


def _allowed(error: AlreadyPlaced, principal: Principal) -> tuple[str, ...]:
    role = access.viewing_role(principal)
    return allowed(error.order, role) if role else ()


class OrderCall(Call):
    """A call about one order."""

    def __init__(
        self,
        request: Request,
        sp_id: str,
        accept_language: AcceptLanguage = None,
        prefer: Annotated[
            str | None,
            Header(description="`respond-async`: 202 as soon as the command is stored"),
        ] = None,
    ) -> None:
        super().__init__(request, accept_language)
        self.sp_id = sp_id
        self.respond_async = _prefers_async(prefer)

    async def do(self, principal: Principal, command: ExternalCommand) -> Response:
        """Give the order a command and answer with the order."""
        request_id = self.request_id(principal, command.type)
        return await self.outcome(
            principal,
            self.orders.command(principal, self.sp_id, command, request_id, self.respond_async),
        )

    async def tell(self, principal: Principal, notice: Notice) -> Response:
        """Tell the order what happened elsewhere."""
        request_id = self.request_id(principal, notice.type)
        return await self.outcome(
            principal, self.orders.notice(principal, self.sp_id, notice, request_id)
        )

    async def outcome(
        self, principal: Principal, work: Awaitable[StoredOrder | Stored]
    ) -> Response:
        """Wait for the work, and answer with the order afterwards, or with 202 if the work is done later."""
        async with self.translating(principal):
            found = await work
        if isinstance(found, StoredOrder):
            return self.answer(await self.whole_view(principal, found))
        applied = {"Preference-Applied": "respond-async"} if self.respond_async else None
        return self.answer(Accepted(sp_id=found.sp_id), 202, applied)

    def request_id(self, principal: Principal, action: str) -> str:
        """The id by which the order recognises a repetition of this command."""
        return idempotency.request_id(self.request, principal, self.sp_id, action)


def _prefers_async(prefer: str | None) -> bool:
    preferences = (part.partition(";")[0] for part in (prefer or "").split(","))
    return any(each.strip().lower() == "respond-async" for each in preferences)


# --- placing and reading -----------------------------------------------------------------------------------------

CallDep = Annotated[Call, Depends(made_in_loop(Call))]
OrderCallDep = Annotated[OrderCall, Depends(made_in_loop(OrderCall))]


@router.post(
    "/orders",
    tags=["shop"],
    summary="Place an order",
    status_code=201,
    response_model=OrderView,
    responses={
        200: {
            "model": OrderView,
            "description": "The same order was placed before: its current state.",
        },
        **documented(401, 403, 409, 413, 422, 500, 503),
    },
)
async def place_order(
    call: CallDep,
    principal: Annotated[Principal, may("place")],
    placement: Annotated[NewOrder, Body(openapi_examples=examples.PLACEMENT)],
) -> Response:
    """Repeating the same `sp_id` and body is answered with 200 and the current order; another body with 409.

    A prepaid order waits for `payment-received`. Every order is held for half an hour, then sent to its partner.
    """
    async with call.translating(principal):
        placed = await call.orders.place(placement)
    found = StoredOrder(placed.snapshot.order, placed.snapshot.events)
    where = {"Location": f"/api/v1/orders/{placement.sp_id}"}
    return call.answer(call.view(principal, found), 201 if placed.is_new else 200, where)


@router.get(
    "/orders",
    tags=["orders"],
    summary="List, search and count orders",
    response_model=OrderList,
    responses=documented(401, 403, 422, 500, 503),
)
async def list_orders(
    call: CallDep,
    principal: Annotated[Principal, may("read")],
    wanted: Annotated[WantedOrders, Query()],
) -> Response:
    """The newest first, in pages. A partner sees its own orders once they were sent to it.

    The items are orders as `GET /orders/{sp_id}` answers them, without their timeline.
    """
    try:
        async with call.translating(principal):
            found = await call.orders.list(principal, **wanted.asked)
    except ValueError as error:
        raise invalid([("cursor", "is not a cursor of this list")]) from error
    sp_ids = [order.sp_id for order in found.page.items]
    unread = await call.messages.unread(principal, sp_ids)
    people = await call.assignments.of(principal, sp_ids)
    states = [s for s in Status if principal.role != "partner" or s not in _NOT_THE_PARTNERS]
    page = OrderList.model_construct(
        items=[
            ListedOrder.model_construct(
                **dict(view, unread_messages=unread[view.sp_id], assigned_to=people[view.sp_id])
            )
            for view in (call.view(principal, StoredOrder(each, ())) for each in found.page.items)
        ],
        next_cursor=found.page.next_cursor,
        counts={**dict.fromkeys(states, 0), **found.counts},
    )
    return call.answer(page)


@router.get(
    "/orders/{sp_id}",
    tags=["orders"],
    summary="Look at an order",
    response_model=OrderView,
    responses=documented(401, 403, 404, 422, 500, 503),
)
async def get_order(call: OrderCallDep, principal: Annotated[Principal, may("read")]) -> Response:
    """The current order, its open deadlines with their reasons, the actions allowed now, and its timeline."""
    async with call.translating(principal):
        found = await call.orders.find(principal, call.sp_id)
    return call.answer(await call.whole_view(principal, found))


COMMAND_ANSWERS: dict[str, Any] = {
    "response_model": OrderView,
    "responses": {
        202: {
            "model": Accepted,
            "description": "Stored, and carried out later: because of `Prefer: respond-async`, or because no worker "
            "answers just now. A refusal is mailed to the sender.",
        },
        **documented(401, 403, 404, 409, 413, 422, 500, 503),
    },
}
"""The possible answers of a call that gives an order a command."""
