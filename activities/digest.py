"""Sends the morning's digests: to whom, when it is worth it, and each once (docs/mail.md)."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.failures import without_contents
from contracts import activities
from contracts.activities import DigestOutcome, DigestPage, DigestPartners, DigestWanted
from domain.cantons import pin_calendar
from domain.policy import Policy
from mail.digest_texts import DigestTexts
from mail.letters import Letter, Letters
from mail.smtp import Refused
from mail.texts import Reader
from records.accounts import AccountRecords
from records.digest import Digests, Limits, OpenWork
from records.partners import Partners
from settings import Settings

SHOWN = Limits(overdue=50, today=50, later=20)


class _Receiver(NamedTuple):
    key: str
    address: str
    reader: Reader


class DigestActivities:
    """The digests' mails. Days and office hours are those of `policy`."""

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        digests: Digests,
        letters: Letters,
        partners: Partners,
        accounts: AccountRecords,
    ) -> None:
        self._policy = policy
        self._zone = ZoneInfo(policy.office.timezone)
        self._digests = digests
        self._partners = partners
        self._accounts = accounts
        self._texts = DigestTexts(settings.public_url)
        self._letters = letters

    @activity.defn(name=activities.DIGEST_PARTNERS)
    async def digest_partners(self, page: DigestPage) -> DigestPartners:
        """The next partners that have something to do and work on that day."""
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
        """Send a partner what is open, unless it was sent on that day before.

        What is raised is worth another attempt: the first after closing time ends it.
        """
        with without_contents(f"digest of {wanted.partner_id}"):
            return await self._send(wanted, activity.info().started_time)

    async def _send(self, wanted: DigestWanted, now: datetime) -> DigestOutcome:
        key = f"digest:{wanted.partner_id}:{wanted.day}"
        if now >= wanted.closes:
            for tried in (key, _to_login(key)):
                await self._letters.give_up(tried)
            return "too_late"
        midnight = self._instant(wanted.day + timedelta(days=1), time())
        work = await self._digests.open_work(wanted.partner_id, now, midnight, SHOWN)
        if not work.total:
            return "nothing_open"
        for to in await self._receivers(wanted.partner_id, key, now):
            if await self._deliver(to, work, wanted, now):
                return "sent"
        return "refused"

    async def _deliver(
        self, to: _Receiver, work: OpenWork, wanted: DigestWanted, now: datetime
    ) -> bool:
        """Whether the mail is sent; if not, it is refused for good."""
        letter = Letter(
            to.key,
            f"digest:{wanted.partner_id}",
            "digest",
            "partner",
            to.address,
            to.reader,
            lambda: self._texts.compose_digest(to.reader, work, wanted.day, self._local),
            in_thread=False,
        )
        try:
            return (await self._letters.deliver(letter, now)).state == "sent"
        except Refused as refused:
            why = str(refused)
            await self._letters.refused(to.key, refused)
            if not refused.lasting:
                raise ApplicationError(
                    f"mail {to.key}: {why}",
                    type="MailServerUnavailable",
                    category=ApplicationErrorCategory.BENIGN,
                ) from None
            activity.logger.warning("mail refused", extra={"mail": to.key, "why": why})
            await self._letters.give_up(to.key)
            return False

    async def _receivers(self, partner_id: str, key: str, now: datetime) -> list[_Receiver]:
        """The firm's address; after it, for when that is refused, the first person of the firm that has a login."""
        partner = await self._partners.get(partner_id)
        if partner is None:
            return []
        firm = _Receiver(key, partner.email, Reader(partner.name, partner.language))
        people = [
            _Receiver(_to_login(key), user.email, Reader(user.name, user.language))
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
