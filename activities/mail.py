"""Sends the mails about orders, each to its recipient and in the recipient's language (docs/mail.md)."""

import asyncio
from typing import NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import without_contents
from activities.sending import given_up, send_from_activity
from contracts import activities
from domain.orders.outgoing import Mail
from mail.invitations import Invitations
from mail.order_texts import OrderTexts
from mail.outbox import AT_ONCE, FIVE_DAYS, Outbox, OutgoingMail
from mail.texts import Reader
from records.partners import Partner, Partners
from settings import Settings


class _Recipient(NamedTuple):
    """The recipient of a mail, and the mail's key. A refused copy is given up at once.

    `phone`: the number of the order's partner, if the recipient may have to call it.
    """

    key: str
    address: str
    reader: Reader
    is_copy: bool = False
    phone: str = ""


class MailActivities:
    """The activity that sends a mail about an order."""

    def __init__(self, settings: Settings, outbox: Outbox, partners: Partners) -> None:
        self._settings = settings
        self._partners = partners
        self._texts = OrderTexts(settings.public_url, settings.company_name)
        self._invitations = Invitations(settings)
        self._outbox = outbox

    @activity.defn(name=activities.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        """Send a mail, unless the mail with its key is sent already.

        A failure is retried, except `activities.MAIL_GIVEN_UP` after five days of refusals. A refused mail is retried
        every hour, to the partner's current address. The mail of a new order is never given up. Failures contain only
        the mail's key and the server's code.
        """
        with without_contents(f"mail {mail.key}"):
            recipients = await self._recipients(mail)
            # Concurrently, so that neither a mail nor its copy waits for the other or fails with it.
            results = await asyncio.gather(
                *(self._send_to(mail, recipient) for recipient in recipients),
                return_exceptions=True,
            )
            for failure in filter(None, results):
                raise failure

    async def _recipients(self, mail: Mail) -> list[_Recipient]:
        if mail.audience == "operations":
            known = await self._partners.get(mail.partner_id)
            return [self._to_team(mail)._replace(phone=known.phone if known else "")]
        if mail.audience == "sender":
            return [await self._to_sender(mail)]
        partner = await self._partner(mail.partner_id)
        reader = Reader(partner.name, partner.language)
        recipients = [_Recipient(mail.key, partner.email, reader)]
        other = partner.escalation_email
        if mail.kind == "escalation" and other and other != partner.email:
            recipients.append(_Recipient(f"{mail.key}/copy", other, reader, is_copy=True))
        return recipients

    def _to_team(self, mail: Mail) -> _Recipient:
        reader = Reader("", self._settings.operations_language, staff=True)
        return _Recipient(mail.key, self._settings.mail_operations, reader)

    async def _to_sender(self, mail: Mail) -> _Recipient:
        """The sender of the command: the address of the login, or of its partner or team."""
        sender = mail.sender
        if sender is None:
            return self._to_team(mail)
        if sender.partner_id is not None:
            partner = await self._partner(sender.partner_id)
            stranger = partner.partner_id != mail.partner_id
            reader = Reader(partner.name, partner.language, stranger=stranger)
            return _Recipient(mail.key, sender.email or partner.email, reader)
        if sender.email is None:
            return self._to_team(mail)
        reader = Reader(sender.name, self._settings.operations_language, staff=True)
        return _Recipient(mail.key, sender.email, reader)

    async def _partner(self, partner_id: str) -> Partner:
        partner = await self._partners.get(partner_id)
        if partner is None:
            raise ApplicationError(
                f"partner {partner_id} is not in the records", type="PartnerUnknown"
            )
        return partner

    async def _send_to(self, mail: Mail, to: _Recipient) -> None:
        # The partner's first deadlines wait for the mail about a new order, so that mail is never given up.
        limit = None if mail.kind == "new_order" else FIVE_DAYS
        now = activity.info().started_time
        sent = await send_from_activity(
            self._outbox,
            OutgoingMail(
                to.key,
                mail.sp_id,
                mail.kind,
                mail.audience,
                to.address,
                to.reader,
                lambda: self._texts.compose(mail, to.reader, now=now, phone=to.phone),
                calendar=self._invitations.withdrawal(mail, to.address, now)
                if self._invitations.to_partners
                else None,
                give_up_refused=AT_ONCE if to.is_copy else limit,
                give_up_put_off=limit,
            ),
        )
        if sent.state == "given_up" and not to.is_copy:
            raise given_up(sent)
