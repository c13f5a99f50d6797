"""The outbox, which sends all mails: each one once, as far as SMTP allows (docs/mail.md)."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple
from weakref import WeakValueDictionary

from mail.smtp import (
    Attachment,
    CalendarPart,
    NotSent,
    Refused,
    SmtpSender,
    Unavailable,
    recipient_address,
)
from mail.texts import MailText, Reader
from records.failures import is_away
from records.mails import MailLog, MailRow

logger = logging.getLogger("cmi.mail")

MAX_CONCURRENT = 4
"""Mails that a process submits concurrently. If it is killed, at most this many are sent twice (docs/mail.md)."""
SLOT_SECONDS = 4.0
"""How long a mail waits for one of these slots before its attempt ends."""
MAX_WAITING = 32
"""The most mails that wait for a slot. More would occupy all activity slots of a worker while the server hangs."""
ATTEMPT_SECONDS = 38.0
"""The longest attempt. It must end before Temporal's limit of 45 seconds for the activity, which also looks up the
recipient. Otherwise it would run concurrently with its own retry."""
_MARK_SECONDS = 8.0  # the part of an attempt that is reserved for the mark
_SHORTEST_CONVERSATION = 5.0  # seconds
_MARK_AGAIN = 0.5  # seconds
FIVE_DAYS = timedelta(days=5)  # as long as mail servers try (RFC 5321, 4.5.4.1)
AT_ONCE = timedelta()


class Busy(NotSent):
    """The attempt ended before it contacted the mail server, because other mails or the records took too long."""


class OutgoingMail(NamedTuple):
    """One mail to one address.

    Attributes:
        key: identifies the mail permanently.
        about: the subject of its thread: an SP-ID, a settlement's number or a user's id.
        text: composes the mail; called only if an attempt is made.
        in_thread: whether it refers to the first mail of its thread.
        give_up_refused: how long a mail that the server refuses (5xx) is retried; None: forever.
        give_up_put_off: how long a mail is retried whose recipient the server defers (4xx); None: forever.
        reply_to: where replies go; None: from partners to operations.
    """

    key: str
    about: str
    kind: str
    audience: str
    address: str
    reader: Reader
    text: Callable[[], MailText]
    in_thread: bool = True
    attachments: tuple[Attachment, ...] = ()
    calendar: CalendarPart | None = None
    give_up_refused: timedelta | None = FIVE_DAYS
    give_up_put_off: timedelta | None = FIVE_DAYS
    reply_to: str | None = None


class Outbox:
    """Submits mails to one mail server and records the state of each.

    The caller repeats `send` until it returns: Temporal does so for the mails of workflows, the web process for those
    with links. A process must have only one outbox, so that `MAX_CONCURRENT` holds.
    """

    def __init__(self, log: MailLog, sender: SmtpSender) -> None:
        self._log = log
        self._sender = sender
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._waiting = 0
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # The mails that were submitted and could not be marked as sent yet, with the time of submission.
        self._unmarked: dict[str, datetime] = {}

    async def send(self, mail: OutgoingMail, now: datetime, since: datetime) -> MailRow:
        """Make one attempt to send a mail that was requested at `since`, unless it is `sent` or `given_up` already.

        Returns its row, whose state is one of the two.

        Raises:
            Refused: the server refuses this mail (perhaps temporarily), or the address is invalid.
            Unavailable: the server accepts no mail now.
            Busy: other mails or slow records have kept this one waiting for too long.
        """
        # One attempt per mail at a time in this process. Between processes Temporal or the lease of a row ensures that.
        lock = self._locks.setdefault(mail.key, asyncio.Lock())
        ends = asyncio.get_running_loop().time() + ATTEMPT_SECONDS
        async with lock, self._slot():
            await self.mark_submitted()
            row, thread = await self._log.begin(
                mail.key,
                mail.about,
                mail.kind,
                mail.audience,
                mail.address,
                self.message_id(mail.key),
                now,
            )
            if row.is_final:
                return row
            try:
                await self._submit(
                    mail, row.message_id, thread if mail.in_thread else None, now, ends
                )
            except Unavailable as error:
                await self._log.failed(mail.key, str(error), refused=False)
                raise
            except Refused as error:
                return await self._refused(mail, row, error, now - since)
            return row.model_copy(update={"state": "sent", "sent_at": now})

    async def give_up(self, key: str) -> None:
        """Give a mail up, unless it is sent already."""
        await self._log.given_up(key)

    async def mark_submitted(self) -> None:
        """Mark the submitted mails that could not be marked as sent before.

        Until that succeeds no other mail is submitted, so that at most `MAX_CONCURRENT` mails can be sent twice.
        """
        for key in tuple(self._unmarked):
            await self._mark(key)

    def message_id(self, key: str) -> str:
        """The Message-ID of a mail. It depends only on the key, so that mail programs recognise a duplicate."""
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"<{name}@{self._sender.from_address.domain}>"

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """The right to submit a mail, held until it is marked."""
        if self._waiting >= MAX_WAITING:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(SLOT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _submit(
        self, mail: OutgoingMail, message_id: str, thread: str | None, now: datetime, ends: float
    ) -> None:
        """Submit a mail. Returns after the server's 250 and the mark."""
        left = ends - _MARK_SECONDS - asyncio.get_running_loop().time()
        if left < _SHORTEST_CONVERSATION:  # the records were slow
            raise _busy()
        recipient = recipient_address(mail.address)
        message = self._sender.message(
            mail.text(),
            mail.reader,
            recipient,
            message_id,
            now,
            thread,
            mail.attachments,
            mail.reply_to,
            mail.calendar,
        )
        client = self._sender.client()
        try:
            try:
                async with asyncio.timeout(left):
                    await self._sender.submit(client, message, recipient)
            except TimeoutError:
                raise Unavailable("the mail server was too slow") from None
            self._unmarked[mail.key] = now
            await self._mark_before(mail.key, ends)
            logger.info("mail sent", extra={"mail": mail.key})
            await self._sender.quit(client)
        finally:
            client.close()

    async def _refused(
        self, mail: OutgoingMail, row: MailRow, error: Refused, tried_for: timedelta
    ) -> MailRow:
        """Handle a refusal: give the mail up and return its row, or raise `error`, so that it is retried."""
        why = str(error)
        logger.warning("mail refused", extra={"mail": mail.key, "why": why})
        await self._log.failed(mail.key, why, refused=error.lasting)
        limit = mail.give_up_refused if error.lasting else mail.give_up_put_off
        if limit is None or tried_for < limit:
            raise error
        await self._log.given_up(mail.key)
        return row.model_copy(update={"state": "given_up", "last_error": why})

    async def _mark_before(self, key: str, ends: float) -> None:
        """Mark a mail as sent. While the database is away, retry until `ends`.

        The next attempt may run in another process, which does not know that this mail is submitted.
        """
        while True:
            try:
                return await self._mark(key)
            except Exception as error:
                if not is_away(error) or asyncio.get_running_loop().time() > ends - _MARK_AGAIN:
                    raise
                await asyncio.sleep(_MARK_AGAIN)

    async def _mark(self, key: str) -> None:
        """Mark a mail as sent. If that fails, this process remembers it for the next attempt."""
        at = self._unmarked.get(key)
        if at is not None:
            await self._log.sent(key, at)
            self._unmarked.pop(key, None)


def _busy() -> Busy:
    return Busy("other mails go first")
