"""Sends the mails about messages, and retries them. One mail has what one side wrote within a short time."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from domain.orders.erasure import is_erased
from domain.orders.messages import has_partner, next_due
from domain.orders.order import Order
from mail.message_texts import MessageTexts
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.smtp import NotSent
from mail.texts import Reader
from records.message_mails import MessageMail, MessageMailQueue
from records.orders import Orders
from records.partners import Partners
from settings import Settings
from use_cases.leases import AGAIN, send_leased

logger = logging.getLogger("cmi.desk")

_KIND = "message"


class MessageMails:
    """The mails about messages. Several processes may share the work. `clock` gives the instant."""

    def __init__(
        self,
        queue: MessageMailQueue,
        orders: Orders,
        partners: Partners,
        outbox: Outbox,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._queue = queue
        self._orders = orders
        self._partners = partners
        self._outbox = outbox
        self._texts = MessageTexts(settings.public_url)
        self._operations = settings.mail_operations
        self._language = settings.operations_language
        self._reply_to = settings.messages_reply_to
        self._clock = clock

    async def send_due(self) -> int:
        """Make one attempt at each mail that is due. Returns how many were sent."""
        queue = self._queue
        return await send_leased(queue.due, queue.try_next, self._send, self._clock)

    async def _send(self, mail: MessageMail) -> bool:
        """Send a leased mail. If that fails, it is tried again after `AGAIN`, or after the lease."""
        outgoing = await self._outgoing(mail)
        if outgoing is None:
            await self._queue.delete(mail.key)
            return False
        try:
            row = await self._outbox.send(outgoing, self._clock(), since=mail.asked_at)
        except NotSent as error:
            logger.warning("mail about messages not sent", extra={"why": str(error)})
            await self._queue.try_next(mail, self._clock() + AGAIN)
            return False
        await self._queue.delete(mail.key)
        return row.state == "sent"

    async def _outgoing(self, mail: MessageMail) -> OutgoingMail | None:
        """The mail; None if it is not needed: its partner lost the order, operations answered, or all is erased."""
        messages = await self._queue.messages(mail.key)
        stored = await self._orders.get(mail.sp_id)
        partner = await self._partners.get(mail.partner_id)
        if not messages or stored is None or partner is None or is_erased(stored.order):
            return None
        order = stored.order
        if not _has(order, mail.partner_id):
            return None
        to_partner = mail.audience == "partner"
        if not to_partner and not any(each.is_open for each in messages):
            return None
        reader = (
            Reader(partner.name, partner.language)
            if to_partner
            else Reader("", self._language, staff=True)
        )
        return OutgoingMail(
            mail.key,
            mail.sp_id,
            _KIND,
            mail.audience,
            partner.email if to_partner else self._operations,
            reader,
            lambda: self._texts.compose(
                mail.audience,
                reader,
                order,
                messages,
                replies=self._reply_to is not None,
                phone="" if to_partner else partner.phone,
                due=next_due(messages),
            ),
            give_up_refused=FIVE_DAYS,
            give_up_put_off=FIVE_DAYS,
            reply_to=self._reply_to,
        )


def _has(order: Order, partner_id: str) -> bool:
    return has_partner(order) and order.partner.partner_id == partner_id
