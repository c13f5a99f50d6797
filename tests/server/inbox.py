"""The mail server of the tests of whole products, which can stop in the middle of a mail."""

import asyncio
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from development.smtp_inbox import SmtpInbox


class Inbox(SmtpInbox):
    """A mail server that can stop in the middle: at a mail handed in whole, before it is kept or before the answer.

    `held` counts the mails it has stopped at.
    """

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory, port)
        self.keeping = asyncio.Event()
        self.answering = asyncio.Event()
        self.keeping.set()
        self.answering.set()
        self.held = 0
        self._read: dict[Path, EmailMessage] = {}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await self._pass(self.keeping)
        answer = await super().handle_DATA(server, session, envelope)
        await self._pass(self.answering)
        return answer

    async def _pass(self, gate: asyncio.Event) -> None:
        self.held += 1
        try:
            await gate.wait()
        finally:
            self.held -= 1

    def mails(self, sp_id: str = "") -> list[EmailMessage]:
        """All mails (with this id in the subject) in the order of their arrival."""
        return [
            mail
            for path in sorted(self.directory.glob("*.eml"))
            if re.search(rf"{re.escape(sp_id)}(?!\d)", (mail := self._mail(path))["Subject"])
        ]

    def _mail(self, path: Path) -> EmailMessage:
        """A mail that was kept, which is read once: its file appears whole."""
        if path not in self._read:
            mail = message_from_bytes(path.read_bytes(), policy=default)
            assert isinstance(mail, EmailMessage)
            self._read[path] = mail
        return self._read[path]

    def ids(self, sp_id: str = "") -> list[str]:
        """The message ids of these mails."""
        return [mail["Message-ID"] for mail in self.mails(sp_id)]
