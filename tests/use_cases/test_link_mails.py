"""Mails with links leave by the outbox, as all others: few at a time, marked, and repeated with another link only."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Row, select, text

from mail.outbox import MAX_CONCURRENT
from records.database import Database
from records.limits import LONG_SECONDS
from records.tables import links, mails
from settings import Settings
from tests.support.processes import Process
from tests.use_cases.conftest import EMAIL, PASSWORD, AccountsEnv, Clock, secret_of
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


async def test_few_are_submitted_at_a_time(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that wait for too long are sent later, and no attempt is counted."""
    monkeypatch.setattr("mail.outbox.SLOT_SECONDS", 0.5)
    env.server.held = True
    inviting = [invite(env.accounts, number) for number in range(MANY)]
    await until(lambda: env.server.conversations == MAX_CONCURRENT)
    await until(lambda: sum(task.done() for task in inviting) >= MANY - MAX_CONCURRENT)
    assert env.server.conversations == MAX_CONCURRENT
    env.server.held = False
    env.server.released.set()
    await asyncio.gather(*inviting)
    assert len(env.mails()) == MAX_CONCURRENT
    env.clock.forward(minutes=1)
    assert await env.accounts.send_due_mails() == MANY - MAX_CONCURRENT
    sent = [row for row in await rows(env.database) if row.state == "sent"]
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


async def test_a_kill_doubles_no_more_than_are_submitted_at_a_time(
    env: AccountsEnv, tmp_path: Path
) -> None:
    """The records are busy while the mail server takes the mails, and so none of them is marked."""
    env.server.held = True
    arguments = (env.settings.database_url, str(env.server.port), str(MANY))
    command = [sys.executable, "-c", KILLED, *arguments]
    process = Process(command, dict(os.environ), tmp_path / "log")
    await asyncio.to_thread(process.start)
    try:
        await until(lambda: env.server.conversations == MAX_CONCURRENT)
        async with env.database.writing(limit=LONG_SECONDS) as connection:
            if not env.database.is_sqlite:
                await connection.execute(text("LOCK TABLE mails IN EXCLUSIVE MODE"))
            env.server.released.set()
            await until(lambda: len(env.mails()) == MAX_CONCURRENT)
            process.kill()
    finally:
        process.kill()
    users = await env.accounts.users("elektro-huber")
    assert len(users) >= MAX_CONCURRENT
    env.clock.now = datetime.now(UTC) + timedelta(hours=1)
    assert await env.accounts.send_due_mails() == len(users)
    times = Counter(mail["To"].addresses[0].addr_spec for mail in env.mails())
    assert set(times) == {user.email for user in users}
    assert sorted(times.values())[-MAX_CONCURRENT:] == [2] * MAX_CONCURRENT
    assert len(env.mails()) == len(users) + MAX_CONCURRENT
    for mail in env.mails()[MAX_CONCURRENT:]:
        assert (await env.accounts.open_link(secret_of(mail)))[1] == "invitation"


async def test_a_process_that_lives_on_marks_later_what_it_could_not_mark(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail.outbox.ATTEMPT_SECONDS", 14.0)
    monkeypatch.setattr("mail.outbox._MARK_AGAIN", 14.0)
    log = env.accounts._link_mails._mails
    with monkeypatch.context() as patch:
        patch.setattr(log, "sent", away)
        user = await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    assert user.invitation == "waiting"
    env.clock.forward(minutes=5)
    assert await env.accounts.send_due_mails() == 0
    (user,) = await env.accounts.users("elektro-huber")
    assert (user.invitation, len(env.mails())) == ("sent", 1)
    await env.accounts.accept_invitation(env.secret(), PASSWORD)


async def test_a_late_mark_is_that_of_the_former_mail(
    env: AccountsEnv, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not count for the new link, whose mail has not been sent yet."""
    monkeypatch.setattr("mail.outbox._MARK_AGAIN", 60.0)
    with monkeypatch.context() as patch:
        patch.setattr(env.accounts._link_mails._mails, "sent", away)
        await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    clock.forward(minutes=5)
    env.server.mail = "451 not now"
    other = Accounts(env.database, settings, clock)
    assert await other.send_due_mails() == 0
    await env.accounts.send_due_mails()
    (user,) = await other.users("elektro-huber")
    assert user.invitation == "waiting"
    env.server.mail = "250 OK"
    clock.forward(minutes=5)
    assert await other.send_due_mails() == 1
    with pytest.raises(LinkUnusable):
        await other.open_link(env.secret(0))
    await other.accept_invitation(env.secret(1), PASSWORD)


async def test_a_repeated_mail_is_another_mail(env: AccountsEnv) -> None:
    """A mail program that shows a Message-ID once must not hide the link that works."""
    env.server.data = "drop"
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    env.server.data = "250 OK"
    env.clock.forward(minutes=1)
    assert await env.accounts.send_due_mails() == 1
    first, second = env.mails()
    assert first["Message-ID"] != second["Message-ID"]
    former, sent = await rows(env.database)
    assert former.key != sent.key
    assert (former.state, sent.state, sent.attempts) == ("obsolete", "sent", 2)


async def test_a_login_and_its_mail_are_one_transaction(
    env: AccountsEnv, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies right after it."""

    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(LinkMails, "start_sending", dies)
        with pytest.raises(SystemExit):
            await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    other = Accounts(env.database, settings, clock)
    (user,) = await other.users("elektro-huber")
    assert user.invitation == "waiting"
    assert await other.send_due_mails() == 0
    clock.forward(minutes=2)
    assert await other.send_due_mails() == 1
    await other.accept_invitation(env.secret(), PASSWORD)


async def test_a_mail_whose_link_was_used_is_obsolete(env: AccountsEnv) -> None:
    env.server.data = "drop"  # it arrives, and nobody knows
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    await env.accounts.accept_invitation(env.secret(), PASSWORD)
    env.server.data = "250 OK"
    env.clock.forward(minutes=1)
    assert await env.accounts.send_due_mails() == 0
    assert [row.state for row in await rows(env.database)] == ["obsolete"]
    assert len(env.mails()) == 1


async def test_of_a_login_that_is_removed_no_mail_is_kept(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    assert len(await rows(env.database)) == 1
    await env.accounts.remove_user("elektro-huber", user_id)
    assert await rows(env.database) == []


async def test_a_repetition_waits_for_the_removal_of_its_login(env: AccountsEnv) -> None:
    """Neither holds a row that the other waits for."""
    env.server.data = "drop"
    user = await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    env.clock.forward(minutes=1)
    async with env.database.writing() as connection:
        await connection.execute(select(links).with_for_update())
        removing = asyncio.create_task(env.accounts.remove_user("elektro-huber", user.user_id))
        await until_locked_out(env.database, 1)
        repeating = asyncio.create_task(env.accounts.send_due_mails())
        await until_locked_out(env.database, 2)
    outcome = await asyncio.gather(removing, repeating)
    if (
        not env.database.is_sqlite
    ):  # which has one lock for all rows, and lets either of them go first
        assert outcome == [None, 0]
        assert await rows(env.database) == []


async def until_locked_out(database: Database, number: int) -> None:
    """Wait until so many transactions wait for a row. On SQLite there is only one writer at a time."""
    if database.is_sqlite:
        return
    counted = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with asyncio.timeout(60):
        while await database.read(lambda c: c.execute(counted).scalar_one()) < number:
            await asyncio.sleep(0.02)
