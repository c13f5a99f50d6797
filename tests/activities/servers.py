"""Mail servers that behave, and others that do not; real ones, on a socket."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

Answer = str | None  # None: the client waits for ever


class MailServer:
    """An SMTP server whose answers a test may choose: `rcpt(address)`, and what `data` says to a whole mail.

    `data` may be "drop": the mail is kept, and the connection ends without an answer.
    """

    def __init__(self) -> None:
        self.port = 0
        self.received: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.conversations = 0
        self.rcpt: Callable[[str], str] = lambda _: "250 OK"
        self.mail = "250 OK"
        self.data: Answer = "250 OK"
        self.quit: Answer = "221 Bye"
        self.encrypted: list[bool] = []
        self.held = (
            False  # while it is, a mail that is taken is answered only once `released` is set
        )
        self.released = asyncio.Event()

    async def handle_EHLO(
        self, server: Any, session: Session, envelope: Any, name: str, responses: list[str]
    ) -> list[str]:
        self.conversations += 1
        session.host_name = name
        return responses

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mail.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.mail

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        answer = self.rcpt(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data is None:
            await self.released.wait()
            return "451 too late"
        if self.held:
            await self.released.wait()
        if self.data == "drop" or self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.received.append(message)
            self.envelopes.append(envelope)
            self.encrypted.append(
                session.ssl is not None
                or bool(server.transport and server.transport.get_extra_info("sslcontext"))
            )
        if self.data == "drop":
            assert server.transport is not None
            server.transport.abort()
            return "250 nobody hears it"
        return self.data

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        if self.quit is None:
            await self.released.wait()
            return "221 late"
        return self.quit


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, wrapped: bool = False, **options: Any
) -> AsyncIterator[MailServer]:
    """A server on a free port. `tls`: offers STARTTLS with it, or (`wrapped`) speaks TLS from the start."""
    running = MailServer()
    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        offered = None if wrapped else tls
        with warnings.catch_warnings(action="ignore"):  # a login without encryption is meant here
            smtp = SMTP(
                running,
                hostname="test",
                enable_SMTPUTF8=True,
                tls_context=offered,
                loop=loop,
                **options,
            )
        sessions.append(smtp)
        return smtp

    listening = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if wrapped else None)
    running.port = listening.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        running.released.set()
        listening.close()
        for smtp in sessions:
            if smtp.transport is not None:
                smtp.transport.abort()
        await asyncio.sleep(0.01)
