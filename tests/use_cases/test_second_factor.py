"""The second factor: enrolled, confirmed, asked for, never taken twice, and lost."""

import asyncio

import pyotp
import pytest

from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from use_cases.account_errors import (
    BadLogin,
    Conflict,
    LinkUnusable,
    NotFound,
    SecondFactorNeeded,
    SecondFactorUnavailable,
    Throttled,
    WrongFields,
)
from use_cases.accounts import Accounts
from use_cases.totp import SecretBox


class Phone:
    """An authenticator app."""

    def __init__(self, env: AccountsEnv, uri: str) -> None:
        self._env = env
        parsed = pyotp.parse_uri(uri)
        assert isinstance(parsed, pyotp.TOTP)
        assert (parsed.issuer, parsed.name) == ("CMI", EMAIL)
        self._totp = parsed

    def code(self, steps: int = 0) -> str:
        return self._totp.at(self._env.clock(), counter_offset=steps)


async def enrolled(env: AccountsEnv) -> tuple[str, Phone, tuple[str, ...]]:
    """A user with a second factor, half a minute after it was confirmed."""
    user_id = await env.add_user()
    phone = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
    codes = await env.accounts.second_factor.confirm(user_id, phone.code(), "session")
    env.clock.forward(seconds=30)
    return user_id, phone, codes


async def test_it_is_asked_for_once_it_is_confirmed(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    enrolment = await env.accounts.second_factor.enrol(user_id, "session")
    phone = Phone(env, enrolment.uri)
    assert pyotp.TOTP(enrolment.secret).at(env.clock()) == phone.code()
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)  # not yet
    with pytest.raises(WrongFields):
        await env.accounts.second_factor.confirm(user_id, "000000", "session")
    codes = await env.accounts.second_factor.confirm(user_id, f" {phone.code()} ", "session")
    assert len(set(codes)) == 10
    with pytest.raises(SecondFactorNeeded):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    with pytest.raises(BadLogin):
        await env.accounts.sessions.log_in(EMAIL, "wrong password", ADDRESS, phone.code(1))
    env.clock.forward(seconds=30)
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, phone.code())
    assert session.principal.login_id == user_id
    (user,) = await env.accounts.users("elektro-huber")
    assert user.second_factor


async def test_no_code_counts_twice(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    phone = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
    confirming = phone.code()
    await env.accounts.second_factor.confirm(user_id, confirming, "session")
    for code in (confirming, phone.code(-1)):
        with pytest.raises(BadLogin):
            await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, code)
    env.clock.forward(seconds=30)
    code = phone.code()
    results = await asyncio.gather(
        *(env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, code) for _ in range(2)),
        return_exceptions=True,
    )
    assert sorted(isinstance(result, BadLogin) for result in results) == [False, True]
    with pytest.raises(BadLogin):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, code)


async def test_clocks_may_differ_by_half_a_minute(env: AccountsEnv) -> None:
    _, phone, _ = await enrolled(env)
    for steps, taken in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        env.clock.forward(hours=1)
        try:
            await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, phone.code(steps))
        except BadLogin:
            assert not taken, steps
        else:
            assert taken, steps


async def test_by_the_ticket_the_password_is_typed_once(env: AccountsEnv) -> None:
    _, phone, _ = await enrolled(env)
    with pytest.raises(SecondFactorNeeded) as needed:
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    ticket = needed.value.ticket
    with pytest.raises(BadLogin):
        await env.accounts.sessions.finish_log_in(ticket, "000000", ADDRESS)
    with pytest.raises(LinkUnusable):  # it is no link to a password
        await env.accounts.accept_invitation(ticket, "another password of mine")
    session = await env.accounts.sessions.finish_log_in(ticket, phone.code(), ADDRESS)
    assert await env.accounts.callers.of_session(session.secret) is not None
    env.clock.forward(seconds=30)
    with pytest.raises(LinkUnusable):
        await env.accounts.sessions.finish_log_in(ticket, phone.code(), ADDRESS)
    with pytest.raises(SecondFactorNeeded) as needed:
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    env.clock.forward(minutes=5)
    with pytest.raises(LinkUnusable):
        await env.accounts.sessions.finish_log_in(needed.value.ticket, phone.code(), ADDRESS)


async def test_a_reset_link_is_no_ticket(env: AccountsEnv) -> None:
    _, phone, _ = await enrolled(env)
    await env.accounts.resets.request(EMAIL, ADDRESS)
    await env.accounts.close()
    with pytest.raises(LinkUnusable):
        await env.accounts.sessions.finish_log_in(env.secret(), phone.code(), ADDRESS)
    await env.accounts.accept_invitation(env.secret(), "a new password for me")
    with pytest.raises(SecondFactorNeeded):  # a mailbox alone opens nothing
        await env.accounts.sessions.log_in(EMAIL, "a new password for me", ADDRESS)


async def test_guesses_at_codes_become_slow(env: AccountsEnv) -> None:
    _, phone, _ = await enrolled(env)
    with pytest.raises(SecondFactorNeeded) as needed:
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    for _ in range(5):
        with pytest.raises(BadLogin):
            await env.accounts.sessions.finish_log_in(needed.value.ticket, "000000", ADDRESS)
    with pytest.raises(Throttled):
        await env.accounts.sessions.finish_log_in(needed.value.ticket, phone.code(), ADDRESS)
    env.clock.forward(seconds=1)
    with pytest.raises(SecondFactorNeeded):  # the password alone gives no guess back
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    with pytest.raises(BadLogin):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, "000000")
    with pytest.raises(Throttled) as throttled:
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, "000000")
    assert throttled.value.retry_after == 2


