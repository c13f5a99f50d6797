"""Mails with links leave by the outbox, as all others: few at a time, marked, and repeated with another link only."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Row, select, text

from development.embedded import ROOT
from mail.outbox import MAX_CONCURRENT
from records.database import Database
from records.limits import LONG_SECONDS
from records.tables import mails
from settings import Settings
from tests.use_cases.conftest import EMAIL, PASSWORD, Clock, Office, secret_of
from use_cases.account_errors import LinkUnusable
from use_cases.accounts import Accounts
from use_cases.link_mails import LinkMails

MANY = 12


async def rows(database: Database) -> list[Row[tuple[str, str, int]]]:
    """Key, state and attempts of all mails, in the order in which they were asked for."""
    found = select(mails.c.key, mails.c.state, mails.c.attempts).order_by(mails.c.attempts)
    return list(await database.read(lambda connection: connection.execute(found).all()))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def away(*_: object) -> None:
    raise ConnectionRefusedError


def invite(accounts: Accounts, number: int) -> asyncio.Task[object]:
    return asyncio.create_task(
        accounts.invite("elektro-huber", "partner", f"p{number}@huber.example", f"P {number}")
    )


async def test_few_are_submitted_at_a_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait for too long are sent later, and no attempt is counted."""
    monkeypatch.setattr("mail.outbox.SLOT_SECONDS", 0.5)
    office.server.held = True
    inviting = [invite(office.accounts, number) for number in range(MANY)]
    await until(lambda: office.server.conversations == MAX_CONCURRENT)
    await until(lambda: sum(task.done() for task in inviting) >= MANY - MAX_CONCURRENT)
    assert office.server.conversations == MAX_CONCURRENT
    office.server.held = False
    office.server.released.set()
    await asyncio.gather(*inviting)
    assert len(office.mails()) == MAX_CONCURRENT
    office.clock.forward(minutes=1)
    assert await office.accounts.send_due_mails() == MANY - MAX_CONCURRENT
    sent = [row for row in await rows(office.database) if row.state == "sent"]
    assert [row.attempts for row in sent] == [1] * MANY


KILLED = """
import asyncio, sys
from records.database import Database
from settings import Settings
from use_cases.accounts import Accounts

async def main():
    url, port, many = sys.argv[1:]
    settings = Settings(database_url=url, smtp_url=f"smtp://127.0.0.1:{port}")
    accounts = Accounts(Database(settings.database_url), settings)
    await asyncio.gather(*(
        accounts.invite("elektro-huber", "partner", f"p{n}@huber.example", f"P {n}") for n in range(int(many))
    ))
    await accounts.close()

asyncio.run(main())
"""


async def test_a_kill_doubles_no_more_than_are_submitted_at_a_time(office: Office) -> None:
    """The records are busy while the mail server takes the mails, and so none of them is marked."""
    office.server.held = True
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        KILLED,
        office.settings.database_url,
        str(office.server.port),
        str(MANY),
        cwd=ROOT,
    )
    try:
        await until(lambda: office.server.conversations == MAX_CONCURRENT)
        async with office.database.writing(limit=LONG_SECONDS) as connection:
            if not office.database.is_sqlite:
                await connection.execute(text("LOCK TABLE mails IN EXCLUSIVE MODE"))
            office.server.released.set()
            await until(lambda: len(office.mails()) == MAX_CONCURRENT)
            process.kill()
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    users = await office.accounts.users("elektro-huber")
    assert len(users) >= MAX_CONCURRENT
    office.clock.now = datetime.now(UTC) + timedelta(hours=1)
    assert await office.accounts.send_due_mails() == len(users)
    times = Counter(mail["To"].addresses[0].addr_spec for mail in office.mails())
    assert set(times) == {user.email for user in users}
    assert sorted(times.values())[-MAX_CONCURRENT:] == [2] * MAX_CONCURRENT
    assert len(office.mails()) == len(users) + MAX_CONCURRENT
    for mail in office.mails()[MAX_CONCURRENT:]:
        assert (await office.accounts.open_link(secret_of(mail)))[1] == "invitation"


async def test_a_process_that_lives_on_marks_later_what_it_could_not_mark(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail.outbox.ATTEMPT_SECONDS", 14.0)
    monkeypatch.setattr("mail.outbox._MARK_AGAIN", 14.0)
    log = office.accounts._link_mails._mails
    with monkeypatch.context() as patch:
        patch.setattr(log, "sent", away)
        user = await office.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    assert user.invitation == "waiting"
    office.clock.forward(minutes=5)
    assert await office.accounts.send_due_mails() == 0
    (user,) = await office.accounts.users("elektro-huber")
    assert (user.invitation, len(office.mails())) == ("sent", 1)
    await office.accounts.accept_invitation(office.secret(), PASSWORD)


async def test_a_late_mark_is_that_of_the_former_mail(
    office: Office, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not count for the new link, whose mail has not been sent yet."""
    monkeypatch.setattr("mail.outbox._MARK_AGAIN", 60.0)
    with monkeypatch.context() as patch:
        patch.setattr(office.accounts._link_mails._mails, "sent", away)
        await office.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    clock.forward(minutes=5)
    office.server.mail = "451 not now"
    other = Accounts(office.database, settings, clock)
    assert await other.send_due_mails() == 0
    await office.accounts.send_due_mails()
    (user,) = await other.users("elektro-huber")
    assert user.invitation == "waiting"
    office.server.mail = "250 OK"
    clock.forward(minutes=5)
    assert await other.send_due_mails() == 1
    with pytest.raises(LinkUnusable):
        await other.open_link(office.secret(0))
    await other.accept_invitation(office.secret(1), PASSWORD)


async def test_a_repeated_mail_is_another_mail(office: Office) -> None:
    """A mail program that shows a Message-ID once must not hide the link that works."""
    office.server.data = "drop"
    await office.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    office.server.data = "250 OK"
    office.clock.forward(minutes=1)
    assert await office.accounts.send_due_mails() == 1
    first, second = office.mails()
    assert first["Message-ID"] != second["Message-ID"]
    former, sent = await rows(office.database)
    assert former.key != sent.key
    assert (former.state, sent.state, sent.attempts) == ("obsolete", "sent", 2)


async def test_a_login_and_its_mail_are_one_transaction(
    office: Office, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies right after it."""

    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(LinkMails, "start_sending", dies)
        with pytest.raises(SystemExit):
            await office.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    other = Accounts(office.database, settings, clock)
    (user,) = await other.users("elektro-huber")
    assert user.invitation == "waiting"
    assert await other.send_due_mails() == 0
    clock.forward(minutes=2)
    assert await other.send_due_mails() == 1
    await other.accept_invitation(office.secret(), PASSWORD)


async def test_a_mail_whose_link_was_used_is_obsolete(office: Office) -> None:
    office.server.data = "drop"  # it arrives, and nobody knows
    await office.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    await office.accounts.accept_invitation(office.secret(), PASSWORD)
    office.server.data = "250 OK"
    office.clock.forward(minutes=1)
    assert await office.accounts.send_due_mails() == 0
    assert [row.state for row in await rows(office.database)] == ["obsolete"]
    assert len(office.mails()) == 1


async def test_of_a_login_that_is_removed_no_mail_is_kept(office: Office) -> None:
    user_id = await office.member()
    assert len(await rows(office.database)) == 1
    await office.accounts.remove_user("elektro-huber", user_id)
    assert await rows(office.database) == []
