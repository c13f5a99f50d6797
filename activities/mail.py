"""Sends mails: to whom, in which language, once under each key as far as SMTP allows (docs/mail.md, "Once")."""

import asyncio
from typing import NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import without_contents
from contracts import activities
from domain.orders.effects import Mail
from mail.letters import Letter, Letters
from mail.texts import MailTexts, Reader
from records.partners import Partner, Partners
from settings import Settings


class _Receiver(NamedTuple):
    """Who gets a mail, under which key. A copy is worth less than the mail that it is a copy of."""

    key: str
    address: str
    reader: Reader
    is_copy: bool = False


class MailActivities:
    """Mail about orders, with the links that `settings` name."""

    def __init__(self, settings: Settings, letters: Letters, partners: Partners) -> None:
        self._settings = settings
        self._partners = partners
        self._texts = MailTexts(settings.public_url)
        self._letters = letters

    @activity.defn(name=activities.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        """Send a mail, unless it was sent under its key before.

        What is raised is worth another attempt, but for `names.MAIL_GIVEN_UP`: refused for five days. A refusal is
        tried again hourly, by then to the address that the partner has; a new order is never given up. Errors name
        the mail's key and the server's code, nothing else.
        """
        with without_contents(f"mail {mail.key}"):
            receivers = await self._receivers(mail)
            # Side by side, so that no letter waits for another's server, and each goes out whatever befalls the other.
            results = await asyncio.gather(
                *(self._send_once(mail, receiver) for receiver in receivers), return_exceptions=True
            )
            for failure in filter(None, results):
                raise failure

    # --- to whom -------------------------------------------------------------------------------------------------

    async def _receivers(self, mail: Mail) -> list[_Receiver]:
        if mail.audience == "operations":
            return [self._to_team(mail)]
        if mail.audience == "sender":
            return [await self._to_sender(mail)]
        partner = await self._partner(mail.partner_id)
        reader = Reader(partner.name, partner.language)
        receivers = [_Receiver(mail.key, partner.email, reader)]
        other = partner.escalation_email
        if mail.kind == "escalation" and other and other != partner.email:
            receivers.append(_Receiver(f"{mail.key}/copy", other, reader, is_copy=True))
        return receivers

    def _to_team(self, mail: Mail) -> _Receiver:
        reader = Reader("", self._settings.operations_language, staff=True)
        return _Receiver(mail.key, self._settings.mail_operations, reader)

    async def _to_sender(self, mail: Mail) -> _Receiver:
        """To who asked: the login's own address, or that of the firm or team behind it."""
        sender = mail.sender
        if sender is None:
            return self._to_team(mail)
        if sender.partner_id is not None:
            partner = await self._partner(sender.partner_id)
            stranger = partner.partner_id != mail.partner_id
            reader = Reader(partner.name, partner.language, stranger=stranger)
            return _Receiver(mail.key, sender.email or partner.email, reader)
        if sender.email is None:
            return self._to_team(mail)
        reader = Reader(sender.name, self._settings.operations_language, staff=True)
        return _Receiver(mail.key, sender.email, reader)

    async def _partner(self, partner_id: str) -> Partner:
        partner = await self._partners.get(partner_id)
        if partner is None:
            raise ApplicationError(
                f"partner {partner_id} is not in the records", type="PartnerUnknown"
            )
        return partner

    # --- once ----------------------------------------------------------------------------------------------------

    async def _send_once(self, mail: Mail, to: _Receiver) -> None:
        letter = Letter(
            to.key,
            mail.sp_id,
            mail.kind,
            mail.audience,
            to.address,
            to.reader,
            lambda: self._texts.compose(mail, to.reader),
        )
        # Without a new order's mail there is no transmission.
        give_up = mail.kind != "new_order"
        await self._letters.send(letter, give_up=give_up, is_copy=to.is_copy)
