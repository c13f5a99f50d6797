"""Orders that belong together: those of a sales order or of one of its lines, of an agenda, of a partner."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, or_, select

from domain.orders.order import Order, Status
from records.assignments import is_assigned_to
from records.database import Database, storable
from records.order_rows import order_of
from records.tables import documents, is_open, orders

SIBLINGS = 50
CLASHES = 20
AGENDA = 100

_IN_WORK: tuple[Any, ...] = (is_open, orders.c.status != str(Status.COMPLETED))


class Clash(NamedTuple):
    """Another order of the same partner with an appointment at the same time."""

    sp_id: str
    start: datetime
    end: datetime


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

    async def clashes(
        self, order: Order, start: datetime, end: datetime, people: Collection[str] = ()
    ) -> tuple[Clash, ...]:
        """The partner's other orders whose standing appointment overlaps the time from `start` to before `end`.

        The earliest come first, at most `CLASHES`. `people`: only orders that are assigned to one of these people;
        `NOBODY` among them stands for orders of nobody. Empty: all.
        """
        found = (
            select(orders.c.sp_id, orders.c.appointment_start, orders.c.appointment_end)
            .where(
                orders.c.partner_id == order.partner.partner_id,
                orders.c.visible,
                orders.c.sp_id != order.sp_id,
                orders.c.appointment_end.is_not(None),
                orders.c.appointment_end > start,
                orders.c.appointment_start < end,
                *_of_people(people),
            )
            .order_by(orders.c.appointment_start, orders.c.sp_id)
            .limit(CLASHES)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(Clash(*row) for row in rows)

    async def agenda(
        self, order: Order, start: datetime, end: datetime, people: Collection[str] = ()
    ) -> tuple[Order, ...]:
        """The partner's other orders with a standing appointment from `start` to before `end`, the earliest first.

        At most `AGENDA`. `people`: as for `clashes`.
        """
        return await self._with_appointment(
            [
                orders.c.partner_id == order.partner.partner_id,
                orders.c.sp_id != order.sp_id,
                *_of_people(people),
            ],
            start,
            end,
        )

    async def appointments(
        self, partner_id: str, start: datetime, end: datetime, people: Collection[str] = ()
    ) -> tuple[Order, ...]:
        """A partner's orders with a standing appointment from `start` to before `end`, the earliest first.

        At most `AGENDA`. `people`: as for `clashes`.
        """
        if not storable(partner_id):
            return ()
        where = [orders.c.partner_id == partner_id, *_of_people(people)]
        return await self._with_appointment(where, start, end)

    async def _with_appointment(
        self, where: Sequence[Any], start: datetime, end: datetime
    ) -> tuple[Order, ...]:
        return await self._orders(
            select(documents.c.document, documents.c.pinned)
            .join(orders, orders.c.sp_id == documents.c.sp_id)
            .where(
                *where,
                orders.c.visible,
                orders.c.appointment_end.is_not(None),
                orders.c.appointment_end > start,
                orders.c.appointment_start < end,
            )
            .order_by(orders.c.appointment_start, orders.c.sp_id)
            .limit(AGENDA)
        )

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


def _of_people(people: Collection[str]) -> list[ColumnElement[bool]]:
    return [or_(*map(is_assigned_to, people))] if people else []


def _documents(where: Sequence[Any]) -> Select[str, str]:
    return (
        select(documents.c.document, documents.c.pinned)
        .join(orders, orders.c.sp_id == documents.c.sp_id)
        .where(*where)
        .order_by(orders.c.sp_id)
    )
