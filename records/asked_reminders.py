"""Reminders that operations ask for: mails to partners, each with the orders that it is about."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from records.database import Database
from records.tables import asked_reminder_orders, asked_reminders, orders


class AskedReminder(NamedTuple):
    """A reminder that is to be sent, under the key of its mail."""

    key: str
    partner_id: str
    asked_by: str
    asked_at: datetime
    next_attempt_at: datetime
    sp_ids: tuple[str, ...]


class AskedReminders:
    """The reminders that operations have asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(
        self,
        key: str,
        partner_id: str,
        sp_ids: Collection[str],
        by: str,
        now: datetime,
        not_since: datetime,
    ) -> dict[str, datetime]:
        """Ask for one reminder of several orders. Those that were asked for at `not_since` or later are left out.

        Returns the orders left out, with the last time of each. Idempotent: a key that was used before changes nothing,
        and its own orders do not count as asked for.
        """
        last = (
            select(asked_reminder_orders.c.sp_id, func.max(asked_reminder_orders.c.asked_at))
            .where(
                asked_reminder_orders.c.sp_id.in_(sp_ids),
                asked_reminder_orders.c.asked_at >= not_since,
                asked_reminder_orders.c.key != key,
            )
            .group_by(asked_reminder_orders.c.sp_id)
        )
        # The lock lets two people who ask at once wait for each other; SQLite has one writer anyway.
        lock = (
            select(orders.c.sp_id)
            .where(orders.c.sp_id.in_(sp_ids))
            .order_by(orders.c.sp_id)
            .with_for_update()
        )
        known = select(asked_reminder_orders.c.sp_id).where(asked_reminder_orders.c.key == key)

        def ask(connection: Connection) -> dict[str, datetime]:
            connection.execute(lock)
            earlier: dict[str, datetime] = dict(connection.execute(last).all())
            before = set(connection.execute(known).scalars())
            if before:
                return {sp_id: at for sp_id, at in earlier.items() if sp_id not in before}
            asked = [sp_id for sp_id in sp_ids if sp_id not in earlier]
            if asked:
                reminder = {
                    "key": key,
                    "partner_id": partner_id,
                    "asked_by": by,
                    "asked_at": now,
                    "next_attempt_at": now,
                }
                connection.execute(insert(asked_reminders), reminder)
                connection.execute(
                    insert(asked_reminder_orders),
                    [{"key": key, "sp_id": sp_id, "asked_at": now} for sp_id in asked],
                )
            return earlier

        return await self._database.write(ask)

    async def due(self, now: datetime, limit: int) -> tuple[AskedReminder, ...]:
        """Reminders whose next attempt is due, in the order in which they were asked for."""
        columns = [asked_reminders.c[name] for name in AskedReminder._fields if name != "sp_ids"]
        found = (
            select(*columns)
            .where(asked_reminders.c.next_attempt_at <= now)
            .order_by(asked_reminders.c.asked_at, asked_reminders.c.key)
            .limit(limit)
        )

        def read(connection: Connection) -> tuple[AskedReminder, ...]:
            rows: Sequence[tuple[str, str, str, datetime, datetime]]
            rows = [tuple(row) for row in connection.execute(found)]
            return tuple(AskedReminder(*row, _orders_of(connection, row[0])) for row in rows)

        return await self._database.read(read)

    async def try_next(self, reminder: AskedReminder, at: datetime | None) -> bool:
        """Set when a reminder is tried next; None: never. False if another process has done so meanwhile."""
        changed = (
            update(asked_reminders)
            .where(
                asked_reminders.c.key == reminder.key,
                asked_reminders.c.next_attempt_at == reminder.next_attempt_at,
            )
            .values(next_attempt_at=at)
        )
        return await self._database.write(
            lambda connection: connection.execute(changed).rowcount == 1
        )


def _orders_of(connection: Connection, key: str) -> tuple[str, ...]:
    found = (
        select(asked_reminder_orders.c.sp_id)
        .where(asked_reminder_orders.c.key == key)
        .order_by(asked_reminder_orders.c.sp_id)
    )
    return tuple(connection.execute(found).scalars())
