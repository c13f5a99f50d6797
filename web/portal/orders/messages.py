"""The values that pages show about messages: the thread of an order, internal notes, orders with unread messages."""

from typing import Any

from fastapi import Request

from domain.orders.order import Order
from domain.values import Language
from use_cases import access
from use_cases.messages import MessageUseCases
from use_cases.principal import Principal
from words import refusal_reason

SHOWN = 20
"""How many messages the page of an order shows, unless more are unread; a link leads to all of them."""
_ALL = "all"


def message_use_cases(request: Request) -> MessageUseCases:
    """The use cases of messages."""
    use_cases: MessageUseCases = request.app.state.message_use_cases
    return use_cases


async def message_values(
    request: Request, principal: Principal, order: Order, language: Language
) -> dict[str, Any]:
    """The values for the page of an order. `thread` is None for callers who see none; shown ones count as read."""
    if principal.role not in access.MAY["read_messages"]:
        return {"thread": None}
    thread = await message_use_cases(request).thread(principal, order)
    messages = [each for each in thread.items if not each.message.internal]
    partner_id = order.partner.partner_id
    # Every message that counts as read afterwards must be shown.
    new = next((n for n, each in enumerate(messages) if each.is_unread), len(messages))
    hidden = min(new, max(0, len(messages) - SHOWN))
    shown = messages[0 if request.query_params.get("messages") == _ALL else hidden :]
    waiting = [
        m.message for m in messages if m.message.is_open and m.message.partner_id == partner_id
    ]
    return {
        "thread": thread,
        "messages": shown,
        "earlier_messages": len(messages) - len(shown),
        "notes": [each for each in thread.items if each.message.internal],
        "last_waiting": waiting[-1] if waiting else None,
        "message_refusal": refusal_reason("", thread.refusal, order.status, language)
        if thread.refusal
        else None,
        "note_refusal": refusal_reason("", thread.note_refusal, order.status, language)
        if thread.note_refusal
        else None,
        "former_partners": await partner_names(
            request, {m.message.partner_id for m in messages} - {partner_id}
        ),
    }


async def partner_names(request: Request, partner_ids: set[str]) -> dict[str, str]:
    """The names of partners that had the order before."""
    if not partner_ids:
        return {}
    known = await request.app.state.accounts.partners.list()
    return {each.partner_id: each.name for each in known if each.partner_id in partner_ids}
