"""Sends mails: to whom, in which language, once under each key as far as SMTP allows (DESIGN 8, docs/mail.md)."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple
from weakref import WeakValueDictionary

import aiosmtplib
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import names
from activities.failures import without_contents
from activities.mail_texts import MailTexts, Reader
from activities.postman import Postman, Refused, Unavailable, recipient_address
from domain.effects import Mail
from records.mails import MailLog
from records.partners import Partner, Partners
from settings import Settings

_REFUSED_AGAIN = timedelta(hours=1)
_REFUSED_FOR_GOOD = timedelta(days=5)  # as long as mail servers try (RFC 5321, 4.5.4.1)


class _Letter(NamedTuple):
    """One mail to one address. A copy is worth less than the mail that it is a copy of."""

    key: str
    address: str
    reader: Reader
    is_copy: bool = False


class MailActivities:
    """Mail through the server, from the sender and with the links that `settings` name."""

    def __init__(self, settings: Settings, log: MailLog, partners: Partners) -> None:
        self._settings = settings
        self._log = log
        self._partners = partners
        self._texts = MailTexts(settings.public_url)
        self._postman = Postman(settings)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unmarked: set[str] = set()

    @activity.defn(name=names.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        """Send a mail, unless it was sent under its key before.

        What is raised is worth another attempt, but for `names.MAIL_GIVEN_UP`: refused for five days. A refusal is
        tried again hourly, by then to the address that the partner has; a new order is never given up. Errors name
        the mail's key and the server's code, nothing else.
        """
        with without_contents(f"mail {mail.key}"):
            letters = await self._letters(mail)
            # Side by side, so that no letter waits for another's server, and each goes out whatever befalls the other.
            results = await asyncio.gather(
                *(self._send_once(mail, letter) for letter in letters), return_exceptions=True
            )
            for failure in filter(None, results):
                raise failure

    # --- to whom -------------------------------------------------------------------------------------------------

    async def _letters(self, mail: Mail) -> list[_Letter]:
        if mail.audience == "operations":
            return [self._to_team(mail)]
        if mail.audience == "sender":
            return [await self._to_sender(mail)]
        partner = await self._partner(mail.partner_id)
        reader = Reader(partner.name, partner.language)
        letters = [_Letter(mail.key, partner.email, reader)]
        other = partner.escalation_email
        if mail.kind == "escalation" and other and other != partner.email:
            letters.append(_Letter(f"{mail.key}/copy", other, reader, is_copy=True))
        return letters

    def _to_team(self, mail: Mail) -> _Letter:
        reader = Reader("", self._settings.operations_language, staff=True)
        return _Letter(mail.key, self._settings.mail_operations, reader)

    async def _to_sender(self, mail: Mail) -> _Letter:
        """To who asked: the login's own address, or that of the firm or team behind it."""
        sender = mail.sender
        if sender is None:
            return self._to_team(mail)
        if sender.partner_id is not None:
            partner = await self._partner(sender.partner_id)
            stranger = partner.partner_id != mail.partner_id
            reader = Reader(partner.name, partner.language, stranger=stranger)
            return _Letter(mail.key, sender.email or partner.email, reader)
        if sender.email is None:
            return self._to_team(mail)
        reader = Reader(sender.name, self._settings.operations_language, staff=True)
        return _Letter(mail.key, sender.email, reader)

    async def _partner(self, partner_id: str) -> Partner:
        partner = await self._partners.get(partner_id)
        if partner is None:
            raise ApplicationError(
                f"partner {partner_id} is not in the records", type="PartnerUnknown"
            )
        return partner

    # --- once ----------------------------------------------------------------------------------------------------

    async def _send_once(self, mail: Mail, letter: _Letter) -> None:
        # One attempt at a time in this process; between processes the server sees to it (docs/mail.md).
        lock = self._locks.setdefault(letter.key, asyncio.Lock())
        async with lock:
            await self._attempt(mail, letter)

    async def _attempt(self, mail: Mail, letter: _Letter) -> None:
        info = activity.info()
        # The server's clock is that of the order's life, also where tests and demonstrations skip time.
        now, since = info.started_time, info.scheduled_time
        key = letter.key
        message_id = self._message_id(key)
        row = await self._log.begin(
            key, mail.sp_id, mail.kind, mail.audience, letter.address, message_id, now
        )
        if row.state == "sent":
            return
        if row.state == "given_up":  # by an attempt that could not say so any more
            raise _given_up(key, row.last_error or "")
        if key in self._unmarked:
            await self._mark(key, now)
            return
        thread = await self._log.thread(mail.sp_id, letter.address)
        client = self._postman.client()
        try:
            try:
                await self._hand_in(client, mail, letter, row.message_id, thread, now)
            except Refused as refused:
                overdue = now - since >= _REFUSED_FOR_GOOD
                await self._refused(mail, letter, refused, overdue)
                return
            self._unmarked.add(key)
            await self._mark(key, now)
            activity.logger.info("mail sent", extra={"mail": key})
            await self._postman.goodbye(client)
        finally:
            client.close()

    async def _mark(self, key: str, now: datetime) -> None:
        """Note that the server has it. If that fails this process at least remembers, and only notes it next time."""
        await self._log.sent(key, now)
        self._unmarked.discard(key)

    async def _refused(self, mail: Mail, letter: _Letter, refused: Refused, overdue: bool) -> None:
        key, why = letter.key, str(refused)
        lasting = refused.lasting or (overdue and mail.kind != "new_order")
        await self._log.failed(key, why, refused=lasting)
        activity.logger.warning("mail refused", extra={"mail": key, "why": why})
        if not lasting:
            raise ApplicationError(f"mail {key}: {why}", type="MailServerUnavailable")
        if letter.is_copy:  # the firm has it; a dead second address holds up nothing
            await self._log.given_up(key)
            return
        if overdue and mail.kind != "new_order":
            await self._log.given_up(key)
            raise _given_up(key, why)
        raise ApplicationError(
            f"mail {key}: {why}", type="MailRefused", next_retry_delay=_REFUSED_AGAIN
        )

    # --- the conversation ----------------------------------------------------------------------------------------

    async def _hand_in(
        self,
        client: aiosmtplib.SMTP,
        mail: Mail,
        letter: _Letter,
        message_id: str,
        thread: str | None,
        now: datetime,
    ) -> None:
        """Return after the server's 250. Raises `Refused`, or an `ApplicationError` if the server is in trouble."""
        recipient = recipient_address(letter.address)
        text = self._texts.compose(mail, letter.reader)
        message = self._postman.message(text, letter.reader, recipient, message_id, now, thread)
        try:
            await self._postman.hand_in(client, message, recipient)
        except Unavailable as error:
            await self._log.failed(letter.key, str(error), refused=False)
            raise ApplicationError(
                f"mail {letter.key}: {error}", type="MailServerUnavailable"
            ) from None

    def _message_id(self, key: str) -> str:
        """The same for the same mail for ever, so that two copies of one mail are recognised as such."""
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"<{name}@{self._postman.sender.domain}>"


def _given_up(key: str, why: str) -> ApplicationError:
    return ApplicationError(
        f"mail {key}: given up, {why}", type=names.MAIL_GIVEN_UP, non_retryable=True
    )
