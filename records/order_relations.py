"""Orders that belong together: those of a sales order, of one of its lines, of a partner, or of none."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from domain.orders.order import Order, Status
from records.assignments import is_assigned_to
from records.database import Database, storable
from records.order_rows import order_of
from records.tables import documents, is_open, orders

SIBLINGS = 50
"""The most orders of one sales order that are listed."""

_IN_WORK: tuple[Any, ...] = (is_open, orders.c.status != str(Status.COMPLETED))


class OrderRelations:
    """Finds orders by what they have in common. Orders are sorted by SP-ID."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def siblings(
        self, order: Order, partner_id: str | None = None, person_id: str | None = None
    ) -> tuple[Order, ...]:
        """The other orders of an order's sales order, at most `SIBLINGS`.

        `partner_id`: only those that this partner has and sees now. None: all, for staff. `person_id`: only those that
        are assigned to this person.
        """
        if partner_id is not None and not storable(partner_id):
            return ()
        where = [
            orders.c.sales_order_id == order.intake.placement.sales_order_id,
            orders.c.sp_id != order.sp_id,
        ]
        if partner_id is not None:
            where += [orders.c.partner_id == partner_id, orders.c.visible]
        if person_id is not None:
            where.append(is_assigned_to(person_id))
        return await self._orders(_documents(where).limit(SIBLINGS))

    async def open_of_line(self, order: Order) -> tuple[str, ...]:
        """The SP-IDs of the other open orders of an order's line of a sales order; none if it has no line.

        What is reported about the goods of one of them is true of all of them.
        """
        placement = order.intake.placement
        if placement.sales_order_line is None:
            return ()
        found = (
            select(orders.c.sp_id)
            .where(
                orders.c.sales_order_id == placement.sales_order_id,
                orders.c.sales_order_line == placement.sales_order_line,
                orders.c.sp_id != order.sp_id,
                *_IN_WORK,
            )
            .order_by(orders.c.sp_id)
        )
        return await self._sp_ids(found)

    async def open_of_partner(
        self, partner_id: str, after: str | None = None, limit: int = 500
    ) -> tuple[Order, ...]:
        """A page of the orders that a partner has now and that are not done, transmitted or not.

        Those that it lost (`unassigned`) are left out. The page begins after the SP-ID `after`.
        """
        if not storable(partner_id):
            return ()
        where = [
            orders.c.partner_id == partner_id,
            *_IN_WORK,
            orders.c.status != str(Status.UNASSIGNED),
        ]
        return await self._page(where, after, limit)

    async def unassigned(self, after: str | None = None, limit: int = 500) -> tuple[Order, ...]:
        """A page of the orders that no partner has, after an SP-ID."""
        return await self._page([orders.c.status == str(Status.UNASSIGNED)], after, limit)

    async def _page(self, where: Sequence[Any], after: str | None, limit: int) -> tuple[Order, ...]:
        found = _documents(where).limit(limit)
        if after is not None:
            found = found.where(orders.c.sp_id > after)
        return await self._orders(found)

    async def _orders(self, found: Select[str, str]) -> tuple[Order, ...]:
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(order_of(row.document, row.pinned) for row in rows)

    async def _sp_ids(self, found: Select[str]) -> tuple[str, ...]:
        return await self._database.read(
            lambda connection: tuple(connection.execute(found).scalars())
        )


def _documents(where: Sequence[Any]) -> Select[str, str]:
    return (
        select(documents.c.document, documents.c.pinned)
        .join(orders, orders.c.sp_id == documents.c.sp_id)
        .where(*where)
        .order_by(orders.c.sp_id)
    )
