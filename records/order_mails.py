"""The events of orders from which mails may follow. A row is added with its event, and deleted when its mails are sent.

A row holds only the event's number. The contents of the mails are read from the order when they are sent.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from domain.orders.events import Recorded
from domain.orders.order import Order
from domain.orders.recorded_mails import Occasion, occasions
from records.database import Database
from records.tables import order_mails


class DueEvent(NamedTuple):
    """An event whose mails are to be sent. `next_attempt_at`: when it was due, or until when it is leased."""

    sp_id: str
    seq: int
    occasion: Occasion
    asked_at: datetime
    next_attempt_at: datetime


def add_events(connection: Connection, order: Order, events: Iterable[Recorded]) -> None:
    """Add those of an order's new events that mails may follow from, in the transaction that stores them."""
    for recorded in events:
        add_occasions(connection, order.sp_id, recorded.seq, occasions(order, recorded))


def add_occasions(
    connection: Connection, sp_id: str, seq: int, found: Mapping[Occasion, datetime]
) -> None:
    """Add the occasions of an event, each with its instant, in the transaction of the caller."""
    for occasion, at in found.items():
        row = {"sp_id": sp_id, "seq": seq, "occasion": occasion}
        # A history that replaces another one may have an event with the same number.
        connection.execute(delete(order_mails).filter_by(**row))
        connection.execute(insert(order_mails).values(**row, asked_at=at, next_attempt_at=at))


def delete_events(connection: Connection, sp_id: str) -> None:
    """Delete the pending rows of an order, in the caller's transaction."""
    connection.execute(delete(order_mails).where(order_mails.c.sp_id == sp_id))


class OrderMailRows:
    """The events that wait for their mails. Several processes may share the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, limit: int) -> tuple[DueEvent, ...]:
        """Events whose next attempt is due, the oldest first."""
        found = (
            select(*order_mails.c)
            .where(order_mails.c.next_attempt_at <= now)
            .order_by(order_mails.c.asked_at, order_mails.c.sp_id, order_mails.c.seq)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(DueEvent(*row) for row in rows)

    async def try_next(self, event: DueEvent, at: datetime | None) -> bool:
        """Set when an event's mails are tried next; None: they are done. False if another process has leased it."""
        here = (
            order_mails.c.sp_id == event.sp_id,
            order_mails.c.seq == event.seq,
            order_mails.c.occasion == event.occasion,
            order_mails.c.next_attempt_at == event.next_attempt_at,
        )
        changed = (
            delete(order_mails).where(*here)
            if at is None
            else update(order_mails).where(*here).values(next_attempt_at=at)
        )
        return await self._database.write(
            lambda connection: connection.execute(changed).rowcount == 1
        )
