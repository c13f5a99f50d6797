"""Mails go out over a real SMTP conversation: once, in their thread, to whom they belong; and what happens if not."""

import asyncio
import dataclasses
import itertools
import logging
import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.exc import OperationalError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.mail import MailActivities
from contracts import activities
from domain.actors import Actor
from domain.orders.order import GoodsShipped
from domain.orders.outgoing import Mail
from mail.outbox import MAX_CONCURRENT, Outbox
from mail.smtp import SmtpSender
from records.database import Database
from records.mails import MailLog
from records.migrate import migrate
from records.partners import Partners
from settings import Settings
from tests.activities.conftest import partner
from tests.activities.mails import all_mails, mails_of, one, refusal
from tests.activities.servers import MailServer, mail_server
from tests.support.builders import MONDAY, REQUIREMENTS_MET, TRANSMITTED, partner_actor

MAILS = all_mails()
NEW_ORDER = MAILS["new_order"]
LATE = MAILS["escalation_accept_partner_1"]
CANCELLED = MAILS["cancelled"]
PASSWORD = "s3cret-p@ss"


class Office:
    """The activities under test, and how the server runs them."""

    def __init__(self, log: MailLog, partners: Partners, port: int, **settings: Any) -> None:
        self.log = log
        settings.setdefault("smtp_url", f"smtp://127.0.0.1:{port}")
        self.settings = Settings(
            mail_from="CMI «Müller» <cmi@shop.example>",
            mail_operations="Servicepartner <team@shop.example>",
            public_url="https://cmi.example",
            **settings,
        )
        outbox = Outbox(log, SmtpSender(self.settings))
        self.mail = MailActivities(self.settings, outbox, partners)

    async def send(
        self, mail: Mail, *, at: datetime = MONDAY, after: timedelta = timedelta()
    ) -> None:
        """One attempt at `at` of an activity that was scheduled so much earlier."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            started_time=at,
            current_attempt_scheduled_time=at,
            scheduled_time=at - after,
        )
        await environment.run(self.mail.send_mail, mail)

    async def failure(self, mail: Mail, **how: Any) -> ApplicationError:
        """An attempt that must fail; what it raises."""
        with pytest.raises(ApplicationError) as caught:
            await self.send(mail, **how)
        return caught.value


@pytest.fixture
def office(log: MailLog, partners: Partners, server: MailServer) -> Office:
    return Office(log, partners, server.port)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


# --- what arrives ----------------------------------------------------------------------------------------------------


async def test_a_mail_as_it_arrives(office: Office, server: MailServer) -> None:
    await office.send(NEW_ORDER)
    [message] = server.received
    assert message["From"].addresses[0].addr_spec == "cmi@shop.example"
    assert message["From"].addresses[0].display_name == "CMI «Müller»"
    assert message["To"].addresses[0].addr_spec == "auftraege@elektro-huber.example"
    assert message["To"].addresses[0].display_name == "Elektro-Huber AG"
    assert message["Reply-To"].addresses[0].addr_spec == "team@shop.example"
    assert message["Subject"] == "SP-1048213: Neuer Auftrag – Waschmaschine anschliessen"
    assert parsedate_to_datetime(message["Date"]) == MONDAY
    assert re.fullmatch(r"<[0-9a-f]{32}@shop\.example>", message["Message-ID"])
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    assert message["In-Reply-To"] is None
    assert message.get_content_type() == "multipart/alternative"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    assert "https://cmi.example/orders/SP-1048213" in body(message, "plain")
    assert "Guten Tag Elektro-Huber AG" in body(message, "html")
    [envelope] = server.envelopes
    assert envelope.mail_from == "cmi@shop.example"
    assert isinstance(envelope.content, bytes)
    assert max(len(line) for line in envelope.content.split(b"\r\n")) <= 78
    assert envelope.content.isascii()


@pytest.mark.parametrize("name", MAILS)
async def test_every_mail_goes_out(name: str, office: Office, server: MailServer) -> None:
    mail = MAILS[name]
    await office.send(mail)
    [message] = server.received
    assert message["Subject"].startswith("SP-1048213: ")
    assert not message.defects
    assert all(not part.defects for part in message.walk())
    row, _ = await office.log.begin(mail.key, "", "", "", "", "", MONDAY)
    assert row.state == "sent"
    assert row.sent_at == MONDAY


async def test_the_date_is_that_of_sending(office: Office, server: MailServer) -> None:
    later = MONDAY + timedelta(days=1)
    await office.send(NEW_ORDER, at=later, after=timedelta(days=1))
    assert parsedate_to_datetime(server.received[0]["Date"]) == later


# --- to whom ---------------------------------------------------------------------------------------------------------


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


# --- escalations and their copy --------------------------------------------------------------------------------------


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


# --- once ------------------------------------------------------------------------------------------------------------


async def test_sent_is_sent(office: Office, server: MailServer) -> None:
    await office.send(NEW_ORDER)
    await office.send(NEW_ORDER)
    assert len(server.received) == 1
    assert server.conversations == 1


async def test_two_attempts_at_once(office: Office, server: MailServer) -> None:
    await asyncio.gather(*(office.send(NEW_ORDER) for _ in range(5)))
    assert len(server.received) == 1


async def test_a_crash_between_the_answer_and_the_mark_repeats_the_same_mail(
    office: Office, partners: Partners, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gap in which a mail can come twice; a reader's program sees by the Message-ID that it is one."""
    with monkeypatch.context() as patch:
        patch.setattr(office.log, "sent", _away)
        await office.failure(NEW_ORDER)
    after_restart = Office(office.log, partners, server.port)
    await after_restart.send(NEW_ORDER, at=MONDAY + timedelta(minutes=5))
    first, second = server.received
    assert first["Message-ID"] == second["Message-ID"]
    await after_restart.send(NEW_ORDER)
    assert len(server.received) == 2


