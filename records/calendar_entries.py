"""What partners' calendars show of orders: the visits that are agreed or done, and those that fell."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.orders.calendar_entry import (
    LONGEST_ENTRY,
    CalendarEntry,
    RemovedEntry,
    calendar_entry,
)
from domain.orders.order import Order
from records.assignments import is_assigned_to
from records.database import Database, storable
from records.order_rows import order_of, placement_in
from records.tables import calendar_entries, documents, orders

MOST = 1000
"""How many entries are read at once, the earliest first."""


class OrderEntry(NamedTuple):
    """A visit, with its order as it is now."""

    order: Order
    entry: CalendarEntry


class EntryVersion(NamedTuple):
    """What tells that an entry has changed, without its order."""

    sp_id: str
    version: int
    start: datetime
    end: datetime


class EntryWriter:
    """Writes the entry of an order with the order, in the transaction of the caller."""

    def __init__(self, database: Database) -> None:
        put = (sqlite.insert if database.is_sqlite else postgresql.insert)(calendar_entries)
        columns = ("start", "end", "whole_day", "fallen_at")
        self._put = put.on_conflict_do_update(
            index_elements=[calendar_entries.c.sp_id, calendar_entries.c.partner_id],
            set_={name: put.excluded[name] for name in (*columns, "sequence")},
            where=or_(
                *(calendar_entries.c[name] != put.excluded[name] for name in columns[:3]),
                calendar_entries.c.fallen_at.is_not(None),
            ),
        )

    def write(self, connection: Connection, order: Order) -> None:
        """Store the entry of an order. Entries that were to come and are none any more have fallen."""
        entry, partner_id = calendar_entry(order), order.partner.partner_id
        if entry is None and order.moves == 0 and order.resumed_at is None:
            return  # it never had one
        table = calendar_entries.c
        lost = true() if entry is None else table.partner_id != partner_id
        connection.execute(
            update(calendar_entries)
            .where(
                table.sp_id == order.sp_id,
                table.fallen_at.is_(None),
                table.end > order.changed_at,
                lost,
            )
            .values(fallen_at=order.changed_at, sequence=order.version)
        )
        if entry is not None:
            row = {
                "sp_id": order.sp_id,
                "partner_id": partner_id,
                **entry._asdict(),
                "fallen_at": None,
                "sequence": order.version,
            }
            connection.execute(self._put, row)


class CalendarEntries:
    """Reads the calendars of partners.

    `person`: only what is assigned to this person now (`records.assignments.NOBODY`: to none); None: all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(
        self,
        partner_id: str,
        start: datetime,
        end: datetime | None,
        person: str | None = None,
        limit: int = MOST,
    ) -> tuple[OrderEntry, ...]:
        """A partner's visits from `start` to before `end` (None: all later), the earliest first."""
        if not storable(partner_id):
            return ()
        found = _current(
            partner_id,
            start,
            end,
            person,
            limit,
            documents.c.document,
            documents.c.pinned,
        ).join(documents, documents.c.sp_id == calendar_entries.c.sp_id)
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(
            OrderEntry(
                order_of(row.document, row.pinned), CalendarEntry(row.start, row.end, row.whole_day)
            )
            for row in rows
        )

    async def versions(
        self, partner_id: str, start: datetime, person: str | None = None, limit: int = MOST
    ) -> tuple[EntryVersion, ...]:
        """What `between` finds from `start` on, only to compare it with what was found before."""
        found = _current(partner_id, start, None, person, limit, orders.c.sp_id, orders.c.version)
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(EntryVersion(row.sp_id, row.version, row.start, row.end) for row in rows)

    async def removed(
        self, partner_id: str, since: datetime, person: str | None = None, limit: int = MOST
    ) -> tuple[RemovedEntry, ...]:
        """The visits of a partner that fell at `since` or later, the latest first.

        Also those of orders that it has lost, which are assigned to nobody any more.
        """
        if not storable(partner_id):
            return ()
        table = calendar_entries.c
        found = (
            select(
                table.sp_id,
                table.start,
                table.end,
                table.fallen_at,
                table.sequence,
                documents.c.document,
            )
            .join(orders, orders.c.sp_id == table.sp_id)
            .join(documents, documents.c.sp_id == table.sp_id)
            .where(
                table.partner_id == partner_id,
                table.end > since,  # it had not ended when it fell
                table.fallen_at >= since,
                *_of(person),
            )
            .order_by(table.fallen_at.desc(), table.sp_id)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(
            RemovedEntry(
                row.sp_id,
                row.start,
                row.end,
                row.fallen_at,
                row.sequence,
                placement_in(row.document).service.name,
            )
            for row in rows
        )


def _of(person: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if person is None else (is_assigned_to(person),)


def _current(
    partner_id: str,
    start: datetime,
    end: datetime | None,
    person: str | None,
    limit: int,
    *columns: Any,
) -> Select[Any]:
    table = calendar_entries.c
    until = () if end is None else (table.start < end, table.end < end + LONGEST_ENTRY)
    return (
        select(table.start, table.end, table.whole_day, *columns)
        .select_from(calendar_entries)
        .join(
            orders,
            and_(
                orders.c.sp_id == table.sp_id,
                orders.c.partner_id == table.partner_id,
                orders.c.visible,
            ),
        )
        .where(
            table.partner_id == partner_id,
            table.fallen_at.is_(None),
            table.end > start,
            *until,
            *_of(person),
        )
        .order_by(table.end, table.sp_id)
        .limit(limit)
    )
