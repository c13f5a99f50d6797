"""The morning's digest: who gets one, what stands in it in which language, once a day, and to whom if it is refused."""

import dataclasses
import re
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.digest import DigestActivities
from contracts.activities import DigestOutcome, DigestPage, DigestPartners, DigestWanted, Snapshot
from domain.policy import Policy
from domain.values import LANGUAGES, Language
from mail.outbox import Outbox
from mail.smtp import SmtpSender
from records.accounts import AccountRecords
from records.database import Database
from records.digest import Digests
from records.mails import MailLog
from records.orders import Orders
from records.partners import Partners
from settings import Settings
from tests.activities.conftest import partner
from tests.activities.servers import MailServer
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    TRANSMITTED,
    lived,
)
from tests.support.users import add_user

TUESDAY = date(2026, 10, 6)
MORNING = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)
"""08:00 in Zurich."""
CLOSES = datetime(2026, 10, 6, 16, 0, tzinfo=UTC)


class DigestRig:
    """The activities over records and a mail server."""

    def __init__(self, database: Database, port: int) -> None:
        self.orders, self.log = Orders(database), MailLog(database)
        self.partners, self.accounts = Partners(database), AccountRecords(database)
        settings = Settings(
            smtp_url=f"smtp://127.0.0.1:{port}",
            mail_from="CMI <cmi@shop.example>",
            mail_operations="team@shop.example",
            public_url="https://cmi.example",
        )
        self.digest = DigestActivities(
            settings,
            Policy(),
            Digests(database),
            Outbox(self.log, SmtpSender(settings)),
            self.partners,
            self.accounts,
        )

    async def order(
        self, sp_id: str, *steps: object, at: datetime = MONDAY, **more: object
    ) -> None:
        order, events = lived(*steps, at=at, sp_id=sp_id, **more)
        await self.orders.save(Snapshot(order=order, events=events))

    async def send(
        self, partner_id: str = "elektro-huber", at: datetime = MORNING, day: date = TUESDAY
    ) -> DigestOutcome:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, started_time=at)
        wanted = DigestWanted(partner_id=partner_id, day=day, closes=CLOSES)
        outcome: DigestOutcome = await environment.run(self.digest.send_digest, wanted)
        return outcome

    async def page(self, at: datetime = MORNING, **more: object) -> DigestPartners:
        page: DigestPartners = await ActivityEnvironment().run(
            self.digest.digest_partners, DigestPage(at=at, **more)
        )
        return page

    async def login(self, name: str, email: str, *, accepted: bool = True) -> None:
        await add_user(self.accounts, name, "partner", "elektro-huber", email, name, "fr", MONDAY)
        if accepted:
            await self.accounts.passwords.set(name, "hash", MONDAY)


@pytest.fixture
async def desk(database: Database, partners: Partners, server: MailServer) -> DigestRig:
    return DigestRig(database, server.port)


