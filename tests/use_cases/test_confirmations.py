"""Sensitive changes ask for password and code again: when a session needs it, and what confirms it."""

import pytest

from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from tests.use_cases.test_second_factor import Phone, enrolled
from use_cases.account_errors import BadLogin, NotFound, Throttled, WrongFields
from use_cases.passwords import Passwords


async def is_asked(env: AccountsEnv, secret: str) -> bool:
    principal = await env.accounts.callers.of_session(secret)
    assert principal is not None
    return principal.needs_confirmation


async def test_a_session_is_asked_ten_minutes_after_its_log_in(env: AccountsEnv) -> None:
    await env.add_user()
    sessions = env.accounts.sessions
    secret = (await sessions.log_in(EMAIL, PASSWORD, ADDRESS)).secret
    assert not await is_asked(env, secret), "who has just logged in is not asked"
    env.clock.forward(minutes=10)
    assert not await is_asked(env, secret)
    env.clock.forward(microseconds=1)
    assert await is_asked(env, secret)
    other = (await sessions.log_in(EMAIL, PASSWORD, ADDRESS)).secret
    assert await is_asked(env, secret), "another session confirms nothing here"
    for wrong in ("", "not the password", "x" * 100_000):
        with pytest.raises(WrongFields, match="current_password"):
            await sessions.confirm(secret, wrong, "")
    assert await is_asked(env, secret)
    await sessions.confirm(secret, PASSWORD, "")
    assert not await is_asked(env, secret)
    env.clock.forward(minutes=10, seconds=1)
    assert await is_asked(env, secret)
    await sessions.end(other)
    with pytest.raises(NotFound):
        await sessions.confirm(other, PASSWORD, "")


async def test_with_a_second_factor_the_code_is_needed_too(env: AccountsEnv) -> None:
    _, phone, codes = await enrolled(env)
    sessions = env.accounts.sessions
    used = phone.code()
    secret = (await sessions.log_in(EMAIL, PASSWORD, ADDRESS, used)).secret
    assert not await is_asked(env, secret)
    env.clock.forward(minutes=11)
    for code, fault in (("", "missing"), ("000000", "wrong"), (used, "wrong")):
        with pytest.raises(WrongFields) as wrong:
            await sessions.confirm(secret, PASSWORD, code)
        assert [(each.field, each.code) for each in wrong.value.faults] == [("code", fault)]
    with pytest.raises(WrongFields, match="current_password"):  # the code is not used up by that
        await sessions.confirm(secret, "not the password", phone.code())
    await sessions.confirm(secret, PASSWORD, phone.code())
    assert not await is_asked(env, secret)
    env.clock.forward(minutes=11)
    await sessions.confirm(secret, PASSWORD, codes[0])
    assert not await is_asked(env, secret)


async def test_guesses_become_slow(env: AccountsEnv) -> None:
    await env.add_user()
    sessions = env.accounts.sessions
    secret = (await sessions.log_in(EMAIL, PASSWORD, ADDRESS)).secret
    env.clock.forward(minutes=11)
    for _ in range(5):
        with pytest.raises(WrongFields):
            await sessions.confirm(secret, "a guess", "")
    with pytest.raises(Throttled):
        await sessions.confirm(secret, PASSWORD, "")
    await sessions.log_in(EMAIL, PASSWORD, ADDRESS)  # and they do not keep the owner out elsewhere


@pytest.mark.parametrize("change", ["log_in", "confirm"])
async def test_a_factor_set_up_during_the_check_of_a_password_is_asked_for(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Who knows only the password is not confirmed by a check that began before the owner's factor was in force."""
    user_id = await env.add_user()
    sessions, factor = env.accounts.sessions, env.accounts.second_factor
    own, thief = [(await sessions.log_in(EMAIL, PASSWORD, ADDRESS)).secret for _ in range(2)]
    phone = Phone(env, (await factor.enrol(user_id, own)).uri)
    check = Passwords.check

    async def slow_check(self: Passwords, *given: str | None) -> tuple[bool, str | None]:
        checked = await check(self, *given)  # type: ignore[arg-type]
        monkeypatch.setattr(Passwords, "check", check)
        await factor.confirm(user_id, phone.code(), own)
        return checked

    monkeypatch.setattr(Passwords, "check", slow_check)
    if change == "log_in":
        with pytest.raises(BadLogin):
            await sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    else:
        with pytest.raises(WrongFields, match="code"):
            await sessions.confirm(thief, PASSWORD, "")
    assert (await factor.status(user_id)).on
    assert await is_asked(env, thief)
    assert not await is_asked(env, own)
    assert len(await sessions.of(user_id)) == 2
    env.clock.forward(seconds=30)
    await sessions.confirm(thief, PASSWORD, phone.code())
    assert not await is_asked(env, thief), "the code is enough"


async def test_a_session_of_an_older_release_is_asked(env: AccountsEnv) -> None:
    await env.add_user()
    secret = (await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)).secret
    async with env.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE sessions SET confirmed_at = NULL")
    assert await is_asked(env, secret)


async def test_tokens_are_never_asked(env: AccountsEnv) -> None:
    _, token = await env.accounts.tokens.make("operations", "Anna")
    env.clock.forward(days=1)
    machine = await env.accounts.callers.of_token(token)
    assert machine is not None
    assert not machine.needs_confirmation
