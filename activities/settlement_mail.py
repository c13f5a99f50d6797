"""Sends the mails about settlements, with the statement or the invoice attached (docs/mail.md)."""

from datetime import datetime
from email.utils import parseaddr
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import without_contents
from activities.sending import given_up, send_from_activity
from contracts import activities
from domain.settlements.mails import SettlementMail
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.settlement_texts import SettlementTexts
from mail.smtp import Attachment
from mail.texts import Reader
from records.papers import Papers
from records.partners import Partners
from settings import Settings

LARGEST_ATTACHMENT = 7 << 20
"""Bytes. Encoding makes them a third larger, and many servers refuse mails of more than ten megabytes."""


class SettlementMailActivities:
    """The activity that sends a mail about a settlement."""

    def __init__(
        self, settings: Settings, outbox: Outbox, partners: Partners, papers: Papers
    ) -> None:
        self._settings = settings
        self._partners = partners
        self._papers = papers
        zone = ZoneInfo(settings.load_policy().office.timezone)

        def clock(instant: datetime) -> datetime:
            return instant.astimezone(zone).replace(tzinfo=None)

        accounting = parseaddr(settings.mail_accounting)[1]
        self._texts = SettlementTexts(settings.public_url, accounting, clock, settings.company_name)
        self._outbox = outbox

    @activity.defn(name=activities.SEND_SETTLEMENT_MAIL)
    async def send_settlement_mail(self, mail: SettlementMail) -> None:
        """Send a mail, unless the mail with its key is sent already.

        A failure is retried, except `activities.MAIL_GIVEN_UP`. The mail with an invoice for accounting is never given
        up. Failures contain only the mail's key and the server's code.
        """
        with without_contents(f"mail {mail.key}"):
            address, reader = await self._recipient(mail)
            attachments = await self._attachments(mail)
            limit = None if mail.audience == "accounting" else FIVE_DAYS
            outgoing = OutgoingMail(
                mail.key,
                mail.settlement_id,
                mail.kind,
                mail.audience,
                address,
                reader,
                lambda: self._texts.compose_settlement(mail, reader, attached=bool(attachments)),
                attachments=attachments,
                give_up_refused=limit,
                give_up_put_off=limit,
            )
            sent = await send_from_activity(self._outbox, outgoing)
            if sent.state == "given_up":
                raise given_up(sent)

    async def _recipient(self, mail: SettlementMail) -> tuple[str, Reader]:
        """The current address of the recipient, and who reads the mail there."""
        if mail.audience != "partner":
            team_addresses = {
                "operations": self._settings.mail_operations,
                "accounting": self._settings.mail_accounting,
            }
            reader = Reader("", self._settings.operations_language, staff=True)
            return team_addresses[mail.audience], reader
        partner = await self._partners.get(mail.partner_id)
        if partner is None:
            raise ApplicationError(
                f"partner {mail.partner_id} is not in the records", type="PartnerUnknown"
            )
        return partner.email, Reader(partner.name, partner.language)

    async def _attachments(self, mail: SettlementMail) -> tuple[Attachment, ...]:
        """The PDF to attach. One that is too large is not attached, and the mail says so.

        The name of an uploaded file is not trusted, so the attachment gets a name of ours.
        """
        # The partner has no copy of an invoice that CMI made for it.
        is_made = mail.kind == "invoice_accepted" and bool(mail.invoice_number)
        if mail.paper_id is None or not (is_made or (mail.kind, mail.audience) in _WITH_PAPER):
            return ()
        paper = await self._papers.get(mail.paper_id)
        if paper is None:
            raise ApplicationError(f"{mail.paper_id} is not in the records", type="NotRecorded")
        if len(paper.content) > LARGEST_ATTACHMENT:
            return ()
        prefix = "invoice-" if paper.kind == "invoice" else ""
        return (Attachment(f"{prefix}{mail.settlement_id}.pdf", paper.content),)


_WITH_PAPER = {
    ("statement", "partner"),
    ("invoice_missing", "partner"),
    ("invoice_accepted", "accounting"),
    ("invoice_held", "accounting"),
}
