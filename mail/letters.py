"""Hands letters to the mail server, each once under its key as far as SMTP allows (docs/mail.md)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple
from weakref import WeakValueDictionary

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts import activities
from mail.smtp import Attachment, Postman, Refused, Unavailable, recipient_address
from mail.texts import MailText, Reader
from records.database import is_away
from records.mails import MailLog, MailRow

AT_A_TIME = 4
"""Mails that one process hands in at a time. So many at the most come twice if it is killed (docs/mail.md)."""
TURN_SECONDS = 4.0
"""How long a mail waits for its turn before its attempt ends."""
ATTEMPT_SECONDS = 38.0
"""From the beginning of an attempt here to its end. Temporal's limit is 45 seconds, some of which have gone by for
finding out who receives the mail; an attempt that is still at work then would be made a second time beside it."""
_TO_MARK = 8.0  # seconds of an attempt that are kept for the mark
_LEAST_CONVERSATION = 5.0
_MARK_AGAIN = 0.5  # seconds
MOST_WAITING = 32
"""Mails that wait for their turn. More would keep the worker's activities from other work while the server hangs."""
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
    """Letters through one mail server, and what is known of each. One for each process, or it hands in too many."""

    def __init__(self, log: MailLog, postman: Postman) -> None:
        self._log = log
        self._postman = postman
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._waiting = 0
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # What the server has and the records do not say yet, with when it was handed in.
        self._unmarked: dict[str, datetime] = {}

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

    async def give_up(self, key: str) -> None:
        """Try this letter no more, unless it is sent already."""
        await self._log.given_up(key)

    async def refused(self, key: str, refused: Refused) -> None:
        """Note that `deliver` was refused."""
        await self._log.failed(key, str(refused), refused=refused.lasting)

    async def deliver(self, letter: Letter, now: datetime) -> MailRow:
        """Hand a letter in, unless it is `sent` or `given_up` already; its row then says so.

        Raises:
            Refused: no to this letter. Nothing is noted of that: what follows from it is the caller's to decide.
            ApplicationError: the server takes no mail of ours just now, and the row says why; or other letters have
                kept this one waiting for too long.
        """
        # One attempt at a time in this process; between processes the server sees to it (docs/mail.md).
        lock = self._locks.setdefault(letter.key, asyncio.Lock())
        ends = asyncio.get_running_loop().time() + ATTEMPT_SECONDS
        async with lock, self._turn(letter.key):
            return await self._attempt(letter, now, ends)

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        """The right to hand in a letter, held until it is marked."""
        if self._waiting >= MOST_WAITING:
            raise _others_first(key)
        self._waiting += 1
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise _others_first(key) from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()

    async def _attempt(self, letter: Letter, now: datetime, ends: float) -> MailRow:
        await self._catch_up()
        row, thread = await self._log.begin(
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
        thread = thread if letter.in_thread else None
        await self._hand_in(letter, row.message_id, thread, now, ends)
        return row.model_copy(update={"state": "sent", "sent_at": now})

    async def _hand_in(
        self, letter: Letter, message_id: str, thread: str | None, now: datetime, ends: float
    ) -> None:
        """Return after the server's 250, and when that is noted."""
        left = ends - _TO_MARK - asyncio.get_running_loop().time()
        if left < _LEAST_CONVERSATION:  # the database was slow
            raise _others_first(letter.key)
        recipient = recipient_address(letter.address)
        message = self._postman.message(
            letter.text(), letter.reader, recipient, message_id, now, thread, letter.attachments
        )
        client = self._postman.client()
        try:
            try:
                async with asyncio.timeout(left):
                    await self._postman.hand_in(client, message, recipient)
            except (Unavailable, TimeoutError) as error:
                why = str(error) or "the mail server was too slow"
                await self._log.failed(letter.key, why, refused=False)
                raise ApplicationError(
                    f"mail {letter.key}: {why}",
                    type="MailServerUnavailable",
                    category=ApplicationErrorCategory.BENIGN,
                ) from None
            self._unmarked[letter.key] = now
            await self._mark_patiently(letter.key, ends)
            activity.logger.info("mail sent", extra={"mail": letter.key})
            await self._postman.goodbye(client)
        finally:
            client.close()

    async def _catch_up(self) -> None:
        """Mark what could not be marked before. Until that is done nothing else is handed in, so that what may come
        twice never grows beyond `AT_A_TIME`."""
        for key in tuple(self._unmarked):
            await self._mark(key)

    async def _mark_patiently(self, key: str, ends: float) -> None:
        """Note that the server has it, again and again if the database is away.

        The next attempt may be another process's, which does not know that it is handed in.
        """
        while True:
            try:
                return await self._mark(key)
            except Exception as error:
                if not is_away(error) or asyncio.get_running_loop().time() > ends - _MARK_AGAIN:
                    raise
                await asyncio.sleep(_MARK_AGAIN)

    async def _mark(self, key: str) -> None:
        """Note that the server has it. If that fails this process at least remembers, and only notes it next time."""
        at = self._unmarked.get(key)
        if at is not None:
            await self._log.sent(key, at)
            self._unmarked.pop(key, None)

    def _message_id(self, key: str) -> str:
        """The same for the same mail for ever, so that two copies of one mail are recognised as such."""
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"<{name}@{self._postman.sender.domain}>"


def _others_first(key: str) -> ApplicationError:
    return ApplicationError(
        f"mail {key}: others are being handed in",
        type="MailsWaiting",
        category=ApplicationErrorCategory.BENIGN,
    )


def _given_up(key: str, why: str) -> ApplicationError:
    return ApplicationError(
        f"mail {key}: given up, {why}", type=activities.MAIL_GIVEN_UP, non_retryable=True
    )
