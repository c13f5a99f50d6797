"""The statements that count the messages that a login has yet to read."""

from datetime import datetime
from typing import Any, get_args

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, or_, select

from domain.orders.messages import UNREAD_FOR, Side
from records.tables import message_reads, order_messages, orders
from records.tables.types import Key


def with_partner(partner_id: str | BindParameter[Any]) -> ColumnElement[bool]:
    """The condition that a message is of the conversation with this partner."""
    return and_(order_messages.c.partner_id == partner_id, ~order_messages.c.internal)


def unread_by_order(side: Side) -> Select[Any]:
    """The number of unread messages by order, as `domain.orders.messages.is_unread` says it of one.

    `read_by` gives the values of its parameters.
    """
    read, login_id = message_reads.c, bindparam("login_id", type_=Key)
    joined = and_(read.sp_id == order_messages.c.sp_id, read.login_id == login_id)
    counted = (
        select(
            order_messages.c.sp_id,
            func.count().label("number"),
            func.max(order_messages.c.at).label("last_at"),
        )
        .outerjoin(message_reads, joined)
        .where(
            order_messages.c.at > bindparam("since"),
            order_messages.c.seq > func.coalesce(read.seq, 0),
        )
        .group_by(order_messages.c.sp_id)
    )
    if side == "operations":
        of_others = and_(order_messages.c.internal, order_messages.c.login_id != login_id)
        of_partners = and_(~order_messages.c.internal, order_messages.c.side == "partner")
        return counted.where(or_(of_others, of_partners))
    partner_id = bindparam("partner_id", type_=Key)
    current = and_(orders.c.sp_id == order_messages.c.sp_id, orders.c.partner_id == partner_id)
    return counted.join(orders, and_(current, orders.c.visible)).where(
        with_partner(partner_id), order_messages.c.side == "operations"
    )


# Built once, as it is read with each order that is shown.
UNREAD_OF = {
    side: unread_by_order(side).where(
        order_messages.c.sp_id.in_(bindparam("sp_ids", expanding=True))
    )
    for side in get_args(Side)
}


def read_by(login_id: str, partner_id: str | None, now: datetime) -> dict[str, Any]:
    """The parameters of `UNREAD_OF` and `unread_by_order`: who has yet to read them, of which partner."""
    return {"login_id": login_id, "partner_id": partner_id, "since": now - UNREAD_FOR}
