"""The outbox over a real SMTP conversation: once, in a thread, few at a time; and what happens when it fails."""

import asyncio
import itertools
import logging
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from contracts import activities
from mail.outbox import MAX_CONCURRENT
from records.database import Database
from records.mails import MailLog
from records.partners import Partners
from tests.activities.conftest import partner
from tests.activities.mail_office import (
    CANCELLED,
    LATE,
    MAILS,
    NEW_ORDER,
    Office,
    away,
    data,
    everything_told,
    mail_from,
    rcpt,
)
from tests.activities.mails import mails_of, one
from tests.activities.servers import MailServer
from tests.support.builders import MONDAY, TRANSMITTED
from tests.support.databases import sqlite_template
from tests.support.limits import WAIT_LIMIT

# --- once -------------------------------------------------------------------------------------------------------------


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
        patch.setattr(office.log, "sent", away)
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
        patch.setattr(office.log, "sent", away)
        failure = await office.failure(NEW_ORDER)
        assert not failure.non_retryable
    await office.send(NEW_ORDER)
    assert len(server.received) == 1
    assert await office.log.undelivered() == ()


async def test_few_mails_are_submitted_at_a_time(
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
    async with asyncio.timeout(WAIT_LIMIT):
        while (
            server.conversations < MAX_CONCURRENT
        ):  # on a busy machine the last one may still connect
            await asyncio.sleep(0.01)
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


async def test_nothing_is_submitted_before_the_last_ones_are_marked(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(office.log, "sent", away)
        await office.failure(NEW_ORDER)
        await office.failure(CANCELLED)
    assert len(server.received) == 1
    await office.send(CANCELLED)
    assert len(server.received) == 2
    assert await office.log.undelivered() == ()


async def test_a_server_that_does_not_answer_quit_has_the_mail(
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


# --- threads ----------------------------------------------------------------------------------------------------------


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


# --- when it fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [rcpt("550 5.1.1 <x@y> unknown"), data("554 5.7.1 spam")])
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
        (rcpt("451 4.7.1 greylisted"), "MailServerUnavailable"),
        (data("451 4.3.0 try later"), "MailServerUnavailable"),
        (mail_from("451 busy"), "MailServerUnavailable"),
        (mail_from("550 5.7.1 this sender may not"), "MailServerUnavailable"),
        (data("drop"), "MailServerUnavailable"),
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


@pytest.mark.parametrize("trouble", [mail_from("550 no"), mail_from("451 no")])
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
    file = tmp_path / "later.db"
    url = f"sqlite+aiosqlite:///{file}"
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
    shutil.copy(sqlite_template(), file)
    database = Database(url)
    await Partners(database).put(partner("elektro-huber"), MONDAY)
    await Office(MailLog(database), Partners(database), server.port).send(NEW_ORDER)
    assert len(server.received) == 1
    await database.close()
