"""Locks an order's row while something that belongs to the order is written: photos, protocols, messages."""

from sqlalchemy import Connection, select

from domain.orders.order import Status
from records.tables import orders


class NotRecorded(Exception):
    """The order is not in the records yet."""


def lock_order(connection: Connection, sp_id: str) -> str | None:
    """Lock an order until the transaction ends: its other writers, and its erasure, wait for that.

    Returns the id of the partner that has the order and sees it, or None if no partner does.

    Raises:
        NotRecorded: the order is not in the records.
    """
    found = select(orders.c.partner_id, orders.c.visible, orders.c.status)
    row = connection.execute(found.where(orders.c.sp_id == sp_id).with_for_update()).one_or_none()
    if row is None:
        raise NotRecorded(sp_id)
    partner_id: str = row.partner_id
    return partner_id if row.visible and row.status != Status.UNASSIGNED else None
