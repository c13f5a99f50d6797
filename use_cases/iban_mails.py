"""Sends the mails about changed IBANs, to the addresses that the partner had, and retries until each is sent."""

import logging
from collections.abc import Callable
from datetime import datetime

from domain.iban import masked
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.smtp import NotSent
from mail.texts import MailTexts, Reader
from records.iban_changes import IbanChanges, IbanMail
from records.partners import Partners
from use_cases.leases import AGAIN, send_leased

logger = logging.getLogger("cmi.desk")

AUDIENCE = "partner"


class IbanMails:
    """The mails about changed IBANs. Several processes may share the work. `clock` gives the instant."""

    def __init__(
        self,
        changes: IbanChanges,
        partners: Partners,
        outbox: Outbox,
        texts: MailTexts,
        clock: Callable[[], datetime],
    ) -> None:
        self._changes = changes
        self._partners = partners
        self._outbox = outbox
        self._texts = texts
        self._clock = clock

    async def send_due(self) -> int:
        """Make one attempt at each mail that is due. Returns how many were sent."""
        queue = self._changes
        return await send_leased(queue.due_mails, queue.try_next, self._send, self._clock)

    async def _send(self, mail: IbanMail) -> bool:
        """Send a leased mail. If that fails, it is tried again after `AGAIN`, or after the lease."""
        change = mail.change
        partner = await self._partners.get(change.partner_id)
        assert partner is not None, "partners are never deleted"
        reader = Reader(partner.name, partner.language)
        outgoing = OutgoingMail(
            mail.key,
            change.partner_id,
            mail.kind,
            AUDIENCE,
            mail.recipient,
            reader,
            lambda: self._texts.compose_iban(
                mail.kind,
                reader,
                before=masked(change.from_iban) if change.from_iban else None,
                after=masked(change.to_iban) if change.to_iban else None,
            ),
            give_up_refused=FIVE_DAYS,
            give_up_put_off=FIVE_DAYS,
        )
        try:
            row = await self._outbox.send(outgoing, self._clock(), since=mail.asked_at)
        except NotSent as error:
            logger.warning("mail about an IBAN not sent", extra={"why": str(error)})
            await self._changes.try_next(mail, self._clock() + AGAIN)
            return False
        await self._changes.try_next(mail, None)
        return row.state == "sent"
