"""Pending mails to single people of partners. A row is added in the transaction that stores its cause.

A row holds no text: the contents of a mail, and whether they are still true, are read when it is sent.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.orders.events import (
    AppointmentMoved,
    AppointmentSet,
    Cancelled,
    Declined,
    Reassigned,
    Recorded,
    Transmitted,
    Unassigned,
)
from domain.orders.order import Order
from domain.people import Notification, wanted
from records.database import Database
from records.endings import has_not_ended
from records.tables import order_assignments, orders, person_mails, users

PERSON = "person"
"""The audience of these mails."""
COLLECTED = timedelta(minutes=2)
"""How long a mail about assigned orders waits for further ones after the first."""
CHANGES = (AppointmentSet, AppointmentMoved, Cancelled, Declined, Unassigned, Reassigned)
"""The events of an order of which its person is notified."""


class PersonMail(NamedTuple):
    """A mail that is to be sent to a person.

    `sp_id`: the order that it is about; None: several. `seq`: the event that it is about, or None. `day`: the day of a
    morning mail. `asked_at`: when it was caused. `next_attempt_at`: when it is due, or until when it is leased.
    """

    key: str
    kind: Notification
    user_id: str
    sp_id: str | None
    seq: int | None
    day: date | None
    asked_at: datetime
    next_attempt_at: datetime


def add_assigned(connection: Connection, user_id: str, now: datetime, by: str) -> datetime:
    """Add a newly assigned order to its person's pending mail, or to a new mail.

    Returns the instant of the assignment, by which the mail finds the order. The caller's transaction has locked the
    person's row. `by`: the login that assigns; people get no mail about what they did themselves.
    """
    if by == user_id or not _wants(connection, user_id, "assigned"):
        return now
    begun: datetime | None = connection.execute(
        select(person_mails.c.asked_at)
        .where(
            person_mails.c.user_id == user_id,
            person_mails.c.kind == "assigned",
            person_mails.c.asked_at > now - COLLECTED,
        )
        .order_by(person_mails.c.asked_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    if begun is not None:
        return max(now, begun)
    key = f"assigned/{user_id}/{now.isoformat()}"
    _add(connection, key, "assigned", user_id, now, due=now + COLLECTED)
    return now


def add_taken(connection: Connection, sp_id: str, user_id: str, now: datetime, by: str) -> None:
    """Add the mail to a person whose order its office gave to somebody else, or to nobody."""
    if by != user_id and _wants(connection, user_id, "changes"):
        key = f"taken/{sp_id}/{user_id}/{now.isoformat()}"
        _add(connection, key, "changes", user_id, now, sp_id=sp_id)


def add_person_events(connection: Connection, order: Order, events: Iterable[Recorded]) -> None:
    """Add the mails to people that follow from these new events, in the transaction that stores them.

    The assignment of the order must not be ended yet. A person gets no mail about an event that it caused itself.
    """
    for recorded in events:
        event, sp_id = recorded.event, order.sp_id
        kind: Notification
        if isinstance(event, Transmitted):
            kind = "new_orders"
            people = _people(connection, users.c.partner_id == event.partner_id)
        elif isinstance(event, CHANGES):
            kind = "changes"
            whose = exists().where(
                order_assignments.c.user_id == users.c.user_id,
                order_assignments.c.sp_id == sp_id,
                order_assignments.c.assigned_at <= recorded.at,
            )
            people = _people(connection, whose)
        else:
            continue
        for each in people:
            if kind in _wanted(each) and each.name != recorded.person:
                key = f"{kind}/{sp_id}/{recorded.seq}/{each.user_id}"
                _add(
                    connection, key, kind, each.user_id, recorded.at, sp_id=sp_id, seq=recorded.seq
                )


class PersonMailQueue:
    """The mails to people that are still to be sent. Several processes may share the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, limit: int) -> tuple[PersonMail, ...]:
        """The mails whose next attempt is due, the longest waiting first."""
        found = (
            select(*(person_mails.c[name] for name in PersonMail._fields))
            .where(person_mails.c.next_attempt_at <= now)
            .order_by(person_mails.c.next_attempt_at, person_mails.c.key)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(PersonMail(*row) for row in rows)

    async def try_next(self, mail: PersonMail, at: datetime | None) -> bool:
        """Set when a mail is tried next; None: it is done. False if another process has leased it."""
        here = (
            person_mails.c.key == mail.key,
            person_mails.c.next_attempt_at == mail.next_attempt_at,
        )
        changed: Any = (
            delete(person_mails).where(*here)
            if at is None
            else update(person_mails).where(*here).values(next_attempt_at=at)
        )
        return await self._database.write(
            lambda connection: connection.execute(changed).rowcount == 1
        )

    async def add_morning(
        self,
        kind: Literal["today", "digest"],
        day: date,
        start: datetime,
        end: datetime,
        now: datetime,
    ) -> int:
        """Add the morning mails of a day (from `start` to `end`) for the people who want one and have something to do.

        Returns how many. Repeating it sends nothing twice, because the keys of the mails name person and day.
        """
        visible = (orders.c.partner_id == users.c.partner_id, orders.c.visible)
        has_visit = exists().where(
            order_assignments.c.user_id == users.c.user_id,
            order_assignments.c.sp_id == orders.c.sp_id,
            *visible,
            orders.c.appointment_start >= start,
            orders.c.appointment_start < end,
        )
        has_work = exists().where(*visible, orders.c.partner_due.is_not(None))
        chosen = users.c.notifications.contains(kind)

        def add(connection: Connection) -> int:
            people = _people(connection, chosen, has_visit if kind == "today" else has_work)
            for each in (those := [each for each in people if kind in _wanted(each)]):
                key = f"{kind}/{each.user_id}/{day}"
                _add(connection, key, kind, each.user_id, now, day=day)
            return len(those)

        return await self._database.write(add)

    async def assigned_between(self, user_id: str, start: datetime, end: datetime) -> Sequence[str]:
        """The orders that a person still has and that were assigned to it from `start` to before `end`."""
        return await self._sp_ids(
            user_id,
            order_assignments.c.assigned_at >= start,
            order_assignments.c.assigned_at < end,
        )

    async def visits_between(self, user_id: str, start: datetime, end: datetime) -> Sequence[str]:
        """The orders of a person whose appointment begins from `start` to before `end`, the earliest first."""
        return await self._sp_ids(
            user_id, orders.c.appointment_start >= start, orders.c.appointment_start < end
        )

    async def _sp_ids(self, user_id: str, *where: ColumnElement[bool]) -> Sequence[str]:
        found = (
            select(orders.c.sp_id)
            .join(order_assignments, order_assignments.c.sp_id == orders.c.sp_id)
            .where(
                order_assignments.c.user_id == user_id,
                order_assignments.c.partner_id == orders.c.partner_id,
                orders.c.visible,
                *where,
            )
            .order_by(orders.c.appointment_start, orders.c.sp_id)
        )
        return await self._database.read(
            lambda connection: connection.execute(found).scalars().all()
        )


def delete_person_mails(connection: Connection, sp_id: str) -> None:
    """Delete the pending mails about an order, in the caller's transaction."""
    connection.execute(delete(person_mails).where(person_mails.c.sp_id == sp_id))


def _people(connection: Connection, *where: ColumnElement[bool]) -> Sequence[Any]:
    """The people of partners who can log in, locked against removal until the transaction ends."""
    found = (
        select(users.c.user_id, users.c.name, users.c.partner_role, users.c.notifications)
        .where(
            users.c.partner_id.is_not(None),
            users.c.password_hash.is_not(None),
            has_not_ended(users.c.partner_id),
            *where,
        )
        .order_by(users.c.user_id)
        .with_for_update(read=True, key_share=True)
    )
    return connection.execute(found).all()


def _wanted(row: Any) -> tuple[Notification, ...]:
    chosen = None if row.notifications is None else row.notifications.split()
    return wanted(row.partner_role or "office", chosen)


def _wants(connection: Connection, user_id: str, kind: Notification) -> bool:
    return any(kind in _wanted(row) for row in _people(connection, users.c.user_id == user_id))


def _add(
    connection: Connection,
    key: str,
    kind: Notification,
    user_id: str,
    now: datetime,
    *,
    due: datetime | None = None,
    sp_id: str | None = None,
    seq: int | None = None,
    day: date | None = None,
) -> None:
    """Add a mail, unless it waits already."""
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = PersonMail(key, kind, user_id, sp_id, seq, day, now, due or now)
    connection.execute(upsert(person_mails).values(**row._asdict()).on_conflict_do_nothing())
