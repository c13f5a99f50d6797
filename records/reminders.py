"""Personal reminders: when a person wants to be reminded of an order. They are not part of the order."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, select

from domain.orders.placement import Placement
from records.assignments import is_assigned_to
from records.database import Database, storable
from records.order_rows import placement_in
from records.tables import documents, is_open, orders, reminders

KEPT = timedelta(days=30)
"""A reminder is deleted this long after it was due."""
_MOST = 20


class DueReminder(NamedTuple):
    """A reminder whose time has come, with the order that it is about."""

    due: datetime
    placement: Placement


class Reminders:
    """The reminders of all people, at most one for each person and order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, login_id: str, sp_id: str, due: datetime, now: datetime) -> None:
        """Set a person's reminder of an order, in place of an earlier one. Also deletes everybody's old reminders."""

        def write(connection: Connection) -> None:
            connection.execute(delete(reminders).where(_of(login_id, sp_id)))
            connection.execute(delete(reminders).where(reminders.c.due < now - KEPT))
            connection.execute(reminders.insert().values(login_id=login_id, sp_id=sp_id, due=due))

        await self._database.write(write)

    async def clear(self, login_id: str, sp_id: str) -> None:
        """Delete a person's reminder of an order, if there is one."""
        await self._database.write(
            lambda connection: connection.execute(delete(reminders).where(_of(login_id, sp_id)))
        )

    async def get(self, login_id: str, sp_id: str) -> datetime | None:
        """When a person wants to be reminded of an order; None if it has set no reminder."""
        found = select(reminders.c.due).where(_of(login_id, sp_id))
        return await self._database.read(
            lambda connection: connection.execute(found).scalar_one_or_none()
        )

    async def due(
        self, login_id: str, partner_id: str, now: datetime, person_id: str | None = None
    ) -> tuple[DueReminder, ...]:
        """A person's reminders whose time has come, of open orders that its partner has now, the earliest first.

        `person_id`: only of orders that are assigned to this person.
        """
        if not storable(partner_id):
            return ()
        found = (
            select(reminders.c.due, documents.c.document)
            .join(orders, orders.c.sp_id == reminders.c.sp_id)
            .join(documents, documents.c.sp_id == reminders.c.sp_id)
            .where(
                reminders.c.login_id == login_id,
                reminders.c.due <= now,
                orders.c.partner_id == partner_id,
                orders.c.visible,
                is_open,
                *([is_assigned_to(person_id)] if person_id is not None else []),
            )
            .order_by(reminders.c.due, reminders.c.sp_id)
            .limit(_MOST)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(DueReminder(due, placement_in(document)) for due, document in rows)


def _of(login_id: str, sp_id: str) -> ColumnElement[bool]:
    return (reminders.c.login_id == login_id) & (reminders.c.sp_id == sp_id)
