"""The mails that follow from what the records store of orders: real records on both databases, a real mail server."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar, Event

from contracts.activities import Snapshot
from domain.orders.commands import Cancel
from domain.orders.placement import Intake
from mail.outbox import Outbox
from mail.smtp import SmtpSender
from records.database import Database
from records.erasures import Erasures
from records.mails import MailLog
from records.order_mails import OrderMailRows
from records.orders import Orders
from records.partners import Partners
from settings import Settings
from tests.activities.conftest import partner
from tests.activities.servers import MailServer
from tests.support.builders import (
    AGREED,
    GOODS_THERE,
    MONDAY,
    Step,
    appointment,
    intake,
    lived,
)
from tests.use_cases.conftest import Clock, text_of
from use_cases.order_mails import OrderMails

SECOND = intake(rules=2)
MOVED = appointment(24 * 4, reason="Der Monteur ist krank.")
SP_ID = "SP-1048213"


class Desk:
    """The records, the sender of their mails, and the mail server."""

    def __init__(
        self, database: Database, settings: Settings, clock: Clock, server: MailServer
    ) -> None:
        self.database, self.settings, self.clock, self.server = database, settings, clock, server
        self.orders = Orders(database)
        self.rows = OrderMailRows(database)
        self.log = MailLog(database)
        self.mails = self.another()

    def another(self, **settings: Any) -> OrderMails:
        """The sender of another process."""
        changed = self.settings.model_copy(update=settings)
        outbox = Outbox(MailLog(self.database), SmtpSender(changed))
        return OrderMails(self.database, changed, outbox, self.clock)

    async def lives(self, *steps: Step, of: Intake = SECOND, since: int = 0) -> None:
        """Record an order, with its events after the one with the number `since`, and go on to its last instant."""
        order, events = lived(*steps, of=of)
        await self.orders.save(Snapshot(order=order, events=events[since:]))
        self.clock.now = max(self.clock.now, events[-1].at)

    async def waiting(self) -> int:
        return len(await self.rows.due(MONDAY + timedelta(days=400), 100))

    @property
    def events(self) -> Sequence[tuple[str, Event]]:
        """The methods and events that arrived for the calendar."""
        found = []
        for message in self.server.received:
            (file,) = message.iter_attachments()
            calendar = Calendar.from_ical(file.get_content())
            found.append((str(calendar["METHOD"]), calendar.events[0]))
        return found


@pytest.fixture
async def desk(database: Database, settings: Settings, clock: Clock, server: MailServer) -> Desk:
    await Partners(database).put(partner("elektro-huber"), MONDAY)
    return Desk(database, settings, clock, server)


async def test_an_appointment_comes_by_mail_and_moves(desk: Desk) -> None:
    await desk.lives(*GOODS_THERE)
    assert await desk.waiting() == 0
    await desk.lives(*AGREED)
    assert await desk.mails.send_due() == 1
    await desk.lives(*AGREED, MOVED)
    assert await desk.mails.send_due() == 1
    (first, before), (second, after) = desk.events
    assert (first, second) == ("REQUEST", "REQUEST")
    assert before["UID"] == after["UID"] == f"{SP_ID}@cmi.example"
    assert before["SEQUENCE"] < after["SEQUENCE"]
    assert after["DTSTART"].dt - before["DTSTART"].dt == timedelta(days=2)
    assert after["ATTENDEE"] == "mailto:auftraege@elektro-huber.example"
    assert after["ATTENDEE"].params["RSVP"] == "FALSE"
    set_, moved = desk.server.received
    assert set_["Subject"] == f"8004 Zürich · Termin Mi 7. Okt. 2026 09:00–11:00 · {SP_ID}"
    assert "ist eingetragen: Mi 7. Okt. 2026 09:00–11:00" in text_of(set_)
    assert "verschoben auf Fr 9. Okt. 2026 09:00–11:00" in text_of(moved)
    assert moved["In-Reply-To"] == set_["Message-ID"]
    assert await desk.waiting() == 0
    assert await desk.mails.send_due() == 0


async def test_a_process_that_stops_starts_no_attempt(desk: Desk) -> None:
    await desk.lives(*AGREED)
    desk.mails.stop()
    assert await desk.mails.send_due() == 0
    assert await desk.waiting() == 1
    assert await desk.another().send_due() == 1


async def test_only_the_last_of_several_appointments_is_sent(desk: Desk) -> None:
    await desk.lives(*AGREED, MOVED)
    assert await desk.waiting() == 2
    assert await desk.mails.send_due() == 1
    ((_, event),) = desk.events
    assert event["DTSTART"].dt.day == 9
    assert await desk.waiting() == 0


async def test_nothing_is_sent_of_an_appointment_that_fell_meanwhile(desk: Desk) -> None:
    desk.server.data = "451 later"
    await desk.lives(*AGREED)
    assert await desk.mails.send_due() == 0
    (tried,) = await desk.log.undelivered()
    assert tried.kind == "appointment_set"
    await desk.lives(*AGREED, Cancel(reason="Storno"))
    desk.server.data = "250 OK"
    desk.clock.forward(minutes=6)
    assert await desk.mails.send_due() == 0
    assert desk.server.received == []
    assert await desk.log.undelivered() == ()
    assert await desk.waiting() == 0


async def test_it_is_tried_until_the_mail_server_is_back_and_sent_once(desk: Desk) -> None:
    desk.server.mail = "451 away"
    await desk.lives(*AGREED)
    assert await desk.mails.send_due() == 0
    assert await desk.mails.send_due() == 0  # not due yet
    assert await desk.waiting() == 1
    desk.server.mail = "250 OK"
    desk.clock.forward(minutes=6)
    assert await desk.mails.send_due() == 1
    # the same write once more, as after a lost answer
    await desk.lives(*AGREED)
    assert await desk.mails.send_due() == 0
    assert len(desk.server.received) == 1


async def test_a_process_that_died_leaves_its_lease_to_another_one(desk: Desk) -> None:
    await desk.lives(*AGREED)
    (event,) = await desk.rows.due(desk.clock.now, 10)
    assert await desk.rows.try_next(event, desk.clock.now + timedelta(minutes=2))
    assert not await desk.rows.try_next(event, None)
    assert await desk.mails.send_due() == 0
    desk.clock.forward(minutes=3)
    assert await desk.another().send_due() == 1


async def test_it_is_given_up_after_five_days(desk: Desk) -> None:
    desk.server.rcpt = lambda _: "550 no such user"
    await desk.lives(*GOODS_THERE, appointment(24 * 21))
    assert await desk.mails.send_due() == 0
    desk.clock.forward(days=5, minutes=1)
    assert await desk.mails.send_due() == 0
    assert await desk.waiting() == 0
    (row,) = await desk.log.undelivered()
    assert row.state == "given_up"


async def test_the_settings_switch_it_off(desk: Desk) -> None:
    await desk.lives(*AGREED)
    assert await desk.another(appointment_mails=False).send_due() == 0
    assert await desk.waiting() == 0
    assert desk.server.received == []


async def test_hostile_text_of_the_shop_stays_text(desk: Desk) -> None:
    note = "Läuten;\r\nEND:VEVENT\r\nBEGIN:VALARM\r\n<b>fett</b>"
    await desk.lives(*AGREED, of=intake(rules=2, note=note, name="Müller; Rosa, k"))
    assert await desk.mails.send_due() == 1
    ((_, event),) = desk.events
    assert [part.name for part in event.walk()] == ["VEVENT"]
    assert "Müller; Rosa" in event["SUMMARY"]
    (message,) = desk.server.received
    html = message.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;fett" in html.get_content()


async def test_an_erased_order_has_nothing_left_that_waits(desk: Desk) -> None:
    desk.server.mail = "451 away"
    await desk.lives(*AGREED, Cancel(reason="Storno"))
    assert await desk.waiting() == 1

    async def ended() -> bool:
        return False

    assert await Erasures(desk.database).erase(SP_ID, "operations", desk.clock.now, ended) is None
    assert await desk.waiting() == 0
    await desk.lives(*AGREED, Cancel(reason="Storno"))  # a late write brings nothing back
    assert await desk.waiting() == 0
