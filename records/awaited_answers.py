"""The query for orders whose current partner waits for an answer from operations."""

from typing import Any

from sqlalchemy import Select, func, select

from domain.orders.order import Status
from records.tables import order_messages, orders, waits_for_answer


def awaited_answers() -> Select[Any]:
    """One row per order with unanswered messages: the first `seq`, the earliest due date, and the number."""
    return (
        select(
            order_messages.c.sp_id,
            func.min(order_messages.c.seq).label("seq"),
            func.min(order_messages.c.due).label("first_due"),
            func.count().label("number"),
        )
        .join(
            orders,
            (orders.c.sp_id == order_messages.c.sp_id)
            & (orders.c.partner_id == order_messages.c.partner_id),
        )
        .where(waits_for_answer, orders.c.visible, orders.c.status != Status.UNASSIGNED.value)
        .group_by(order_messages.c.sp_id)
    )
