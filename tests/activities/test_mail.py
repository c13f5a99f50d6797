"""Mails about orders go out: each to whom it belongs, and nothing personal is in a failure or a log."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import icalendar
import pytest
from aiosmtpd.smtp import AuthResult

from domain.actors import Actor
from domain.orders.shipment import GoodsShipped
from records.mails import MailLog
from records.partners import Partners
from tests.activities.conftest import partner
from tests.activities.mail_office import (
    CANCELLED,
    LATE,
    MAILS,
    NEW_ORDER,
    PASSWORD,
    Office,
    body,
    data,
    everything_told,
    mail_from,
    rcpt,
)
from tests.activities.mails import mails_of, one, refusal
from tests.activities.servers import MailServer, mail_server
from tests.support.builders import MONDAY, REQUIREMENTS_MET, partner_actor


async def test_every_mail_goes_out(office: Office, server: MailServer) -> None:
    for name, mail in MAILS.items():
        await office.send(mail.model_copy(update={"key": name}))
        message = server.received.pop()
        assert not server.received, name
        assert re.search("^SP-1048213: | · SP-1048213$", message["Subject"]), name
        assert not message.defects, name
        assert all(not part.defects for part in message.walk()), name
        row, _ = await office.log.begin(name, "", "", "", "", "", MONDAY)
        assert row.state == "sent", name
        assert row.sent_at == MONDAY, name


async def test_goods_shipped_names_the_parcel(office: Office, server: MailServer) -> None:
    await office.send(
        one("goods_shipped", mails_of(*REQUIREMENTS_MET, GoodsShipped(tracking="99.00.7")))
    )
    assert "Sendung: 99.00.7" in body(server.received[0], "plain")


# --- to whom ----------------------------------------------------------------------------------------------------------


async def test_a_partner_is_written_to_where_and_how_the_records_say_now(
    office: Office, partners: Partners, server: MailServer
) -> None:
    await partners.put(partner("elektro-huber", "fr", email="neu@huber.example"), MONDAY)
    await office.send(NEW_ORDER)
    assert server.envelopes[0].rcpt_tos == ["neu@huber.example"]
    assert server.received[0]["Content-Language"] == "fr"
    assert "Bonjour Elektro-Huber AG" in body(server.received[0], "plain")


async def test_operations_in_their_language(
    log: MailLog, partners: Partners, server: MailServer
) -> None:
    office = Office(log, partners, server.port, operations_language="it")
    await office.send(MAILS["review_needed"])
    [message] = server.received
    assert server.envelopes[0].rcpt_tos == ["team@shop.example"]
    assert message["Content-Language"] == "it"
    assert message["Reply-To"] is None
    assert "Buongiorno a tutti" in body(message, "plain")


async def test_operations_read_the_partners_number_as_it_is_now(
    office: Office, partners: Partners, server: MailServer
) -> None:
    await partners.put(partner("elektro-huber", phone="+41 44 555 09 09"), MONDAY)
    await office.send(MAILS["review_needed"])
    assert "Telefon Servicepartner: +41 44 555 09 09" in body(server.received[0], "plain")


async def test_operations_are_told_of_an_order_whose_partner_nobody_knows(
    office: Office, server: MailServer
) -> None:
    await office.send(MAILS["review_needed"].model_copy(update={"partner_id": "nobody"}))
    assert "Telefon Servicepartner" not in body(server.received[0], "plain")


async def test_a_notice_that_goes_out_late_names_no_deadline(
    office: Office, server: MailServer
) -> None:
    mail = MAILS["new_order_2"]
    await office.send(mail, at=mail.at)
    await office.send(mail.model_copy(update={"key": "late"}), at=mail.at + timedelta(days=3))
    in_time, late = (body(message, "plain") for message in server.received)
    assert "bis Di 6. Okt. 2026 18:00" in in_time, in_time
    assert "6. Okt. 2026 18:00" not in late


@pytest.mark.parametrize(
    ("sender", "address", "greeting"),
    [
        (partner_actor(), "auftraege@elektro-huber.example", "Guten Tag Elektro-Huber AG"),
        (
            Actor(role="partner", partner_id="elektro-huber", email="lea@huber.example"),
            "lea@huber.example",
            "Guten Tag Elektro-Huber AG",
        ),
        (
            Actor(role="operations", name="Anna", email="anna@shop.example"),
            "anna@shop.example",
            "Guten Tag Anna",
        ),
        (Actor(role="operations", name="Anna"), "team@shop.example", "Guten Tag zusammen"),
        (Actor(role="shop", name="shop"), "team@shop.example", "Guten Tag zusammen"),
    ],
)
async def test_who_asked_is_told(
    office: Office, server: MailServer, sender: Actor, address: str, greeting: str
) -> None:
    await office.send(refusal(sender))
    assert server.envelopes[0].rcpt_tos == [address]
    assert body(server.received[0], "plain").startswith(greeting)


async def test_a_stranger_learns_nothing(office: Office, server: MailServer) -> None:
    """A partner that names another one's order."""
    await office.send(refusal(partner_actor("sanitaer-rossi"), code="not_yours"))
    [message] = server.received
    assert server.envelopes[0].rcpt_tos == ["auftraege@sanitaer-rossi.example"]
    assert message["Content-Language"] == "it"
    for kind in ("plain", "html"):
        assert not re.search(
            "Regula|8004|48392011|Waschmaschine|Huber|orders/", body(message, kind)
        )


