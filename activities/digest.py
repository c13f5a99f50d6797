"""Sends the morning's digests: which partners get one, to which address (docs/mail.md, "The digest")."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from temporalio import activity

from activities.failures import without_contents
from activities.sending import send_from_activity
from contracts import activities
from contracts.activities import DigestOutcome, DigestPage, DigestPartners, DigestWanted
from domain.cantons import pin_calendar
from domain.policy import Policy
from mail.digest_texts import DigestTexts
from mail.outbox import AT_ONCE, Outbox, OutgoingMail
from mail.texts import Reader
from records.accounts import AccountRecords
from records.digest import Digests, Limits, OpenWork
from records.partners import Partners
from settings import Settings

SHOWN = Limits(overdue=50, today=50, later=20)


class _Recipient(NamedTuple):
    key: str
    address: str
    reader: Reader


class DigestActivities:
    """The activities of the daily digest. Days and office hours are those of `policy`."""

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        digests: Digests,
        outbox: Outbox,
        partners: Partners,
        accounts: AccountRecords,
    ) -> None:
        self._policy = policy
        self._zone = ZoneInfo(policy.office.timezone)
        self._digests = digests
        self._partners = partners
        self._accounts = accounts
        self._texts = DigestTexts(settings.public_url, settings.company_name)
        self._outbox = outbox

    @activity.defn(name=activities.DIGEST_PARTNERS)
    async def digest_partners(self, page: DigestPage) -> DigestPartners:
        """The next partners that have open work, and whose canton has a working day."""
        with without_contents("partners to write to"):
            found = await self._digests.partners(page.after, page.limit)
            day = self._local(page.at).date()
            working = await asyncio.to_thread(self._working, {canton for _, canton in found}, day)
            partner_ids = tuple(each for each, canton in found if canton in working)
            return DigestPartners(
                day=day,
                closes=self._instant(day, self._policy.office.closes),
                partner_ids=partner_ids,
                resting=len(found) - len(partner_ids),
                next=found[-1][0] if len(found) == page.limit else None,
            )

    @activity.defn(name=activities.SEND_DIGEST)
    async def send_digest(self, wanted: DigestWanted) -> DigestOutcome:
        """Send a partner its digest, unless the digest of that day is sent already.

        A failure is retried until the end of office hours; the first attempt after that gives up.
        """
        with without_contents(f"digest of {wanted.partner_id}"):
            return await self._send(wanted, activity.info().started_time)

    async def _send(self, wanted: DigestWanted, now: datetime) -> DigestOutcome:
        key = f"digest:{wanted.partner_id}:{wanted.day}"
        if now >= wanted.closes:
            for tried in (key, _to_login(key)):
                await self._outbox.give_up(tried)
            return "too_late"
        midnight = self._instant(wanted.day + timedelta(days=1), time())
        work = await self._digests.open_work(wanted.partner_id, now, midnight, SHOWN)
        if not work.total:
            return "nothing_open"
        for to in await self._recipients(wanted.partner_id, key, now):
            if await self._is_sent(to, work, wanted):
                return "sent"
        return "refused"

    async def _is_sent(self, to: _Recipient, work: OpenWork, wanted: DigestWanted) -> bool:
        """Send a digest. False if the mail server refuses this address permanently."""
        row = await send_from_activity(
            self._outbox,
            OutgoingMail(
                to.key,
                f"digest:{wanted.partner_id}",
                "digest",
                "partner",
                to.address,
                to.reader,
                lambda: self._texts.compose_digest(to.reader, work, wanted.day, self._local),
                in_thread=False,
                give_up_refused=AT_ONCE,
                give_up_put_off=None,
            ),
        )
        return row.state == "sent"

    async def _recipients(self, partner_id: str, key: str, now: datetime) -> list[_Recipient]:
        """The partner's address and, in case that is refused, the address of the partner's first login."""
        partner = await self._partners.get(partner_id)
        if partner is None:
            return []
        firm = _Recipient(key, partner.email, Reader(partner.name, partner.language))
        people = [
            _Recipient(_to_login(key), user.email, Reader(user.name, user.language))
            for user in await self._accounts.users(partner_id, now)
            if user.invitation == "accepted" and user.email != partner.email
        ]
        return [firm, *people[:1]]

    def _working(self, cantons: set[str], day: date) -> set[str]:
        return {
            canton
            for canton in cantons
            if pin_calendar(canton, self._policy, day).is_working_day(day)
        }

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(self._zone).replace(tzinfo=None)

    def _instant(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self._zone).astimezone(UTC)


def _to_login(key: str) -> str:
    return f"{key}/login"
