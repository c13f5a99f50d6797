"""Staff without a second factor gets, after the grace, the page that sets it up and nothing else."""

import re

import httpx
import pytest
from fastapi import FastAPI

from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from tests.web.test_access import PAGES
from tests.web.test_asking_again import ASKED, FIRM, code_of, filled_in, log_in, state
from tests.web.test_login import SAME, UI, Browser, app, browser
from use_cases.operations import Operations
from use_cases.principal import Principal
from web.problems import Problem
from web.request_limits import API
from web.security import check_confirmed

__all__ = ["app", "browser"]

FACTOR = "/account/second-factor"
ALLOWED = {f"POST {FACTOR}", "POST /account/language", f"GET {FACTOR}"}
OUTSIDE = re.compile(
    r"(GET|POST) /(login|logout|invitation|reset|visit|calendar)(/|$)|MOUNT |GET /several/(accept|assign|execution)"
    r"|GET /(sw\.js|offline)"
)
"""The routes for which nobody needs to be logged in."""
NAMED = {
    "partner_id": "elektro-huber", "user_id": "usr_0", "token_id": "tok_0", "change_id": "iban_0", "sp_id": "SP-1",
    "settlement_id": "V202610-22222222", "decision": "confirm",
}  # fmt: skip


async def staff(browser: Browser, env: AccountsEnv, role: str = "operations") -> None:
    """Somebody of the staff, whose grace is over."""
    await env.add_user(partner_id=None, role=role)
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    env.clock.forward(days=7)
    await log_in(browser, env)


def path_of(route: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: NAMED.get(match[1], "x"), route.split()[1])


@pytest.mark.parametrize("role", ["operations", "accounting"])
async def test_within_the_grace_the_pages_say_until_when(
    browser: Browser, env: AccountsEnv, app: FastAPI, role: str
) -> None:
    app.state.operations = Operations(env.database)
    await env.add_user(partner_id=None, role=role)
    await log_in(browser, env)
    page = await browser.open("/account")
    assert page.status_code == 200
    assert "bis 12.10.2026, 09:00" in page.text or "bis Mo 12. Okt 2026" in page.text, page.text
    env.clock.forward(days=7)
    await log_in(browser, env)
    assert (await browser.open("/account")).headers["Location"] == FACTOR


# Forms are asked in one place (`test_asking_again.py` has all of them): these stand for the others.
@pytest.mark.parametrize("route", ["/staff/tokens", "/staff/users", f"{FIRM}/edit"])
async def test_within_the_grace_a_sensitive_change_needs_it(
    browser: Browser, env: AccountsEnv, app: FastAPI, route: str
) -> None:
    """A password of a moment ago is not enough, and nothing that was typed is lost meanwhile."""
    app.state.operations = Operations(env.database)
    own = await env.add_user(partner_id=None, role="operations")
    path, typed = await filled_in(env, route), ASKED[route]
    await log_in(browser, env)
    page = await browser.open("/staff/users")
    assert "können Sie erst mit ihm anlegen oder ändern" in page.text
    before = await state(env)
    given = typed | {"request_id": "r" * 22, "back": "/staff/users"}
    refused = await browser.send(path, **given, confirm_password=PASSWORD)
    for _ in range(2):  # and once more before the factor is set up
        assert refused.status_code == 403
        assert "Für diese Änderung braucht Ihr Login einen zweiten Faktor" in refused.text
        assert 'href="/account#factor-title"' in refused.text
        assert PASSWORD not in refused.text
        kept = browser.hidden()
        assert {name: kept[name] for name in given} == given
        assert await state(env) == before, "nothing is changed"
        refused = await browser.send(path)
    kept_page = browser.page
    await set_up(browser, env)  # in another tab
    assert (await env.accounts.second_factor.status(own)).on
    before, browser.page = await state(env), kept_page
    done = await browser.send(path)
    assert done.status_code in (200, 303), done.text
    assert await state(env) != before


async def shown_secret(browser: Browser) -> str:
    """The secret on the page of a second factor that is being set up, which is opened."""
    page = await browser.open(FACTOR)
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page.text)
    assert found is not None
    return found[1].replace(" ", "")


