"""The read model of the orders: written by their workflows, read by lists, searches and single views."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from contracts.activities import Snapshot
from domain.orders.erasure import erase_events, erase_order, is_erased
from domain.orders.events import Recorded
from domain.orders.order import Order, Status
from records.assignments import Assignments, end_lost
from records.calendar_entries import EntryWriter
from records.cursors import Position, decode_cursor, encode_cursor
from records.database import Database, storable
from records.erased_rows import is_recorded_as_erased, note_late_data
from records.heads import Head, is_in, step
from records.order_counts import counted
from records.order_lists import (
    PARTS,
    OrderFilter,
    Sort,
    conditions,
    first_query,
    part_query,
)
from records.order_mails import add_events
from records.order_relations import OrderRelations
from records.order_rows import (
    deadline_rows,
    delete_replaced,
    document_row,
    event_row,
    events_after,
    order_of,
    order_row,
)
from records.person_mails import add_person_events
from records.tables import deadlines, documents, orders, timeline


class StoredOrder(NamedTuple):
    """An order and its timeline so far, as the records hold them."""

    order: Order
    events: tuple[Recorded, ...]


class Page(NamedTuple):
    """A page of a list, and the cursor of the next page; None at the end."""

    items: tuple[Order, ...]
    next_cursor: str | None


class Counted(NamedTuple):
    """How many orders a list has, and the first of them."""

    total: int
    items: tuple[Order, ...]


class Orders:
    """Orders, their timeline and their deadlines."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.relations = OrderRelations(database)
        self.assignments = Assignments(database)
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        row = upsert(orders)
        self._put_new = row.on_conflict_do_nothing().returning(orders.c.version)
        self._put_order = row.on_conflict_do_update(
            index_elements=[orders.c.sp_id],
            set_={c.name: row.excluded[c.name] for c in orders.c if c is not orders.c.sp_id},
        )
        document = upsert(documents)
        self._put_document = document.on_conflict_do_update(
            index_elements=[documents.c.sp_id],
            set_={name: document.excluded[name] for name in ("document", "pinned")},
        )
        self._entries = EntryWriter(database)
        deadline = upsert(deadlines)
        self._put_deadline = deadline.on_conflict_do_update(
            index_elements=[deadlines.c.sp_id, deadlines.c.seq],
            set_={
                name: deadline.excluded[name]
                for name in ("due", "excused_until", "missed", "ended", "outcome")
            },
            # Ended deadlines change only if an outage puts them off.
            where=or_(deadlines.c.ended.is_(None), deadlines.c.due != deadline.excluded.due),
        )

    async def save(self, given: Snapshot, *, replaces: Head | None = None) -> int:
        """Store an order and its events. Returns the version that is stored now: this one or a newer one.

        Idempotent; a late write of an earlier version changes nothing. `replaces`: what the records held before the
        workflow was asked. If they still hold it, the snapshot replaces it. A customer's data that were erased are not
        written again.

        Raises:
            Diverged: the records hold a different history of the order (domain/digest.py).
            ValueError: the order was never placed.
        """
        head = (
            select(orders.c.version, orders.c.digest)
            .where(orders.c.sp_id == given.order.sp_id)
            .with_for_update()
        )

        def save(connection: Connection) -> int:
            order, snapshot = given.order, given
            if note_late_data(connection, order):
                snapshot = Snapshot(order=erase_order(order), events=erase_events(given.events))
                order = snapshot.order
            row = order_row(order)
            if connection.execute(self._put_new, row).scalar_one_or_none() is not None:
                self._put_parts(connection, order, snapshot.events)
                return order.version
            held = Head(*connection.execute(head).one())
            events = snapshot.events
            match step(
                order.sp_id,
                held,
                Head(order.version, order.digest),
                events,
                replaces,
                lambda: events_after(connection, order.sp_id, order.version),
            ):
                case "nothing":
                    return held.version
                case "goes_on":
                    events = tuple(e for e in events if e.seq > held.version)
                case "replaces":
                    delete_replaced(connection, snapshot)
            connection.execute(self._put_order, row)
            self._put_parts(connection, order, events)
            return order.version

        return await self._database.write(save)

    def _put_parts(self, connection: Connection, order: Order, events: Sequence[Recorded]) -> None:
        connection.execute(self._put_document, document_row(order))
        self._entries.write(connection, order)
        if order.deadlines:
            connection.execute(self._put_deadline, deadline_rows(order))
        if events:
            connection.execute(
                insert(timeline), [event_row(order.sp_id, recorded) for recorded in events]
            )
            if not is_erased(order):
                add_events(connection, order, events)
                add_person_events(connection, order, events)
            end_lost(connection, order, events)

    @asynccontextmanager
    async def locked(self, order: Order) -> AsyncIterator[Head | None]:
        """The head of an order in the records. Nobody else can write its row meanwhile, so work must be very short.

        None if it is not recorded, or if its customer's data were erased since `order` was read.
        """
        sp_id = order.sp_id
        found = select(orders.c.version, orders.c.digest).where(orders.c.sp_id == sp_id)
        async with self._database.writing() as connection:
            row = (await connection.execute(found.with_for_update())).one_or_none()
            erased = await connection.run_sync(is_recorded_as_erased, sp_id)
            yield Head(*row) if row is not None and erased == is_erased(order) else None

    async def head(self, sp_id: str) -> Head | None:
        """The head of an order in the records; None if it is not recorded."""
        found = select(orders.c.version, orders.c.digest).where(orders.c.sp_id == sp_id)
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        return Head(*row) if row is not None else None

    async def has(self, sp_id: str, version: int, digest: str) -> bool:
        """Whether the records hold an order in this version with this digest, or a later one: `heads.is_in`."""
        found = select(orders.c.version, orders.c.digest).where(orders.c.sp_id == sp_id)

        def has(connection: Connection) -> bool:
            row = connection.execute(found).one_or_none()
            head = Head(*row) if row is not None else None
            return is_in(head, version, digest, lambda: events_after(connection, sp_id, version))

        return await self._database.read(has)

    async def holds(self, snapshot: Snapshot) -> bool:
        """Whether the records hold exactly this order and, from the first of its events on, exactly these events."""
        order = snapshot.order
        stored = await self.get(order.sp_id)
        if stored is None or stored.order != order:
            return False
        first = snapshot.events[0].seq if snapshot.events else order.version + 1
        events = await self._database.read(
            lambda connection: events_after(connection, order.sp_id, first - 1)
        )
        return tuple(events) == snapshot.events

    async def get(self, sp_id: str) -> StoredOrder | None:
        """An order with its timeline, in the order of its events. None if there is no such order."""
        if not storable(sp_id):
            return None
        document = select(documents.c.document, documents.c.pinned).where(
            documents.c.sp_id == sp_id
        )

        def get(connection: Connection) -> StoredOrder | None:
            row = connection.execute(document).one_or_none()
            if row is None:
                return None
            events = events_after(connection, sp_id, 0)
            return StoredOrder(order_of(row.document, row.pinned), tuple(events))

        return await self._database.read(get, at_one_moment=True)

    async def page(
        self,
        which: OrderFilter,
        limit: int = 50,
        cursor: str | None = None,
        sort: Sort = "newest",
    ) -> Page:
        """At most `limit` orders of a list, after the cursor of the previous page.

        `newest` and `oldest` sort by time of placement. `urgent` sorts by the most urgent deadline (in a
        partner's own view, of the partner's deadlines), then orders without one, newest first. `best` sorts by how well
        an order fits `q`: first a field equals it, then a word begins with it, then the others; newest first in each.
        Over several pages an order is listed twice or missed only in an `urgent` list, if its deadline moves meanwhile.

        Raises:
            ValueError: it is not a cursor of this sort, or the limit is below 1.
        """
        if limit < 1:
            raise ValueError("expected a limit of 1 or more")
        position = decode_cursor(cursor, PARTS[sort]) if cursor is not None else None
        parts = PARTS[sort]
        if position is not None:
            parts = parts[parts.index(position.part) :]
        items: list[tuple[Order, str]] = []
        async with self._database.reading() as connection:
            for part in parts:
                after = position if position is not None and position.part == part else None
                found = part_query(which, part, after, limit + 1 - len(items))
                for at, sp_id, document, pinned in await connection.execute(found):
                    items.append(
                        (order_of(document, pinned), encode_cursor(Position(part, at, sp_id)))
                    )
                if len(items) > limit:
                    break
        return Page(
            tuple(order for order, _ in items[:limit]),
            items[limit - 1][1] if len(items) > limit else None,
        )

    async def first(self, which: OrderFilter, limit: int) -> Counted:
        """How many orders a list has, and the most urgent of them, from one statement, so that both agree."""
        rows = await self._database.read(
            lambda connection: connection.execute(first_query(which, limit)).all()
        )
        return Counted(
            rows[0].total if rows else 0,
            tuple(order_of(row.document, row.pinned) for row in rows),
        )

    async def counts(self, which: OrderFilter) -> dict[Status, int]:
        """How many orders of the filter are in each state. The filter's `status` is ignored.

        States without orders are left out; states that only a newer process knows come last.
        """
        which = which.model_copy(update={"status": None})
        partner_id = which.partner_id or which.assigned_to
        found = (
            select(orders.c.status, func.count())
            .where(*conditions(which))
            .group_by(orders.c.status)
        )
        is_of_all = which.overdue_at is None and which.q is None and which.person_id is None
        is_of_both = which.partner_id is not None and which.assigned_to is not None
        if is_of_all and not is_of_both and not self._database.is_sqlite:
            if partner_id is not None and not storable(partner_id):
                return {}
            found = counted(partner_id, only_visible=which.partner_id is not None)
        async with self._database.reading() as connection:
            counts: dict[str, int] = {
                status: int(number) for status, number in await connection.execute(found)
            }
        known = [status for status in Status if status in counts]
        newer = [Status(status) for status in counts if status not in set(Status)]
        return {status: counts[status] for status in (*known, *newer)}
