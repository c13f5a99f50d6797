"""The API's calls about messages: read and write them, and mark one as needing no answer."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.fields import Identifier, Reason
from domain.orders.messages import Message, Side
from domain.orders.order import Order
from domain.values import Input
from use_cases.messages import ShownThread
from use_cases.principal import Principal
from web.api.orders import OrderCallDep
from web.problems import documented
from web.security import GuardedRouter, may
from words.order_view import zoned

router = GuardedRouter(strict_content_type=False)

_DUE = "2026-11-03T18:00:00+01:00"
_MESSAGE: dict[str, Any] = {
    "message_id": "msg_0f3b9c1f5a7d4e2b",
    "sp_id": "SP-1048213",
    "partner_id": "elektro-huber",
    "at": "2026-11-02T08:12:00+01:00",
    "by": "partner",
    "author": "Petra Huber",
    "text": "Ist der Lift breit genug?",
    "internal": False,
    "unread": False,
    "answer_due": _DUE,
    "answered_at": "2026-11-02T09:30:00+01:00",
}


class NewMessage(Input):
    """A message to the other side, or an internal note of operations."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Ist der Lift breit genug?"}]}
    )

    text: Reason
    internal: bool = Field(False, strict=True, description="a note; only operations may set it")
    partner_id: Identifier | None = Field(
        None,
        description="the partner that operations write to: 409 if another partner has the order by now",
    )


class NoAnswerNeeded(Input):
    """A partner's message that needs no answer. Then its earlier ones need none either."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message_id": _MESSAGE["message_id"]}]}
    )

    message_id: Identifier


class MessageAnswer(BaseModel):
    """A message, or for operations an internal note."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MESSAGE]})

    message_id: str
    sp_id: str
    partner_id: str
    at: datetime
    by: Side
    author: str = Field(description="the name of the login or token")
    text: str
    internal: bool
    unread: bool = Field(description="shown to this login for the first time")
    answer_due: datetime | None = Field(
        description="until when operations are to answer; null for partners"
    )
    answered_at: datetime | None = Field(description="null for partners")


class MessageList(BaseModel):
    """The messages of an order that this caller sees, the earliest first. They count as read from now on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_MESSAGE], "unread": 0, "answer_due": _DUE}]}
    )

    items: list[MessageAnswer]
    unread: int
    answer_due: datetime | None = Field(
        description="until when operations are to answer the first message that waits; null for partners"
    )


@router.get(
    "/orders/{sp_id}/messages",
    tags=["orders"],
    summary="The messages of an order",
    response_model=MessageList,
    responses=documented(401, 403, 404, 422, 500, 503),
)
async def get_messages(
    call: OrderCallDep, principal: Annotated[Principal, may("read_messages")]
) -> Response:
    """A partner sees what it and operations wrote to each other; operations see internal notes as well."""
    async with call.translating(principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        thread = await call.messages.thread(principal, order)
    return call.answer(_list(principal, order, thread))


@router.post(
    "/orders/{sp_id}/messages",
    tags=["orders"],
    summary="Write a message about an order",
    status_code=201,
    response_model=MessageAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
)
async def write_message(
    call: OrderCallDep,
    principal: Annotated[Principal, may("write_message")],
    body: Annotated[NewMessage, Body()],
) -> Response:
    """A partner writes to operations, and operations to the partner that has the order. The other side gets a mail."""
    async with call.translating(principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        message = await call.messages.write(
            principal,
            order,
            body.text,
            internal=body.internal,
            to=body.partner_id,
            request_id=call.request_id(principal, "message"),
        )
    return call.answer(_message(principal, order, message, unread=False), 201)


@router.post(
    "/orders/{sp_id}/messages/no-answer",
    tags=["operations"],
    summary="Say that a partner's message needs no answer",
    response_model=MessageList,
    responses=documented(401, 403, 404, 413, 422, 500, 503),
)
async def need_no_answer(
    call: OrderCallDep,
    principal: Annotated[Principal, may("close_message")],
    body: Annotated[NoAnswerNeeded, Body()],
) -> Response:
    """Operations no longer have to answer this message and earlier ones. Later messages still wait for an answer."""
    async with call.translating(principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        await call.messages.close(principal, order, body.message_id)
        thread = await call.messages.thread(principal, order)
    return call.answer(_list(principal, order, thread))


def _list(principal: Principal, order: Order, thread: ShownThread) -> MessageList:
    return MessageList(
        items=[
            _message(principal, order, each.message, unread=each.is_unread) for each in thread.items
        ],
        unread=thread.unread,
        answer_due=_local(principal, order, thread.due),
    )


def _message(
    principal: Principal, order: Order, message: Message, *, unread: bool
) -> MessageAnswer:
    return MessageAnswer(
        message_id=message.message_id,
        sp_id=message.sp_id,
        partner_id=message.partner_id,
        at=zoned(order.calendar, message.at),
        by=message.side,
        author=message.author,
        text=message.text,
        internal=message.internal,
        unread=unread,
        answer_due=_local(principal, order, message.due),
        answered_at=_local(principal, order, message.answered_at),
    )


def _local(principal: Principal, order: Order, instant: datetime | None) -> datetime | None:
    """An instant of operations' own deadline in local time; a partner does not see it."""
    if instant is None or principal.role == "partner":
        return None
    return zoned(order.calendar, instant)