async def test_a_mark_is_tried_again_within_its_attempt(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt may be another process's, which does not know that the server has the mail."""
    sent, tries = office.log.sent, itertools.count(1)

    async def away_at_first(key: str, at: datetime) -> None:
        if next(tries) < 3:
            raise ConnectionRefusedError
        await sent(key, at)

    monkeypatch.setattr("mail.outbox._MARK_AGAIN", 0.02)
    monkeypatch.setattr(office.log, "sent", away_at_first)
    await office.send(NEW_ORDER)
    assert len(server.received) == 1
    assert await office.log.undelivered() == ()


async def test_an_attempt_with_no_time_left_does_not_begin_a_conversation(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second attempt beside it would send the mail twice."""
    monkeypatch.setattr("mail.outbox.ATTEMPT_SECONDS", 10.0)
    assert (await office.failure(NEW_ORDER)).type == "MailsWaiting"
    assert server.conversations == 0


async def test_a_process_that_lives_on_does_not_even_repeat_it(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(office.log, "sent", _away)
        failure = await office.failure(NEW_ORDER)
        assert not failure.non_retryable
    await office.send(NEW_ORDER)
    assert len(server.received) == 1
    assert await office.log.undelivered() == ()


async def test_few_mails_are_handed_in_at_a_time(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that wait for too long end their attempt untried, and come again soon."""
    monkeypatch.setattr("mail.outbox.SLOT_SECONDS", 1.0)
    server.data = None  # it keeps everybody waiting
    mails = list({mail.key: mail for mail in MAILS.values()}.values())[:10]
    sending = [asyncio.create_task(office.send(mail)) for mail in mails]
    late: list[ApplicationError] = []
    for finished in itertools.islice(asyncio.as_completed(sending), 10 - MAX_CONCURRENT):
        with pytest.raises(ApplicationError) as caught:
            await finished
        late.append(caught.value)
    assert server.conversations == MAX_CONCURRENT
    assert {error.type for error in late} == {"MailsWaiting"}
    untried = next(mail for mail, task in zip(mails, sending, strict=True) if task.done())
    monkeypatch.setattr("mail.outbox.MAX_WAITING", 0)
    assert (await office.failure(untried)).type == "MailsWaiting", "at once"
    monkeypatch.undo()
    assert len(await office.log.undelivered()) == MAX_CONCURRENT
    server.data = "250 OK"
    server.released.set()
    await asyncio.gather(*sending, return_exceptions=True)
    for mail in mails:
        await office.send(mail)
    assert len(server.received) == len(mails)


async def test_nothing_is_handed_in_before_the_last_ones_are_marked(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(office.log, "sent", _away)
        await office.failure(NEW_ORDER)
        await office.failure(CANCELLED)
    assert len(server.received) == 1
    await office.send(CANCELLED)
    assert len(server.received) == 2
    assert await office.log.undelivered() == ()


async def test_a_server_that_does_not_say_goodbye_has_the_mail_all_the_same(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail.smtp._QUIT_SECONDS", 0.1)
    server.quit = None
    await office.send(NEW_ORDER)
    await office.send(NEW_ORDER)
    assert len(server.received) == 1


async def test_message_ids_are_stable_and_different(office: Office, server: MailServer) -> None:
    for name in ("new_order", "cancelled", "goods_received"):
        await office.send(MAILS[name])
    ids = [message["Message-ID"] for message in server.received]
    assert len(set(ids)) == 3
    # as it was when this test was written: another one would end the threads of all orders under way
    assert ids[0] == "<511381e174a83326baff4a92c636e444@shop.example>"


# --- threads ---------------------------------------------------------------------------------------------------------


async def test_an_orders_mails_to_one_reader_are_one_thread(
    office: Office, server: MailServer
) -> None:
    shipped = MAILS["goods_shipped"]
    for minute, mail in enumerate((NEW_ORDER, MAILS["review_needed"], shipped, CANCELLED)):
        await office.send(mail, at=MONDAY + timedelta(minutes=minute))
    first, to_team, second, third = server.received
    assert to_team["References"] is None
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    assert third["In-Reply-To"] == third["References"] == first["Message-ID"]


async def test_another_order_is_another_thread(office: Office, server: MailServer) -> None:
    await office.send(NEW_ORDER)
    await office.send(
        one("new_order", mails_of(*TRANSMITTED)).model_copy(
            update={"sp_id": "SP-2", "key": "SP-2/2"}
        )
    )
    assert server.received[1]["References"] is None


# --- trouble ---------------------------------------------------------------------------------------------------------


def _rcpt(answer: str) -> Callable[[MailServer], None]:
    return lambda server: setattr(server, "rcpt", lambda _: answer)


def _data(answer: str | None) -> Callable[[MailServer], None]:
    return lambda server: setattr(server, "data", answer)


def _mail(answer: str) -> Callable[[MailServer], None]:
    return lambda server: setattr(server, "mail", answer)


@pytest.mark.parametrize("trouble", [_rcpt("550 5.1.1 <x@y> unknown"), _data("554 5.7.1 spam")])
async def test_a_refusal_is_tried_again_hourly(
    office: Office, server: MailServer, trouble: Callable[[MailServer], None]
) -> None:
    trouble(server)
    failure = await office.failure(LATE, after=timedelta(days=4, hours=23))
    assert failure.type == "MailRefused"
    assert failure.next_retry_delay == timedelta(hours=1)
    assert not failure.non_retryable
    [row] = await office.log.undelivered()
    assert row.state == "refused"
    assert row.last_error in ("the mail server answered 550", "the mail server answered 554")


async def test_after_five_days_of_refusals_it_is_given_up(
    office: Office, server: MailServer
) -> None:
    server.rcpt = lambda _: "550 no"
    failure = await office.failure(LATE, after=timedelta(days=5))
    assert failure.type == activities.MAIL_GIVEN_UP
    assert failure.non_retryable
    [row] = await office.log.undelivered()
    assert row.state == "given_up"
    # the attempt was lost before it could say so: the next one says it, and sends nothing
    server.rcpt = lambda _: "250 OK"
    assert (await office.failure(LATE, after=timedelta(days=5))).type == activities.MAIL_GIVEN_UP
    assert server.received == []


async def test_a_new_order_is_never_given_up(
    office: Office, partners: Partners, server: MailServer
) -> None:
    server.rcpt = lambda to: "550 no" if "elektro" in to else "250 OK"
    failure = await office.failure(NEW_ORDER, after=timedelta(days=50))
    assert failure.type == "MailRefused"
    assert not failure.non_retryable
    await partners.put(partner("elektro-huber", email="richtig@huber.example"), MONDAY)
    await office.send(NEW_ORDER, after=timedelta(days=51))
    assert server.envelopes[0].rcpt_tos == ["richtig@huber.example"]


@pytest.mark.parametrize(
    ("trouble", "lasts"),
    [
        (_rcpt("451 4.7.1 greylisted"), "MailServerUnavailable"),
        (_data("451 4.3.0 try later"), "MailServerUnavailable"),
        (_mail("451 busy"), "MailServerUnavailable"),
        (_mail("550 5.7.1 this sender may not"), "MailServerUnavailable"),
        (_data("drop"), "MailServerUnavailable"),
    ],
)
async def test_passing_trouble_is_tried_again_soon(
    office: Office, server: MailServer, trouble: Callable[[MailServer], None], lasts: str
) -> None:
    trouble(server)
    failure = await office.failure(LATE)
    assert failure.type == lasts
    assert failure.next_retry_delay is None
    assert not failure.non_retryable
    [row] = await office.log.undelivered()
    assert row.state == "sending"


async def test_a_mailbox_that_is_full_for_days_is_given_up_like_one_that_is_not_there(
    office: Office, server: MailServer
) -> None:
    server.rcpt = lambda _: "452 mailbox full"
    assert (
        await office.failure(NEW_ORDER, after=timedelta(days=6))
    ).type == "MailServerUnavailable"
    assert (await office.failure(LATE, after=timedelta(days=6))).type == activities.MAIL_GIVEN_UP


@pytest.mark.parametrize("trouble", [_mail("550 no"), _mail("451 no")])
async def test_trouble_that_is_not_the_mails_never_gives_it_up(
    office: Office, server: MailServer, trouble: Callable[[MailServer], None]
) -> None:
    trouble(server)
    assert (await office.failure(LATE, after=timedelta(days=60))).type == "MailServerUnavailable"


async def test_after_a_lost_answer_the_same_mail_comes_again(
    office: Office, server: MailServer
) -> None:
    server.data = "drop"
    await office.failure(NEW_ORDER)
    server.data = "250 OK"
    await office.send(NEW_ORDER)
    first, second = server.received
    assert first["Message-ID"] == second["Message-ID"]


async def test_a_server_that_hangs_is_left_after_a_while(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail.smtp._CONVERSATION_SECONDS", 0.3)
    server.data = None
    failure = await office.failure(NEW_ORDER)
    assert failure.type == "MailServerUnavailable"
    assert "Timeout" in failure.message


async def test_a_server_that_is_not_there(
    log: MailLog, partners: Partners, unused_tcp_port: int
) -> None:
    office = Office(log, partners, unused_tcp_port)
    failure = await office.failure(NEW_ORDER, after=timedelta(days=60))
    assert failure.type == "MailServerUnavailable"
    assert not failure.non_retryable


async def test_a_database_that_is_away_costs_no_mail(
    server: MailServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Before sending nothing goes out, and the attempt is worth another."""
    caplog.set_level(logging.DEBUG)
    url = f"sqlite+aiosqlite:///{tmp_path / 'later.db'}"
    database = Database(url)
    partners = Partners(database)
    office = Office(MailLog(database), partners, server.port)
    failure = await office.failure(NEW_ORDER)
    assert failure.type == "OperationalError"
    assert not failure.non_retryable
    assert failure.__cause__ is None
    operations = await office.failure(MAILS["review_needed"])
    assert "team@shop.example" not in everything_told(operations)
    assert server.conversations == 0
    await database.close()
    await migrate(url)
    database = Database(url)
    await Partners(database).put(partner("elektro-huber"), MONDAY)
    await Office(MailLog(database), Partners(database), server.port).send(NEW_ORDER)
    assert len(server.received) == 1
    await database.close()


async def _away(*_: object) -> None:
    raise OperationalError(
        "UPDATE mails", {"recipient": "auftraege@elektro-huber.example"}, Exception("away")
    )


# --- nothing is told that must not be --------------------------------------------------------------------------------


def everything_told(error: BaseException) -> str:
    """A failure as Temporal keeps and shows it."""
    failure = Failure()
    converter = DataConverter.default
    converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    return str(failure)


@pytest.mark.parametrize(
    "trouble",
    [
        _rcpt("550 <auftraege@elektro-huber.example> Regula"),
        _data("451 Regula"),
        _mail("550 Regula"),
        _data("drop"),
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


# --- hostile addresses and names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "x@y.example\r\nBcc: all@evil.example",
        "a b@y.example",
        "nobody",
        "@y.example",
        "x@",
        "x@" + "y" * 80 + ".example",
    ],
)
async def test_an_address_that_cannot_be_is_refused(
    office: Office, server: MailServer, address: str
) -> None:
    sender = Actor(role="operations", name="Anna", email=address)
    failure = await office.failure(refusal(sender))
    assert failure.type == "MailRefused"
    assert server.received == []
    assert "evil" not in everything_told(failure)
    failure = await office.failure(refusal(sender), after=timedelta(days=5))
    assert failure.type == activities.MAIL_GIVEN_UP


@pytest.mark.parametrize(
    "name",
    [
        "\r\nBcc: all@evil.example\r\n\r\nHallo",
        '"Huber" <boss@evil.example>,',
        "=?utf-8?q?x?=",
        "Zürich " * 25,
        "a\u202eb",
    ],
)
async def test_a_name_is_only_a_name(office: Office, server: MailServer, name: str) -> None:
    await office.send(refusal(Actor(role="operations", name=name, email="anna@shop.example")))
    [message] = server.received
    assert server.envelopes[0].rcpt_tos == ["anna@shop.example"]
    assert [a.addr_spec for a in message["To"].addresses] == ["anna@shop.example"]
    assert message["Bcc"] is None
    assert len(list(message.iter_parts())) == 2


@pytest.mark.parametrize(
    "text", ["Müller\r\nX-Evil: 1", "\u2028X: 1", "é" * 300, "x" * 300, "\ud800", "🛠️ " * 60]
)
async def test_a_service_is_only_part_of_the_subject(
    office: Office, server: MailServer, text: str
) -> None:
    facts = NEW_ORDER.facts.model_copy(update={"service": text, "note": text})
    await office.send(NEW_ORDER.model_copy(update={"facts": facts}))
    [message] = server.received
    assert message["X-Evil"] is None
    assert message["Subject"].startswith("SP-1048213: Neuer Auftrag –")
    assert len(list(message.iter_parts())) == 2


async def test_umlauts_in_addresses(office: Office, partners: Partners, server: MailServer) -> None:
    await partners.put(partner("elektro-huber", email="büro@hüsler.example"), MONDAY)
    await office.send(NEW_ORDER)
    assert server.envelopes[0].rcpt_tos == ["büro@xn--hsler-kva.example"]
    await partners.put(partner("elektro-huber", email="buero@hüsler.example"), MONDAY)
    await office.send(CANCELLED)
    assert server.envelopes[1].rcpt_tos == ["buero@xn--hsler-kva.example"]
    assert "SMTPUTF8" not in server.envelopes[1].mail_options


# --- encryption ------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for localhost, trusted as the operating system's are."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certified = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certified.public_bytes(pem)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


@pytest.mark.parametrize(("scheme", "wrapped"), [("smtps", True), ("smtp+starttls", False)])
async def test_encrypted_with_a_login(
    log: MailLog, partners: Partners, certificate: ssl.SSLContext, scheme: str, wrapped: bool
) -> None:
    logins: list[LoginPassword] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        logins.append(data)
        return AuthResult(success=data == LoginPassword(b"cmi", PASSWORD.encode()))

    async with mail_server(
        tls=certificate,
        wrapped=wrapped,
        authenticator=check,
        auth_required=True,
        auth_require_tls=not wrapped,
    ) as server:
        url = f"{scheme}://cmi:{PASSWORD.replace('@', '%40')}@localhost:{server.port}"
        await Office(log, partners, server.port, smtp_url=url).send(NEW_ORDER)
    assert len(server.received) == 1
    assert server.encrypted == [True]
    assert len(logins) == 1


async def test_a_server_without_encryption_does_not_get_it_unencrypted(
    office: Office, server: MailServer
) -> None:
    wary = Office(
        office.log, office.mail._partners, 0, smtp_url=f"smtp+starttls://127.0.0.1:{server.port}"
    )
    failure = await wary.failure(LATE, after=timedelta(days=60))
    assert failure.type == "MailServerUnavailable"
    assert server.received == []


async def test_a_certificate_that_nobody_vouches_for(
    log: MailLog, partners: Partners, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with mail_server(tls=certificate) as server:
        office = Office(log, partners, 0, smtp_url=f"smtp+starttls://localhost:{server.port}")
        failure = await office.failure(LATE)
    assert failure.type == "MailServerUnavailable"
    assert server.received == []


async def test_goods_shipped_names_the_parcel(office: Office, server: MailServer) -> None:
    await office.send(
        one("goods_shipped", mails_of(*REQUIREMENTS_MET, GoodsShipped(tracking="99.00.7")))
    )
    assert "Sendung: 99.00.7" in body(server.received[0], "plain")
