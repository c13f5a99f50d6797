"""Logins: by invitation, with a password, and with sessions that end."""

import asyncio
from datetime import timedelta
from email.headerregistry import Address

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import update

from domain.values import LANGUAGES, Language
from mail.texts import MailTexts, Reader
from records.database import Database
from records.tables import mails, sessions, users
from settings import Settings
from tests.activities.servers import MailServer
from tests.support.builders import MONDAY
from tests.use_cases.conftest import (
    ADDRESS,
    EMAIL,
    PASSWORD,
    QUICK,
    AccountsEnv,
    Clock,
    secret_of,
    text_of,
)
from use_cases.account_errors import BadLogin, Conflict, LinkUnusable, NotFound, WrongFields
from use_cases.accounts import Accounts
from use_cases.passwords import Passwords, weakness


async def logs_in(env: AccountsEnv, email: str = EMAIL, password: str = PASSWORD) -> bool:
    try:
        await env.accounts.sessions.log_in(email, password, ADDRESS)
    except BadLogin:
        return False
    return True


# --- invitations -------------------------------------------------------------------------------------------------


async def test_from_the_invitation_to_the_session(env: AccountsEnv) -> None:
    user = await env.accounts.invite("sanitaer-rossi", "partner", EMAIL, "Petra Huber")
    assert (user.invitation, user.language, user.partner_id) == ("sent", "it", "sanitaer-rossi")
    (mail,) = env.mails()
    assert mail["To"].addresses == (Address("Petra Huber", addr_spec=EMAIL),)
    assert mail["Subject"] == "Il Suo accesso al CMI"
    assert "gio 8 ott 2026 09:00" in text_of(mail)  # 72 hours from Monday 09:00 in Zurich
    assert not await logs_in(env)
    invited, purpose = await env.accounts.open_link(env.secret())
    assert (invited.user_id, purpose) == (user.user_id, "invitation")
    await env.accounts.accept_invitation(env.secret(), PASSWORD)
    session = await env.accounts.sessions.log_in(EMAIL.lower(), PASSWORD, ADDRESS)
    principal = await env.accounts.callers.of_session(session.secret)
    assert principal == session.principal
    assert principal is not None
    assert principal.model_dump() == {
        "role": "partner", "login_id": user.user_id, "name": "Petra Huber",
        "partner_id": "sanitaer-rossi", "email": EMAIL, "language": "it", "made_by": None,
        "factor_due_at": None, "is_factor_due": False, "needs_confirmation": False,
        "partner_role": "office", "person_name": "Petra Huber",
    }  # fmt: skip
    (listed,) = await env.accounts.users("sanitaer-rossi")
    assert (listed.invitation, listed.last_login_at) == ("accepted", MONDAY)
    assert await env.accounts.users("elektro-huber") == ()


async def test_an_invitation_works_once(env: AccountsEnv) -> None:
    await env.add_user()
    secret = env.secret()
    with pytest.raises(LinkUnusable):
        await env.accounts.accept_invitation(secret, "another password entirely")
    with pytest.raises(LinkUnusable):
        await env.accounts.open_link(secret)
    assert await logs_in(env)


async def test_of_two_who_accept_at_the_same_time_one_does(env: AccountsEnv) -> None:
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    passwords = ["the first of passwords", "the second of passwords"]
    results = await asyncio.gather(
        *(env.accounts.accept_invitation(env.secret(), each) for each in passwords),
        return_exceptions=True,
    )
    lost = [isinstance(result, LinkUnusable) for result in results]
    assert sorted(lost) == [False, True]
    assert await logs_in(env, password=passwords[lost.index(False)])


async def test_an_invitation_works_for_72_hours(env: AccountsEnv) -> None:
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    env.clock.forward(hours=72, microseconds=-1)
    await env.accounts.open_link(env.secret())
    env.clock.forward(microseconds=1)
    with pytest.raises(LinkUnusable):
        await env.accounts.accept_invitation(env.secret(), PASSWORD)
    (user,) = await env.accounts.users("elektro-huber")
    assert user.invitation == "expired"
    await env.accounts.tidy()
    again = await env.accounts.invite_again("elektro-huber", user.user_id)
    assert again.invitation == "sent"
    await env.accounts.accept_invitation(env.secret(), PASSWORD)
    assert await logs_in(env)


async def test_a_new_invitation_replaces_the_former(env: AccountsEnv) -> None:
    user = await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    await env.accounts.invite_again("elektro-huber", user.user_id)
    with pytest.raises(LinkUnusable):
        await env.accounts.accept_invitation(env.secret(0), PASSWORD)
    await env.accounts.accept_invitation(env.secret(1), PASSWORD)
    with pytest.raises(Conflict):
        await env.accounts.invite_again("elektro-huber", user.user_id)