async def set_up(browser: Browser, env: AccountsEnv) -> str:
    """Set up a second factor on the pages. Returns its secret."""
    await browser.open("/account")
    assert (await browser.send(FACTOR)).headers["Location"] == FACTOR
    secret = await shown_secret(browser)
    done = await browser.send(f"{FACTOR}/confirm", code=code_of(secret, env))
    assert done.status_code == 200
    return secret


async def test_a_session_of_a_password_alone_gains_nothing_by_the_owners_factor(
    browser: Browser, env: AccountsEnv, app: FastAPI
) -> None:
    """A thief of the password is logged in while the owner sets up the factor in another browser."""
    app.state.operations = Operations(env.database)
    await env.add_user(partner_id=None, role="operations")
    thief = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    await log_in(browser, env)
    await set_up(browser, env)
    new = {"name": "Neu", "role": "shop", "expires_at": ""}
    await browser.open("/staff/users")
    assert (await browser.send("/staff/tokens", **new)).status_code == 200, (
        "the owner's own session"
    )
    browser.http.cookies.set("__Host-cmi_session", thief.secret)
    await browser.open("/staff/users")
    asked = await browser.send("/staff/tokens", **new, confirm_password=PASSWORD)
    assert 'name="confirm_code"' in asked.text
    assert len(await env.accounts.tokens.list(None)) == 1


async def test_a_factor_that_is_removed_within_the_grace_is_needed_again(
    browser: Browser, env: AccountsEnv, app: FastAPI
) -> None:
    app.state.operations = Operations(env.database)
    await env.add_user(partner_id=None, role="operations")
    await log_in(browser, env)
    secret = await set_up(browser, env)
    tab = await browser.open("/staff/users")
    env.clock.forward(seconds=30)
    await browser.open("/account")
    removed = await browser.send(f"{FACTOR}/remove", code=code_of(secret, env))
    assert "said=factor_off" in removed.headers["Location"]
    browser.page = tab
    refused = await browser.send("/staff/tokens", name="Neu", role="shop", expires_at="")
    assert refused.status_code == 403
    assert await env.accounts.tokens.list(None) == ()


async def test_within_the_grace_a_call_in_a_session_says_why(env: AccountsEnv) -> None:
    await env.add_user(partner_id=None, role="operations")
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    principal = await env.accounts.callers.of_session(session.secret)
    assert principal is not None
    with pytest.raises(Problem) as refused:
        check_confirmed(principal)
    assert (refused.value.status_code, refused.value.extra) == (
        403,
        {"code": "second_factor_needed"},
    )


async def test_within_the_grace_the_password_is_changed_without_it(
    browser: Browser, env: AccountsEnv
) -> None:
    await env.add_user(partner_id=None, role="operations")
    await log_in(browser, env)
    await browser.open("/account")
    new = "battery horse correct"
    done = await browser.send("/account/password", former=PASSWORD, password=new, again=new)
    assert done.headers["Location"].startswith("/login")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # pages are the same on both databases
async def test_after_it_no_page_opens(browser: Browser, env: AccountsEnv) -> None:
    await staff(browser, env)
    await browser.open(FACTOR)
    closed = [each for each in sorted(PAGES) if not OUTSIDE.match(each) and each not in ALLOWED]
    assert len(closed) > 100
    for route in closed:
        answer = await called(browser, route)
        if route == f"POST {FACTOR}/confirm":
            assert answer.headers["Location"] == f"{FACTOR}?said=factor_begin_again", (
                "nothing is set up yet"
            )
        elif route.startswith("GET "):
            assert (answer.status_code, answer.headers.get("Location")) == (303, FACTOR), route
        else:
            assert answer.status_code == 403, route
            assert "Ihr Login braucht jetzt einen zweiten Faktor" in answer.text, route


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("route", sorted(ALLOWED))
async def test_but_the_pages_for_it(browser: Browser, env: AccountsEnv, route: str) -> None:
    await staff(browser, env)
    await browser.open(FACTOR)
    answer = await called(browser, route)
    assert "account/second-factor" in (answer.headers.get("Location") or answer.text)