async def test_an_unknown_partner_is_tried_again(office: Office, server: MailServer) -> None:
    failure = await office.failure(NEW_ORDER.model_copy(update={"partner_id": "nobody"}))
    assert failure.type == "PartnerUnknown"
    assert not failure.non_retryable
    assert server.conversations == 0


def calendar_of(message: EmailMessage) -> tuple[str, icalendar.Event]:
    """The method and the event that a mail brings for the calendar; the file that is attached is the same."""
    (part,) = (p for p in message.walk() if p.get_content_type() == "text/calendar")
    (file,) = message.iter_attachments()
    assert file.get_content_type() == "application/ics"
    assert file.get_filename() == "SP-1048213.ics"
    calendar = icalendar.Calendar.from_ical(file.get_content())
    assert calendar.to_ical() == icalendar.Calendar.from_ical(part.get_content()).to_ical()
    assert part.get_param("method") == calendar["METHOD"]
    (event,) = calendar.events
    return str(calendar["METHOD"]), event


@pytest.mark.parametrize(
    "name", ["cancelled_2", "review_decided_2_reship", "review_decided_wait_until_appointment"]
)
async def test_a_mail_that_takes_an_appointment_away_takes_it_out_of_the_calendar(
    office: Office, server: MailServer, name: str
) -> None:
    mail = MAILS[name]
    await office.send(mail)
    method, event = calendar_of(server.received[0])
    assert (method, event["STATUS"], event["UID"]) == (
        "CANCEL",
        "CANCELLED",
        "SP-1048213@cmi.example",
    )
    assert event["SEQUENCE"] == mail.facts.seq > 0
    assert event["DTSTART"].dt == mail.facts.fallen_start
    assert event["ORGANIZER"] == "mailto:cmi@shop.example"
    assert event["ORGANIZER"].params["CN"] == "Muster Handel AG"
    assert event["ATTENDEE"] == "mailto:auftraege@elektro-huber.example"
    assert not re.search("Regula|Langstrasse|8004", event.to_ical().decode())


async def test_no_calendar_is_written_to_if_the_settings_say_so(
    log: MailLog, partners: Partners, server: MailServer
) -> None:
    office = Office(log, partners, server.port, appointment_mails=False)
    await office.send(MAILS["cancelled_2"])
    await office.send(MAILS["new_order_2"])
    assert not [a for message in server.received for a in message.iter_attachments()]


# --- escalations and their copy ---------------------------------------------------------------------------------------


@pytest.fixture
async def with_chief(partners: Partners) -> None:
    await partners.put(partner("elektro-huber", escalation_email="chef@huber.example"), MONDAY)


