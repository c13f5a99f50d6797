"""Mails to a partner's people: real records on both databases, a real mail server. Each is sent once, if still true."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from contracts.activities import Snapshot
from domain.actors import Actor
from domain.orders.commands import Cancel, Reassign
from domain.orders.placement import Intake
from domain.people import Notification, PartnerRole
from domain.policy import Policy
from mail.outbox import Outbox
from mail.smtp import SmtpSender
from records.account_notices import Recipient
from records.accounts import AccountRecords
from records.assignments import Assignment
from records.database import Database
from records.mails import MailLog
from records.orders import Orders
from records.partners import Partners
from records.people import PeopleRecords
from records.person_mails import COLLECTED, PersonMailQueue
from settings import Settings
from tests.activities.conftest import partner
from tests.activities.servers import MailServer
from tests.support.builders import (
    AGREED,
    GOODS_THERE,
    MONDAY,
    TRANSMITTED,
    Step,
    appointment,
    assignee,
    intake,
    lived,
)
from tests.support.users import add_user
from tests.use_cases.conftest import Clock, text_of
from use_cases.person_mails import PersonMails

HUBER = "elektro-huber"
HANS = Actor(role="partner", name="Hans Muster", partner_id=HUBER, person="Hans Muster")
TO_HANS, TO_RITA = "Hans Muster <usr_hans@x.example>", "Rita Frei <usr_rita@x.example>"
PLACE = "8004 Zürich"
AWAY = Reassign(partner=assignee("luzern-montage"), calendar=intake().calendar, reason="Ferien")


class Desk:
    """A firm with an office and a technician, its records, and the sender of their mails."""

    def __init__(
        self, database: Database, settings: Settings, clock: Clock, server: MailServer
    ) -> None:
        self.database, self.settings, self.clock, self.server = database, settings, clock, server
        self.orders = Orders(database)
        self.people = PeopleRecords(database)
        self.mails = self.another()

    def another(self) -> PersonMails:
        """The sender of another process."""
        outbox = Outbox(MailLog(self.database), SmtpSender(self.settings))
        return PersonMails(self.database, self.settings, Policy(), outbox, self.clock)

    async def add(self, user_id: str, name: str, role: PartnerRole, **more: Any) -> None:
        accounts, email = AccountRecords(self.database), more.get("email", f"{user_id}@x.example")
        await add_user(accounts, user_id, "partner", HUBER, email, name, "de", MONDAY, role)
        await accounts.passwords.set(user_id, "no hash", MONDAY)

    async def lives(self, *steps: Step, of: Intake | None = None) -> None:
        """Record an order, and go on to its last instant."""
        order, events = lived(*steps, of=of or intake(rules=2))
        await self.orders.save(Snapshot(order=order, events=events))
        self.clock.now = max(self.clock.now, events[-1].at)

    async def assign(self, user_id: str, sp_id: str = "SP-1048213") -> str:
        wanted = Assignment(sp_id, HUBER, user_id, "usr_rita", self.clock())
        return await self.orders.assignments.assign(wanted)

    async def choose(self, user_id: str, *chosen: Notification) -> None:
        await self.people.change(HUBER, user_id, None, chosen)

    async def sent(self) -> list[EmailMessage]:
        """The mails that go out now; a second process sends none of them again."""
        before = len(self.server.received)
        await self.mails.send_due()
        sent = self.server.received[before:]
        await self.another().send_due()
        assert len(self.server.received) == before + len(sent)
        return sent

    async def later(self, **span: float) -> list[EmailMessage]:
        self.clock.forward(**span)
        return await self.sent()


@pytest.fixture
async def desk(database: Database, settings: Settings, clock: Clock, server: MailServer) -> Desk:
    for each in (HUBER, "luzern-montage"):
        await Partners(database).put(partner(each), MONDAY)
    made = Desk(database, settings, clock, server)
    await made.add("usr_rita", "Rita Frei", "office")
    await made.add("usr_hans", "Hans Muster", "technician")
    return made


async def test_orders_that_are_assigned_within_a_short_time_come_in_one_mail(desk: Desk) -> None:
    for sp_id in ("SP-1", "SP-2", "SP-3"):
        await desk.lives(*TRANSMITTED, of=intake(rules=2, sp_id=sp_id))
    assert await desk.assign("usr_hans", "SP-1") == "assigned"
    desk.clock.forward(seconds=30)
    await desk.assign("usr_hans", "SP-2")
    assert await desk.sent() == [], "more may follow"
    (mail,) = await desk.later(minutes=2)
    assert (mail["To"], mail["Subject"]) == (
        TO_HANS,
        "2 Aufträge sind Ihnen zugeteilt",
    )
    assert "SP-1" in text_of(mail)
    assert "SP-2" in text_of(mail)
    assert "+41" in text_of(mail)
    await desk.assign("usr_hans", "SP-3")
    (mail,) = await desk.later(minutes=3)
    assert mail["Subject"].startswith(PLACE)
    assert mail["Subject"].endswith("Ihnen zugeteilt · SP-3")
    assert "https://cmi.example/orders/SP-3" in text_of(mail)
    assert "SP-1" not in text_of(mail)
    assert await desk.later(days=1) == []


async def test_who_gives_it_away_at_once_is_told_of_nothing(desk: Desk) -> None:
    await desk.lives(*TRANSMITTED)
    await desk.assign("usr_hans")
    await desk.orders.assignments.clear("SP-1048213", HUBER, "usr_rita", desk.clock())
    await desk.assign("usr_hans")
    await desk.assign("usr_rita")  # by itself
    (mail,) = await desk.later(minutes=3)
    assert (mail["To"], "Ihnen nicht mehr zugeteilt" in mail["Subject"]) == (
        TO_HANS,
        True,
    )
    assert PLACE not in mail["Subject"] + text_of(mail)


async def test_changes_of_others_are_told_and_the_own_ones_are_not(desk: Desk) -> None:
    await desk.lives(*GOODS_THERE)
    await desk.assign("usr_hans")
    assert len(await desk.later(minutes=3)) == 1
    own = (appointment(), HANS)
    await desk.lives(*GOODS_THERE, own)
    assert await desk.sent() == []
    moved = appointment(24 * 4, reason="Die Kundschaft ist weg.")
    await desk.lives(*GOODS_THERE, own, moved)
    (mail,) = await desk.sent()
    assert mail["To"] == TO_HANS
    assert mail["Subject"].startswith(PLACE)
    assert "Die Kundschaft ist weg." in text_of(mail)
    await desk.lives(*GOODS_THERE, own, moved, Cancel(reason="Doch nicht"))
    (mail,) = await desk.sent()
    assert "Doch nicht" in text_of(mail)


async def test_an_order_that_the_firm_loses_is_told_without_its_customer(desk: Desk) -> None:
    await desk.lives(*TRANSMITTED)
    await desk.assign("usr_hans")
    await desk.later(minutes=3)
    await desk.lives(*TRANSMITTED, AWAY)
    (mail,) = await desk.sent()
    assert "Auftrag nicht mehr bei uns" in mail["Subject"]
    for hidden in (PLACE, "luzern", "Ferien", "https://cmi.example/orders"):
        assert hidden not in mail["Subject"] + text_of(mail)


async def test_the_appointments_of_the_day_come_in_the_morning_of_any_day(desk: Desk) -> None:
    await desk.choose("usr_hans", "today")
    saturday = appointment(24 * 5 + 1)  # 2026-10-10, 10 o'clock
    await desk.lives(*GOODS_THERE, saturday)
    await desk.assign("usr_hans")
    desk.clock.now = datetime(2026, 10, 9, 8, 0, tzinfo=UTC)
    assert await desk.sent() == []
    desk.clock.now = datetime(2026, 10, 10, 3, 59, tzinfo=UTC)
    assert await desk.sent() == [], "at six o'clock"
    (mail,) = await desk.later(minutes=1)
    assert mail["Subject"].startswith("Heute: 1 Termin")
    assert "10:00" in text_of(mail)
    assert await desk.later(hours=1) == []
    desk.clock.now = datetime(2026, 10, 11, 8, 0, tzinfo=UTC)
    assert await desk.sent() == []


async def test_the_office_gets_new_orders_and_the_digest_if_it_wants(desk: Desk) -> None:
    await desk.add("usr_firm", "Die Firma", "office", email=partner(HUBER).email)
    for user_id in ("usr_rita", "usr_firm", "usr_hans"):  # a technician cannot, whatever is stored
        await desk.choose(user_id, "new_orders", "digest")
    desk.clock.now = MONDAY + timedelta(hours=3)  # too late for a digest
    await desk.lives(*TRANSMITTED)
    (mail,) = await desk.sent()
    assert (mail["To"], "Neuer Auftrag" in mail["Subject"]) == (TO_RITA, True)
    desk.clock.now = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)
    (mail,) = await desk.sent()
    assert (mail["To"], "SP-1048213" in text_of(mail)) == (TO_RITA, True)
    desk.clock.now = datetime(2026, 10, 11, 6, 0, tzinfo=UTC)  # a Sunday
    assert await desk.sent() == []


async def test_a_person_that_leaves_gets_no_mail(desk: Desk) -> None:
    await desk.lives(*AGREED)
    await desk.assign("usr_hans")
    operations = Recipient("operations", "desk@cmi.example", "", "de", True)
    await AccountRecords(desk.database).leaving.remove_user("usr_hans", desk.clock(), operations)
    assert await desk.later(minutes=3) == []
    queue = PersonMailQueue(desk.database)
    assert await queue.due(desk.clock() + timedelta(days=9) + COLLECTED, 10) == ()
