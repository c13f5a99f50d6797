"""Issues links to set a password, and retries their mails until they are sent.

The secret of a link is only in its mail and is not stored. So a retry issues a new link with a new secret, in a new
mail with its own key: the former link no longer works, and the former mail is obsolete.
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

from mail.outbox import AT_ONCE, Outbox, OutgoingMail
from mail.smtp import NotSent, SmtpSender
from mail.texts import MailTexts, Reader
from records.accounts import AccountRecords, User
from records.database import Database
from records.links import Links, NewLink
from records.mails import USER, MailedPurpose, MailLog, PendingMail
from settings import Settings
from use_cases.leases import LEASE

logger = logging.getLogger("cmi.desk")

VALID: dict[MailedPurpose, timedelta] = {
    "invitation": timedelta(hours=72),  # it may come on a Friday
    "reset": timedelta(hours=1),
}
"""How long a link works."""
PATIENCE = 5.0
"""Seconds that the caller waits for the mail server. After that the attempt continues in the background."""
_FIRST_RETRY = timedelta(minutes=1)
_SLOWEST_RETRY = timedelta(hours=1)
_GIVE_UP: dict[MailedPurpose, timedelta] = {
    "invitation": timedelta(days=5),
    "reset": timedelta(hours=1),  # as long as somebody may wait for it
}
_MOST_DUE = 100

_Result = TypeVar("_Result", bool, int)


class PreparedLink(NamedTuple):
    """A link before it is stored: its secret, its row in the records, and its mail."""

    secret: str
    row: NewLink
    mail: PendingMail


def new_secret() -> str:
    """256 random bits, as text that fits into a URL."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """The hash of a secret for the records. Secrets are random and long, so a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class LinkMails:
    """Links and their mails. Several processes may share the work. Call `close` at the end."""

    def __init__(
        self, settings: Settings, database: Database, clock: Callable[[], datetime]
    ) -> None:
        self._public_url = settings.public_url
        self._timezone = ZoneInfo(settings.load_policy().office.timezone)
        self._accounts = AccountRecords(database)
        self._links = Links(database)
        self._mails = MailLog(database)
        self._outbox = Outbox(self._mails, SmtpSender(settings))
        self._clock = clock
        self._texts = MailTexts(settings.public_url, settings.company_name)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    @property
    def outbox(self) -> Outbox:
        """The outbox of this process, which must be its only one."""
        return self._outbox

    @property
    def texts(self) -> MailTexts:
        """The texts of mails."""
        return self._texts

    def spawn(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Start a task in the background."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Start no more mails, and wait for the running ones."""
        self._closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def prepare(
        self,
        user_id: str,
        email: str,
        purpose: MailedPurpose,
        *,
        asked_at: datetime | None = None,
        attempts: int = 0,
        only_once: bool = False,
    ) -> PreparedLink:
        """A new link with its mail. The caller stores it and then sends it; its mail is leased to this process.

        `only_once`: the mail is not retried, so that the link stays valid.
        """
        secret, now = new_secret(), self._clock()
        hashed = hash_of(secret)
        key = f"{purpose}/{user_id}/{hashed[:32]}"
        mail = PendingMail(
            key,
            user_id,
            purpose,
            email,
            self._outbox.message_id(key),
            asked_at or now,
            None if only_once else now + LEASE,
            attempts,
        )
        return PreparedLink(
            secret, NewLink(user_id, purpose, hashed, now + VALID[purpose], mail), mail
        )

    def address(self, link: PreparedLink) -> str:
        """The URL of a link."""
        return f"{self._public_url}/{link.row.purpose}/{link.secret}"

    def start_sending(self, user: User, link: PreparedLink) -> asyncio.Task[bool]:
        """Start the first attempt to send the mail of a stored link. The task returns whether it was sent."""
        return self.spawn(self._send(user, link))

    async def issue(self, user: User, purpose: MailedPurpose) -> asyncio.Task[bool] | None:
        """Replace a user's link by a new one and start to send its mail. None if the user does not exist."""
        link = self.prepare(user.user_id, user.email, purpose)
        if not await self._links.put(link.row):
            return None
        return self.start_sending(user, link)

    async def send_due(self) -> int:
        """Send the mails whose next attempt is due. Returns how many were sent."""
        await self._outbox.mark_submitted()
        sent = 0
        for due in await self._mails.due(self._clock(), _MOST_DUE):
            if self._closing:
                break
            sent += await self._send_again(due)
        return sent

    async def _send_again(self, due: PendingMail) -> bool:
        known = await self._accounts.by_id(due.user_id, self._clock())
        if known is None:
            return False
        link = self.prepare(
            due.user_id,
            known.user.email,
            due.kind,
            asked_at=due.asked_at,
            attempts=due.attempts,
        )
        if not await self._links.renew(due, link.row):
            return False
        return await self._send(known.user, link)

    async def _send(self, user: User, link: PreparedLink) -> bool:
        """Send the mail, and return whether it was sent. Raises nothing, because no caller would see it."""
        mail, purpose = link.mail, link.mail.kind
        reader = Reader(user.name, user.language, staff=user.role != "partner")
        outgoing = OutgoingMail(
            mail.key,
            user.user_id,
            purpose,
            USER,
            user.email,
            reader,
            lambda: self._texts.compose_account(
                purpose,
                reader,
                user.email,
                self.address(link),
                link.row.expires_at.astimezone(self._timezone),
            ),
            in_thread=False,
            give_up_refused=AT_ONCE,
            give_up_put_off=None,  # `_try_later` gives up
        )
        facts = {"user": user.user_id, "purpose": purpose}
        try:
            try:
                row = await self._outbox.send(outgoing, self._clock(), since=mail.asked_at)
            except NotSent as error:
                logger.warning("link not mailed yet", extra={**facts, "why": str(error)})
                await self._try_later(mail)
                return False
        except Exception as error:  # its text may contain secrets
            logger.error("link not mailed", extra={**facts, "why": type(error).__name__})
            with suppress(SQLAlchemyError, OSError):  # if this fails, it is due when its lease ends
                await self._try_later(mail)
            return False
        return row.state == "sent"

    async def _try_later(self, mail: PendingMail) -> None:
        """Schedule the next attempt after 1, 2, 4 … minutes, then hourly, or give up."""
        delay = min(_FIRST_RETRY * 2 ** min(mail.attempts, 10), _SLOWEST_RETRY)
        again = self._clock() + delay
        if mail.next_attempt_at is None or again - mail.asked_at > _GIVE_UP[mail.kind]:
            await self._outbox.give_up(mail.key)
        else:
            await self._mails.try_again(mail.key, again)
