"""Hands mails to the mail server: how a mail is put together, the conversation over SMTP, what its answers mean."""

import ssl
from asyncio import timeout
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage, Message
from email.policy import EmailPolicy, Policy
from email.utils import parseaddr
from typing import NamedTuple

import aiosmtplib

from mail.texts import MailText, Reader, one_line
from settings import Settings

_CONNECT = 10  # seconds
_OVERALL = 30  # seconds, from the connection to the server's 250
_GOODBYE = 2  # seconds
_LASTING = 500  # SMTP answers from here on mean "no", those below "not now"


class _Subject(UniqueUnstructuredHeader, BaseHeader):  # type: ignore[misc]
    """A subject whose folding loses and adds no blank, as the standard library's does at the ends of lines."""

    def fold(self, *, policy: "Policy[Message]") -> str:
        """The header's lines."""
        if getattr(policy, "utf8", False):
            return super().fold(policy=policy)
        charset = "us-ascii" if str(self).isascii() else "utf-8"
        words = Header(str(self), charset, header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {words}{policy.linesep}"


class Refused(Exception):
    """The server, or the address itself, says no to this mail. Its text is what may be told: a code, no address."""

    def __init__(self, why: str, *, lasting: bool) -> None:
        self.lasting = lasting
        super().__init__(why)


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("subject", _Subject)
_POLICY = EmailPolicy(linesep="\r\n", header_factory=_HEADERS)


class Unavailable(Exception):
    """The server takes no mail of ours just now. Its text is what may be told."""


class Attachment(NamedTuple):
    """A PDF that goes with a mail."""

    name: str
    content: bytes


class Postman:
    """Mail through the server and from the sender that `settings` name."""

    def __init__(self, settings: Settings) -> None:
        self._server = settings.smtp
        self._operations = settings.mail_operations
        self._tls = None if self._server.security == "none" else ssl.create_default_context()
        self.sender = address(settings.mail_from)

    def client(self) -> aiosmtplib.SMTP:
        """A client for one conversation, which its user closes."""
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._tls,
            username=server.username,
            password=server.password.get_secret_value() if server.password else None,
            timeout=_OVERALL,
        )

    async def hand_in(
        self, client: aiosmtplib.SMTP, message: EmailMessage, recipient: Address
    ) -> None:
        """Return after the server's 250.

        Raises:
            Refused: no to this mail.
            Unavailable: no to all mails, for now.
        """
        try:
            async with timeout(_OVERALL):
                await client.connect(timeout=_CONNECT)
                await client.send_message(
                    message, sender=self.sender.addr_spec, recipients=[recipient.addr_spec]
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _answered(error.recipients[0].code) from None
        except aiosmtplib.SMTPDataError as error:
            raise _answered(error.code) from None
        except aiosmtplib.SMTPResponseException as error:
            # Of the greeting, the login, the sender: no to us, and so to all mails. A human mends it, none is given up.
            raise Unavailable(f"the mail server answered {error.code}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"the mail server is away ({type(error).__name__})") from None

    async def goodbye(self, client: aiosmtplib.SMTP) -> None:
        """End the conversation politely; the mail is handed in whatever the server says to that."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=_GOODBYE)

    def message(
        self,
        text: MailText,
        reader: Reader,
        recipient: Address,
        message_id: str,
        now: datetime,
        thread: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> EmailMessage:
        """The mail. `thread` is the message id of the first mail about the same."""
        message = EmailMessage(policy=_POLICY)
        message["From"] = self.sender
        message["To"] = Address(one_line(reader.name), recipient.username, recipient.domain)
        if not reader.staff:
            message["Reply-To"] = address(self._operations)
        message["Subject"] = text.subject
        # When it is sent, not when its cause was: after a day without a mail server it must be seen on top of the inbox
        # and not look forged. The times that matter stand in the text.
        message["Date"] = now
        message["Message-ID"] = message_id
        if thread is not None:
            message["In-Reply-To"] = thread
            message["References"] = thread
        message["Auto-Submitted"] = "auto-generated"
        # Quoted-printable goes through every server, and is readable where it is kept.
        message.set_content(text.text, cte="quoted-printable")
        message.add_alternative(text.html, subtype="html", cte="quoted-printable")
        for name, content in attachments:
            message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
        # now, or the first part would take it with it
        message["Content-Language"] = reader.language
        return message


def recipient_address(text: str) -> Address:
    """Where a mail goes to. Raises `Refused` for what cannot be an address."""
    try:
        return address(text)
    except ValueError:
        raise Refused("the address cannot be", lasting=True) from None


def address(text: str) -> Address:
    """An address with or without a name. Raises `ValueError` for what cannot be one."""
    name, spec = parseaddr(text)
    username, at, domain = spec.rpartition("@")
    if not (username and at and domain and text.isprintable()) or " " in spec:
        raise ValueError("not a mail address")
    return Address(one_line(name), username, domain.encode("idna").decode())


def _answered(code: int) -> Refused:
    return Refused(f"the mail server answered {code}", lasting=code >= _LASTING)
