"""Queries for the morning digests: which partners get one, and their open orders by when they are due."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, literal, select, union_all

from domain.orders.order import Status
from records.database import Database
from records.tables import documents, orders, partners
from records.worklist import Job, Section, job_of


class OpenWork(NamedTuple):
    """A partner's orders with an open deadline of its own, the most urgent first."""

    overdue: Section
    today: Section
    later: Section

    @property
    def total(self) -> int:
        """The number of orders in all three sections."""
        return sum(section.total for section in self)


class Limits(NamedTuple):
    """How many orders of each kind are read at most."""

    overdue: int
    today: int
    later: int


class Digests:
    """The partners' open work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def partners(self, after: str | None, limit: int) -> tuple[tuple[str, str], ...]:
        """Id and canton of the partners with open work, sorted by id, from the one after `after` on."""
        waiting = select(orders.c.sp_id).where(
            orders.c.partner_id == partners.c.partner_id,
            orders.c.partner_due.is_not(None),
            orders.c.visible,
        )
        found = (
            select(partners.c.partner_id, partners.c.canton)
            .where(waiting.exists())
            .order_by(partners.c.partner_id)
            .limit(limit)
        )
        if after is not None:
            found = found.where(partners.c.partner_id > after)
        async with self._database.reading() as connection:
            return tuple((each, canton) for each, canton in await connection.execute(found))

    async def open_work(
        self, partner_id: str, now: datetime, midnight: datetime, limits: Limits
    ) -> OpenWork:
        """A partner's open work at `now`. Orders that are due before `midnight` are due today."""
        due = orders.c.partner_due
        mine = and_(orders.c.partner_id == partner_id, due.is_not(None), orders.c.visible)
        parts: Sequence[ColumnElement[bool]] = (
            due < now,
            and_(due >= now, due < midnight),
            due >= midnight,
        )
        pieces = []
        for number, (part, limit) in enumerate(zip(parts, limits, strict=True)):
            keys = (
                select(literal(number).label("part"), orders.c.sp_id, orders.c.status, due)
                .where(mine, part)
                .order_by(due, orders.c.sp_id)
                .limit(limit)
                .subquery()
            )
            # SQLite allows a LIMIT inside a union only in a subquery.
            pieces.append(select(keys))
        listed = union_all(*pieces).subquery()
        found = (
            select(listed.c.part, listed.c.status, listed.c.partner_due, documents.c.document)
            .join(documents, documents.c.sp_id == listed.c.sp_id)
            .order_by(listed.c.partner_due, listed.c.sp_id)
        )
        counted = select(*(func.count(case((part, 1))) for part in parts)).where(mine)
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
            totals = (await connection.execute(counted)).one()
        jobs: tuple[list[Job], list[Job], list[Job]] = ([], [], [])
        for part_number, status, at, document in rows:
            jobs[part_number].append(job_of(Status(status), at, document))
        return OpenWork(
            *(Section(tuple(of), total) for of, total in zip(jobs, totals, strict=True))
        )
