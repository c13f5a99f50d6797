"""The table of security events: who tried to get in, what was changed about access, what was refused."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, delete, or_, select

from records.cursors import Position, decode_cursor, encode_cursor
from records.database import Database
from records.tables import security_events, tokens, users

_PART = "events"


class SecurityEvent(NamedTuple):
    """Something that concerns access. `account`, `address` and `network` are pseudonyms, or empty.

    `about` is the id of what it is about, or empty.
    """

    event_id: str
    at: datetime
    kind: str
    outcome: str
    account: str
    address: str
    network: str
    about: str
    request_id: str


class EventFilter(NamedTuple):
    """Which events to list. None means all. `accounts` are pseudonyms; `until` is not included."""

    kind: str | None = None
    accounts: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


class EventPage(NamedTuple):
    """A page of events, the newest first, and the cursor of the next one; None on the last."""

    items: tuple[SecurityEvent, ...]
    next_cursor: str | None


class LoginName(NamedTuple):
    """The id and the name of a login or token, and a login's e-mail address."""

    login_id: str
    name: str
    email: str | None


class SecurityEvents:
    """The security events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, events: Sequence[SecurityEvent]) -> None:
        """Store events."""
        rows = [event._asdict() for event in events]
        await self._database.write(
            lambda connection: connection.execute(security_events.insert(), rows)
        )

    async def page(
        self, which: EventFilter, limit: int = 50, cursor: str | None = None
    ) -> EventPage:
        """A page of at most `limit` events. Raises `ValueError`: it is not a cursor of this list."""
        table = security_events.c
        wanted = []
        if which.kind is not None:
            wanted.append(table.kind == which.kind)
        if which.accounts is not None:
            wanted.append(table.account.in_(sorted(which.accounts)))
        if which.since is not None:
            wanted.append(table.at >= which.since)
        if which.until is not None:
            wanted.append(table.at < which.until)
        if cursor is not None:
            _, at, key = decode_cursor(cursor, (_PART,))
            wanted.append(or_(table.at < at, and_(table.at == at, table.event_id < key)))
        query = (
            select(security_events)
            .where(*wanted)
            .order_by(table.at.desc(), table.event_id.desc())
            .limit(limit + 1)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        items = tuple(SecurityEvent(**row._mapping) for row in rows[:limit])
        more = len(rows) > limit
        last = encode_cursor(Position(_PART, items[-1].at, items[-1].event_id)) if more else None
        return EventPage(items, last)

    async def names(self) -> tuple[LoginName, ...]:
        """All logins and tokens that there are, to name those behind pseudonyms."""
        of_users = select(users.c.user_id, users.c.name, users.c.email)
        of_tokens = select(tokens.c.token_id, tokens.c.name)
        found = await self._database.read(
            lambda connection: (
                [LoginName(*row) for row in connection.execute(of_users)]
                + [LoginName(*row, None) for row in connection.execute(of_tokens)]
            )
        )
        return tuple(found)

    async def delete_older_than(self, instant: datetime) -> int:
        """Delete the events before this instant. Returns how many."""
        old = delete(security_events).where(security_events.c.at < instant)
        return await self._database.write(lambda connection: connection.execute(old).rowcount)
