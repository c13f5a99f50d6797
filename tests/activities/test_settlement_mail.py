"""Mails about settlements over a real SMTP conversation: in four languages, with their papers, once, in a thread."""

import dataclasses
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import settlement_mail
from activities.settlement_mail import SettlementMailActivities
from contracts import activities
from domain.settlements.mails import SettlementMail
from mail.outbox import Outbox
from mail.settlement_texts import SettlementTexts
from mail.smtp import SmtpSender
from mail.texts import Reader
from records.database import Database
from records.mails import MailLog
from records.papers import Paper, Papers
from records.partners import Partners
from settings import Settings
from tests.activities.servers import MailServer
from tests.activities.settlement_mails import all_mails
from tests.support.builders import MONDAY

MAILS = all_mails()
STATEMENT = MAILS["issued/statement.partner/0"]
LATE = MAILS["late/invoice_missing.partner/1"]
ACCEPTED = MAILS["accepted/invoice_accepted.accounting/0"]
VOIDED = MAILS["voided_open/settlement_voided.partner/0"]
PDF = b"%PDF-1.7 " + bytes(range(256)) * 40


class Office:
    """The activity under test, over papers."""

    def __init__(
        self, database: Database, log: MailLog, partners: Partners, port: int, **settings: Any
    ) -> None:
        self.papers = Papers(database)
        self.log = log
        self.settings = Settings(
            smtp_url=f"smtp://127.0.0.1:{port}",
            mail_from="CMI <cmi@shop.example>",
            mail_operations="team@shop.example",
            mail_accounting="Kreditoren <accounting@shop.example>",
            public_url="https://cmi.example",
            **settings,
        )
        outbox = Outbox(log, SmtpSender(self.settings))
        self.mail = SettlementMailActivities(self.settings, outbox, partners, self.papers)

    async def keep(self, mail: SettlementMail, content: bytes = PDF) -> None:
        """Keep the paper that goes with a mail."""
        assert mail.paper_id is not None
        paper = Paper.of(
            content,
            paper_id=mail.paper_id,
            settlement_id=mail.settlement_id,
            kind="invoice" if "invoice" in mail.paper_id else "statement",
            name='"\r\nX-Evil: 1.exe',
            created_at=MONDAY,
        )
        await self.papers.keep(paper)

    async def send(
        self, mail: SettlementMail, at: datetime = MONDAY, after: timedelta = timedelta()
    ) -> None:
        """One attempt at `at` of an activity that was scheduled so much earlier."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info, started_time=at, scheduled_time=at - after
        )
        await environment.run(self.mail.send_settlement_mail, mail)


@pytest.fixture
def office(database: Database, log: MailLog, partners: Partners, server: MailServer) -> Office:
    return Office(database, log, partners, server.port)


def words_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


async def test_the_statement_as_it_arrives(office: Office, server: MailServer) -> None:
    await office.keep(STATEMENT)
    for _ in range(2):
        await office.send(STATEMENT)
    [message] = server.received
    assert message["To"].addresses[0].addr_spec == "auftraege@elektro-huber.example"
    assert message["Subject"] == f"{STATEMENT.settlement_id}: Verrechnungsbeleg für Oktober 2026"
    assert message["Content-Language"] == "de"
    assert message.get_content_type() == "multipart/mixed"
    (attached,) = message.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_filename() == f"{STATEMENT.settlement_id}.pdf"
    assert attached.get_content() == PDF
    text = words_of(message)
    assert "bis Mo 16. Nov. 2026 18:00 eine Rechnung über CHF\u00a0139.45" in text
    assert f"https://cmi.example/settlements/{STATEMENT.settlement_id}" in text
    assert "accounting@shop.example" in words_of(message, "html")


async def test_mails_about_a_settlement_are_a_thread(office: Office, server: MailServer) -> None:
    await office.keep(STATEMENT)
    await office.send(STATEMENT)
    await office.send(LATE, MONDAY + timedelta(days=20))
    first, second = server.received
    assert second["References"] == second["In-Reply-To"] == first["Message-ID"]
    assert second["Message-ID"] != first["Message-ID"]


async def test_accounting_gets_the_invoice(office: Office, server: MailServer) -> None:
    hostile = 'Huber "AG"\r\nBcc: all@example.org <b>&'
    mail = ACCEPTED.model_copy(update={"partner_name": hostile})
    await office.keep(mail)
    await office.send(mail)
    [message] = server.received
    assert message["To"].addresses[0].addr_spec == "accounting@shop.example"
    assert message["Bcc"] is None
    assert message["X-Evil"] is None
    assert 'Rechnung von Huber "AG" Bcc: all@example.org <b>& für' in message["Subject"]
    assert "<b>" not in words_of(message, "html")
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == f"invoice-{mail.settlement_id}.pdf"


async def test_a_paper_that_is_too_large_stays_in_the_cmi(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement_mail, "LARGEST_ATTACHMENT", len(PDF) - 1)
    await office.keep(ACCEPTED)
    await office.send(ACCEPTED)
    [message] = server.received
    assert list(message.iter_attachments()) == []
    assert "zu gross" in words_of(message)


async def test_a_paper_that_is_missing_is_waited_for(office: Office, server: MailServer) -> None:
    with pytest.raises(ApplicationError) as caught:
        await office.send(STATEMENT)
    assert (caught.value.type, caught.value.non_retryable) == ("NotRecorded", False)
    assert server.received == []


async def test_a_mail_server_that_is_away(
    database: Database, log: MailLog, partners: Partners, server: MailServer
) -> None:
    office = Office(database, log, partners, port=9)
    with pytest.raises(ApplicationError, match="is away") as caught:
        await office.send(VOIDED)
    assert not caught.value.non_retryable
    again = Office(database, log, partners, server.port)
    await again.send(VOIDED)
    assert len(server.received) == 1


async def test_a_reason_keeps_to_its_place(office: Office, server: MailServer) -> None:
    await office.send(VOIDED)
    [message] = server.received
    assert "Grund: Auf Wunsch\n  von Huber" in words_of(message)
    assert "Verrechnungsbeleg" not in words_of(message)  # there was none


@pytest.mark.parametrize("language", ["de", "fr", "it", "en"])
@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("name", MAILS)
def test_each_mail_in_each_language(name: str, language: Any, attached: bool) -> None:
    mail = MAILS[name]
    texts = SettlementTexts(
        "https://cmi.example", "a@shop.example", lambda at: at.replace(tzinfo=None)
    )
    staff = mail.audience != "partner"
    made = texts.compose_settlement(
        mail, Reader("" if staff else "Huber", language, staff=staff), attached=attached
    )
    assert mail.settlement_id in made.subject
    assert "\n" not in made.subject
    for text in (made.text, made.html):
        assert "{{" not in text
        assert "{%" not in text
        assert "None" not in text
        assert "2026" in text
    assert "\n\n\n" not in made.text


async def test_operations_hear_of_the_last_reminder(office: Office, server: MailServer) -> None:
    (mail,) = (mail for mail in MAILS.values() if mail.audience == "operations")
    await office.send(mail)
    [message] = server.received
    assert message["To"].addresses[0].addr_spec == "team@shop.example"
    assert message["Reply-To"] is None
    assert list(message.iter_attachments()) == []


async def test_a_refusal_is_given_up_but_for_an_invoice(office: Office, server: MailServer) -> None:
    server.rcpt = lambda _: "550 no such user"
    for mail, gives_up in ((VOIDED, True), (ACCEPTED, False)):
        if mail.paper_id:
            await office.keep(mail)
        with pytest.raises(ApplicationError) as caught:
            await office.send(mail, after=timedelta(days=6))
        assert (caught.value.type == activities.MAIL_GIVEN_UP) is gives_up
