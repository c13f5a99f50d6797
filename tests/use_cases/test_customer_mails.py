"""The mails to customers: none unless the policy says so, and then each of them, to the customer alone."""

from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest
from icalendar import Calendar, Event
from sqlalchemy import select

from domain.customer_policy import CustomerMailPolicy
from domain.orders.commands import Cancel, DecideReview, Reassign, ReportProblem
from domain.orders.placement import Intake
from domain.policy import Policy
from domain.policy_file import load_policy
from records.database import Database
from records.erasures import Erasures
from records.partners import Partners
from records.tables import mails
from settings import Settings
from tests.activities.conftest import partner
from tests.activities.mails import CUSTOMERS_TOLD
from tests.activities.servers import MailServer
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    GOODS_THERE,
    MONDAY,
    TRANSMITTED,
    appointment,
    assignee,
    intake,
)
from tests.use_cases.conftest import Clock, text_of
from tests.use_cases.test_order_mails import SP_ID, Desk

CUSTOMER = "regula.mueller@example.ch"
PHONE = "+41 44 555 09 09"
LATER = appointment(24 * 8)
MOVED = appointment(24 * 9, reason="Kundschaft krank")
TILER = ReportProblem(reason="site_not_ready", note="Der Plattenleger fehlt.")


def told(policy: Policy | None = None, language: str = "de") -> Intake:
    """An order whose policy has all mails to customers, or another policy."""
    return intake(rules=2, policy=policy or load_policy(CUSTOMERS_TOLD), language=language)


@pytest.fixture
async def desk(database: Database, settings: Settings, clock: Clock, server: MailServer) -> Desk:
    await Partners(database).put(partner("elektro-huber", phone=PHONE), MONDAY)
    await Partners(database).put(partner("sanitaer-rossi"), MONDAY)
    return Desk(database, settings, clock, server)


def received(desk: Desk) -> list[EmailMessage]:
    """What came to the customer."""
    return [
        message
        for message, envelope in zip(desk.server.received, desk.server.envelopes, strict=True)
        if envelope.rcpt_tos == [CUSTOMER]
    ]


def calendar_of(message: EmailMessage) -> tuple[str, Event]:
    (file,) = message.iter_attachments()
    calendar = Calendar.from_ical(file.get_content())
    return str(calendar["METHOD"]), calendar.events[0]


async def test_as_a_standard_a_customer_gets_nothing(desk: Desk) -> None:
    await desk.lives(*GOODS_THERE, LATER, MOVED, Cancel(reason="Storno"))
    desk.clock.forward(days=30)
    await desk.mails.send_due()
    assert received(desk) == []


@pytest.mark.parametrize("key", CustomerMailPolicy.model_fields)
async def test_each_is_switched_by_its_own_key(desk: Desk, key: str) -> None:
    of = told(load_policy(f"[customer_mails]\n{key} = true"))
    for steps in (ACCEPTED, (*GOODS_THERE, LATER), (*GOODS_THERE, LATER, MOVED)):
        await desk.lives(*steps, of=of)
        await desk.mails.send_due()
    if key == "day_before":
        desk.clock.now = MONDAY + timedelta(days=8)
        await desk.mails.send_due()
    await desk.lives(*GOODS_THERE, LATER, MOVED, Cancel(reason="Storno"), of=of)
    await desk.mails.send_due()
    assert len(received(desk)) == (0 if key == "link" else 1)
    assert not [message for message in received(desk) if "https://" in text_of(message)]


async def test_the_customer_learns_who_will_call(desk: Desk) -> None:
    await desk.lives(*TRANSMITTED, of=told(language="fr"))
    assert await desk.mails.send_due() == 0
    await desk.lives(*ACCEPTED, of=told(language="fr"))
    assert await desk.mails.send_due() == 1
    (message,) = received(desk)
    assert message["Subject"] == f"Elektro-Huber AG va vous appeler · {SP_ID}"
    assert message["From"].addresses[0].display_name == "Muster Handel AG"
    assert message["Reply-To"].addresses[0].addr_spec == "service-partner@localhost"
    assert message["Content-Language"] == "fr"
    text = text_of(message)
    assert text.startswith("Bonjour Regula Müller")
    assert f"Téléphone du partenaire: {PHONE}" in text
    assert "https://cmi.example/visit/" in text
    assert not list(message.iter_attachments())


async def test_without_the_step_of_accepting_it_learns_so_at_once(desk: Desk) -> None:
    policy = load_policy(CUSTOMERS_TOLD + '\n[deadlines]\naccept = "none"')
    await desk.lives(*TRANSMITTED, of=told(policy))
    assert await desk.mails.send_due() == 1
    assert "ruft Sie an" in received(desk)[0]["Subject"]


