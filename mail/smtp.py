"""Builds mails, submits them over SMTP, and classifies the answers of the server."""

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
from time import monotonic
from typing import Literal, NamedTuple

import aiosmtplib

from mail.texts import MailText, Reader, one_line
from settings import Settings
from telemetry.metrics import MAIL_SECONDS
from telemetry.tracing import SpanKind, span

_CONNECT_SECONDS = 10
_CONVERSATION_SECONDS = 30  # from the connection to the server's 250
_QUIT_SECONDS = 2
_PERMANENT = 500  # SMTP codes from here on are permanent failures, those below temporary ones


class _Subject(UniqueUnstructuredHeader, BaseHeader):  # type: ignore[misc]
    """A subject that keeps its blanks. The standard library loses or adds blanks where it folds lines."""

    def fold(self, *, policy: "Policy[Message]") -> str:
        """Return the header's lines."""
        if getattr(policy, "utf8", False):
            return super().fold(policy=policy)
        charset = "us-ascii" if str(self).isascii() else "utf-8"
        words = Header(str(self), charset, header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {words}{policy.linesep}"


class NotSent(Exception):
    """An attempt to send a mail failed. The text may be logged: it contains no address and no text of the server."""


class Unavailable(NotSent):
    """The server accepts no mail now."""


class Refused(NotSent):
    """The server refuses this mail, or the address is invalid. `lasting`: permanently (5xx), not temporarily (4xx)."""

    def __init__(self, why: str, *, lasting: bool) -> None:
        self.lasting = lasting
        super().__init__(why)


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("subject", _Subject)
_POLICY = EmailPolicy(linesep="\r\n", header_factory=_HEADERS)


class CalendarPart(NamedTuple):
    """An appointment for the reader's calendar: the name of its file, and what a calendar does with it (RFC 5546)."""

    name: str
    content: bytes
    method: Literal["REQUEST", "CANCEL"]


class Attachment(NamedTuple):
    """A PDF that is attached to a mail."""

    name: str
    content: bytes


class SmtpSender:
    """Sends through the mail server of the settings, from their address."""

    def __init__(self, settings: Settings) -> None:
        self._server = settings.smtp
        self._operations = settings.mail_operations
        self._company = settings.company_name
        self._tls = None if self._server.security == "none" else ssl.create_default_context()
        self.from_address = address(settings.mail_from)

    def client(self) -> aiosmtplib.SMTP:
        """A client for one conversation. The caller closes it."""
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._tls,
            username=server.username,
            password=server.password.get_secret_value() if server.password else None,
            timeout=_CONVERSATION_SECONDS,
        )

    async def submit(
        self, client: aiosmtplib.SMTP, message: EmailMessage, recipient: Address
    ) -> None:
        """Submit a mail. Returns after the server's 250.

        Raises:
            Refused: the server refuses this mail.
            Unavailable: it accepts no mail now.
        """
        with span("submit mail", kind=SpanKind.CLIENT):
            await self._submit(client, message, recipient)

    async def _submit(
        self, client: aiosmtplib.SMTP, message: EmailMessage, recipient: Address
    ) -> None:
        began, outcome = monotonic(), "unavailable"
        try:
            async with timeout(_CONVERSATION_SECONDS):
                await client.connect(timeout=_CONNECT_SECONDS)
                await client.send_message(
                    message,
                    sender=self.from_address.addr_spec,
                    recipients=[recipient.addr_spec],
                )
            outcome = "sent"
        except aiosmtplib.SMTPRecipientsRefused as error:
            outcome = "refused"
            raise _answered(error.recipients[0].code) from None
        except aiosmtplib.SMTPDataError as error:
            outcome = "refused"
            raise _answered(error.code) from None
        except aiosmtplib.SMTPResponseException as error:
            # A refused greeting, login or sender affects all mails, so no mail is given up. Somebody has to correct it.
            raise Unavailable(f"the mail server answered {error.code}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"the mail server is away ({type(error).__name__})") from None
        finally:
            MAIL_SECONDS.labels(outcome).observe(monotonic() - began)

    def _as_company(self) -> Address:
        """The sender that people outside see: the retailer's name with our address."""
        own = self.from_address
        return Address(one_line(self._company), own.username, own.domain)

    async def quit(self, client: aiosmtplib.SMTP) -> None:
        """End the conversation. A failure is ignored, because the mail is submitted already."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=_QUIT_SECONDS)

    def message(
        self,
        text: MailText,
        reader: Reader,
        recipient: Address,
        message_id: str,
        now: datetime,
        thread: str | None = None,
        attachments: Sequence[Attachment] = (),
        reply_to: str | None = None,
        calendar: CalendarPart | None = None,
    ) -> EmailMessage:
        """Build a mail. `thread` is the Message-ID of the first mail of its thread.

        `reply_to`: where replies go; None: those of partners to operations.
        """
        message = EmailMessage(policy=_POLICY)
        message["From"] = self.from_address if reader.staff else self._as_company()
        message["To"] = Address(one_line(reader.name), recipient.username, recipient.domain)
        if reply_to is not None or not reader.staff:
            message["Reply-To"] = address(reply_to or self._operations)
        message["Subject"] = text.subject
        # The time of sending, not of the cause: after a day without a mail server the mail must appear on top of the
        # inbox and not look forged. The text contains the times that matter.
        message["Date"] = now
        message["Message-ID"] = message_id
        if thread is not None:
            message["In-Reply-To"] = thread
            message["References"] = thread
        message["Auto-Submitted"] = "auto-generated"
        # Quoted-printable passes every server and stays readable in a file.
        message.set_content(text.text, cte="quoted-printable")
        message.add_alternative(text.html, subtype="html", cte="quoted-printable")
        if calendar is not None:
            # Calendars read the alternative; readers whose program shows no calendar open the attached file.
            message.add_alternative(
                calendar.content.decode(),
                subtype="calendar",
                cte="base64",
                params={"method": calendar.method},
            )
            message.add_attachment(
                calendar.content, maintype="application", subtype="ics", filename=calendar.name
            )
        for name, content in attachments:
            message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
        # Set last, because `add_attachment` would move it into the first part.
        message["Content-Language"] = reader.language
        return message


def recipient_address(text: str) -> Address:
    """The address of a recipient. Raises `Refused` for text that is not an address."""
    try:
        return address(text)
    except ValueError:
        raise Refused("the address cannot be", lasting=True) from None


def address(text: str) -> Address:
    """Parse an address, with or without a name. Raises `ValueError` for text that is not an address."""
    name, spec = parseaddr(text)
    username, at, domain = spec.rpartition("@")
    if not (username and at and domain and text.isprintable()) or " " in spec:
        raise ValueError("not a mail address")
    return Address(one_line(name), username, domain.encode("idna").decode())


def _answered(code: int) -> Refused:
    return Refused(f"the mail server answered {code}", lasting=code >= _PERMANENT)