async def test_no_link_is_lost_with_a_mail_server_that_is_away(env: AccountsEnv) -> None:
    env.server.mail = "451 not now"
    user = await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    assert user.invitation == "waiting"
    env.clock.forward(seconds=59)
    assert await env.accounts.send_due_mails() == 0
    env.clock.forward(seconds=1)
    assert await env.accounts.send_due_mails() == 0  # tried, and still away
    env.server.mail = "250 OK"
    assert await env.accounts.send_due_mails() == 0  # now twice as long
    env.clock.forward(minutes=2)
    assert await env.accounts.send_due_mails() == 1
    assert await env.accounts.send_due_mails() == 0
    (user,) = await env.accounts.users("elektro-huber")
    assert user.invitation == "sent"
    assert "Do 8. Okt. 2026 09:03" in text_of(env.mails()[0])  # 72 hours from when it went out
    await env.accounts.accept_invitation(env.secret(), PASSWORD)


async def test_a_link_whose_sender_died_is_sent_by_another_once(
    env: AccountsEnv, settings: Settings, database: Database, clock: Clock
) -> None:
    user = await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    # as if the process had ended before it could mark the mail as sent
    unmarked = update(mails).values(state="sending", sent_at=None, next_attempt_at=clock())
    await database.write(lambda connection: connection.execute(unmarked))
    others = [Accounts(database, settings, clock) for _ in range(3)]
    assert sum(await asyncio.gather(*(other.send_due_mails() for other in others))) == 1
    assert len(env.mails()) == 2
    with pytest.raises(LinkUnusable):
        await env.accounts.open_link(env.secret(0))
    assert (await env.accounts.open_link(env.secret(1)))[0].user_id == user.user_id


async def test_a_mail_that_the_server_does_not_want_is_not_tried_for_ever(env: AccountsEnv) -> None:
    env.server.rcpt = lambda _: "550 nobody here"
    user = await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    assert user.invitation == "failed"
    env.clock.forward(days=1)
    assert await env.accounts.send_due_mails() == 0
    assert env.server.conversations == 1


async def test_an_invitation_that_cannot_be_sent_is_given_up_after_five_days(
    env: AccountsEnv,
) -> None:
    env.server.mail = "451 not now"
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    for _ in range(24):
        env.clock.forward(hours=6)
        await env.accounts.send_due_mails()
    (user,) = await env.accounts.users("elektro-huber")
    assert user.invitation in ("failed", "expired")
    assert 18 <= env.server.conversations <= 22


async def test_who_cannot_be_invited(env: AccountsEnv) -> None:
    await env.add_user()
    invite = env.accounts.invite
    with pytest.raises(Conflict):
        await invite("sanitaer-rossi", "partner", EMAIL.upper(), "Another")
    with pytest.raises(NotFound):
        await invite("nobody", "partner", "a@b.example", "A")
    with pytest.raises(NotFound):
        await invite("a\0b", "partner", "a@b.example", "A")
    with pytest.raises(WrongFields, match=r"email: must be an e-mail address; name: "):
        await invite("elektro-huber", "partner", "no address", " ")
    with pytest.raises(WrongFields, match="role"):
        await invite(None, "partner", "a@b.example", "A")
    with pytest.raises(WrongFields, match="role"):
        await invite("elektro-huber", "operations", "a@b.example", "A")
    assert len(env.mails()) == 1


