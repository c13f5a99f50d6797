"""Guesses become slow: by account, by address, across processes, and not for who knows the password."""

import asyncio
import contextlib

import pytest

from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from use_cases.account_errors import BadLogin, Busy, Throttled
from use_cases.accounts import Accounts
from use_cases.passwords import Passwords


async def guess(accounts: Accounts, email: str = EMAIL, address: str = ADDRESS) -> int:
    """A wrong password. Returns how many seconds to wait, 0 if it was looked at."""
    try:
        await accounts.sessions.log_in(email, "not the password", address)
    except BadLogin:
        return 0
    except Throttled as error:
        return error.retry_after
    raise AssertionError("let in")


@pytest.mark.parametrize("email", [EMAIL, "nobody@x.example"])
async def test_guesses_at_an_account_wait_twice_as_long_each_time(
    env: AccountsEnv, email: str
) -> None:
    await env.add_user()
    for number in range(5):
        assert await guess(env.accounts, email, f"198.51.100.{number}") == 0
    waits = []
    for number in range(13):
        wait = await guess(env.accounts, email.upper(), f"203.0.113.{number}")
        waits.append(wait)
        assert await guess(env.accounts, email) == wait  # asking again does not make it longer
        env.clock.forward(seconds=wait)
        assert await guess(env.accounts, email, f"203.0.113.{number}") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


async def test_while_an_account_waits_the_right_password_waits_too(env: AccountsEnv) -> None:
    await env.add_user()
    for _ in range(5):
        await guess(env.accounts)
    with pytest.raises(Throttled):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, "198.51.100.1")
    env.clock.forward(seconds=1)
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, "198.51.100.1")
    for _ in range(5):  # and counts from the beginning
        assert await guess(env.accounts, address="198.51.100.1") == 0
    assert await guess(env.accounts, address="198.51.100.1") == 1


async def test_guesses_from_one_address_at_many_accounts(env: AccountsEnv) -> None:
    await env.add_user()
    for number in range(20):
        assert await guess(env.accounts, f"user{number}@x.example") == 0
    assert await guess(env.accounts, "one.more@x.example") == 1
    assert await guess(env.accounts, "one.more@x.example", "198.51.100.1") == 0
    env.clock.forward(seconds=1)
    # one's own login does not buy guesses at those of others
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    assert await guess(env.accounts, "two.more@x.example") == 0
    assert await guess(env.accounts, "two.more@x.example") == 2


async def test_logging_in_often_is_no_guessing(env: AccountsEnv) -> None:
    await env.add_user()
    for _ in range(25):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("unix:", "unix:", True),
    ],
)
async def test_what_counts_as_one_address(
    env: AccountsEnv, first: str, second: str, same: bool
) -> None:
    for number in range(20):
        assert await guess(env.accounts, f"user{number}@x.example", first) == 0
    assert (await guess(env.accounts, "more@x.example", second) > 0) is same


async def test_many_guesses_at_once_in_several_processes_count_one_by_one(env: AccountsEnv) -> None:
    await env.add_user()
    processes = [Accounts(env.database, env.settings, env.clock) for _ in range(3)]
    waits = await asyncio.gather(*(guess(processes[n % 3]) for n in range(30)))
    assert sorted(waits)[:6] == [0, 0, 0, 0, 0, 1]


async def test_guesses_are_forgotten(env: AccountsEnv) -> None:
    for _ in range(8):
        await guess(env.accounts)
        env.clock.forward(minutes=15)
    env.clock.forward(days=1, minutes=1)
    await env.accounts.tidy()
    for _ in range(5):
        assert await guess(env.accounts) == 0


async def test_an_inbox_is_not_flooded_with_resets(env: AccountsEnv) -> None:
    await env.add_user()
    env.mails().clear()
    refused = 0
    for number in range(60):
        try:
            await env.accounts.resets.request(EMAIL, f"198.51.100.{number}")
        except Throttled:
            refused += 1
        env.clock.forward(minutes=1)
    await env.accounts.close()
    assert len(env.mails()) == 60 - refused <= 9
    for number in range(3):  # just so for an address that nobody has
        await env.accounts.resets.request("nobody@x.example", f"198.51.100.{number}")
    with pytest.raises(Throttled):
        await env.accounts.resets.request("nobody@x.example", ADDRESS)


