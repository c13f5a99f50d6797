"""Subscriptions of partners' people to their calendar: made, ended, and read without a login by a secret address."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from documents import calendar_feed
from documents.calendar_feed import FeedEntry, feed_ics
from domain.orders.calendar_entry import RemovedEntry
from records.assignments import Assigned, Assignments
from records.calendar_entries import CalendarEntries, EntryVersion
from records.calendar_feeds import CalendarFeeds, Feed, Subscriber
from records.database import Database
from use_cases import access
from use_cases.account_errors import Conflict
from use_cases.agenda import DONE
from use_cases.link_mails import hash_of, new_secret
from use_cases.principal import Principal
from use_cases.security_events import looked_at, note

BACK = timedelta(days=30)
"""How long a visit that is over, or was removed, stays in the calendar."""
_LONGEST_SECRET = 200


class Reading(NamedTuple):
    """The calendar behind an address. `tag` identifies its content, which last changed at `changed_at`.

    `last_modified` is the first whole second after the change, because HTTP counts in seconds. It is None until that
    second has come, since the content may change again before it.
    """

    subscriber: Subscriber
    principal: Principal
    tag: str
    changed_at: datetime
    last_modified: datetime | None
    removed: tuple[RemovedEntry, ...]


class CalendarFeedUseCases:
    """Makes and reads subscriptions. `clock` gives the instant."""

    def __init__(
        self,
        database: Database,
        public_url: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._feeds = CalendarFeeds(database)
        self._entries = CalendarEntries(database)
        self._assignments = Assignments(database)
        self._public_url = public_url
        self._clock = clock

    async def of(self, principal: Principal) -> Feed | None:
        """The caller's subscription. Raises `Forbidden`."""
        access.check(principal, "read_agenda")
        return await self._feeds.of(principal.login_id, self._clock())

    async def make(self, principal: Principal, everybody: bool) -> str:
        """Make a subscription, which ends the caller's former one. Returns its address, which is not stored.

        `everybody`: with the visits of the whole firm, if the caller sees those.

        Raises:
            Forbidden: the caller is not a person of a partner.
            Conflict: its login was removed at this moment.
        """
        access.check(principal, "read_agenda")
        secret = new_secret()
        all_of_firm = everybody and principal.only_assigned_to is None
        now = self._clock()
        if not await self._feeds.put(principal.login_id, hash_of(secret), all_of_firm, now):
            raise Conflict("There is no such person of a partner.")
        note("calendar", "made")
        return f"{self._public_url.rstrip('/')}/calendar/{secret}.ics"

    async def end(self, principal: Principal) -> None:
        """End the caller's subscription, if it has one. Raises `Forbidden`."""
        access.check(principal, "read_agenda")
        if await self._feeds.end(principal.login_id):
            note("calendar", "ended")

    async def open(self, secret: str) -> Reading | None:
        """The calendar behind the address with this secret; None if there is none (any more)."""
        now = self._clock()
        if len(secret) > _LONGEST_SECRET:
            return None
        subscriber = await self._feeds.find(hash_of(secret), now)
        if subscriber is None:
            return None
        since, person = now - BACK, _only(subscriber)
        only = () if person is None else (person,)
        versions = await self._entries.versions(subscriber.partner_id, since, only)
        removed = await self._entries.removed(subscriber.partner_id, since, only)
        people = await self._people(person, [each.sp_id for each in versions])
        tag = _tag(subscriber, self._public_url, versions, removed, people)
        changed_at = await self._feeds.note_read(subscriber, hash_of(secret), tag, self._clock())
        second = changed_at.replace(microsecond=0) + timedelta(seconds=1)
        # `now` was taken before the content was read, so a later change is newer than `second`.
        shown = second if second <= now else None
        return Reading(subscriber, _principal(subscriber), tag, changed_at, shown, removed)

    async def content(self, reading: Reading) -> bytes:
        """The calendar as an iCalendar file."""
        subscriber, person = reading.subscriber, _only(reading.subscriber)
        since = self._clock() - BACK
        only = () if person is None else (person,)
        found = await self._entries.between(subscriber.partner_id, since, None, only)
        people = await self._people(person, [each.order.sp_id for each in found])
        looked_at(
            reading.principal,
            (each.order.sp_id for each in found if each.order.status not in DONE),
        )
        entries = [
            FeedEntry(order, entry, people[order.sp_id].name if order.sp_id in people else None)
            for order, entry in found
        ]
        name = subscriber.partner_name if person is None else subscriber.name
        # Hundreds of entries take a second. In a thread they do not block other calls.
        return await asyncio.to_thread(
            feed_ics, name, entries, reading.removed, self._public_url, subscriber.language
        )

    async def _people(self, person: str | None, sp_ids: list[str]) -> Mapping[str, Assigned]:
        """The person of each of these orders; empty if the calendar is that of one person."""
        return await self._assignments.of(sp_ids) if person is None else {}


def _only(subscriber: Subscriber) -> str | None:
    """The person whose visits the calendar has; None: the whole firm's. A technician always gets only its own."""
    if subscriber.everybody and subscriber.partner_role != "technician":
        return None
    return subscriber.user_id


def _principal(subscriber: Subscriber) -> Principal:
    return Principal(
        role="partner",
        login_id=subscriber.user_id,
        name=subscriber.name,
        partner_id=subscriber.partner_id,
        partner_role=subscriber.partner_role,
        language=subscriber.language,
    )


def _tag(
    subscriber: Subscriber,
    public_url: str,
    versions: tuple[EntryVersion, ...],
    removed: tuple[RemovedEntry, ...],
    people: Mapping[str, Assigned],
) -> str:
    """A hash of everything that determines the content."""
    of_person = (subscriber.name, subscriber.partner_name, subscriber.language, _only(subscriber))
    made_of = (
        calendar_feed.VERSION,
        public_url,
        of_person,
        versions,
        removed,
        sorted(people.items()),
    )
    return hashlib.sha256(repr(made_of).encode()).hexdigest()
