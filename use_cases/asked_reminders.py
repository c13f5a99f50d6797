"""Operations ask partners to go on with orders: one mail for each partner, at most once an hour about an order."""

import asyncio
import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from domain.orders.deadline import Deadline
from domain.orders.deadline_rules import owner_of
from domain.orders.order import Order
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.reminder_texts import ReminderTexts, WaitingOrder
from mail.smtp import NotSent
from mail.texts import Reader
from records.asked_reminders import AskedReminder, AskedReminders
from records.database import Database
from records.orders import Orders
from records.partners import Partners
from use_cases import access
from use_cases.leases import AGAIN, send_leased, send_quietly
from use_cases.principal import Principal

logger = logging.getLogger("cmi.desk")

KIND = "asked_reminder"
PAUSE = timedelta(hours=1)
"""An order is not in two reminders within this time."""


class Reminded(NamedTuple):
    """The result of asking for a reminder of an order.

    `asked`: a mail is on its way. `just_reminded`: one was asked for `at`, less than `PAUSE` ago. `not_waiting`:
    nothing of the order waits for its partner. `unknown`: there is no such order.
    """

    outcome: Literal["asked", "just_reminded", "not_waiting", "unknown"]
    at: datetime | None = None


class AskedReminderUseCases:
    """Takes requests for reminders, and sends the mails. Several processes may share the work.

    `spawn` starts a task that the process waits for at its end.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        public_url: str,
        spawn: Callable[[Coroutine[Any, Any, int]], asyncio.Task[int]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._asked = AskedReminders(database)
        self._orders = Orders(database)
        self._partners = Partners(database)
        self._outbox = outbox
        self._texts = ReminderTexts(public_url)
        self._spawn = spawn
        self._clock = clock

    async def remind(
        self, principal: Principal, sp_ids: Collection[str], request_id: str
    ) -> dict[str, Reminded]:
        """Remind the partners of these orders. Idempotent for a request id. Returns the result for each order.

        Raises:
            Forbidden: not for this role.
        """
        access.check(principal, "remind")
        now = self._clock()
        done: dict[str, Reminded] = {}
        waiting: defaultdict[str, list[str]] = defaultdict(list)
        for sp_id in sp_ids:
            found = await self._orders.get(sp_id)
            done[sp_id] = Reminded("unknown" if found is None else "not_waiting")
            if found is not None and waits_for_partner(found.order, now) is not None:
                waiting[found.order.partner.partner_id].append(sp_id)
                done[sp_id] = Reminded("asked")
        for partner_id, its in waiting.items():
            key = _key(request_id, partner_id)
            earlier = await self._asked.ask(
                key, partner_id, its, principal.login_id, now, now - PAUSE
            )
            done |= {sp_id: Reminded("just_reminded", at) for sp_id, at in earlier.items()}
        if waiting:
            self._spawn(send_quietly(self.send_due, "reminders"))
        return done

    async def send_due(self) -> int:
        """Make one attempt at each mail that is due. Returns how many were sent."""
        queue = self._asked
        return await send_leased(queue.due, queue.try_next, self._send, self._clock)

    async def _send(self, reminder: AskedReminder) -> bool:
        """Send a leased mail, if any of its orders still waits for the partner. A failure is tried again later."""
        now = self._clock()
        waiting = await self._waiting(reminder, now)
        partner = await self._partners.get(reminder.partner_id)
        if not waiting or partner is None:
            await self._asked.try_next(reminder, None)
            return False
        reader = Reader(partner.name, partner.language)
        outgoing = OutgoingMail(
            reminder.key,
            waiting[0].placement.sp_id,
            KIND,
            "partner",
            partner.email,
            reader,
            lambda: self._texts.compose_reminder(reader, waiting),
            in_thread=len(waiting) == 1,
            give_up_refused=FIVE_DAYS,
            give_up_put_off=FIVE_DAYS,
        )
        try:
            row = await self._outbox.send(outgoing, now, since=reminder.asked_at)
        except NotSent as error:
            logger.warning("reminder not sent", extra={"why": str(error)})
            await self._asked.try_next(reminder, self._clock() + AGAIN)
            return False
        await self._asked.try_next(reminder, None)
        return row.state == "sent"

    async def _waiting(self, reminder: AskedReminder, now: datetime) -> list[WaitingOrder]:
        """The orders that the mail lists: those that still wait for this partner, the most urgent first."""
        found = [await self._orders.get(sp_id) for sp_id in reminder.sp_ids]
        waiting = [
            (deadline.due, stored.order, deadline)
            for stored in found
            if stored is not None
            and stored.order.partner.partner_id == reminder.partner_id
            and (deadline := waits_for_partner(stored.order, now)) is not None
        ]
        waiting.sort(key=lambda each: (each[0], each[1].sp_id))
        return [
            WaitingOrder(
                order.intake.placement, deadline.kind, order.calendar.local(due), due <= now
            )
            for due, order, deadline in waiting
        ]


def waits_for_partner(order: Order, now: datetime) -> Deadline | None:
    """The partner's most urgent running deadline of an order that was sent to it; None if nothing waits for it.

    A deadline that starts in the future, after an appointment to come, does not count yet.
    """
    if order.transmitted_at is None or order.status.is_final:
        return None
    return next(
        (
            each
            for each in order.open_deadlines
            if owner_of(each.kind) == "partner" and each.runs_from <= now
        ),
        None,
    )


def _key(request_id: str, partner_id: str) -> str:
    digest = hashlib.sha256(f"{request_id}\n{partner_id}".encode()).hexdigest()[:40]
    return f"{KIND}/{digest}"