async def test_strangers_never_lock_the_owner_out_of_a_browser_that_is_known(
    env: AccountsEnv,
) -> None:
    await env.add_user()
    await env.add_user("other@x.example")
    sessions = env.accounts.sessions
    device = (await sessions.log_in(EMAIL, PASSWORD, ADDRESS)).device
    for number in range(9):  # from anywhere, also from the owner's own office
        await guess(env.accounts, address=f"198.51.100.{number}")
        env.clock.forward(minutes=16)
        await guess(env.accounts)
    with pytest.raises(Throttled):
        await sessions.log_in(EMAIL, PASSWORD, "203.0.113.1")
    with pytest.raises(Throttled):  # a made-up device, and one that another login has
        await sessions.log_in(EMAIL, PASSWORD, ADDRESS, device="made up")
    others = (await sessions.log_in("other@x.example", PASSWORD, "203.0.113.2")).device
    with pytest.raises(Throttled):
        await sessions.log_in(EMAIL, PASSWORD, "203.0.113.2", device=others)
    again = await sessions.log_in(EMAIL, PASSWORD, ADDRESS, device=device)
    assert again.device == device
    for _ in range(5):  # whoever has the cookie cannot guess without an end either
        with pytest.raises(BadLogin):
            await sessions.log_in(EMAIL, "not the password", ADDRESS, device=device)
    with pytest.raises(Throttled):
        await sessions.log_in(EMAIL, PASSWORD, ADDRESS, device=device)
    env.clock.forward(days=181)
    await env.accounts.tidy()
    for _ in range(6):
        await guess(env.accounts)
    with pytest.raises(Throttled):
        await sessions.log_in(EMAIL, PASSWORD, ADDRESS, device=device)


async def test_strangers_do_not_keep_a_person_who_is_logged_in_from_a_new_password(
    env: AccountsEnv,
) -> None:
    user_id = await env.add_user()
    for _ in range(6):
        await guess(env.accounts)
    await env.accounts.change_password(user_id, PASSWORD, "another long password")


async def test_resets_that_strangers_ask_for_cost_the_owner_nothing(env: AccountsEnv) -> None:
    await env.add_user()
    device = (await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)).device
    for number in range(9):
        with contextlib.suppress(Throttled):
            await env.accounts.resets.request(EMAIL, f"198.51.100.{number}")
    with pytest.raises(Throttled):
        await env.accounts.resets.request(EMAIL, ADDRESS)
    await env.accounts.resets.request(EMAIL, ADDRESS, device)
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, "203.0.113.9")
    await env.accounts.close()


async def test_all_networks_of_one_customer_count_together(env: AccountsEnv) -> None:
    for number in range(100):
        address = f"2001:db8:7:{number:x}::1"
        assert await guess(env.accounts, f"user{number}@x.example", address) == 0
    assert await guess(env.accounts, "more@x.example", "2001:db8:7:ffff::1") > 0
    assert await guess(env.accounts, "more@x.example", "2001:db8:8:1::1") == 0


async def test_more_passwords_than_there_is_memory_for_are_refused_at_once(
    env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    answers = await asyncio.gather(
        *(passwords.check(PASSWORD, hashed) for _ in range(90)), return_exceptions=True
    )
    busy = [answer for answer in answers if isinstance(answer, Busy)]
    assert len(busy) == 90 - 4 - 32
    assert {answer.retry_after for answer in busy} == {5}
    assert (await passwords.check(PASSWORD, hashed))[0]

    async def too_many(*_: object) -> None:
        raise Busy(5)

    await env.add_user()
    monkeypatch.setattr(Passwords, "check", too_many)
    for _ in range(9):  # an attempt that nobody looked at does not count
        with pytest.raises(Busy):
            await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
