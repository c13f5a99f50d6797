"""Which deadlines partners met and missed, counted by the database as `domain.orders.punctuality` says."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, tuple_

from domain.orders.deadline import DeadlineKind
from domain.orders.punctuality import KINDS
from records.cursors import Position, decode_cursor, encode_cursor
from records.database import Database, storable
from records.tables import Instant, deadlines


class Tally(NamedTuple):
    """How many deadlines of one kind a partner met and missed, and how many orders they belong to."""

    partner_id: str
    kind: DeadlineKind
    orders: int
    met: int
    missed: int


class Miss(NamedTuple):
    """A deadline that a partner missed. `ended` is when it was met or dropped; None if it is still open."""

    sp_id: str
    partner_id: str
    kind: DeadlineKind
    due: datetime
    ended: datetime | None


class Misses(NamedTuple):
    """A page of misses, and the cursor of the next page; None at the end."""

    items: tuple[Miss, ...]
    next_cursor: str | None


class PunctualityRecords:
    """The deadlines of all orders, by when they were due."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tallies(
        self, first: datetime, after: datetime, now: datetime, partner_id: str | None = None
    ) -> tuple[Tally, ...]:
        """The tallies of the deadlines due from `first` to before `after`, as known at `now`; of one partner, if given.

        Sorted by partner, then by kind. Partners and kinds without a counted deadline are left out.
        """
        met, missed = deadlines.c.outcome == "met", is_missed(now)
        found = (
            select(
                deadlines.c.partner_id,
                deadlines.c.kind,
                func.count(deadlines.c.sp_id.distinct()),
                func.sum(case((met, 1), else_=0)),
                func.sum(case((missed, 1), else_=0)),
            )
            .where(*due_between(first, after), or_(met, missed))
            .group_by(deadlines.c.partner_id, deadlines.c.kind)
            .order_by(deadlines.c.partner_id)
        )
        if partner_id is not None:
            found = found.where(deadlines.c.partner_id == partner_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return tuple(
            sorted((Tally(*row) for row in rows), key=lambda t: (t.partner_id, KINDS.index(t.kind)))
        )

    async def misses(
        self,
        first: datetime,
        after: datetime,
        now: datetime,
        partner_id: str | None = None,
        kind: DeadlineKind | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Misses:
        """The missed deadlines of that time, of one partner or kind if given, sorted by when they were due.

        Raises:
            ValueError: it is not a cursor of this list.
        """
        where = [*due_between(first, after), is_missed(now)]
        if partner_id is not None:
            if not storable(partner_id):
                return Misses((), None)
            where.append(deadlines.c.partner_id == partner_id)
        if kind is not None:
            where.append(deadlines.c.kind == kind)
        if cursor is not None:
            _, at, key = decode_cursor(cursor, ["due"])
            sp_id, _, seq = key.rpartition("/")
            place = tuple_(literal(at, Instant), literal(sp_id), literal(_number(seq)))
            where.append(tuple_(*_SORTED) > place)
        columns = (getattr(deadlines.c, name) for name in Miss._fields)
        found = select(*columns, deadlines.c.seq).where(*where).order_by(*_SORTED).limit(limit + 1)
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return Misses(
            tuple(Miss(*row[:-1]) for row in rows[:limit]),
            encode_cursor(Position("due", last.due, f"{last.sp_id}/{last.seq}")) if last else None,
        )


_SORTED = (deadlines.c.due, deadlines.c.sp_id, deadlines.c.seq)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise ValueError("not a cursor of this list")
    return int(text)


def due_between(first: datetime, after: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions on `deadlines`: of a kind that counts, and due from `first` to before `after`."""
    return (
        deadlines.c.due >= first,
        deadlines.c.due < after,
        deadlines.c.kind.in_(KINDS),
    )


def is_missed(now: datetime) -> ColumnElement[bool]:
    """`domain.orders.punctuality.verdict` in SQL; a test checks that both agree."""
    until = func.coalesce(deadlines.c.ended, literal(now, Instant))
    return and_(
        or_(deadlines.c.outcome.is_(None), deadlines.c.outcome == "missed"),
        until >= func.coalesce(deadlines.c.excused_until, deadlines.c.due),
    )
