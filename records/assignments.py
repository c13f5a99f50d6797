"""Assignments: the person of a partner that an order is assigned to.

An assignment holds while the partner that made it has the order and sees it. It ends with the login of the person.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.orders.events import Declined, Reassigned, Recorded, Unassigned
from domain.orders.order import Order, Status
from records.database import Database, chunks, storable
from records.person_mails import add_assigned, add_taken
from records.tables import order_assignments, orders, users

NOBODY = ""
"""In filters: the orders that are assigned to no person."""

_LOST = (Declined, Unassigned, Reassigned)
_holds = and_(
    order_assignments.c.sp_id == orders.c.sp_id,
    order_assignments.c.partner_id == orders.c.partner_id,
    orders.c.visible,
)
# Built once, as it is read with each order that is shown.
_ASSIGNED = (
    select(order_assignments.c.sp_id, users.c.user_id, users.c.name)
    .join(orders, _holds)
    .join(users, users.c.user_id == order_assignments.c.user_id)
    .where(order_assignments.c.sp_id.in_(bindparam("sp_ids", expanding=True)))
)


class Assigned(NamedTuple):
    """The person that an order is assigned to."""

    user_id: str
    name: str


class Assignment(NamedTuple):
    """An assignment of an order to a person of a partner."""

    sp_id: str
    partner_id: str
    user_id: str
    assigned_by: str
    assigned_at: datetime


Outcome = Literal["assigned", "unchanged", "lost", "unknown_user"]
"""`unchanged`: it was assigned to this person already. `lost`: the partner does not have the order (any more).
`unknown_user`: the partner has no such person (any more)."""


def is_assigned_to(user_id: str) -> ColumnElement[bool]:
    """Whether a row of `orders` is assigned to this person, or to nobody (`NOBODY`)."""
    held = exists().where(_holds).correlate(orders)
    if user_id == NOBODY:
        return ~held
    return held.where(order_assignments.c.user_id == user_id)


class Assignments:
    """The assignments of orders."""

    def __init__(self, database: Database) -> None:
        self._database = database
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        row = upsert(order_assignments)
        changing = ("partner_id", "user_id", "assigned_by", "assigned_at")
        self._put = row.on_conflict_do_update(
            index_elements=[order_assignments.c.sp_id],
            set_={name: row.excluded[name] for name in changing},
        )

    async def of(self, sp_ids: Collection[str]) -> Mapping[str, Assigned]:
        """The person of each of these orders; orders that nobody has are left out."""

        def read(connection: Connection) -> dict[str, Assigned]:
            found: dict[str, Assigned] = {}
            for some in chunks({each for each in sp_ids if storable(each)}):
                rows = connection.execute(_ASSIGNED, {"sp_ids": some})
                found |= {row.sp_id: Assigned(*row[1:]) for row in rows}
            return found

        return await self._database.read(read) if sp_ids else {}

    async def person_of(self, sp_id: str) -> str | None:
        """The id of the person that an order is assigned to; None if nobody has it."""
        found = (await self.of([sp_id])).get(sp_id)
        return found.user_id if found is not None else None

    async def assign(self, wanted: Assignment) -> Outcome:
        """Assign an order to a person of the partner that has it. Repeating it changes nothing."""
        order = (
            select(orders.c.sp_id)
            .where(
                orders.c.sp_id == wanted.sp_id,
                orders.c.partner_id == wanted.partner_id,
                orders.c.visible,
            )
            .with_for_update()  # a write of the order by which the partner loses it waits, and ends the assignment
        )
        person = (
            select(users.c.user_id)
            .where(users.c.user_id == wanted.user_id, users.c.partner_id == wanted.partner_id)
            # The removal of the person waits, and ends the assignment. Other assignments to it wait (`add_assigned`).
            .with_for_update(key_share=True)
        )
        present = select(order_assignments.c.user_id).where(
            order_assignments.c.sp_id == wanted.sp_id,
            order_assignments.c.partner_id == wanted.partner_id,
        )

        def assign(connection: Connection) -> Outcome:
            if connection.execute(order).one_or_none() is None:
                return "lost"
            if connection.execute(person).one_or_none() is None:
                return "unknown_user"
            former = connection.execute(present).scalar_one_or_none()
            if former == wanted.user_id:
                return "unchanged"
            by, now = wanted.assigned_by, wanted.assigned_at
            if former is not None:
                add_taken(connection, wanted.sp_id, former, now, by)
            at = add_assigned(connection, wanted.user_id, now, by)
            connection.execute(self._put, wanted._replace(assigned_at=at)._asdict())
            return "assigned"

        if not all(map(storable, (wanted.sp_id, wanted.partner_id, wanted.user_id))):
            return "unknown_user"
        return await self._database.write(assign)

    async def clear(self, sp_id: str, partner_id: str, by: str, now: datetime) -> None:
        """End the assignment that this partner made of an order, if there is one. `by`: the login that does it."""
        if not storable(sp_id):
            return
        which = (order_assignments.c.sp_id == sp_id, order_assignments.c.partner_id == partner_id)
        row = select(orders.c.sp_id).where(orders.c.sp_id == sp_id).with_for_update()

        def clear(connection: Connection) -> None:
            connection.execute(row)  # the lock: new assignments and writes of the order wait
            person = select(order_assignments.c.user_id).where(*which)
            former = connection.execute(person).scalar_one_or_none()
            if former is not None:
                add_taken(connection, sp_id, former, now, by)
                connection.execute(delete(order_assignments).where(*which))

        await self._database.write(clear)


def end_lost(connection: Connection, order: Order, events: Iterable[Recorded]) -> None:
    """End the assignment of an order that its partner has lost, in the transaction that stores these new events.

    An order that comes back to its former partner is assigned to nobody, too.
    """
    lost_at = max((each.at for each in events if isinstance(each.event, _LOST)), default=None)
    if lost_at is None:
        return
    before = or_(
        order_assignments.c.assigned_at <= lost_at,
        order_assignments.c.partner_id != order.partner.partner_id,
    )
    which = [order_assignments.c.sp_id == order.sp_id]
    if order.status is not Status.UNASSIGNED:
        which.append(before)
    connection.execute(delete(order_assignments).where(*which))
