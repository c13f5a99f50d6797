"""Who looked at which customer's data: one row for each login, order, day and way (page, API, export, PDF)."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from records.database import Database, storable
from records.tables import lookups


class Look(NamedTuple):
    """Who looked at which order on a day, and how: `page`, `api`, `export` or `pdf`. `login_id` may be a token's."""

    sp_id: str
    day: date
    login_id: str
    how: str


class Times(NamedTuple):
    """When somebody first and last looked on a day, and how often."""

    first_at: datetime
    last_at: datetime
    times: int


class Lookups:
    """The looks at customers' data."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = (sqlite.insert if database.is_sqlite else postgresql.insert)(lookups)
        self._upsert = insert.on_conflict_do_update(
            index_elements=[lookups.c.sp_id, lookups.c.day, lookups.c.login_id, lookups.c.how],
            set_={
                "last_at": insert.excluded.last_at,
                "times": lookups.c.times + insert.excluded.times,
            },
        )

    async def add(self, looks: Mapping[Look, Times]) -> None:
        """Add to what is stored."""
        # always in the same order, to avoid a deadlock of two transactions
        rows = [look._asdict() | looks[look]._asdict() for look in sorted(looks)]
        await self._database.write(lambda connection: connection.execute(self._upsert, rows))

    async def of(self, sp_id: str, limit: int = 200) -> tuple[tuple[Look, Times], ...]:
        """Who looked at an order, the latest first."""
        if not storable(sp_id):
            return ()
        query = (
            select(lookups)
            .where(lookups.c.sp_id == sp_id)
            .order_by(lookups.c.last_at.desc(), lookups.c.login_id, lookups.c.how)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(_look, rows))

    async def by(
        self, login_ids: Collection[str], first: date | None, last: date | None, limit: int
    ) -> tuple[tuple[Look, Times], ...]:
        """At which orders these logins looked from a day to another, both included, the latest day first."""
        ids = [each for each in login_ids if storable(each)]
        wanted: list[ColumnElement[bool]] = [lookups.c.login_id.in_(ids)]
        if first is not None:
            wanted.append(lookups.c.day >= first)
        if last is not None:
            wanted.append(lookups.c.day <= last)
        query = (
            select(lookups)
            .where(*wanted)
            .order_by(lookups.c.day.desc(), lookups.c.sp_id, lookups.c.login_id, lookups.c.how)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(_look, rows))

    async def delete_older_than(self, instant: datetime) -> int:
        """Delete the looks of the days that ended before this instant. Returns how many rows."""
        old = delete(lookups).where(lookups.c.day < instant.date(), lookups.c.last_at < instant)
        return await self._database.write(lambda connection: connection.execute(old).rowcount)


def _look(row: Any) -> tuple[Look, Times]:
    return (
        Look(row.sp_id, row.day, row.login_id, row.how),
        Times(row.first_at, row.last_at, row.times),
    )
