"""The calendar subscriptions of partners' people. Only a hash of the secret in an address is stored."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.people import PartnerRole
from domain.values import Language
from records.account_notices import tell_user
from records.database import Database
from records.endings import has_not_ended
from records.tables import calendar_feeds, partners, users

UNREAD = timedelta(days=90)
"""A subscription ends when nobody has read it for this long: a stranger who reads it later would go unnoticed."""
_NOTED = timedelta(hours=1)


class Feed(NamedTuple):
    """A person's subscription. `everybody`: with the visits of the whole firm. `last_read_at`: None if never."""

    everybody: bool
    made_at: datetime
    last_read_at: datetime | None


class Subscriber(NamedTuple):
    """The person whose calendar an address leads to. `content`: a hash of what was read last, new at `changed_at`."""

    user_id: str
    name: str
    language: Language
    partner_id: str
    partner_name: str
    partner_role: PartnerRole
    everybody: bool
    last_read_at: datetime
    content: str
    changed_at: datetime


class CalendarFeeds:
    """The subscriptions: at most one for each person."""

    def __init__(self, database: Database) -> None:
        self._database = database
        put = (sqlite.insert if database.is_sqlite else postgresql.insert)(calendar_feeds)
        self._put = put.on_conflict_do_update(
            index_elements=[calendar_feeds.c.user_id],
            set_={c.name: put.excluded[c.name] for c in calendar_feeds.c if c.name != "user_id"},
        )

    async def put(self, user_id: str, secret_hash: str, everybody: bool, now: datetime) -> bool:
        """Make a subscription, which replaces the person's former one, and store a notice to the person.

        False if no partner has such a person.
        """
        person = (
            select(users.c.user_id)
            .where(users.c.user_id == user_id, users.c.partner_id.is_not(None))
            .where(has_not_ended(users.c.partner_id))
            .with_for_update(read=True, key_share=True)  # its removal waits
        )
        row = {
            "user_id": user_id,
            "secret_hash": secret_hash,
            "everybody": everybody,
            "made_at": now,
            "last_read_at": now,
            "content": "",
            "changed_at": now,
        }

        def write(connection: Connection) -> bool:
            if connection.execute(person).one_or_none() is None:
                return False
            connection.execute(self._put, row)
            tell_user(connection, "calendar_made", user_id, now)
            return True

        return await self._database.write(write)

    async def end(self, user_id: str) -> bool:
        """End a person's subscription. False if it has none."""
        gone = delete(calendar_feeds).where(calendar_feeds.c.user_id == user_id)
        return await self._database.write(lambda c: c.execute(gone).rowcount > 0)

    async def of(self, user_id: str, now: datetime) -> Feed | None:
        """A person's subscription, if it has one that works."""
        table = calendar_feeds.c
        found = select(table.everybody, table.made_at, table.last_read_at, table.content).where(
            table.user_id == user_id, table.last_read_at > now - UNREAD
        )
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        if row is None:
            return None
        return Feed(row.everybody, row.made_at, row.last_read_at if row.content else None)

    async def find(self, secret_hash: str, now: datetime) -> Subscriber | None:
        """The subscription behind an address; None if there is none (any more)."""
        table = calendar_feeds.c
        found = (
            select(
                table.user_id,
                users.c.name,
                users.c.language,
                users.c.partner_id,
                partners.c.name.label("partner_name"),
                users.c.partner_role,
                table.everybody,
                table.last_read_at,
                table.content,
                table.changed_at,
            )
            .join(users, users.c.user_id == table.user_id)
            .join(partners, partners.c.partner_id == users.c.partner_id)
            .where(
                table.secret_hash == secret_hash,
                table.last_read_at > now - UNREAD,
                has_not_ended(users.c.partner_id),
            )
        )
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        if row is None:
            return None
        role: PartnerRole = row.partner_role or "office"
        return Subscriber(**row._asdict() | {"partner_role": role})

    async def note_read(
        self, subscriber: Subscriber, secret_hash: str, content: str, now: datetime
    ) -> datetime:
        """Store that a subscription was read, with a hash of its content. Returns since when it has this content."""
        is_new = content != subscriber.content
        changed_at = now if is_new else subscriber.changed_at
        if is_new or now - subscriber.last_read_at >= _NOTED:
            read = (
                update(calendar_feeds)
                .where(calendar_feeds.c.secret_hash == secret_hash)
                .values(last_read_at=now, content=content, changed_at=changed_at)
            )
            await self._database.write(lambda connection: connection.execute(read))
        return changed_at