async def test_of_two_invitations_of_one_address_at_once_one_is(env: AccountsEnv) -> None:
    results = await asyncio.gather(
        *(env.accounts.invite("elektro-huber", "partner", EMAIL, "P") for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 3
    assert len(env.mails()) == 1


async def test_the_first_operations_login_has_a_link_even_without_a_mail_server(
    env: AccountsEnv,
) -> None:
    env.server.mail = "451 not now"
    made = await env.accounts.first_operations_login("anna@shop.example")
    assert not made.mailed
    env.clock.forward(hours=1)
    assert await env.accounts.send_due_mails() == 0  # it would be another link
    secret = made.link.removeprefix("https://cmi.example/invitation/")
    await env.accounts.accept_invitation(secret, PASSWORD)
    session = await env.accounts.sessions.log_in("anna@shop.example", PASSWORD, ADDRESS)
    assert session.principal.role == "operations"
    with pytest.raises(Conflict):
        await env.accounts.first_operations_login("Anna@shop.example")
    with pytest.raises(WrongFields):
        await env.accounts.first_operations_login("anna")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", ["invitation", "reset"])
def test_the_mails_in_every_language(purpose: str, language: Language) -> None:
    link = "https://cmi.example/invitation/abc"
    for staff in (False, True):
        text = MailTexts("https://cmi.example").compose_account(
            purpose, Reader("<b>Petra</b>", language, staff=staff), EMAIL, link, MONDAY
        )
        for body in (text.text, text.html):
            assert EMAIL in body
            assert link in body
            assert "2026" in body
            assert "{" not in body.partition("</style>")[2]
        assert "<b>Petra" not in text.html
        assert "<b>Petra</b>" in text.text
        assert "CMI" in text.subject


# --- passwords ---------------------------------------------------------------------------------------------------


WEAK = [
    ("elevenchars", "too_short"),
    ("ü" * 11, "too_short"),
    ("aaaaaaaaaaaaaaaab", "too_simple"),
    ("x1y2" * 32 + "z", "too_long"),
    (EMAIL, "own_name"),
    ("petra huber@elektrohuber.EXAMPLE", "own_name"),
    ("Petra.-.-.Huber", "own_name"),
    ("password1234", "common"),
    ("Passwort1234!", "common"),
    ("P@ssw0rd2026!", "common"),
    ("qwertzuiop123", "common"),
    ("passwordpassword", "common"),
    ("Willkommen2026", "common"),
    ("petra.petra.petra", "common"),
]


async def test_weak_passwords_are_refused_and_the_link_still_works(env: AccountsEnv) -> None:
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    for password, code in WEAK:
        with pytest.raises(WrongFields) as refused:
            await env.accounts.accept_invitation(env.secret(), password)
        faults = [(fault.field, fault.code) for fault in refused.value.faults]
        assert faults == [("password", code)], password
    await env.accounts.accept_invitation(env.secret(), PASSWORD)


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "Montag-Regen-Velo", "vier Wörter ohne Bezug", "7ovsAttuEg2zN2N8eQW4", "x1y2Zä9k" * 16],
)  # fmt: skip
async def test_passwords_that_are_good_enough(password: str) -> None:
    assert weakness(password, EMAIL, "Petra Huber") is None


async def test_an_older_password_of_more_than_128_characters_still_logs_in(
    env: AccountsEnv,
) -> None:
    user_id = await env.add_user()
    older = "a long older password " * 11
    hashed = await env.accounts._passwords.hash(older)
    async with env.database.writing() as connection:
        await connection.execute(
            update(users).where(users.c.user_id == user_id).values(password_hash=hashed)
        )
    assert await logs_in(env, password=older)
    assert not await logs_in(env, password=older[:128])


async def test_an_umlaut_is_one_however_it_was_typed(env: AccountsEnv) -> None:
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    await env.accounts.accept_invitation(env.secret(), "Gr\u00fcezi mitenand")
    assert await logs_in(env, password="Gru\u0308ezi mitenand")


async def test_odd_input_is_a_bad_login(env: AccountsEnv) -> None:
    await env.add_user()
    for odd in ("", "\0", "\ud800", "x" * 100_000, "' OR 1=1 --"):
        assert not await logs_in(env, password=odd), odd
        assert not await logs_in(env, email=odd), odd