async def test_the_appointment_comes_moves_and_goes(desk: Desk) -> None:
    of = told()
    for steps in (
        (*GOODS_THERE, LATER),
        (*GOODS_THERE, LATER, MOVED),
        (*GOODS_THERE, LATER, MOVED, TILER, DecideReview(decision="new_appointment")),
    ):
        await desk.lives(*steps, of=of)
        await desk.mails.send_due()
    came, moved, went = received(desk)
    assert came["Subject"].startswith("Ihr Termin: Di 13. Okt. 2026 09:00–11:00 · ")
    assert moved["Subject"].startswith("Ihr Termin ist verschoben: Mi 14. Okt. 2026 09:00–11:00")
    assert went["Subject"] == f"Ihr Termin entfällt · {SP_ID}"
    entries = [calendar_of(message) for message in (came, moved, went)]
    assert [method for method, _ in entries] == ["REQUEST", "REQUEST", "CANCEL"]
    assert len({event["UID"] for _, event in entries}) == 1
    numbers = [event["SEQUENCE"] for _, event in entries]
    assert numbers == sorted(set(numbers))
    summary = entries[0][1]["SUMMARY"]
    assert summary == "Waschmaschine anschliessen, Elektro-Huber AG"
    assert PHONE in entries[0][1]["DESCRIPTION"]
    assert "/orders/" not in entries[0][1].to_ical().decode()
    assert entries[2][1]["ATTENDEE"] == f"mailto:{CUSTOMER}"


async def test_it_is_reminded_once_on_the_day_before(desk: Desk) -> None:
    await desk.lives(*GOODS_THERE, LATER, of=told())
    await desk.mails.send_due()
    await desk.lives(*GOODS_THERE, LATER, MOVED, of=told())
    await desk.mails.send_due()
    before = len(received(desk))
    day = datetime.fromisoformat("2026-10-13T08:00+02:00")
    desk.clock.now = day - timedelta(minutes=1)
    assert await desk.mails.send_due() == 0  # that of the former date is dropped
    desk.clock.now = day
    assert await desk.mails.send_due() == 1
    assert await desk.mails.send_due() == 0
    (reminder,) = received(desk)[before:]
    assert reminder["Subject"] == f"Morgen: Elektro-Huber AG kommt zu Ihnen · {SP_ID}"
    assert "Mi 14. Okt. 2026 09:00–11:00" in text_of(reminder)
    assert await desk.waiting() == 0


@pytest.mark.parametrize("late", [timedelta(days=1), timedelta(hours=16)])
async def test_no_reminder_says_tomorrow_on_the_day_itself(desk: Desk, late: timedelta) -> None:
    await desk.lives(*GOODS_THERE, LATER, of=told())
    await desk.mails.send_due()
    before = len(received(desk))
    desk.clock.now = datetime.fromisoformat("2026-10-12T08:00+02:00") + late
    assert await desk.mails.send_due() == 0
    assert len(received(desk)) == before
    assert await desk.waiting() == 0


async def test_an_appointment_for_tomorrow_has_no_reminder(desk: Desk) -> None:
    await desk.lives(*AGREED, of=told())
    await desk.mails.send_due()
    desk.clock.now = datetime.fromisoformat("2026-10-06T08:00+02:00")
    reminded = [m for m in received(desk) if m["Subject"].startswith("Morgen")]
    assert reminded == []


async def test_an_order_that_ends_before_anybody_called_is_cancelled_without_an_appointment(
    desk: Desk,
) -> None:
    await desk.lives(*ACCEPTED, of=told())
    await desk.mails.send_due()
    await desk.lives(*ACCEPTED, Cancel(reason="Storno"), of=told())
    await desk.mails.send_due()
    _, cancelled = received(desk)
    assert cancelled["Subject"] == f"Ihr Auftrag ist storniert · {SP_ID}"
    assert not list(cancelled.iter_attachments())


async def test_an_order_that_nobody_had_accepted_ends_silently(desk: Desk) -> None:
    await desk.lives(*TRANSMITTED, Cancel(reason="Storno"), of=told())
    assert await desk.mails.send_due() == 0


async def test_another_partner_has_the_order_now(desk: Desk) -> None:
    of = told()
    rossi = Reassign(partner=assignee("sanitaer-rossi"), calendar=of.calendar, reason="Ferien")
    await desk.lives(*GOODS_THERE, LATER, of=of)
    await desk.mails.send_due()
    before = len(received(desk))
    await desk.lives(*GOODS_THERE, LATER, rossi, of=of)
    await desk.mails.send_due()
    (off,) = received(desk)[before:]
    method, event = calendar_of(off)
    assert (method, event["DTSTART"].dt) == ("CANCEL", MONDAY + timedelta(days=8))
    assert "Di 13. Okt. 2026 09:00–11:00 entfällt" in text_of(off)
    assert "Rossi" not in text_of(off)


async def test_an_erasure_reaches_the_customers_address(desk: Desk) -> None:
    await desk.lives(*AGREED, of=told())
    await desk.mails.send_due()
    await desk.lives(*AGREED, Cancel(reason="Storno"), of=told())

    async def ended() -> bool:
        return False

    addresses = select(mails.c.audience, mails.c.recipient)
    assert await Erasures(desk.database).erase(SP_ID, "operations", desk.clock.now, ended) is None
    assert await desk.mails.send_due() == 0
    rows = await desk.database.read(lambda connection: connection.execute(addresses).all())
    assert {"customer", "partner"} == {audience for audience, _ in rows}
    assert CUSTOMER not in str(rows)
