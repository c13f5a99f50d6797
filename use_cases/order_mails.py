"""Sends the mails about orders that follow from the records (docs/mail.md, "Appointments").

Several processes may share the work: a process leases an event while it tries the event's mails.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from domain.errors import NotUnderstood
from domain.orders.another_day import wish_mail
from domain.orders.order import Order
from domain.orders.outgoing import Mail
from domain.orders.recorded_mails import ENTRIES, VISITS, is_outdated, recorded_mails
from mail.invitations import Invitations
from mail.order_texts import OrderTexts
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.smtp import NotSent
from mail.texts import Reader
from records.database import Database
from records.mails import MailLog
from records.order_mails import DueEvent, OrderMailRows
from records.orders import Orders, StoredOrder
from records.partners import Partner, Partners
from settings import Settings
from use_cases.customer_links import CustomerLinkUseCases
from use_cases.leases import AGAIN, send_leased

logger = logging.getLogger("cmi.desk")


class OrderMails:
    """The mails of `recorded_mails.RECORDED`, which `use_cases.leases.keep_sending` sends until `stop`."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        outbox: Outbox,
        clock: Callable[[], datetime],
    ) -> None:
        self._rows = OrderMailRows(database)
        self._orders = Orders(database)
        self._partners = Partners(database)
        self._log = MailLog(database)
        self._outbox = outbox
        self._settings = settings
        self._links = CustomerLinkUseCases(database, clock)
        self._texts = OrderTexts(settings.public_url, settings.company_name)
        self._invitations = Invitations(settings)
        self._clock = clock
        self._is_stopped = False

    def stop(self) -> None:
        """Start no more attempts. The running one goes on, because its mail may be on its way."""
        self._is_stopped = True

    async def send_due(self) -> int:
        """Make one attempt at the mails of each event that is due. Returns how many were sent."""
        queue = self._rows
        return await send_leased(
            queue.due, queue.try_next, self._send_all, self._clock, lambda: self._is_stopped
        )

    async def _send_all(self, event: DueEvent) -> int:
        """Send the mails of a leased event. If one fails, they are tried again; sent ones are not repeated."""
        sent = 0
        try:
            stored = await self._orders.get(event.sp_id)
            for mail in await self._mails_of(event, stored) if stored else ():
                assert stored is not None
                sent += await self._send(mail, stored.order, event.asked_at)
        except (NotSent, NotUnderstood) as error:
            why = str(error) if isinstance(error, NotSent) else "NotUnderstood"
            logger.warning("mail of an order not sent", extra={"order": event.sp_id, "why": why})
            await self._rows.try_next(event, self._clock() + AGAIN)
            return sent
        await self._rows.try_next(event, None)
        return sent

    async def _mails_of(self, event: DueEvent, stored: StoredOrder) -> tuple[Mail, ...]:
        """The mails of an event. A wish that is answered has none."""
        if event.occasion not in ("another_day", "another_day_late"):
            return recorded_mails(stored.order, stored.events, event.seq, event.occasion)
        wish = await self._links.open_wish(stored.order)
        if wish is None or event.asked_at not in (wish.asked_at, wish.due):
            return ()
        return (wish_mail(stored.order, stored.events[-1], wish, event.occasion),)

    async def _send(self, mail: Mail, order: Order, since: datetime) -> bool:
        """Send one mail, unless it is outdated, or nobody wants it. Raises `NotSent` if it has to be tried again."""
        now = self._clock()
        partner = await self._partners.get(mail.partner_id)
        is_entry = mail.kind in ENTRIES
        unwanted = is_entry and not self._invitations.to_partners
        if partner is None or unwanted or is_outdated(mail, order, now):
            await self._log.obsolete([mail.key])
            return False
        if now - since > FIVE_DAYS:  # also of records that were rebuilt from the workflows
            await self._outbox.give_up(mail.key)
            return False
        if mail.audience == "customer":
            wants_link = order.policy.customer_mails.link and not order.status.is_final
            secret = await self._links.issue(order.sp_id) if wants_link else None
            to = self._to_customer(mail, order, partner, secret, now)
        elif mail.audience == "operations":
            to = self._to_operations(mail, partner, now)
        else:
            to = self._to_partner(mail, order, partner, now)
        row = await self._outbox.send(to, now, since=since)
        return row.state == "sent"

    def _to_operations(self, mail: Mail, partner: Partner, now: datetime) -> OutgoingMail:
        reader = Reader("", self._settings.operations_language, staff=True)
        return OutgoingMail(
            mail.key,
            mail.sp_id,
            mail.kind,
            mail.audience,
            self._settings.mail_operations,
            reader,
            lambda: self._texts.compose(mail, reader, now=now, phone=partner.phone),
        )

    def _to_partner(
        self, mail: Mail, order: Order, partner: Partner, now: datetime
    ) -> OutgoingMail:
        reader = Reader(partner.name, partner.language)
        return OutgoingMail(
            mail.key,
            mail.sp_id,
            mail.kind,
            mail.audience,
            partner.email,
            reader,
            lambda: self._texts.compose(mail, reader, now=now),
            calendar=self._invitations.of(order, partner.email, now)
            if mail.kind in ENTRIES
            else None,
        )

    def _to_customer(
        self, mail: Mail, order: Order, partner: Partner, secret: str | None, now: datetime
    ) -> OutgoingMail:
        customer = order.intake.placement.customer
        reader = Reader(customer.name, customer.language, customer=True)
        invitations, address = self._invitations, customer.email
        calendar = None
        if mail.kind in VISITS:
            calendar = invitations.of_visit(order, address, partner.phone, now)
        elif mail.kind == "visit_cancelled":
            calendar = invitations.withdrawal(mail, address, now)
        return OutgoingMail(
            mail.key,
            mail.sp_id,
            mail.kind,
            mail.audience,
            address,
            reader,
            lambda: self._texts.compose(mail, reader, now=now, phone=partner.phone, secret=secret),
            calendar=calendar,
        )