async def called(browser: Browser, route: str) -> httpx.Response:
    """The answer to a request, or to a form that was sent."""
    method, path = route.split()[0], path_of(route)
    return await browser.http.request(method, path, data=browser.hidden(), headers=SAME)


@pytest.mark.parametrize("role", ["operations", "accounting"])
async def test_the_way_out_is_to_set_it_up(browser: Browser, env: AccountsEnv, role: str) -> None:
    await staff(browser, env, role)
    page = await browser.open(FACTOR)
    assert page.status_code == 200
    assert "/staff" not in page.text, "no menu"
    assert "/accounting" not in page.text
    assert "/logout" in page.text
    back = await browser.send("/account/language", language="it")
    assert back.headers["Location"].startswith(FACTOR)
    page = await browser.open(FACTOR)
    assert '<html lang="it">' in page.text
    begun = await browser.send(FACTOR)
    assert (begun.status_code, begun.headers["Location"]) == (303, FACTOR)
    secret = await shown_secret(browser)
    assert (await browser.open("/account")).headers["Location"] == FACTOR, "begun is not enough"
    await browser.open(FACTOR)
    done = await browser.send(f"{FACTOR}/confirm", code=code_of(secret, env))
    assert done.status_code == 200
    assert len(re.findall(r"<li><code>", done.text)) == 10
    assert ("/staff" in done.text) is (role == "operations"), "the menu is there again"
    account = await browser.open("/account")
    assert account.status_code == 200
    assert "notice" not in account.text


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_due", [False, True])
async def test_who_comes_back_in_another_session_begins_again(
    browser: Browser, env: AccountsEnv, is_due: bool
) -> None:
    """The page says so, also that the app has an entry that does not work."""
    if is_due:
        await staff(browser, env)
    else:
        await env.add_user(partner_id=None, role="operations")
        await log_in(browser, env)
    await browser.open(FACTOR if is_due else "/account")
    await browser.send(FACTOR)
    secret = await shown_secret(browser)
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    browser.http.cookies.set("__Host-cmi_session", session.secret)
    code = code_of(secret, env)
    back = (await browser.send(f"{FACTOR}/confirm", code=code)).headers["Location"]
    assert back.partition("?")[0] == (FACTOR if is_due else "/account")
    page = await browser.open(back)
    assert "löschen Sie den früheren Eintrag" in page.text
    await browser.send(FACTOR)
    again = await shown_secret(browser)
    assert again != secret
    code = code_of(again, env)
    assert (await browser.send(f"{FACTOR}/confirm", code=code)).status_code == 200
    twice = await browser.send(f"{FACTOR}/confirm", code=code)
    assert twice.headers["Location"] == "/account?said=factor_changed"


async def test_a_session_that_runs_on_is_stopped_in_the_middle(
    browser: Browser, env: AccountsEnv, app: FastAPI
) -> None:
    app.state.operations = Operations(env.database)
    await env.add_user(partner_id=None, role="operations")
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    env.clock.forward(days=7, minutes=-5)
    await log_in(browser, env)
    assert (await browser.open("/staff/users")).status_code == 200
    env.clock.forward(minutes=5)
    refused = await browser.send("/staff/tokens", name="Neu", role="shop", expires_at="")
    assert refused.status_code == 403
    assert await env.accounts.tokens.list(None) == ()


async def test_log_out_and_the_codec(browser: Browser, env: AccountsEnv) -> None:
    body = {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "e30="}]}
    origin = {"Origin": UI, "X-Namespace": "default"}
    await staff(browser, env)
    refused = await browser.http.post("/codec/decode", json=body, headers=origin)
    assert refused.status_code == 403
    assert refused.json()["code"] == "second_factor_needed"
    _, token = await env.accounts.tokens.make("operations", "Anna")
    headers = {"Authorization": f"Bearer {token}"}
    listed = await browser.http.get(f"{API}/users", headers=headers)
    assert listed.status_code == 200, "tokens of machines go on to work"
    await browser.open(FACTOR)
    out = await browser.send("/logout")
    assert (out.status_code, out.headers["Location"]) == (303, "/login")


