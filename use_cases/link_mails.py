"""Mails links that let somebody choose a password. No link is lost with a mail server that is away.

The secret of a link is nowhere but in its mail. So a mail that is sent again carries another secret, and the former
works no more; of two mails that arrived the later one counts.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from mail.smtp import Postman, Refused, Unavailable, recipient_address
from mail.texts import MailTexts, Reader
from records.accounts import AccountRecords, MailedPurpose, User
from settings import Settings

logger = logging.getLogger("cmi.desk")

VALID = timedelta(hours=72)
PATIENCE = 5.0
"""Seconds that the caller waits for the mail server; the conversation goes on without it."""
_LEASE = timedelta(minutes=2)  # longer than any conversation with the mail server
_FIRST_RETRY = timedelta(minutes=1)
_SLOWEST_RETRY = timedelta(hours=1)
_GIVE_UP: dict[MailedPurpose, timedelta] = {
    "invitation": timedelta(days=5),
    "reset": timedelta(hours=1),  # after that nobody waits for it any more
}


Sent = TypeVar("Sent", bool, int)


class Issued(NamedTuple):
    """A link, and its mail under way."""

    address: str
    sending: asyncio.Task[bool]


def new_secret() -> str:
    """256 random bits, as text that goes into an address."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What the records know of a secret. It is random and long, so a plain hash tells nothing."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class LinkMails:
    """Issues links and sees to it that they are mailed."""

    def __init__(
        self, settings: Settings, records: AccountRecords, clock: Callable[[], datetime]
    ) -> None:
        self._public_url = settings.public_url
        self._timezone = ZoneInfo(settings.load_policy().office.timezone)
        self._records = records
        self._clock = clock
        self._texts = MailTexts(settings.public_url)
        self._postman = Postman(settings)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def spawn(self, work: Coroutine[Any, Any, Sent]) -> asyncio.Task[Sent]:
        """Let something be done while the caller goes on."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def issue(
        self, user: User, purpose: MailedPurpose, *, persist: bool = True
    ) -> Issued | None:
        """A new link for a user, in the place of the former; its mail begins to go out. None: the user is gone.

        Without `persist` there is one attempt only, and so the link stays the one that is returned.
        """
        secret, now = new_secret(), self._clock()
        lease = now + _LEASE if persist else None
        kept = await self._records.put_link(
            user.user_id, purpose, hash_of(secret), now, now + VALID, lease
        )
        if not kept:
            return None
        retry_at = self._retry_at(purpose, now, 1) if persist else None
        sending = self.spawn(self._send(user, purpose, secret, now + VALID, retry_at))
        return Issued(self._link(purpose, secret), sending)

    async def mail(self, user: User, purpose: MailedPurpose) -> None:
        """Issue a link and give the mail server a moment to take its mail."""
        issued = await self.issue(user, purpose)
        if issued is not None:
            await asyncio.wait({issued.sending}, timeout=PATIENCE)

    async def send_due(self) -> int:
        """Send the mails that are not out yet and due. Returns how many went out."""
        sent = 0
        for due in await self._records.due_mails(self._clock()):
            if self._closing:
                break
            secret, now = new_secret(), self._clock()
            until = now + VALID
            if not await self._records.claim_mail(due, hash_of(secret), until, now + _LEASE):
                continue
            known = await self._records.by_id(due.user_id, now)
            if known is not None:
                retry_at = self._retry_at(due.purpose, due.asked_at, due.attempts + 1)
                sent += await self._send(known.user, due.purpose, secret, until, retry_at)
        return sent

    def _link(self, purpose: MailedPurpose, secret: str) -> str:
        return f"{self._public_url}/{purpose}/{secret}"

    async def _send(
        self,
        user: User,
        purpose: MailedPurpose,
        secret: str,
        until: datetime,
        retry_at: datetime | None,
    ) -> bool:
        """Whether the mail server took it. Raises nothing: who is told `waiting` has no use for an error."""
        facts = {"user": user.user_id, "purpose": purpose}
        try:
            try:
                await self._hand_in(user, purpose, secret, until)
            except Refused as refused:
                retry = None if refused.lasting else retry_at
                await self._records.link_failed(hash_of(secret), retry)
                logger.warning("link refused by mail", extra={**facts, "why": str(refused)})
                return False
            except Unavailable as away:
                await self._records.link_failed(hash_of(secret), retry_at)
                logger.warning("link not mailed yet", extra={**facts, "why": str(away)})
                return False
            await self._records.link_sent(hash_of(secret), self._clock())
        except Exception as error:  # its text may quote what is secret
            logger.error("link not mailed", extra={**facts, "why": type(error).__name__})
            with suppress(SQLAlchemyError, OSError):  # else it is due again by its lease
                await self._records.link_failed(hash_of(secret), retry_at)
            return False
        logger.info("link mailed", extra=facts)
        return True

    async def _hand_in(
        self, user: User, purpose: MailedPurpose, secret: str, until: datetime
    ) -> None:
        reader = Reader(user.name, user.language, staff=user.role != "partner")
        recipient = recipient_address(user.email)
        text = self._texts.compose_account(
            purpose,
            reader,
            user.email,
            self._link(purpose, secret),
            until.astimezone(self._timezone),
        )
        message_id = f"<{secrets.token_hex(16)}@{self._postman.sender.domain}>"
        message = self._postman.message(text, reader, recipient, message_id, self._clock())
        client = self._postman.client()
        try:
            await self._postman.hand_in(client, message, recipient)
            await self._postman.goodbye(client)
        finally:
            client.close()

    def _retry_at(
        self, purpose: MailedPurpose, asked_at: datetime, attempts: int
    ) -> datetime | None:
        delay = min(_FIRST_RETRY * 2 ** min(attempts - 1, 10), _SLOWEST_RETRY)
        again = self._clock() + delay
        return again if again - asked_at <= _GIVE_UP[purpose] else None
