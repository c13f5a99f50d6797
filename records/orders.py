"""The read model of the orders: written by their workflows, read by lists, searches and single views."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, TypeAdapter
from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    false,
    func,
    insert,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from contracts.activities import Snapshot
from domain.calendar import Calendar
from domain.orders.deadlines import next_due
from domain.orders.events import Event, Recorded
from domain.orders.order import Order, Placement, Status
from domain.policy import Policy
from domain.values import Value
from records.columns import Instant
from records.cursors import Position, decode_cursor, encode_cursor
from records.database import Database, storable
from records.heads import Head, is_in, step
from records.tables import deadlines, documents, orders, timeline

Sort = Literal["newest", "urgent"]

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_Part = Literal["newest", "due", "rest"]
_PARTS: dict[Sort, tuple[_Part, ...]] = {"newest": ("newest",), "urgent": ("due", "rest")}


class OrderFilter(Value):
    """Which orders a list shows; conditions that are given must all hold.

    Attributes:
        partner_id: a partner's own view. It holds the orders that are this partner's now and were transmitted, and
            knows no deadline but the partner's.
        assigned_to: the orders of a partner as staff sees them, transmitted or not.
        status: orders in this state.
        overdue_at: orders with an open deadline that is due at this instant or was before.
        q: text that SP-ID, sales order, customer's name or place (postal code and town) contains, in upper or lower
            case. No character has a special meaning.
    """

    partner_id: str | None = None
    assigned_to: str | None = None
    status: Status | None = None
    overdue_at: AwareDatetime | None = None
    q: str | None = None


class StoredOrder(NamedTuple):
    """An order and its timeline so far, as the records hold them."""

    order: Order
    events: tuple[Recorded, ...]


class Page(NamedTuple):
    """A piece of a list, and the cursor that the next one begins with; None at the end."""

    items: tuple[Order, ...]
    next_cursor: str | None


class Orders:
    """Orders, their timeline and their deadlines."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
        deadline = upsert(deadlines)
        self._put_deadline = deadline.on_conflict_do_update(
            index_elements=[deadlines.c.sp_id, deadlines.c.seq],
            set_={name: deadline.excluded[name] for name in ("missed", "ended", "outcome")},
            where=deadlines.c.ended.is_(None),  # what has ended does not change any more
        )

    async def save(self, snapshot: Snapshot, *, replaces: Head | None = None) -> int:
        """Keep an order as it is, and its events. Returns the version that is kept now: this one or a newer one.

        Twice is once, and a late write of an earlier version changes nothing. `replaces`: the
        workflow was asked after the records held this, so what it says takes the place of that, if it is still there.

        Raises:
            Diverged: the records hold another life of the order than the one that is to be written (domain/digest.py).
            ValueError: the order was never placed.
        """
        order = snapshot.order
        row = order_row(order)
        head = (
            select(orders.c.version, orders.c.digest)
            .where(orders.c.sp_id == order.sp_id)
            .with_for_update()
        )

        def save(connection: Connection) -> int:
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
                lambda: _events_after(connection, order.sp_id, order.version),
            ):
                case "nothing":
                    return held.version
                case "goes_on":
                    events = tuple(e for e in events if e.seq > held.version)
                case "replaces":
                    _forget(connection, snapshot)
            connection.execute(self._put_order, row)
            self._put_parts(connection, order, events)
            return order.version

        return await self._database.write(save)

    def _put_parts(self, connection: Connection, order: Order, events: Sequence[Recorded]) -> None:
        connection.execute(self._put_document, document_row(order))
        if order.deadlines:
            connection.execute(self._put_deadline, deadline_rows(order))
        if events:
            connection.execute(
                insert(timeline), [_event_row(order.sp_id, recorded) for recorded in events]
            )

    async def head(self, sp_id: str) -> Head | None:
        """What the records hold of an order; None if they hold nothing."""
        found = select(orders.c.version, orders.c.digest).where(orders.c.sp_id == sp_id)
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        return Head(*row) if row is not None else None

    async def has(self, sp_id: str, version: int, digest: str) -> bool:
        """Whether the records hold an order with this version and digest, or what came after it: `heads.is_in`."""
        found = select(orders.c.version, orders.c.digest).where(orders.c.sp_id == sp_id)

        def has(connection: Connection) -> bool:
            row = connection.execute(found).one_or_none()
            head = Head(*row) if row is not None else None
            return is_in(head, version, digest, lambda: _events_after(connection, sp_id, version))

        return await self._database.read(has)

    async def holds(self, snapshot: Snapshot) -> bool:
        """Whether the records hold just this: the order as it is, and from the first of these events on no other."""
        order = snapshot.order
        stored = await self.get(order.sp_id)
        if stored is None or stored.order != order:
            return False
        first = snapshot.events[0].seq if snapshot.events else order.version + 1
        events = await self._database.read(
            lambda connection: _events_after(connection, order.sp_id, first - 1)
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
            events = _events_after(connection, sp_id, 0)
            return StoredOrder(_order(row.document, row.pinned), tuple(events))

        return await self._database.read(get, at_one_moment=True)

    async def page(
        self,
        which: OrderFilter,
        limit: int = 50,
        cursor: str | None = None,
        sort: Sort = "newest",
    ) -> Page:
        """At most `limit` orders of a list, from the cursor of the page before on.

        Sorted by `newest` (placed last comes first), or `urgent`: by the deadline that is due first (in a partner's own
        view, of the partner's), and those without one at the end, newest first. Orders that are placed or changed
        meanwhile make no other one appear twice or go missing, unless its own deadline moved in an `urgent` list.

        Raises:
            ValueError: a cursor that no page of this sort gave, or a limit below 1.
        """
        if limit < 1:
            raise ValueError("expected a limit of 1 or more")
        position = decode_cursor(cursor, _PARTS[sort]) if cursor is not None else None
        parts = _PARTS[sort]
        if position is not None:
            parts = parts[parts.index(position.part) :]
        items: list[tuple[Order, str]] = []
        async with self._database.reading() as connection:
            for part in parts:
                after = position if position is not None and position.part == part else None
                found = _piece(which, part, after, limit + 1 - len(items))
                for at, sp_id, document, pinned in await connection.execute(found):
                    items.append(
                        (_order(document, pinned), encode_cursor(Position(part, at, sp_id)))
                    )
                if len(items) > limit:
                    break
        return Page(
            tuple(order for order, _ in items[:limit]),
            items[limit - 1][1] if len(items) > limit else None,
        )

    async def counts(self, which: OrderFilter) -> dict[Status, int]:
        """How many orders each state has, of those that the filter shows whatever their state (its `status` is not
        looked at). States without orders are left out; those that only a newer process knows come last."""
        found = (
            select(orders.c.status, func.count())
            .where(*_conditions(which.model_copy(update={"status": None})))
            .group_by(orders.c.status)
        )
        async with self._database.reading() as connection:
            counted: dict[str, int] = dict((await connection.execute(found)).all())
        known = [status for status in Status if status in counted]
        newer = [Status(status) for status in counted if status not in set(Status)]
        return {status: counted[status] for status in (*known, *newer)}


def folded(text: str) -> str:
    """Text in which upper and lower case, and the ways to write one letter, are the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def searchable(placement: Placement) -> str:
    """What a search looks through: SP-ID, sales order, customer's name and place, one a line."""
    customer = placement.customer
    return folded(
        "\n".join(
            (
                placement.sp_id,
                placement.sales_order_id,
                customer.name,
                f"{customer.postal_code} {customer.city}",
            )
        )
    )


# --- rows --------------------------------------------------------------------------------------------------------


def order_row(order: Order) -> dict[str, Any]:
    """The order's row in `orders`. Raises `ValueError` for an order that was never placed."""
    if order.placed_at is None or order.changed_at is None:
        raise ValueError("an order is kept from its first event on")
    placement = order.intake.placement
    return {
        "sp_id": order.sp_id,
        "version": order.version,
        "digest": order.digest,
        "status": str(order.status),
        "partner_id": order.partner.partner_id,
        "visible": order.transmitted_at is not None,
        "placed_at": order.placed_at,
        "changed_at": order.changed_at,
        "next_due": next_due(order),
        "partner_due": next_due(order, "partner"),
        "sales_order_id": placement.sales_order_id,
        "executed_on": order.executed_on,
        "settlement_id": order.settlement_id,
        "search": searchable(placement),
    }


class _Pinned(Value):
    """What is pinned into an order, and is the same in the orders of one canton and day. It never gets other fields:
    an older process puts the order together from these."""

    policy: Policy
    calendar: Calendar
    first_calendar: Calendar | None  # the intake's, if it is another one


_PINNED: Any = {"calendar": True, "intake": {"policy": True, "calendar": True}}


def document_row(order: Order) -> dict[str, Any]:
    """The order's row in `documents`. What is pinned stands apart: reading it is most of the work, and done once."""
    first = order.intake.calendar
    pinned = _Pinned(
        policy=order.intake.policy,
        calendar=order.calendar,
        first_calendar=None if first == order.calendar else first,
    )
    return {
        "sp_id": order.sp_id,
        "document": order.model_dump_json(exclude=_PINNED),
        "pinned": pinned.model_dump_json(),
    }


def _order(document: str, pinned: str) -> Order:
    parts, order = _pinned(pinned), from_json(document)
    order["calendar"] = parts.calendar
    order["intake"]["policy"] = parts.policy
    order["intake"]["calendar"] = parts.first_calendar or parts.calendar
    return Order.model_validate(order)


class _Intake(BaseModel):
    placement: Placement


class _Document(BaseModel):
    intake: _Intake


def placement_in(document: str) -> Placement:
    """What was placed, of an order's row in `documents`; the rest is not looked at."""
    return _Document.model_validate_json(document).intake.placement


@lru_cache(maxsize=512)
def _pinned(text: str) -> _Pinned:
    return _Pinned.model_validate_json(text)


def _forget(connection: Connection, snapshot: Snapshot) -> None:
    """Delete the order's deadlines, and its timeline from the snapshot's first event on."""
    sp_id = snapshot.order.sp_id
    first = snapshot.events[0].seq if snapshot.events else snapshot.order.version + 1
    connection.execute(delete(timeline).where(timeline.c.sp_id == sp_id, timeline.c.seq >= first))
    connection.execute(delete(deadlines).where(deadlines.c.sp_id == sp_id))


def _events_after(connection: Connection, sp_id: str, version: int) -> list[Recorded]:
    rows = connection.execute(
        select(timeline.c.seq, timeline.c.at, timeline.c.by, timeline.c.data)
        .where(timeline.c.sp_id == sp_id, timeline.c.seq > version)
        .order_by(timeline.c.seq)
    )
    return [_recorded(*row) for row in rows]


def _recorded(seq: int, at: datetime, by: str, data: str) -> Recorded:
    return Recorded(seq=seq, at=at, by=by, event=_EVENT.validate_json(data))


def _event_row(sp_id: str, recorded: Recorded) -> dict[str, Any]:
    return {
        "sp_id": sp_id,
        "seq": recorded.seq,
        "at": recorded.at,
        "type": recorded.event.type,
        "by": recorded.by,
        "data": recorded.event.model_dump_json(),
    }


def deadline_rows(order: Order) -> list[dict[str, Any]]:
    """The order's rows in `deadlines`."""
    # By their place: an order's deadlines are only ever added to. Kind and start do not tell them apart: an
    # appointment that is moved and moved back starts the same deadline twice.
    return [
        {
            "sp_id": order.sp_id,
            "seq": seq,
            "kind": deadline.kind,
            "partner_id": deadline.partner_id,
            "started": deadline.started,
            "due": deadline.due,
            "excused_until": deadline.excused_until,
            "missed": deadline.missed,
            "ended": deadline.ended,
            "outcome": deadline.outcome,
        }
        for seq, deadline in enumerate(order.deadlines, start=1)
    ]


# --- lists -------------------------------------------------------------------------------------------------------


def _due_column(which: OrderFilter) -> ColumnElement[datetime | None]:
    return orders.c.next_due if which.partner_id is None else orders.c.partner_due


def _conditions(which: OrderFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if not all(storable(text) for text in (which.partner_id, which.assigned_to, which.q) if text):
        return [false()]
    if which.partner_id is not None:
        conditions += [orders.c.partner_id == which.partner_id, orders.c.visible]
    if which.assigned_to is not None:
        conditions.append(orders.c.partner_id == which.assigned_to)
    if which.status is not None:
        conditions.append(orders.c.status == str(which.status))
    if which.overdue_at is not None:
        conditions.append(_due_column(which) <= which.overdue_at)
    if which.q is not None and (wanted := folded(which.q).strip()):
        conditions.append(orders.c.search.contains(wanted, autoescape=True))
    return conditions


def _piece(
    which: OrderFilter, part: _Part, after: Position[_Part] | None, limit: int
) -> Select[datetime, str, str, str]:
    """A part of a list from a position on: what it is sorted by, SP-ID and documents of each order."""
    due = _due_column(which)
    at = due if part == "due" else orders.c.placed_at
    key = tuple_(at, orders.c.sp_id)
    keys = select(at.label("at"), orders.c.sp_id).where(*_conditions(which)).limit(limit)
    if part == "rest":
        keys = keys.where(due.is_(None))
    if part == "due":
        keys = keys.where(due.is_not(None)).order_by(at, orders.c.sp_id)
    else:
        keys = keys.order_by(at.desc(), orders.c.sp_id.desc())
    if after is not None:
        place = tuple_(literal(after.at, Instant), literal(after.key))
        keys = keys.where(key > place if part == "due" else key < place)
    # The documents of these alone. A join need not keep the order.
    listed = keys.subquery()
    again = (listed.c.at, listed.c.sp_id)
    return (
        select(listed.c.at, listed.c.sp_id, documents.c.document, documents.c.pinned)
        .join(documents, documents.c.sp_id == listed.c.sp_id)
        .order_by(*(again if part == "due" else (column.desc() for column in again)))
    )
