"""The entries of orders in partners' calendars: visits that are agreed, done, or removed before they were over."""

from collections.abc import Collection
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
from domain.orders.order import Order, Status
from records.assignments import is_assigned_to
from records.database import Database, storable
from records.order_rows import order_of, placement_in
from records.tables import calendar_entries, documents, orders

MOST = 1000
"""How many entries are read at once, the earliest first."""
MOST_AGREED = 100
"""How many agreed visits are read at once."""

_DONE = (str(Status.COMPLETED), str(Status.BILLED))


class OrderEntry(NamedTuple):
    """A visit, with its order as it is now."""

    order: Order
    entry: CalendarEntry


class EntryVersion(NamedTuple):
    """The version of an entry, which changes with it: enough to notice a change without reading the order."""

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
        """Store the entry of an order, and mark its future entries that no longer hold as removed."""
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

    `people`: only visits that are assigned to one of these people now; `NOBODY` (records/assignments.py) among them
    stands for visits of nobody. Empty: all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(
        self,
        partner_id: str,
        start: datetime,
        end: datetime | None,
        people: Collection[str] = (),
        limit: int = MOST,
    ) -> tuple[OrderEntry, ...]:
        """A partner's visits that overlap the time from `start` to before `end` (None: all later), by their end."""
        if not storable(partner_id):
            return ()
        return await self._read(_with_orders(partner_id, start, end, people).limit(limit))

    async def agreed(
        self,
        partner_id: str,
        start: datetime,
        end: datetime,
        people: Collection[str] = (),
        without: str | None = None,
    ) -> tuple[OrderEntry, ...]:
        """A partner's agreed visits that overlap the time from `start` to before `end`, the earliest first.

        Visits of orders that are done are left out, and that of the order `without`. At most `MOST_AGREED`.
        """
        if not storable(partner_id):
            return ()
        found = _with_orders(partner_id, start, end, people).where(
            orders.c.status.not_in(_DONE),
            *(() if without is None else (orders.c.sp_id != without,)),
        )
        entries = await self._read(found.limit(MOST_AGREED))
        return tuple(sorted(entries, key=lambda each: (each.entry.start, each.order.sp_id)))

    async def _read(self, found: Select[Any]) -> tuple[OrderEntry, ...]:
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(
            OrderEntry(
                order_of(row.document, row.pinned), CalendarEntry(row.start, row.end, row.whole_day)
            )
            for row in rows
        )

    async def versions(
        self, partner_id: str, start: datetime, people: Collection[str] = (), limit: int = MOST
    ) -> tuple[EntryVersion, ...]:
        """The versions of the entries that `between` finds from `start` on."""
        columns = orders.c.sp_id, orders.c.version
        found = _current(partner_id, start, None, people, *columns).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(EntryVersion(row.sp_id, row.version, row.start, row.end) for row in rows)

    async def removed(
        self, partner_id: str, since: datetime, people: Collection[str] = (), limit: int = MOST
    ) -> tuple[RemovedEntry, ...]:
        """The visits of a partner that were removed at `since` or later, the latest first.

        Those of orders that the partner has lost are among them; they are assigned to nobody.
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
                table.end > since,  # it was not over when it was removed
                table.fallen_at >= since,
                *_of(people),
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


def _of(people: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (or_(*map(is_assigned_to, people)),) if people else ()


def _with_orders(
    partner_id: str, start: datetime, end: datetime | None, people: Collection[str]
) -> Select[Any]:
    found = _current(partner_id, start, end, people, documents.c.document, documents.c.pinned)
    return found.join(documents, documents.c.sp_id == calendar_entries.c.sp_id)


def _current(
    partner_id: str,
    start: datetime,
    end: datetime | None,
    people: Collection[str],
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
            *_of(people),
        )
        .order_by(table.end, table.sp_id)
    )