# --- a lost factor -----------------------------------------------------------------------------------------------

OTHER = "reto.kunz@retailer.example"


async def colleague(env: AccountsEnv) -> str:
    """Another login of the staff, with a second factor. Returns its id."""
    made = await env.accounts.invite(None, "accounting", OTHER, "Reto Kunz")
    await env.accounts.accept_invitation(env.secret(), PASSWORD)
    secret = (await env.accounts.second_factor.enrol(made.user_id, "session")).secret
    await env.accounts.second_factor.confirm(made.user_id, code_of(secret, env), "session")
    return made.user_id


async def test_operations_reset_a_lost_factor_on_the_page(
    browser: Browser, env: AccountsEnv, app: FastAPI
) -> None:
    app.state.operations = Operations(env.database)
    own = await env.add_user(partner_id=None, role="operations")
    other = await colleague(env)
    await log_in(browser, env)
    session = browser.http.cookies["__Host-cmi_session"]
    secret = (await env.accounts.second_factor.enrol(own, session)).secret
    await env.accounts.second_factor.confirm(own, code_of(secret, env), session)
    page = await browser.open("/staff/users")
    assert f"/staff/users/{other}/second-factor-reset" in page.text
    assert f"/staff/users/{own}/second-factor-reset" not in page.text

    async def reset(path: str) -> httpx.Response:
        await browser.open("/staff/users")
        return await browser.send(f"{path}/second-factor-reset")

    done = await reset(f"/staff/users/{other}")
    assert done.headers["Location"] == "/staff/users?said=factor_reset#logins"
    again = await reset(f"/staff/users/{other}")
    assert "said=factor_none" in again.headers["Location"]
    for path in ("/staff/users/usr_0", f"/staff/partners/elektro-huber/users/{other}"):
        assert (await reset(path)).status_code == 404
    page = await browser.open("/staff/users")
    assert f"/staff/users/{other}/second-factor-reset" not in page.text
    refused = await reset(f"/staff/users/{own}")
    assert "said=factor_own" in refused.headers["Location"]
    found = {each.user_id: each.second_factor for each in await env.accounts.users(None)}
    assert found == {own: True, other: False}


async def test_and_by_the_api(browser: Browser, env: AccountsEnv) -> None:
    own = await env.add_user(partner_id=None, role="operations")
    partners = await env.accounts.invite("elektro-huber", "partner", "p@x.example", "Petra")
    other = await colleague(env)
    _, token = await env.accounts.tokens.make("operations", "Anna", None, made_by=own)
    headers = {"Authorization": f"Bearer {token}"}

    async def reset(path: str) -> httpx.Response:
        return await browser.http.post(f"{API}{path}/second-factor/reset", headers=headers)

    done = await reset(f"/users/{other}")
    assert done.status_code == 200, done.text
    assert done.json()["second_factor"] is False
    for path, status in (
        (f"/users/{other}", 409),
        (f"/users/{own}", 409),
        (f"/partners/elektro-huber/users/{partners.user_id}", 409),
        (f"/partners/sanitaer-rossi/users/{partners.user_id}", 404),
        (f"/users/{partners.user_id}", 404),
        ("/users/usr_0", 404),
    ):
        assert (await reset(path)).status_code == status, path
    _, shop = await env.accounts.tokens.make("shop", "Shop")
    headers = {"Authorization": f"Bearer {shop}"}
    assert (await reset(f"/users/{other}")).status_code == 403


async def test_a_reset_is_a_security_event(browser: Browser, env: AccountsEnv) -> None:
    other = await colleague(env)
    _, token = await env.accounts.tokens.make("operations", "Anna")
    headers = {"Authorization": f"Bearer {token}"}
    await browser.http.post(f"{API}/users/{other}/second-factor/reset", headers=headers)
    await env.accounts.recorder.written()
    who = Principal(role="operations", login_id="tok_x", name="Anna")
    events, _ = await env.accounts.traces.events(who, kind="second_factor", limit=10)
    assert [(each.event.outcome, each.event.about) for each in events][:1] == [("reset", other)]