async def test_a_reset_goes_the_same_way_and_ends_all_sessions(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    await env.accounts.resets.request(f" {EMAIL.upper()} ", ADDRESS)
    await env.accounts.close()
    assert len(env.mails()) == 2
    assert env.mails()[1]["Subject"] == "Neues Passwort für das CMI"
    assert (await env.accounts.open_link(env.secret()))[1] == "reset"
    assert await logs_in(env)  # until it is used, nothing changes
    user = await env.accounts.accept_invitation(env.secret(), "a new password for me")
    assert user.user_id == user_id
    assert not await logs_in(env)
    assert await env.accounts.callers.of_session(session.secret) is None
    assert await logs_in(env, password="a new password for me")


async def test_a_reset_works_for_an_hour(env: AccountsEnv) -> None:
    await env.add_user()
    await env.accounts.resets.request(EMAIL, ADDRESS)
    await env.accounts.close()
    assert "09:00" not in text_of(env.mails()[-1])
    assert "10:00" in text_of(env.mails()[-1])
    env.clock.forward(hours=1, microseconds=-1)
    await env.accounts.open_link(env.secret())
    env.clock.forward(microseconds=1)
    with pytest.raises(LinkUnusable):
        await env.accounts.accept_invitation(env.secret(), "a new password for me")


async def test_a_reset_of_an_unknown_address_mails_nobody_and_says_nothing(
    env: AccountsEnv,
) -> None:
    await env.add_user()
    await env.accounts.resets.request("nobody@elektro-huber.example", ADDRESS)
    await env.accounts.resets.request("\0", ADDRESS)
    await env.accounts.close()
    assert len(env.mails()) == 1


async def test_a_reset_answers_before_it_looks_whether_there_is_one(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    await env.add_user()
    asked: list[str] = []
    by_email = env.accounts._records.by_email

    async def noted(email: str, now: object) -> object:
        asked.append(email)
        return await by_email(email, now)  # type: ignore[arg-type]

    monkeypatch.setattr(env.accounts._records, "by_email", noted)
    await env.accounts.resets.request(EMAIL, ADDRESS)
    assert asked == []
    await env.accounts.close()
    assert asked == [EMAIL]


async def test_an_unknown_address_costs_a_login_as_much_as_a_wrong_password(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    await env.add_user()
    await env.accounts.invite("elektro-huber", "partner", "invited@x.example", "Invited")
    verify = env.accounts._passwords._hash.verify_and_update
    hashes: list[str] = []

    def noted(password: bytes, hashed: str) -> object:
        hashes.append(hashed)
        return verify(password, hashed)

    monkeypatch.setattr(env.accounts._passwords._hash, "verify_and_update", noted)
    for email in (EMAIL, "nobody@x.example", "invited@x.example"):
        assert not await logs_in(env, email, "wrong password")
    costs = {hashed.rsplit("$", 2)[0] for hashed in hashes}
    assert len(hashes) == 3
    assert len(costs) == 1
    assert costs.pop().startswith("$argon2id$")


async def test_a_password_is_changed_by_who_knows_it(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    with pytest.raises(WrongFields, match="former"):
        await env.accounts.change_password(user_id, "not this one", "a new password for me")
    with pytest.raises(WrongFields, match="password"):
        await env.accounts.change_password(user_id, PASSWORD, "short")
    await env.accounts.change_password(user_id, PASSWORD, "a new password for me")
    assert await env.accounts.callers.of_session(session.secret) is None
    assert await logs_in(env, password="a new password for me")


async def test_an_older_hash_is_made_anew(env: AccountsEnv) -> None:
    passwords = env.accounts._passwords
    todays = passwords._hash
    passwords._hash = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=128),))
    user_id = await env.add_user()
    passwords._hash = todays
    for _ in range(2):
        assert await logs_in(env)
    known = await env.accounts._records.by_id(user_id, MONDAY)
    assert known is not None
    assert known.password_hash is not None
    assert not QUICK.check_needs_rehash(known.password_hash)


async def test_passwords_are_hashed_as_argon2_is_meant() -> None:
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.check(PASSWORD, hashed) == (True, None)
    assert await passwords.check(PASSWORD + " ", hashed) == (False, None)
    assert await passwords.check(PASSWORD, None) == (False, None)
    assert hashed != await passwords.hash(PASSWORD)


# --- sessions ----------------------------------------------------------------------------------------------------


async def test_sessions_end(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    first, second, third = [
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS) for _ in range(3)
    ]
    assert len({first.secret, second.secret, third.secret}) == 3
    await env.accounts.sessions.end(first.secret)
    assert await env.accounts.callers.of_session(first.secret) is None
    assert await env.accounts.callers.of_session(second.secret) is not None
    await env.accounts.sessions.end_all(user_id)
    assert await env.accounts.callers.of_session(second.secret) is None
    assert await env.accounts.callers.of_session(third.secret) is None
    assert await env.accounts.callers.of_session("x" * 43) is None
    assert await env.accounts.callers.of_session("\0\ud800") is None


@pytest.mark.parametrize(
    ("role", "partner_id", "idle", "whole"),
    [
        ("partner", "elektro-huber", timedelta(days=14), timedelta(days=30)),
        ("operations", None, timedelta(minutes=30), timedelta(hours=12)),
        ("accounting", None, timedelta(minutes=30), timedelta(hours=12)),
    ],
)
async def test_a_session_ends_unused_or_old(
    env: AccountsEnv, role: str, partner_id: str | None, idle: timedelta, whole: timedelta
) -> None:
    await env.add_user(role=role, partner_id=partner_id)
    unused = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    used = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    assert used.expires_at == env.clock() + whole
    began = env.clock()
    while env.clock() + idle / 2 < began + whole:
        assert await env.accounts.callers.of_session(used.secret) is not None
        await env.accounts.callers.noted()
        env.clock.now += idle / 2
        if env.clock() - began > idle:
            assert await env.accounts.callers.of_session(unused.secret) is None
    env.clock.now = began + whole - timedelta(microseconds=1)
    assert await env.accounts.callers.of_session(used.secret) is not None
    env.clock.forward(microseconds=1)
    assert await env.accounts.callers.of_session(used.secret) is None


async def test_a_session_that_an_older_release_began_ends_by_the_shorter_life(
    env: AccountsEnv,
) -> None:
    await env.add_user(role="operations", partner_id=None)
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    async with env.database.writing() as connection:
        week = env.clock() + timedelta(days=7)
        await connection.execute(update(sessions).values(expires_at=week))
    env.clock.forward(hours=12)
    async with env.database.writing() as connection:
        await connection.execute(update(sessions).values(last_used_at=env.clock()))
    assert await env.accounts.callers.of_session(session.secret) is None


async def test_a_user_who_is_removed_is_out_at_once(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    for partner_id in ("sanitaer-rossi", None):
        with pytest.raises(NotFound):
            await env.accounts.remove_user(partner_id, user_id)
    await env.accounts.remove_user("elektro-huber", user_id)
    assert await env.accounts.callers.of_session(session.secret) is None
    assert not await logs_in(env)
    with pytest.raises(NotFound):
        await env.accounts.remove_user("elektro-huber", user_id)
    await env.add_user()  # the address is free again
    assert await logs_in(env)


async def test_the_language_is_the_users(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    await env.accounts.set_language(user_id, "fr")
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    assert session.principal.language == "fr"


async def test_tidying_leaves_what_is_still_good(env: AccountsEnv) -> None:
    await env.add_user()
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    await env.accounts.resets.request(EMAIL, ADDRESS)
    await env.accounts.close()
    await env.accounts.tidy()
    assert await env.accounts.callers.of_session(session.secret) is not None
    await env.accounts.accept_invitation(secret_of(env.mails()[-1]), "yet another password")


async def test_housekeeping_goes_on_after_trouble(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch, server: MailServer
) -> None:
    monkeypatch.setattr("use_cases.accounts._HOUSEKEEPING", 0.01)
    server.mail = "451 not now"
    await env.accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    server.mail = "250 OK"
    env.clock.forward(minutes=1)
    due, troubles = env.accounts._link_mails._mails.due, iter([OSError("away")])

    async def once_away(*arguments: object) -> object:
        for trouble in troubles:
            raise trouble
        return await due(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(env.accounts._link_mails._mails, "due", once_away)
    keeping = asyncio.create_task(env.accounts.keep_house())
    async with asyncio.timeout(10):
        while not server.received:
            await asyncio.sleep(0.01)
        keeping.cancel()  # in the middle of the conversation with the mail server
        await asyncio.wait({keeping})
        await env.accounts.close()
    assert keeping.cancelled()
    (user,) = await env.accounts.users("elektro-huber")
    assert user.invitation == "sent"


async def test_a_request_makes_one_login_however_often_it_comes(env: AccountsEnv) -> None:
    made = await asyncio.gather(
        *(
            env.accounts.invite(None, "operations", EMAIL, "Petra", request_id="page.1")
            for _ in range(3)
        )
    )
    assert len({user.user_id for user in made}) == 1
    assert len(env.mails()) == 1
    with pytest.raises(Conflict):
        await env.accounts.invite(None, "operations", EMAIL, "Petra", request_id="page.2")


async def test_a_password_that_changes_while_it_is_checked_opens_nothing(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the former password cannot log in, or set another one, beside the owner's reset."""
    user_id = await env.add_user()
    check = Passwords.check
    owners = "drei alte Schiffe im Hafen"

    async def reset_meanwhile(
        self: Passwords, password: str, hashed: str | None
    ) -> tuple[bool, str | None]:
        found = await check(self, password, hashed)
        await env.accounts.resets.request(EMAIL, ADDRESS)
        await env.accounts._link_mails.close()
        await env.accounts.accept_invitation(env.secret(), owners)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Passwords, "check", reset_meanwhile)
        with pytest.raises(BadLogin):
            await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
        assert await env.accounts.sessions.of(user_id) == ()
        with pytest.raises(WrongFields):
            await env.accounts.change_password(user_id, owners, "der Dieb war schneller da")
    assert await env.accounts.sessions.log_in(EMAIL, owners, ADDRESS)
