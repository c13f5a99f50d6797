"""Sends the mails to single people of partners (docs/mail.md, "People"). Several processes may share the work."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import words
from domain.cantons import pin_calendar
from domain.orders.deadlines import next_due
from domain.orders.erasure import is_erased
from domain.orders.events import AppointmentMoved, AppointmentSet, Declined, Reassigned, Unassigned
from domain.orders.order import Order
from domain.people import wanted
from domain.policy import Policy
from domain.values import Language
from mail.digest_texts import DigestTexts
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.person_texts import PersonsOrder, PersonTexts, Template
from mail.smtp import NotSent
from mail.texts import MailText, Reader
from records.accounts import AccountRecords, User, email_key
from records.database import Database
from records.digest import Digests, Limits
from records.orders import Orders, StoredOrder
from records.partners import Partner, Partners
from records.person_mails import COLLECTED, PERSON, PersonMail, PersonMailQueue
from settings import Settings
from use_cases.leases import AGAIN, send_leased

logger = logging.getLogger("cmi.desk")

_BEFORE_OFFICE = timedelta(hours=2)
"""How long before the offices open people get their appointments of the day."""
_MORNING = timedelta(hours=2)
"""For how long the morning mails are added. A process that starts later in the day adds none."""
_SHOWN = Limits(overdue=50, today=50, later=20)
_LOST = (Declined, Unassigned, Reassigned)


class PersonMails:
    """The mails to people. The office hours of `policy` say when the morning begins. `clock` gives the instant."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        policy: Policy,
        outbox: Outbox,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._queue = PersonMailQueue(database)
        self._accounts = AccountRecords(database)
        self._orders = Orders(database)
        self._partners = Partners(database)
        self._digests = Digests(database)
        self._texts = PersonTexts(settings.public_url, settings.company_name)
        self._digest_texts = DigestTexts(settings.public_url, settings.company_name)
        self._outbox = outbox
        self._policy = policy
        self._zone = ZoneInfo(policy.office.timezone)
        self._clock = clock
        self._added: dict[str, date] = {}  # the last morning whose mails this process has added

    async def send_due(self) -> int:
        """Add the mails of this morning, and make one attempt at each mail that is due. Returns how many were sent."""
        await self._add_morning()
        queue = self._queue
        return await send_leased(queue.due, queue.try_next, self._send, self._clock)

    async def _add_morning(self) -> None:
        now = self._clock()
        day, opens = now.astimezone(self._zone).date(), self._policy.office.opens
        start, end = self._instant(day, time()), self._instant(day + timedelta(days=1), time())
        begins: dict[Literal["today", "digest"], datetime] = {
            "today": max(start, self._instant(day, opens) - _BEFORE_OFFICE),
            "digest": self._instant(day, opens),
        }
        for kind, at in begins.items():
            if at <= now < at + _MORNING and self._added.get(kind) != day:
                await self._queue.add_morning(kind, day, start, end, now)
                self._added[kind] = day

    async def _send(self, mail: PersonMail) -> bool:
        """Send a leased mail. If that fails, it is tried again after `AGAIN`, or after the lease."""
        now = self._clock()
        outgoing = await self._outgoing(mail, now)
        if outgoing is None:
            await self._queue.try_next(mail, None)
            return False
        try:
            row = await self._outbox.send(outgoing, now, since=mail.asked_at)
        except NotSent as error:
            logger.warning("mail to a person not sent", extra={"why": str(error)})
            await self._queue.try_next(mail, self._clock() + AGAIN)
            return False
        await self._queue.try_next(mail, None)
        return row.state == "sent"

    async def _outgoing(self, mail: PersonMail, now: datetime) -> OutgoingMail | None:
        """The mail; None if it is no longer wanted, true or needed."""
        known = await self._accounts.by_id(mail.user_id, now)
        if known is None or known.partner_ended or known.user.partner_id is None:
            return None
        user = known.user
        partner = await self._partners.get(known.user.partner_id)
        is_wanted = mail.kind in wanted(user.partner_role or "office", user.notifications)
        if partner is None or not is_wanted or now - mail.asked_at > FIVE_DAYS:
            return None
        compose = await self._composer(mail, user, partner, now)
        if compose is None:
            return None
        return OutgoingMail(
            mail.key,
            mail.sp_id or user.user_id,
            f"person_{mail.kind}",
            PERSON,
            user.email,
            _reader(user),
            compose,
            in_thread=mail.sp_id is not None,
        )

    async def _composer(
        self, mail: PersonMail, user: User, partner: Partner, now: datetime
    ) -> Callable[[], MailText] | None:
        """The function that composes the mail; None if there is nothing to say (any more)."""
        # Mails of these kinds also go to the partner's address.
        is_doubled = email_key(user.email) == email_key(partner.email)
        match mail.kind:
            case "assigned":
                until = mail.asked_at + COLLECTED
                found = await self._queue.assigned_between(user.user_id, mail.asked_at, until)
                return self._about("assigned", user, await self._all(found))
            case "today":
                return await self._today(mail, user, now)
            case "digest":
                return None if is_doubled else await self._digest(mail, user, partner, now)
            case "new_orders":
                stored = await self._one(mail)
                is_theirs = (
                    stored is not None
                    and stored.order.partner.partner_id == user.partner_id
                    and stored.order.transmitted_at is not None
                    and not stored.order.status.is_final
                )
                if stored is None or not is_theirs or is_doubled:
                    return None
                return self._about("new_order", user, [stored.order])
            case "changes":
                return await self._change(mail, user)

    async def _today(
        self, mail: PersonMail, user: User, now: datetime
    ) -> Callable[[], MailText] | None:
        if mail.day is None or mail.day != now.astimezone(self._zone).date():
            return None
        end = self._instant(mail.day + timedelta(days=1), time())
        found = await self._queue.visits_between(user.user_id, self._instant(mail.day, time()), end)
        orders = await self._all(found)
        coming = [o for o in orders if o.appointment is not None and o.appointment.end > now]
        return self._about("today", user, coming)

    async def _digest(
        self, mail: PersonMail, user: User, partner: Partner, now: datetime
    ) -> Callable[[], MailText] | None:
        day = mail.day
        if day is None or now >= self._instant(day, self._policy.office.closes):
            return None
        calendar = await asyncio.to_thread(pin_calendar, partner.canton, self._policy, day)
        if not calendar.is_working_day(day):
            return None
        midnight = self._instant(day + timedelta(days=1), time())
        work = await self._digests.open_work(partner.partner_id, now, midnight, _SHOWN)
        if not work.total:
            return None
        reader = _reader(user)
        return lambda: self._digest_texts.compose_digest(reader, work, day, self._local)

    async def _change(self, mail: PersonMail, user: User) -> Callable[[], MailText] | None:
        stored = await self._one(mail)
        if stored is None:
            return None
        order = stored.order
        has_it = await self._orders.assignments.person_of(order.sp_id) == user.user_id
        recorded = next((each for each in stored.events if each.seq == mail.seq), None)
        if mail.seq is None:
            return None if has_it else self._about("taken", user, [order])
        if recorded is None:
            return None
        if isinstance(recorded.event, _LOST):
            return None if has_it else self._about("lost", user, [order])
        if not has_it or (
            isinstance(recorded.event, AppointmentSet | AppointmentMoved)
            and (order.appointment is None or order.appointment.start != recorded.event.start)
        ):
            return None
        what = words.event_text(recorded, user.language, order.calendar.local)
        return self._about("changed", user, [order], what)

    def _about(
        self, template: Template, user: User, orders: Sequence[Order], what: str = ""
    ) -> Callable[[], MailText] | None:
        if not orders:
            return None
        reader = _reader(user)
        listed = [PersonsOrder(o.intake.placement, _about(o, reader.language)) for o in orders]
        return lambda: self._texts.compose_orders(template, reader, listed, what)

    async def _one(self, mail: PersonMail) -> StoredOrder | None:
        stored = await self._orders.get(mail.sp_id or "")
        return None if stored is None or is_erased(stored.order) else stored

    async def _all(self, sp_ids: Sequence[str]) -> list[Order]:
        found = [await self._orders.get(sp_id) for sp_id in sp_ids]
        return [each.order for each in found if each is not None and not is_erased(each.order)]

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(self._zone).replace(tzinfo=None)

    def _instant(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self._zone).astimezone(UTC)


def _reader(user: User) -> Reader:
    return Reader(user.name, user.language)


def _about(order: Order, language: Language) -> tuple[str, ...]:
    """The most important facts about an order: its appointment, or what is to be done by when."""
    local = order.calendar.local
    if order.appointment is not None:
        start, end = local(order.appointment.start), local(order.appointment.end)
        return (words.format_period(start, end, language),)
    due = next_due(order, "partner")
    status = words.status_label(order.status, language)
    if due is None:
        return (status,)
    return (f"{status}, {words.format_instant(local(due), language)}",)
