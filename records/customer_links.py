"""Customers' links to their orders, stored as hashes, and their wishes for another day."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, insert, select, update

from domain.orders.another_day import Wish, is_open
from domain.orders.order import Order
from records.assignments import is_assigned_to
from records.database import Database, storable
from records.order_mails import add_occasions
from records.order_rows import order_of
from records.tables import customer_links, customer_wishes, documents, erasures, orders

VALID = timedelta(days=180)
"""How long a link works. Each mail has a link of its own."""
_MOST = 50


class OpenWish(NamedTuple):
    """A wish that still waits for its answer, with its order."""

    wish: Wish
    order: Order


class CustomerLinks:
    """The links of all orders, and at most one wish for each order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, hashed: str, sp_id: str, now: datetime) -> None:
        """Add a link to an order, and delete expired ones."""

        def write(connection: Connection) -> None:
            old = customer_links.c.made_at < now - VALID
            connection.execute(delete(customer_links).where(old))
            row = {"hash": hashed, "sp_id": sp_id, "made_at": now}
            connection.execute(insert(customer_links).values(**row))

        await self._database.write(write)

    async def order_behind(self, hashed: str, now: datetime) -> str | None:
        """The SP-ID that a link leads to; None if it does not work (any more)."""
        found = select(customer_links.c.sp_id).where(
            customer_links.c.hash == hashed, customer_links.c.made_at >= now - VALID
        )
        return await self._database.read(
            lambda connection: connection.execute(found).scalar_one_or_none()
        )

    async def has_links(self, sp_id: str) -> bool:
        """Whether an order has a link."""
        found = select(customer_links.c.hash).where(customer_links.c.sp_id == sp_id).limit(1)
        return await self._database.read(
            lambda connection: connection.execute(found).first() is not None
        )

    async def revoke(self, sp_id: str) -> None:
        """Delete all links to an order."""
        gone = delete(customer_links).where(customer_links.c.sp_id == sp_id)
        await self._database.write(lambda connection: connection.execute(gone))

    async def ask(self, wish: Wish, order: Order, now: datetime) -> bool:
        """Store a wish, with what its mails need.

        False, and nothing changes, if an earlier one is still open, or the customer's data are erased.
        """
        mine = customer_wishes.c.sp_id == wish.sp_id
        erased = select(exists().where(erasures.c.sp_id == wish.sp_id))

        def write(connection: Connection) -> bool:
            # The lock lets two calls at once wait for each other, and for an erasure.
            connection.execute(
                select(orders.c.sp_id).where(orders.c.sp_id == wish.sp_id).with_for_update()
            )
            if connection.execute(erased).scalar_one():  # erased since the page was opened
                return False
            held = connection.execute(select(customer_wishes).where(mine)).one_or_none()
            if held is not None and is_open(Wish.model_validate(held._asdict()), order, now):
                return False
            connection.execute(delete(customer_wishes).where(mine))
            connection.execute(insert(customer_wishes).values(**dict(wish)))
            add_occasions(
                connection,
                wish.sp_id,
                order.version,
                {"another_day": now, "another_day_late": wish.due},
            )
            return True

        return await self._database.write(write)

    async def wish(self, sp_id: str) -> Wish | None:
        """The last wish of an order's customer."""
        found = select(customer_wishes).where(customer_wishes.c.sp_id == sp_id)
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        return Wish.model_validate(row._asdict()) if row is not None else None

    async def answered(self, sp_id: str, now: datetime) -> None:
        """Record that the partner has answered the wish of an order's customer."""
        changed = (
            update(customer_wishes)
            .where(customer_wishes.c.sp_id == sp_id, customer_wishes.c.done_at.is_(None))
            .values(done_at=now)
        )
        await self._database.write(lambda connection: connection.execute(changed))

    async def open_of(
        self, partner_id: str, now: datetime, person_id: str | None = None
    ) -> tuple[OpenWish, ...]:
        """The open wishes about a partner's orders, the most urgent first. `person_id`: only orders of this person."""
        if not storable(partner_id):
            return ()
        found = (
            select(customer_wishes, documents.c.document, documents.c.pinned)
            .join(orders, orders.c.sp_id == customer_wishes.c.sp_id)
            .join(documents, documents.c.sp_id == customer_wishes.c.sp_id)
            .where(
                customer_wishes.c.done_at.is_(None),
                orders.c.partner_id == partner_id,
                orders.c.visible,
                orders.c.appointment_end > now,
                *([is_assigned_to(person_id)] if person_id is not None else []),
            )
            .order_by(customer_wishes.c.due, customer_wishes.c.sp_id)
            .limit(_MOST)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        wishes = (
            OpenWish(Wish.model_validate(row._asdict()), order_of(row.document, row.pinned))
            for row in rows
        )
        return tuple(each for each in wishes if is_open(each.wish, each.order, now))


def delete_customer_rows(connection: Connection, sp_id: str) -> None:
    """Delete an order's links and wish, in the transaction of the caller."""
    for table in (customer_links, customer_wishes):
        connection.execute(delete(table).where(table.c.sp_id == sp_id))
