"""Subscriptions of partners' people to their calendar: made, ended, and read without a login by a secret address."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from documents import calendar_feed
from documents.calendar_feed import FeedEntry, feed_ics
from domain.orders.calendar_entry import FallenEntry
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
"""How long a visit that is over, or that fell, stays in the calendar."""
_LONGEST_SECRET = 200


class Reading(NamedTuple):
    """What an address leads to. `tag` tells one content from another; it is `tag` since `changed_at`.

    `last_modified`: the first whole second after that, in which HTTP counts; None until it has come, since the content
    may change again before.
    """

    subscriber: Subscriber
    principal: Principal
    tag: str
    changed_at: datetime
    last_modified: datetime | None
    fallen: tuple[FallenEntry, ...]


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
            Conflict: its login ended in this moment.
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
        """What the address with this secret leads to now; None if it works no longer, or never did."""
        now = self._clock()
        if len(secret) > _LONGEST_SECRET:
            return None
        subscriber = await self._feeds.find(hash_of(secret), now)
        if subscriber is None:
            return None
        since, person = now - BACK, _only(subscriber)
        versions = await self._entries.versions(subscriber.partner_id, since, person)
        fallen = await self._entries.fallen(subscriber.partner_id, since, person)
        people = await self._people(person, [each.sp_id for each in versions])
        tag = _tag(subscriber, self._public_url, versions, fallen, people)
        changed_at = await self._feeds.note_read(subscriber, hash_of(secret), tag, self._clock())
        second = changed_at.replace(microsecond=0) + timedelta(seconds=1)
        # `now` is from before the content was read: what changed since is newer than `second`.
        shown = second if second <= now else None
        return Reading(subscriber, _principal(subscriber), tag, changed_at, shown, fallen)

    async def content(self, reading: Reading) -> bytes:
        """The calendar as an iCalendar file."""
        subscriber, person = reading.subscriber, _only(reading.subscriber)
        since = self._clock() - BACK
        found = await self._entries.between(subscriber.partner_id, since, None, person)
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
        # Hundreds of entries take a second: other calls go on meanwhile.
        return await asyncio.to_thread(
            feed_ics, name, entries, reading.fallen, self._public_url, subscriber.language
        )

    async def _people(self, person: str | None, sp_ids: list[str]) -> Mapping[str, Assigned]:
        """Whose orders these are; nothing if all are one person's."""
        return await self._assignments.of(sp_ids) if person is None else {}


def _only(subscriber: Subscriber) -> str | None:
    """The person whose visits it has; None: those of the firm. A technician has its own, whatever it was before."""
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
    fallen: tuple[FallenEntry, ...],
    people: Mapping[str, Assigned],
) -> str:
    """A hash of all that the content is made of."""
    of_person = (subscriber.name, subscriber.partner_name, subscriber.language, _only(subscriber))
    made_of = (
        calendar_feed.VERSION,
        public_url,
        of_person,
        versions,
        fallen,
        sorted(people.items()),
    )
    return hashlib.sha256(repr(made_of).encode()).hexdigest()
