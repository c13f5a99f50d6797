"""Heartbeats of our processes, and the outages that they reveal (docs/operations.md, "After an outage")."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.orders.punctuality import KINDS
from domain.outages import Outage, ProcessKind
from records.database import Database
from records.tables import deadlines, heartbeats, is_open, orders, outages

_LOCK = 0x434D4F  # "CMO"
_RECENT = timedelta(minutes=5)
_REMEMBERED = timedelta(days=1)

FindOutage = Callable[[datetime | None, Sequence[Outage]], Outage | None]
"""The outage that ends now, given the last heartbeat of a kind of process and the recorded outages."""


class OpenOutage(NamedTuple):
    """An outage that orders may still have to be told of. Those up to the SP-ID `done_until` have been told."""

    outage: Outage
    done_until: str | None


class Outages:
    """Heartbeats and outages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        beat = upsert(heartbeats)
        self._beat = beat.on_conflict_do_update(
            index_elements=[heartbeats.c.kind, heartbeats.c.process],
            set_={"seen_at": beat.excluded.seen_at},
        )
        self._add = upsert(outages).on_conflict_do_nothing()

    async def beat(
        self, kind: ProcessKind, process: str, now: datetime, find: FindOutage
    ) -> Outage | None:
        """Record a heartbeat and, in the same transaction, the outage that it ends. Returns that outage, if any.

        If several processes come back at the same time, only one of them finds the outage.
        """
        row = {"kind": kind, "process": process, "seen_at": now}
        last_seen = select(func.max(heartbeats.c.seen_at)).where(heartbeats.c.kind == kind)
        forgotten = delete(heartbeats).where(
            heartbeats.c.kind == kind,
            heartbeats.c.process != process,
            heartbeats.c.seen_at < now - _REMEMBERED,
        )

        def beat(connection: Connection) -> Outage | None:
            last = connection.execute(last_seen).scalar_one()
            if last is not None and now - last <= _RECENT:
                connection.execute(self._beat, row)
                return None
            if not self._database.is_sqlite:  # SQLite has one writer at a time anyway
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            last = connection.execute(last_seen).scalar_one()
            found = find(last, _known(connection, last) if last is not None else ())
            if found is not None:
                new = {"begin": found.begin, "end": found.end, "kind": kind, "found_at": now}
                connection.execute(self._add, new)
            connection.execute(self._beat, row)
            connection.execute(forgotten)
            return found

        return await self._database.write(beat)

    async def open(self) -> tuple[OpenOutage, ...]:
        """The outages that orders may still have to be told of, the earliest first."""
        found = (
            select(outages.c.begin, outages.c.end, outages.c.done_until)
            .where(outages.c.done_at.is_(None))
            .order_by(outages.c.begin)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(
            OpenOutage(Outage(begin=row.begin, end=row.end), row.done_until) for row in rows
        )

    async def orders_in(self, outage: Outage, after: str | None, limit: int) -> tuple[str, ...]:
        """SP-IDs of open orders that had a deadline of the partner while CMI was down, after an SP-ID.

        The order itself decides whether a deadline is put off.
        """
        ran = select(deadlines.c.sp_id).where(
            deadlines.c.kind.in_(KINDS),
            deadlines.c.started < outage.end,
            deadlines.c.due > outage.begin,
            (deadlines.c.ended.is_(None)) | (deadlines.c.ended > outage.begin),
        )
        found = (
            select(orders.c.sp_id)
            .where(is_open, orders.c.sp_id.in_(ran))
            .order_by(orders.c.sp_id)
            .limit(limit)
        )
        if after is not None:
            found = found.where(orders.c.sp_id > after)
        return await self._database.read(
            lambda connection: tuple(connection.execute(found).scalars())
        )

    async def note_progress(self, outage: Outage, sp_id: str) -> None:
        """Note that all orders up to this SP-ID have been told."""
        await self._change(outage, done_until=sp_id)

    async def note_done(self, outage: Outage, now: datetime) -> None:
        """Note that all orders have been told."""
        await self._change(outage, done_at=now)

    async def _change(self, outage: Outage, **values: object) -> None:
        changed = update(outages).where(outages.c.begin == outage.begin).values(**values)
        await self._database.write(lambda connection: connection.execute(changed))


def _known(connection: Connection, since: datetime) -> tuple[Outage, ...]:
    found = select(outages.c.begin, outages.c.end).where(outages.c.end > since)
    return tuple(Outage(begin=row.begin, end=row.end) for row in connection.execute(found))
