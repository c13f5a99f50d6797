"""Counts for operations: which partners are late, and why orders are under review or without a partner."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import Field, TypeAdapter
from sqlalchemy import Select, func, select

from domain.orders.events import (
    Declined,
    NotExecuted,
    ProblemReported,
    RequirementsRejected,
    Unassigned,
)
from domain.orders.order import Status
from records.database import Database
from records.tables import orders, timeline

Report = NotExecuted | ProblemReported | RequirementsRejected
"""What leads to a review."""
_REPORT: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="type")])
_REPORTS = ("not_executed", "problem_reported", "requirements_rejected")
Loss = Declined | Unassigned
"""How an order loses its partner."""
_LOSS: TypeAdapter[Loss] = TypeAdapter(Annotated[Loss, Field(discriminator="type")])
_LOSSES = ("declined", "unassigned")


class LatePartner(NamedTuple):
    """A partner with missed deadlines of its own: how many orders have one, and when the first of them was due."""

    partner_id: str
    orders: int
    since: datetime


class Monitoring:
    """Counts over all orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        """How many orders a partner has that are neither done nor cancelled, without those that it has lost."""
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

    async def reports(self, sp_ids: Collection[str]) -> dict[str, Report]:
        """The last report of each of these orders that led to a review. Orders without one are left out."""
        last = await self._last(sp_ids, _REPORTS)
        return {sp_id: _REPORT.validate_json(data) for sp_id, data in last.items()}

    async def losses(self, sp_ids: Collection[str]) -> dict[str, Loss]:
        """How each of these orders last lost its partner. Orders that never did are left out."""
        last = await self._last(sp_ids, _LOSSES)
        return {sp_id: _LOSS.validate_json(data) for sp_id, data in last.items()}

    async def _last(self, sp_ids: Collection[str], types: Collection[str]) -> dict[str, str]:
        """The last event of one of these types of each of these orders, as it is stored."""
        found = (
            select(timeline.c.sp_id, timeline.c.data)
            .where(timeline.c.sp_id.in_(sp_ids), timeline.c.type.in_(types))
            .order_by(timeline.c.sp_id, timeline.c.seq)
        )
        async with self._database.reading() as connection:
            last: dict[str, str] = dict((await connection.execute(found)).all())
        return last

    async def _number(self, counted: Select[int]) -> int:
        async with self._database.reading() as connection:
            number: int = (await connection.execute(counted)).scalar_one()
        return number
