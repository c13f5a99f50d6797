"""Counts for operations: how many orders are late and with whom, and what was last reported of orders."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Select, func, select

from domain.orders.deadline import DeadlineKind
from domain.orders.events import Event
from domain.orders.order import Status
from records.database import Database
from records.order_lists import is_overdue_with
from records.tables import orders, timeline

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class LatePartner(NamedTuple):
    """A partner with missed deadlines of its own: how many orders have one, and when the first of them was due."""

    partner_id: str
    orders: int
    since: datetime


class Monitoring:
    """Counts over all orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def late(self, now: datetime, kind: DeadlineKind | None = None) -> int:
        """The number of orders with a missed open deadline of any party. `kind`: only a deadline of this kind."""
        counted = select(func.count()).select_from(orders).where(orders.c.next_due <= now)
        if kind is not None:
            counted = counted.where(is_overdue_with(kind, now))
        return await self._number(counted)

    async def late_partners(self, now: datetime, limit: int) -> tuple[LatePartner, ...]:
        """The partners with missed deadlines, those with the most orders first."""
        number = func.count()
        found = (
            select(orders.c.partner_id, number, func.min(orders.c.partner_due))
            .where(orders.c.partner_due <= now)
            .group_by(orders.c.partner_id)
            .order_by(number.desc(), orders.c.partner_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return tuple(LatePartner(*row) for row in await connection.execute(found))

    async def count(self, status: Status) -> int:
        """How many orders are in a state."""
        counted = select(func.count()).select_from(orders).where(orders.c.status == str(status))
        return await self._number(counted)

    async def open_of(self, partner_id: str) -> int:
        """How many orders a partner has that are neither done nor cancelled. It has lost those that are unassigned."""
        done = [
            str(Status.COMPLETED),
            str(Status.UNASSIGNED),
            *(str(status) for status in Status if status.is_final),
        ]
        counted = (
            select(func.count())
            .select_from(orders)
            .where(orders.c.partner_id == partner_id, orders.c.status.not_in(done))
        )
        return await self._number(counted)

    async def last(self, sp_ids: Collection[str], types: Collection[str]) -> dict[str, Event]:
        """The last event of one of these types of each of these orders. Orders without one are left out."""
        found = (
            select(timeline.c.sp_id, timeline.c.data)
            .where(timeline.c.sp_id.in_(sp_ids), timeline.c.type.in_(types))
            .order_by(timeline.c.sp_id, timeline.c.seq)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return {sp_id: _EVENT.validate_json(data) for sp_id, data in rows}

    async def _number(self, counted: Select[int]) -> int:
        async with self._database.reading() as connection:
            number: int = (await connection.execute(counted)).scalar_one()
        return number
