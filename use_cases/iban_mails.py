"""Tells partners of changes to their IBAN, at the addresses that they had; retried until each mail is sent."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from domain.iban import masked
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.smtp import NotSent
from mail.texts import MailTexts, Reader
from records.iban_changes import IbanChanges, IbanMail
from records.partners import Partners

logger = logging.getLogger("cmi.desk")

AUDIENCE = "partner"
_LEASE = timedelta(minutes=2)
"""How long a process leases a mail that it tries. Longer than any attempt."""
_AGAIN = timedelta(minutes=5)
_MOST_DUE = 100


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
        sent = 0
        for mail in await self._changes.due_mails(self._clock(), _MOST_DUE):
            leased_until = self._clock() + _LEASE
            if await self._changes.try_next(mail, leased_until):
                sent += await self._send(mail._replace(next_attempt_at=leased_until))
        return sent

    async def _send(self, mail: IbanMail) -> bool:
        """Send a leased mail. If that fails, it is tried again after `_AGAIN`, or after the lease."""
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
            await self._changes.try_next(mail, self._clock() + _AGAIN)
            return False
        await self._changes.try_next(mail, None)
        return row.state == "sent"
