"""The people of partners: their roles and notifications, and what they have to do."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, or_, select, update

from domain.people import Notification, PartnerRole
from records.database import Database, storable, to_the_end
from records.tables import is_open, order_assignments, orders, users

MOST_PEOPLE = 200
"""How many people a partner can have."""


class LastOffice(Exception):
    """A partner would have nobody left in its office who can log in."""


class PeopleRecords:
    """The people of partners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @to_the_end
    async def change(
        self,
        partner_id: str,
        user_id: str,
        role: PartnerRole | None,
        notifications: Iterable[Notification] | None,
    ) -> bool:
        """Set a person's role and notifications; None: as before. False if the partner has no such person.

        Raises:
            LastOffice: the partner would have nobody left in its office.
        """
        changes: dict[str, str] = {}
        if role is not None:
            changes["partner_role"] = role
        if notifications is not None:
            changes["notifications"] = " ".join(notifications)
        theirs = (users.c.user_id == user_id, users.c.partner_id == partner_id)

        def change(connection: Connection) -> bool:
            if role == "technician":
                keep_office(connection, partner_id, user_id)
            there = select(users.c.user_id).where(*theirs)
            if connection.execute(there).one_or_none() is None:
                return False
            if changes:
                connection.execute(update(users).where(*theirs).values(**changes))
            return True

        return storable(user_id) and await self._database.write(change)

    async def count(self, partner_id: str) -> int:
        """How many people a partner has."""
        found = select(func.count()).select_from(users).where(users.c.partner_id == partner_id)
        return await self._database.read(lambda connection: connection.execute(found).scalar_one())

    async def open_orders(self, partner_id: str) -> Mapping[str, int]:
        """How many open orders each person of a partner has; people without any are left out."""
        found = (
            select(order_assignments.c.user_id, func.count())
            .join(orders, orders.c.sp_id == order_assignments.c.sp_id)
            .where(
                order_assignments.c.partner_id == partner_id,
                orders.c.partner_id == partner_id,
                orders.c.visible,
                is_open,
            )
            .group_by(order_assignments.c.user_id)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return {row.user_id: row[1] for row in rows}


def keep_office(connection: Connection, partner_id: str, without: str) -> None:
    """Check that a partner has somebody in its office who can log in, without this person.

    Until the transaction ends nobody else can remove these people, or change their roles.

    Raises:
        LastOffice: the partner has nobody else.
    """
    office = (
        select(users.c.user_id, users.c.password_hash)
        .where(
            users.c.partner_id == partner_id,
            or_(users.c.partner_role == "office", users.c.partner_role.is_(None)),
        )
        .order_by(users.c.user_id)  # one order, to avoid a deadlock of two transactions
        .with_for_update()
    )
    rows = connection.execute(office).all()
    can_log_in = {row.user_id for row in rows if row.password_hash is not None}
    if can_log_in == {without}:
        raise LastOffice(partner_id)