async def test_a_recovery_code_works_once_however_it_is_typed(env: AccountsEnv) -> None:
    _, _, codes = await enrolled(env)
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, codes[0])
    with pytest.raises(BadLogin):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, codes[0])
    typed = codes[1].lower().replace("-", " ")
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, typed)


async def test_odd_codes_are_wrong(env: AccountsEnv) -> None:
    await enrolled(env)
    for code in ("", "0", "１２３４５６", "\0", "\ud800", "x" * 10_000, "-----"):
        env.clock.forward(hours=1)  # so that no attempt is throttled because of earlier ones
        with pytest.raises((BadLogin, SecondFactorNeeded)):
            await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, code)


async def test_it_is_removed_by_a_code_and_then_can_be_set_up_anew(env: AccountsEnv) -> None:
    user_id, phone, codes = await enrolled(env)
    with pytest.raises(Conflict):
        await env.accounts.second_factor.enrol(user_id, "session")
    with pytest.raises(Conflict):
        await env.accounts.second_factor.confirm(user_id, phone.code(), "session")
    with pytest.raises(WrongFields):
        await env.accounts.second_factor.remove(user_id, "000000")
    await env.accounts.second_factor.remove(user_id, phone.code())
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    other = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
    await env.accounts.second_factor.confirm(user_id, other.code(), "session")
    with pytest.raises(BadLogin):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, codes[0])


async def test_an_enrolment_that_is_begun_again_replaces_the_first(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    first = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
    second = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
    with pytest.raises(WrongFields):
        await env.accounts.second_factor.confirm(user_id, first.code(), "session")
    await env.accounts.second_factor.confirm(user_id, second.code(), "session")


async def test_no_other_session_learns_or_confirms_what_is_being_set_up(env: AccountsEnv) -> None:
    """Who knows the password is logged in meanwhile, and must not get a copy of the owner's factor."""
    user_id = await env.add_user()
    factor = env.accounts.second_factor
    own, other = [
        (await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)).secret for _ in range(2)
    ]
    enrolment = await factor.enrol(user_id, own)
    phone = Phone(env, enrolment.uri)
    assert await factor.status(user_id, other) == (False, None, True)
    with pytest.raises(Conflict):
        await factor.confirm(user_id, phone.code(), other)
    assert await factor.status(user_id, own) == (False, enrolment, True)
    await factor.confirm(user_id, phone.code(), own)
    env.clock.forward(seconds=30)
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, phone.code())


async def test_without_a_secret_key_it_cannot_be_set_up(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    settings = env.settings.model_copy(update={"secret_key": None})
    without = Accounts(env.database, settings, env.clock)
    with pytest.raises(SecondFactorUnavailable, match="CMI_SECRET_KEY is not set"):
        await without.second_factor.enrol(user_id, "session")


async def test_without_its_secret_key_it_is_not_skipped(
    env: AccountsEnv, caplog: pytest.LogCaptureFixture
) -> None:
    _, phone, codes = await enrolled(env)
    for key in (None, "another secret key, long enough too"):
        settings = env.settings.model_validate(
            {**env.settings.model_dump(exclude={"secret_key"}), "secret_key": key}
        )
        other = Accounts(env.database, settings, env.clock)
        with pytest.raises(SecondFactorNeeded):
            await other.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
        with pytest.raises(BadLogin):
            await other.sessions.log_in(EMAIL, PASSWORD, ADDRESS, phone.code())
        assert "CMI_SECRET_KEY is not that of this second factor" in caplog.text
        caplog.clear()
    await other.sessions.log_in(EMAIL, PASSWORD, ADDRESS, codes[0])  # these need no key


def test_a_kept_secret_opens_for_its_user_alone() -> None:
    box = SecretBox("x" * 32)
    kept = box.close("JBSWY3DPEHPK3PXP", "usr_1")
    assert "JBSWY3DPEHPK3PXP" not in kept
    assert kept != box.close("JBSWY3DPEHPK3PXP", "usr_1")
    assert box.open(kept, "usr_1") == "JBSWY3DPEHPK3PXP"
    assert box.open(kept, "usr_2") is None
    assert SecretBox("y" * 32).open(kept, "usr_1") is None


async def test_how_it_stands(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    factor = env.accounts.second_factor
    assert await factor.status(user_id) == (False, None, True)
    enrolment = await factor.enrol(user_id, "session")
    assert await factor.status(user_id, "session") == (False, enrolment, True), "to be shown again"
    phone = Phone(env, enrolment.uri)
    await factor.confirm(user_id, phone.code(), "session")
    assert await factor.status(user_id) == (True, None, True), "and from now on never"
    with pytest.raises(NotFound):
        await factor.status("usr_0")


async def test_how_it_stands_without_a_key(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    settings = env.settings.model_copy(update={"secret_key": None})
    accounts = Accounts(env.database, settings, env.clock)
    assert await accounts.second_factor.status(user_id) == (False, None, False)
    await accounts.close()
