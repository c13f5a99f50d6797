"""Hands letters to the mail server, each once under its key as far as SMTP allows (docs/mail.md)."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from weakref import WeakValueDictionary

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import names
from activities.mail_texts import MailText, Reader
from activities.postman import Attachment, Postman, Refused, Unavailable, recipient_address
from records.mails import MailLog, MailRow

_REFUSED_AGAIN = timedelta(hours=1)
_REFUSED_FOR_GOOD = timedelta(days=5)  # as long as mail servers try (RFC 5321, 4.5.4.1)


class Letter(NamedTuple):
    """One mail to one address.

    `key` names it for ever. `about` is what its thread is about: an SP-ID, a settlement id. `text` is asked for its
    words only if it goes out; a letter that is not `in_thread` refers to no earlier one.
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


class Letters:
    """Letters through one mail server, and what is known of each."""

    def __init__(self, log: MailLog, postman: Postman) -> None:
        self._log = log
        self._postman = postman
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unmarked: set[str] = set()

    async def send(self, letter: Letter, *, give_up: bool = True, is_copy: bool = False) -> None:
        """Deliver a letter in an activity, which is tried again until this returns.

        A refusal is tried again every hour, and after five days it is given up (not if `give_up` is False), which
        `names.MAIL_GIVEN_UP` says. The refusal of a copy is the end of it at once.
        """
        info = activity.info()
        # The server's clock is that of what the mail is about, also where tests and demonstrations skip time.
        now, since = info.started_time, info.scheduled_time
        try:
            row = await self.deliver(letter, now)
        except Refused as refused:
            overdue = give_up and now - since >= _REFUSED_FOR_GOOD
            await self._refused(letter.key, refused, overdue=overdue, is_copy=is_copy)
            return
        if row.state == "given_up":  # by an attempt that could not say so any more
            raise _given_up(letter.key, row.last_error or "")

    async def _refused(self, key: str, refused: Refused, *, overdue: bool, is_copy: bool) -> None:
        why, lasting = str(refused), refused.lasting or overdue
        await self._log.failed(key, why, refused=lasting)
        activity.logger.warning("mail refused", extra={"mail": key, "why": why})
        if not lasting:
            raise ApplicationError(
                f"mail {key}: {why}",
                type="MailServerUnavailable",
                category=ApplicationErrorCategory.BENIGN,
            )
        if is_copy:  # the firm has it; a dead second address holds up nothing
            await self._log.given_up(key)
            return
        if overdue:
            await self._log.given_up(key)
            raise _given_up(key, why)
        raise ApplicationError(
            f"mail {key}: {why}",
            type="MailRefused",
            next_retry_delay=_REFUSED_AGAIN,
            category=ApplicationErrorCategory.BENIGN,
        )

    async def deliver(self, letter: Letter, now: datetime) -> MailRow:
        """Hand a letter in, unless it is `sent` or `given_up` already; its row then says so.

        Raises:
            Refused: no to this letter. Nothing is noted of that: what follows from it is the caller's to decide.
            ApplicationError: the server takes no mail of ours just now; the row says why.
        """
        # One attempt at a time in this process; between processes the server sees to it (docs/mail.md).
        lock = self._locks.setdefault(letter.key, asyncio.Lock())
        async with lock:
            return await self._attempt(letter, now)

    async def _attempt(self, letter: Letter, now: datetime) -> MailRow:
        row = await self._log.begin(
            letter.key,
            letter.about,
            letter.kind,
            letter.audience,
            letter.address,
            self._message_id(letter.key),
            now,
        )
        if row.is_final:
            return row
        if letter.key not in self._unmarked:
            await self._hand_in(letter, row.message_id, now)
        else:
            await self._mark(letter.key, now)
        return row.model_copy(update={"state": "sent", "sent_at": now})

    async def _hand_in(self, letter: Letter, message_id: str, now: datetime) -> None:
        """Return after the server's 250, and when that is noted."""
        thread = await self._log.thread(letter.about, letter.address) if letter.in_thread else None
        client = self._postman.client()
        try:
            recipient = recipient_address(letter.address)
            message = self._postman.message(
                letter.text(),
                letter.reader,
                recipient,
                message_id,
                now,
                thread,
                letter.attachments,
            )
            try:
                await self._postman.hand_in(client, message, recipient)
            except Unavailable as error:
                await self._log.failed(letter.key, str(error), refused=False)
                raise ApplicationError(
                    f"mail {letter.key}: {error}",
                    type="MailServerUnavailable",
                    category=ApplicationErrorCategory.BENIGN,
                ) from None
            self._unmarked.add(letter.key)
            await self._mark(letter.key, now)
            activity.logger.info("mail sent", extra={"mail": letter.key})
            await self._postman.goodbye(client)
        finally:
            client.close()

    async def _mark(self, key: str, now: datetime) -> None:
        """Note that the server has it. If that fails this process at least remembers, and only notes it next time."""
        await self._log.sent(key, now)
        self._unmarked.discard(key)

    def _message_id(self, key: str) -> str:
        """The same for the same mail for ever, so that two copies of one mail are recognised as such."""
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"<{name}@{self._postman.sender.domain}>"


def _given_up(key: str, why: str) -> ApplicationError:
    return ApplicationError(
        f"mail {key}: given up, {why}", type=names.MAIL_GIVEN_UP, non_retryable=True
    )