@pytest.mark.usefixtures("with_chief")
async def test_an_escalation_goes_to_both_addresses_and_nothing_else_does(
    office: Office, server: MailServer
) -> None:
    await office.send(LATE)
    assert sorted(e.rcpt_tos[0] for e in server.envelopes) == [
        "auftraege@elektro-huber.example",
        "chef@huber.example",
    ]
    assert len({m["Message-ID"] for m in server.received}) == 2
    await office.send(LATE)
    assert len(server.received) == 2
    await office.send(CANCELLED)
    assert len(server.received) == 3


@pytest.mark.usefixtures("with_chief")
async def test_a_copy_that_is_refused_holds_up_nothing(office: Office, server: MailServer) -> None:
    server.rcpt = lambda to: "550 no such user" if to.startswith("chef") else "250 OK"
    await office.send(LATE)
    assert len(server.received) == 1
    [copy] = await office.log.undelivered()
    assert (copy.recipient, copy.state) == ("chef@huber.example", "given_up")


@pytest.mark.usefixtures("with_chief")
async def test_a_copy_that_was_given_up_does_not_fail_the_next_attempt(
    office: Office, server: MailServer
) -> None:
    """The mail itself goes out then, and must not count as undelivered."""
    server.rcpt = lambda to: "550 no such user" if to.startswith("chef") else "450 greylisted"
    assert (await office.failure(LATE)).type == "MailServerUnavailable"
    server.rcpt = lambda _: "250 OK"
    await office.send(LATE)
    assert [e.rcpt_tos for e in server.envelopes] == [["auftraege@elektro-huber.example"]]


@pytest.mark.usefixtures("with_chief")
async def test_a_copy_goes_out_though_the_mail_is_refused(
    office: Office, server: MailServer
) -> None:
    server.rcpt = lambda to: "250 OK" if to.startswith("chef") else "550 no such user"
    failure = await office.failure(LATE)
    assert failure.type == "MailRefused"
    assert [e.rcpt_tos for e in server.envelopes] == [["chef@huber.example"]]
    server.rcpt = lambda to: "250 OK"
    await office.send(LATE)
    assert len(server.received) == 2


@pytest.mark.usefixtures("with_chief")
async def test_a_copy_that_is_put_off_is_tried_again_alone(
    office: Office, server: MailServer
) -> None:
    server.rcpt = lambda to: "450 greylisted" if to.startswith("chef") else "250 OK"
    failure = await office.failure(LATE)
    assert failure.type == "MailServerUnavailable"
    server.rcpt = lambda to: "250 OK"
    await office.send(LATE)
    assert [e.rcpt_tos[0] for e in server.envelopes] == [
        "auftraege@elektro-huber.example",
        "chef@huber.example",
    ]


# --- nothing is told that must not be ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        rcpt("550 <auftraege@elektro-huber.example> Regula"),
        data("451 Regula"),
        mail_from("550 Regula"),
        data("drop"),
    ],
)
async def test_failures_and_logs_name_the_key_and_the_code_alone(
    office: Office,
    server: MailServer,
    trouble: Callable[[MailServer], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    trouble(server)
    failure = await office.failure(LATE)
    own = [
        str(vars(r)) for r in caplog.records if r.name != "mail.log"
    ]  # the test server's tells all
    told = everything_told(failure) + " ".join(own)
    assert LATE.key in told
    for secret in ("Regula", "@elektro", "Langstrasse", "8004", "Waschmaschine"):
        assert secret not in told


async def test_a_wrong_password_is_not_told(
    log: MailLog, partners: Partners, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def never(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    async with mail_server(
        authenticator=never, auth_require_tls=False, auth_required=True
    ) as server:
        url = f"smtp://cmi:{PASSWORD.replace('@', '%40')}@127.0.0.1:{server.port}"
        office = Office(log, partners, server.port, smtp_url=url)
        failure = await office.failure(LATE, after=timedelta(days=60))
    assert failure.type == "MailServerUnavailable"
    assert "535" in failure.message
    assert PASSWORD not in everything_told(failure)
    own = [
        r for r in caplog.records if not r.name.startswith("mail.")
    ]  # the test server's own log says all
    assert not any(PASSWORD in str(vars(record)) for record in own)
    assert PASSWORD not in str(await log.undelivered())
    assert PASSWORD not in repr(office.settings)