def text(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


async def busy(desk: DigestRig) -> None:
    """Two late ones, one of today, one of tomorrow, and what must not appear."""
    days = timedelta(days=1)
    await desk.order("SP-1", *TRANSMITTED, at=MONDAY - 4 * days)  # Thursday: due on Friday
    await desk.order("SP-2", *GOODS_THERE, at=MONDAY - 5 * days, city="Uster", postal_code="8610")
    await desk.order("SP-3", *TRANSMITTED)
    await desk.order("SP-4", *ACCEPTED, at=MONDAY + days - timedelta(hours=3))
    await desk.order("SP-5", *COMPLETED, at=MONDAY - 30 * days)
    await desk.order("SP-6")  # not sent to the partner yet
    await desk.order("SP-7", *TRANSMITTED, partner_id="sanitaer-rossi")


async def test_what_is_open_today_the_most_urgent_first(
    desk: DigestRig, server: MailServer
) -> None:
    await busy(desk)
    assert await desk.send() == "sent"
    [message] = server.received
    assert message["To"].addresses[0].addr_spec == "auftraege@elektro-huber.example"
    assert message["Reply-To"].addresses[0].addr_spec == "team@shop.example"
    assert message["Subject"] == "Di 6. Okt.: 2 überfällig, 1 heute fällig, 1 später fällig"
    said = text(message)
    assert re.findall(r"^SP-\d", said, re.MULTILINE) == ["SP-2", "SP-1", "SP-3", "SP-4"]
    assert "Auftrag akzeptieren, war fällig Fr 2. Okt. 2026 18:00" in said
    assert "SP-2, Waschmaschine anschliessen, 8610 Uster" in said
    assert "Auftrag akzeptieren bis heute 18:00" in said
    assert "Anforderungen prüfen bis morgen 18:00" in said
    assert "https://cmi.example/orders/SP-3" in said
    assert "Müller" not in said  # the place says enough; a pool address has many readers
    assert 'href="https://cmi.example/orders/SP-3"' in text(message, "html")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_in_the_partners_language(
    desk: DigestRig, server: MailServer, language: Language
) -> None:
    await desk.partners.put(partner("elektro-huber", language), MONDAY)
    await busy(desk)
    await desk.order("SP-8", *AGREED, at=MONDAY - timedelta(days=8))
    await desk.send()
    [message] = server.received
    assert message["Content-Language"] == language
    assert message["Subject"] == message["Subject"].strip()
    assert message["Subject"].count(", ") == 2
    title = {"de": "Überfällig", "fr": "En retard", "it": "In ritardo", "en": "Overdue"}[language]
    for kind in ("plain", "html"):
        said = text(message, kind)
        assert f"{title} (" in said
        assert "{" not in said.replace("{ color", "").split("</style>")[-1]
    assert ("Überfällig" in text(message)) is (language == "de")


async def test_a_text_from_outside_is_text(desk: DigestRig, server: MailServer) -> None:
    await desk.order("SP-1", *TRANSMITTED, city='<img src="https://evil.example">\u202e')
    await desk.send()
    [message] = server.received
    assert "<img" not in text(message, "html")
    assert "\u202e" not in text(message)


async def test_a_flood_of_orders_is_counted_and_cut(desk: DigestRig, server: MailServer) -> None:
    for number in range(53):
        await desk.order(f"SP-{number:03}", *TRANSMITTED)
    await desk.send()
    [message] = server.received
    assert message["Subject"] == "Di 6. Okt.: 53 heute fällig"
    assert len(re.findall(r"^SP-", text(message), re.MULTILINE)) == 50
    assert "und 3 weitere Aufträge" in text(message)


async def test_nothing_open_no_mail(desk: DigestRig, server: MailServer) -> None:
    await desk.order("SP-1", *COMPLETED, at=MONDAY - timedelta(days=30))
    assert await desk.send() == "nothing_open"
    assert await desk.send("nobody") == "nothing_open"
    assert server.received == []


async def test_twice_is_once_and_tomorrow_is_another_day(
    desk: DigestRig, server: MailServer
) -> None:
    await desk.order("SP-1", *TRANSMITTED)
    assert [await desk.send(), await desk.send()] == ["sent", "sent"]
    assert len(server.received) == 1
    later = MORNING + timedelta(days=1)
    environment = dataclasses.replace(ActivityEnvironment().info, started_time=later)
    assert environment.started_time == later
    desk_closes = CLOSES + timedelta(days=1)
    run = ActivityEnvironment()
    run.info = environment
    wanted = DigestWanted(
        partner_id="elektro-huber", day=TUESDAY + timedelta(days=1), closes=desk_closes
    )
    assert await run.run(desk.digest.send_digest, wanted) == "sent"
    first, second = server.received
    assert second["In-Reply-To"] is None  # each morning's is a conversation of its own
    assert first["Message-ID"] != second["Message-ID"]


async def test_after_closing_time_it_is_dropped(desk: DigestRig, server: MailServer) -> None:
    await desk.order("SP-1", *TRANSMITTED)
    server.data = "451 not now"
    with pytest.raises(ApplicationError, match="451"):
        await desk.send()
    server.data = "250 OK"
    assert await desk.send(at=CLOSES) == "too_late"
    assert server.received == []
    [row] = await desk.log.undelivered()
    assert (row.key, row.state) == ("digest:elektro-huber:2026-10-06", "given_up")


async def test_a_refused_pool_address_falls_back_on_the_first_login(
    desk: DigestRig, server: MailServer
) -> None:
    await desk.order("SP-1", *TRANSMITTED)
    await desk.login("new", "neu@huber.example", accepted=False)
    await desk.login("petra", "petra@huber.example")
    await desk.login("zoe", "zoe@huber.example")
    server.rcpt = lambda to: "550 no such box" if to.startswith("auftraege") else "250 OK"
    assert [await desk.send(), await desk.send()] == ["sent", "sent"]
    [message] = server.received
    assert message["To"].addresses[0].addr_spec == "petra@huber.example"
    assert message["Content-Language"] == "fr"
    assert "Bonjour petra," in text(message)


async def test_refused_by_all_is_noted_and_not_tried_again_today(
    desk: DigestRig, server: MailServer
) -> None:
    await desk.order("SP-1", *TRANSMITTED)
    server.rcpt = lambda _: "550 no such box"
    assert [await desk.send(), await desk.send()] == ["refused", "refused"]
    [row] = await desk.log.undelivered()
    assert (row.state, row.attempts) == ("given_up", 1)


# --- whose day it is -------------------------------------------------------------------------------------------------


async def test_partners_with_work_page_by_page(desk: DigestRig) -> None:
    for name in ("a", "b", "c", "d"):
        await desk.partners.put(partner(name), MONDAY)
        if name != "c":
            await desk.order(f"SP-{name}", *TRANSMITTED, partner_id=name)
    first = await desk.page(limit=2)
    assert (first.partner_ids, first.next) == (("a", "b"), "b")
    second = await desk.page(after="b", limit=2)
    assert (second.partner_ids, second.next) == (("d",), None)
    assert (first.day, first.closes) == (TUESDAY, CLOSES)


async def test_a_canton_that_rests_gets_none(desk: DigestRig) -> None:
    await desk.partners.put(partner("luzern", canton="LU"), MONDAY)
    await desk.order("SP-1", *TRANSMITTED)
    await desk.order("SP-2", *TRANSMITTED, partner_id="luzern", canton="LU")
    conception = datetime(2026, 12, 8, 7, 0, tzinfo=UTC)  # Immaculate Conception, LU but not ZH
    page = await desk.page(at=conception)
    assert (page.partner_ids, page.resting) == (("elektro-huber",), 1)
    saturday = datetime(2026, 10, 10, 6, 0, tzinfo=UTC)
    page = await desk.page(at=saturday)
    assert (page.partner_ids, page.resting) == ((), 2)


async def test_the_day_is_the_offices_in_winter_and_in_summer(desk: DigestRig) -> None:
    before_midnight = datetime(2026, 10, 5, 22, 30, tzinfo=UTC)
    assert (await desk.page(at=before_midnight)).day == TUESDAY
    winter = datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
    assert (await desk.page(at=winter)).closes == datetime(2026, 11, 3, 17, 0, tzinfo=UTC)
