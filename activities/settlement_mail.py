"""Sends the mails about settlements, with the statement or the invoice attached (docs/mail.md)."""

from datetime import datetime
from email.utils import parseaddr
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import without_contents
from contracts import activities
from domain.settlements.mails import SettlementMail
from mail.letters import Letter, Letters
from mail.settlement_texts import SettlementTexts
from mail.smtp import Attachment
from mail.texts import Reader
from records.papers import Papers
from records.partners import Partners
from settings import Settings

LARGEST_ATTACHMENT = 7 << 20
"""Bytes. In a mail they are a third more, and many servers take no mail above ten megabytes."""


class SettlementMailActivities:
    """Mail about settlements, with the links that `settings` name."""

    def __init__(
        self, settings: Settings, letters: Letters, partners: Partners, papers: Papers
    ) -> None:
        self._settings = settings
        self._partners = partners
        self._papers = papers
        zone = ZoneInfo(settings.load_policy().office.timezone)

        def clock(instant: datetime) -> datetime:
            return instant.astimezone(zone).replace(tzinfo=None)

        accounting = parseaddr(settings.mail_accounting)[1]
        self._texts = SettlementTexts(settings.public_url, accounting, clock)
        self._letters = letters

    @activity.defn(name=activities.SEND_SETTLEMENT_MAIL)
    async def send_settlement_mail(self, mail: SettlementMail) -> None:
        """Send a mail, unless it was sent under its key before.

        What is raised is worth another attempt, but for `names.MAIL_GIVEN_UP`. The mail that brings accounting an
        invoice is never given up. Errors name the mail's key and the server's code, nothing else.
        """
        with without_contents(f"mail {mail.key}"):
            address, reader = await self._receiver(mail)
            attachments = await self._attachments(mail)
            letter = Letter(
                mail.key,
                mail.settlement_id,
                mail.kind,
                mail.audience,
                address,
                reader,
                lambda: self._texts.compose_settlement(mail, reader, attached=bool(attachments)),
                attachments=attachments,
            )
            await self._letters.send(letter, give_up=mail.audience != "accounting")

    async def _receiver(self, mail: SettlementMail) -> tuple[str, Reader]:
        """To whom, by what is known of them now."""
        if mail.audience != "partner":
            of_ours = {
                "operations": self._settings.mail_operations,
                "accounting": self._settings.mail_accounting,
            }
            reader = Reader("", self._settings.operations_language, staff=True)
            return of_ours[mail.audience], reader
        partner = await self._partners.get(mail.partner_id)
        if partner is None:
            raise ApplicationError(
                f"partner {mail.partner_id} is not in the records", type="PartnerUnknown"
            )
        return partner.email, Reader(partner.name, partner.language)

    async def _attachments(self, mail: SettlementMail) -> tuple[Attachment, ...]:
        """The PDF that goes with it. One that is too large is left in the CMI, and the mail says so.

        The name of an uploaded file is a stranger's text: it gets one of ours.
        """
        if mail.paper_id is None or (mail.kind, mail.audience) not in _WITH_PAPER:
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
}
