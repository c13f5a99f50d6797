"""People see where they are logged in, and end each session or all others."""

from datetime import timedelta

import pytest

from tests.support.builders import MONDAY
from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from use_cases.account_errors import NotFound
from use_cases.addresses import shortened
from use_cases.browsers import browser_name
from use_cases.sessions import Session, id_of

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/19.0 Mobile/15E148 Safari/604.1"
)
DESK = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
    " Safari/537.36 Edg/142.0.0.0"
)


async def log_in(env: AccountsEnv, agent: str = "", email: str = EMAIL) -> Session:
    return await env.accounts.sessions.log_in(email, PASSWORD, ADDRESS, user_agent=agent)


async def test_the_list_says_where_and_since_when(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    desk = await log_in(env, DESK)
    env.clock.forward(hours=1)
    phone = await log_in(env, PHONE)
    env.clock.forward(hours=1)
    assert await env.accounts.callers.of_session(desk.secret) is not None
    await env.accounts.callers.noted()
    first, second = await env.accounts.sessions.of(user_id)
    assert (first.session_id, second.session_id) == (id_of(desk.secret), id_of(phone.secret))
    assert (first.browser, second.browser) == ("Edge, Windows", "Safari, iPhone")
    assert (first.began_at, first.last_used_at) == (MONDAY, MONDAY + timedelta(hours=2))
    assert first.network == "192.0.2.x"
    assert desk.secret not in str(first)


async def test_one_s_own_sessions_only(env: AccountsEnv) -> None:
    petra = await env.add_user()
    rita = await env.add_user("rita@rossi.example", "sanitaer-rossi")
    session = await log_in(env)
    await env.accounts.sessions.end_one(rita, id_of(session.secret))
    await env.accounts.sessions.end_others(rita, "x" * 43)
    assert await env.accounts.sessions.of(rita) == ()
    assert len(await env.accounts.sessions.of(petra)) == 1
    with pytest.raises(NotFound):
        await env.accounts.sessions.of("usr_unknown")


async def test_one_or_all_others_end(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    here, there, elsewhere, older = [await log_in(env) for _ in range(4)]
    await env.accounts.sessions.end_one(user_id, id_of(there.secret))
    await env.accounts.sessions.end_one(user_id, id_of(there.secret))
    for odd in ("", "\0", "\ud800", "%", id_of(there.secret)[:-1]):
        await env.accounts.sessions.end_one(user_id, odd)
    assert await env.accounts.callers.of_session(there.secret) is None
    for session in (here, elsewhere, older):
        assert await env.accounts.callers.of_session(session.secret) is not None
    await env.accounts.sessions.end_others(user_id, here.secret)
    assert await env.accounts.callers.of_session(here.secret) is not None
    for session in (elsewhere, older):
        assert await env.accounts.callers.of_session(session.secret) is None


async def test_a_session_that_is_over_is_not_listed(env: AccountsEnv) -> None:
    user_id = await env.add_user(role="operations", partner_id=None)
    await log_in(env)
    env.clock.forward(minutes=30)
    assert len(await env.accounts.sessions.of(user_id)) == 1
    env.clock.forward(microseconds=1)
    assert await env.accounts.sessions.of(user_id) == ()


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (PHONE, "Safari, iPhone"),
        (DESK, "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Linux; Android 15) SamsungBrowser/29.0 Chrome/136.0", "Samsung Internet, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) CriOS/142.0 Safari/604.1", "Chrome, iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/19.0 Safari/605.1", "Safari, Mac"),
        ("something for Windows", "Windows"),
        ("curl/8.0", None),
        ("", None),
        ("<script>" * 9999, None),
        ("x" * 600 + "Firefox/1", None),
    ],
)  # fmt: skip
def test_browsers(agent: str, name: str | None) -> None:
    assert browser_name(agent) == name


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("203.0.113.77", "203.0.113.x"),
        ("::ffff:203.0.113.77", "203.0.113.x"),
        ("2001:db8:7:1::9", "2001:db8:7::x"),
        ("fe80::1%eth0", "fe80::x"),
        ("", None),
        ("testclient", None),
    ],
)
def test_shortened_addresses(address: str, shown: str | None) -> None:
    assert shortened(address) == shown
