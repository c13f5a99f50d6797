"""Sensitive changes on the pages ask for password and code again, keep what was typed, and are then carried out."""

import asyncio
import re
from typing import Any

import httpx
import pyotp
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts

from records.accounts import AccountRecords
from settings import Settings
from tests.support.builders import MONDAY
from tests.support.users import add_user
from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from tests.web.test_access import PAGES
from tests.web.test_login import SAME, Browser, app, browser
from use_cases.operations import Operations
from use_cases.principal import Principal
from web import problems
from web.api.partners import PartnerChanges
from web.request_limits import API
from web.security import GuardedRoute, Require, check_confirmed, sensitive, session_cookie

__all__ = ["app", "browser"]

IBAN, OTHER_IBAN = "CH9300762011623852957", "CH4431999123000889012"
FORMER_PASSWORD = "horse correct battery"
FIRM = "/staff/partners/elektro-huber"
NEW = {"name": "Beat Muster", "email": "beat@people.example"}
# The forms by the route, with what is typed. {user} is a login with a second factor, {change} a new IBAN;
# the partner has ended in the form of its status.
ASKED: dict[str, dict[str, str]] = {
    "/staff/users": NEW | {"role": "accounting", "language": "de"},
    "/staff/users/{user}/invitation": {},
    "/staff/users/{user}/removal": {},
    "/staff/users/{user}/second-factor-reset": {},
    "/staff/tokens": {"name": "Lagersoftware", "role": "warehouse", "expires_at": ""},
    FIRM + "/users": NEW,
    FIRM + "/users/{user}/invitation": {},
    FIRM + "/users/{user}/removal": {},
    FIRM + "/users/{user}/second-factor-reset": {},
    FIRM + "/tokens": {"name": "Planung", "expires_at": ""},
    FIRM + "/edit": {"iban": OTHER_IBAN, "was_iban": IBAN},
    FIRM + "/iban/{change}/confirm": {},
    "/staff/partners": {"partner_id": "neu"},
    FIRM + "/status": {"status": "active"},
    "/account/second-factor": {},
}
ASKED_ON_ITS_FORM = {
    "/account/password",
    "/account/second-factor/remove",
    "/account/second-factor/confirm",
}
# What ends access, or changes nothing that a stranger gains by.
NOT_ASKED = {
    "/account/notifications",
    "/account/language",
    "/account/sessions/end",
    "/account/sessions/end-others",
    "/account/sessions/{session_id}/end",
    "/staff/tokens/{token_id}/revocation",
    FIRM + "/tokens/{token_id}/revocation",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Somebody of the staff needs no second factor here: `test_factor_duty.py` has those who do."""
    return settings.model_copy(update={"factor_exempt": EMAIL})


@pytest.fixture
async def anna(browser: Browser, env: AccountsEnv, app: FastAPI) -> Browser:
    """Somebody of operations, who logged in eleven minutes ago."""
    app.state.operations = Operations(env.database)
    await env.add_user(partner_id=None, role="operations")
    await log_in(browser, env)
    env.clock.forward(minutes=11)
    return browser


async def log_in(browser: Browser, env: AccountsEnv, code: str | None = None) -> None:
    """Give the browser a session. The cookie has no end: by the clock of tests it would be over."""
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, code)
    browser.http.cookies.clear()
    browser.http.cookies.set("__Host-cmi_session", session.secret)
    await browser.open("/account")


def is_question(answer: httpx.Response) -> bool:
    return 'name="confirm_password"' in answer.text


async def filled_in(env: AccountsEnv, path: str) -> str:
    """The path of a form with what it is about."""
    if "{user}" in path:
        partner_id = "elektro-huber" if path.startswith(FIRM) else None
        await add_user(
            AccountRecords(env.database), "usr_other", "partner" if partner_id else "operations", partner_id,
            "other@people.example", "Reto Kunz", "de", MONDAY,
        )  # fmt: skip
        if not path.endswith("invitation"):
            await env.accounts.invite_again(partner_id, "usr_other")
            await env.accounts.accept_invitation(env.secret(), PASSWORD)
            secret = (await env.accounts.second_factor.enrol("usr_other", "session")).secret
            await env.accounts.second_factor.confirm("usr_other", code_of(secret, env), "session")
    if path == FIRM + "/status":
        await env.accounts.partners.change("elektro-huber", {"status": "ended"})
    change = ""
    if path.endswith("/edit") or "{change}" in path:
        other = Principal(role="operations", login_id="tok_x", name="Somebody else").person
        await env.accounts.partners.change("elektro-huber", {"iban": IBAN}, other)
    if "{change}" in path:
        await env.accounts.partners.change("elektro-huber", {"iban": OTHER_IBAN}, other)
        history = await env.accounts.partners.iban_history("elektro-huber")
        (change,) = (each.change_id for each in history if each.status == "pending")
    return path.format(user="usr_other", change=change)


def code_of(secret: str, env: AccountsEnv) -> str:
    return pyotp.TOTP(secret).at(env.clock())


async def state(env: AccountsEnv) -> Any:
    """All that a sensitive change may change."""
    accounts = env.accounts
    logins, tokens = [], []
    for owner in (None, "elektro-huber"):
        logins += [
            each.model_dump(exclude={"last_login_at"}) for each in await accounts.users(owner)
        ]
        tokens += await accounts.tokens.list(owner)
    history = await accounts.partners.iban_history("elektro-huber")
    invitations = sum(mail["Subject"] == "Ihr Zugang zum CMI" for mail in env.mails())
    records, factors = AccountRecords(env.database), []
    for each in logins:
        known = await records.by_id(each["user_id"], env.clock())
        factors.append(known and known.totp_secret)
    return logins, tokens, history, await accounts.partners.list(), factors, invitations


@pytest.mark.parametrize("route", ASKED)
async def test_it_asks_keeps_what_was_typed_and_carries_it_out(
    anna: Browser, env: AccountsEnv, route: str
) -> None:
    path, typed = await filled_in(env, route), ASKED[route]
    await anna.open("/account")
    before = await state(env)
    asked = await anna.send(path, request_id="r" * 22, back="/staff/users", **typed)
    assert asked.status_code == 403
    assert is_question(asked)
    assert 'name="confirm_code"' not in asked.text, "this login has no second factor"
    for password in ("", "not the password"):
        asked = await anna.send(path, confirm_password=password)
        assert asked.status_code == 422
        assert is_question(asked)
        assert 'id="confirm_password-error"' in asked.text
        assert "not the password" not in asked.text
        kept = anna.hidden()
        assert {name: kept[name] for name in typed} == typed
        assert (kept["request_id"], kept["back"]) == ("r" * 22, "/staff/users")
    assert await state(env) == before, "nothing is changed before"
    done = await anna.send(path, confirm_password=PASSWORD)
    if route == "/staff/partners":  # its other fields were left out
        assert not is_question(done)
        assert 'id="name-error"' in done.text
        return
    assert done.status_code in (200, 303), done.text
    assert not is_question(done)
    assert await state(env) != before
    # who has just confirmed is not asked for the next one
    await anna.open("/account")
    next_one = await anna.send("/staff/tokens", name="Another", role="shop", expires_at="")
    assert next_one.status_code == 200
    assert "cmi_" in next_one.text


@pytest.mark.parametrize("field", ["email", "escalation_email"])
async def test_another_address_for_the_mails_of_a_partner_is_asked(
    anna: Browser, env: AccountsEnv, field: str
) -> None:
    known = await env.accounts.partners.get("elektro-huber")
    await anna.open("/account")
    typed = {field: "thief@people.example", f"was_{field}": getattr(known, field) or ""}
    asked = await anna.send(f"{FIRM}/edit", **typed)
    assert asked.status_code == 403
    assert is_question(asked)
    assert await env.accounts.partners.get("elektro-huber") == known
    assert not is_question(await anna.send(f"{FIRM}/edit", confirm_password=PASSWORD))
    after = await env.accounts.partners.get("elektro-huber")
    assert getattr(after, field) == "thief@people.example"


@pytest.mark.parametrize("route", ["/staff/tokens", f"{FIRM}/edit", "/account/second-factor"])
async def test_within_ten_minutes_nobody_is_asked(
    anna: Browser, env: AccountsEnv, route: str
) -> None:
    """What decides is the age of the session alone, in one place for all forms (`require_confirmed`)."""
    path = await filled_in(env, route)
    await log_in(anna, env)
    env.clock.forward(minutes=9)
    await anna.open("/account")
    done = await anna.send(path, request_id="r" * 22, **ASKED[route])
    assert not is_question(done)
    assert done.status_code in (200, 303), done.text


def test_every_form_of_accounts_has_a_decision() -> None:
    forms = {path for method, path in (page.split() for page in PAGES) if method == "POST"}
    about = {
        path for path in forms if re.match(r"/account(?=/|$)|/staff/(users|tokens|partners)", path)
    }
    names = {
        "{partner_id}": "elektro-huber",
        "{user_id}": "{user}",
        "{change_id}/{decision}": "{change}/confirm",
    }
    served = set()
    for path in about:
        for name, value in names.items():
            path = path.replace(name, value)
        served.add(path)
    assert served == {*ASKED, *ASKED_ON_ITS_FORM, *NOT_ASKED}


@pytest.mark.parametrize(
    ("form", "typed"),
    [
        ("/people", NEW | {"role": "technician", "language": "de"}),
        ("/people/usr_other/invitation", {}),
        ("/people/usr_other/removal", {}),
        ("/people/usr_other/change", {"role": "technician", "notifications": "today"}),
    ],
)
async def test_a_partners_office_is_asked_as_well(
    browser: Browser, env: AccountsEnv, form: str, typed: dict[str, str]
) -> None:
    await filled_in(env, FIRM + "/users/{user}/invitation")
    await env.add_user()
    await log_in(browser, env)
    env.clock.forward(minutes=11)
    await browser.open("/people")
    before = await state(env)
    asked = await browser.send(form, request_id="r" * 22, back="/people", **typed)
    assert asked.status_code == 403
    assert is_question(asked)
    assert await state(env) == before
    done = await browser.send(form, confirm_password=PASSWORD)
    assert done.status_code == 303
    assert await state(env) != before


async def test_notifications_alone_are_not_asked(browser: Browser, env: AccountsEnv) -> None:
    user_id = await env.add_user()
    await log_in(browser, env)
    env.clock.forward(minutes=11)
    await browser.open("/people")
    typed = {"role": "office", "notifications": "digest"}
    done = await browser.send(f"/people/{user_id}/change", **typed)
    assert done.headers["Location"] == "/people?said=person_changed#people"
    (known,) = await env.accounts.users("elektro-huber")
    assert known.notifications == ("digest",)
    await browser.open("/account")
    await browser.send("/account/notifications", notifications="assigned")
    (known,) = await env.accounts.users("elektro-huber")
    assert known.notifications == ("assigned",)
    await browser.open("/people")
    last = await browser.send(f"/people/{user_id}/change", role="technician")
    assert is_question(last)
    done = await browser.send(f"/people/{user_id}/change", confirm_password=PASSWORD)
    assert done.headers["Location"] == "/people?said=person_last#people"


async def test_what_ends_access_is_not_asked(anna: Browser, env: AccountsEnv) -> None:
    token_id, _ = await env.accounts.tokens.make("shop", "Shop")
    await anna.open("/account")
    await anna.send(f"/staff/tokens/{token_id}/revocation")
    (token,) = await env.accounts.tokens.list(None)
    assert token.revoked_at is not None


async def test_other_changes_of_a_partner_are_not_asked(anna: Browser, env: AccountsEnv) -> None:
    await anna.open(f"{FIRM}/edit")
    known = await env.accounts.partners.get("elektro-huber")
    typed = {
        name: value or ""
        for name, value in known.model_dump(mode="json", exclude={"partner_id", "status"}).items()
    }
    was = {f"was_{name}": value for name, value in typed.items()}
    done = await anna.send(f"{FIRM}/edit", **(typed | was | {"city": "Bern"}))
    assert done.status_code == 303
    assert (await env.accounts.partners.get("elektro-huber")).city == "Bern"


async def test_to_pause_resume_and_end_a_partner_is_not_asked(
    anna: Browser, env: AccountsEnv
) -> None:
    for status in ("paused", "active", "ended"):
        await anna.open("/account")
        done = await anna.send(f"{FIRM}/status", status=status)
        assert done.status_code == 303
        assert (await env.accounts.partners.get("elektro-huber")).status == status


async def test_sent_twice_one_token_is_made(anna: Browser, env: AccountsEnv) -> None:
    await anna.open("/account")
    await anna.send("/staff/tokens", request_id="r" * 22, name="Once", role="shop", expires_at="")
    question = anna.page
    first = await anna.send("/staff/tokens", confirm_password=PASSWORD)
    anna.page = question
    again = await anna.send("/staff/tokens", confirm_password=PASSWORD)
    assert (first.status_code, again.status_code) == (200, 409)
    assert len(await env.accounts.tokens.list(None)) == 1


async def test_guesses_at_the_question_become_slow(anna: Browser, env: AccountsEnv) -> None:
    await anna.open("/account")
    for _ in range(6):
        asked = await anna.send("/staff/tokens", name="x", role="shop", confirm_password="a guess")
    assert asked.status_code == 429
    assert int(asked.headers["Retry-After"]) >= 1
    assert is_question(asked)
    asked = await anna.send("/staff/tokens", confirm_password=PASSWORD)
    assert asked.status_code == 429
    assert await env.accounts.tokens.list(None) == ()


async def test_with_a_second_factor_the_code_too(anna: Browser, env: AccountsEnv) -> None:
    (login,) = await env.accounts.users(None)
    secret = (await env.accounts.second_factor.enrol(login.user_id, "session")).secret
    await env.accounts.second_factor.confirm(login.user_id, code_of(secret, env), "session")
    env.clock.forward(seconds=30)
    await anna.open("/account")
    asked = await anna.send("/staff/tokens", name="Neu", role="shop", expires_at="")
    assert 'name="confirm_code"' in asked.text
    for code in ("", "000000"):
        asked = await anna.send("/staff/tokens", confirm_password=PASSWORD, confirm_code=code)
        assert asked.status_code == 422
        assert 'id="confirm_code-error"' in asked.text
        assert await env.accounts.tokens.list(None) == ()
    code = code_of(secret, env)
    done = await anna.send("/staff/tokens", confirm_password=PASSWORD, confirm_code=code)
    assert done.status_code == 200
    assert "cmi_" in done.text


async def test_the_question_is_not_for_forms_of_others(anna: Browser, env: AccountsEnv) -> None:
    await anna.open("/account")
    fields = {"name": "Evil", "role": "operations", "form_token": "x" * 43, "confirm_password": PASSWORD}  # fmt: skip
    refused = await anna.http.post(
        "/staff/tokens", data=fields, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert refused.status_code == 403
    assert not is_question(refused)
    assert "Evil" not in refused.text
    secret = anna.http.cookies["__Host-cmi_session"]
    principal = await env.accounts.callers.of_session(secret)
    assert principal is not None
    assert principal.needs_confirmation, "and a right password in it confirms nothing"


# --- the account page --------------------------------------------------------------------------------------------


async def test_a_new_password_needs_the_code_of_the_second_factor(
    anna: Browser, env: AccountsEnv
) -> None:
    (login,) = await env.accounts.users(None)
    secret = (await env.accounts.second_factor.enrol(login.user_id, "session")).secret
    await env.accounts.second_factor.confirm(login.user_id, code_of(secret, env), "session")
    env.clock.forward(seconds=30)
    new = {"password": "vier neue Wörter hier", "again": "vier neue Wörter hier"}
    page = await anna.open("/account")
    assert 'id="confirm_code"' in page.text
    for code in ({}, {"confirm_code": "000000"}):
        refused = await anna.send("/account/password", former=PASSWORD, **new, **code)
        assert refused.status_code == 422
        assert 'id="confirm_code-error"' in refused.text
    wrong = await anna.send("/account/password", former=FORMER_PASSWORD, **new)
    assert 'id="former-error"' in wrong.text
    code = code_of(secret, env)
    done = await anna.send("/account/password", former=PASSWORD, confirm_code=code, **new)
    assert done.status_code == 303
    assert (await anna.log_in("vier neue Wörter hier")).status_code == 200, "asks for a code"


async def test_to_remove_the_factor_the_password_is_needed(anna: Browser, env: AccountsEnv) -> None:
    (login,) = await env.accounts.users(None)
    secret = (await env.accounts.second_factor.enrol(login.user_id, "session")).secret
    await env.accounts.second_factor.confirm(login.user_id, code_of(secret, env), "session")
    env.clock.forward(seconds=30)
    path = "/account/second-factor/remove"
    page = await anna.open("/account")
    assert 'id="confirm_password"' in page.text
    for password in ({}, {"confirm_password": "a guess"}):
        refused = await anna.send(path, code=code_of(secret, env), **password)
        assert refused.status_code == 422
        assert 'id="confirm_password-error"' in refused.text
    refused = await anna.send(path, confirm_password=PASSWORD, code="000000")
    assert refused.status_code == 422
    assert 'id="code-error"' in refused.text
    assert (await env.accounts.users(None))[0].second_factor
    done = await anna.send(path, confirm_password=PASSWORD, code=code_of(secret, env))
    assert done.status_code == 303
    assert not (await env.accounts.users(None))[0].second_factor


async def test_who_knows_the_password_cannot_guess_codes_without_a_wait(
    anna: Browser, env: AccountsEnv
) -> None:
    (login,) = await env.accounts.users(None)
    secret = (await env.accounts.second_factor.enrol(login.user_id, "session")).secret
    await env.accounts.second_factor.confirm(login.user_id, code_of(secret, env), "session")
    env.clock.forward(seconds=30)
    remove = {"path": "/account/second-factor/remove", "confirm_password": PASSWORD, "code": "000000"}  # fmt: skip
    confirm = {"path": "/staff/tokens", "confirm_password": PASSWORD, "confirm_code": "000000"}
    new = {"password": "vier neue Wörter hier", "again": "vier neue Wörter hier"}
    change = {"path": "/account/password", "former": PASSWORD, "confirm_code": "000000"} | new
    for number, form in enumerate((remove, confirm, change, remove, confirm), 1):
        await anna.open("/account")
        assert (await anna.send(**form)).status_code == 422, number
    for form in (remove, confirm, change):
        await anna.open("/account")
        assert (await anna.send(**form)).status_code == 429


async def test_a_factor_that_is_being_set_up_needs_the_password_too(
    anna: Browser, env: AccountsEnv
) -> None:
    (login,) = await env.accounts.users(None)
    session = anna.http.cookies["__Host-cmi_session"]
    secret = (await env.accounts.second_factor.enrol(login.user_id, session)).secret
    path = "/account/second-factor/confirm"
    hidden = await anna.open("/account/second-factor")
    assert hidden.headers["Location"] == "/account", "who finds an open browser reads no secret"
    account = await anna.open("/account")
    assert secret not in account.text.replace(" ", "")
    refused = await anna.send(path, code=code_of(secret, env))
    assert (refused.status_code, is_question(refused)) == (403, True)
    assert not (await env.accounts.users(None))[0].second_factor
    shown = await anna.send(path, confirm_password=PASSWORD)
    assert shown.status_code == 200
    assert secret in shown.text.replace(" ", ""), "the code was not kept"
    assert "code-error" not in shown.text
    done = await anna.send(path, code=code_of(secret, env))
    assert done.status_code == 200
    assert (await env.accounts.users(None))[0].second_factor


async def test_a_double_click_with_a_code_is_carried_out_once(
    anna: Browser, env: AccountsEnv
) -> None:
    (login,) = await env.accounts.users(None)
    secret = (await env.accounts.second_factor.enrol(login.user_id, "session")).secret
    await env.accounts.second_factor.confirm(login.user_id, code_of(secret, env), "session")
    env.clock.forward(seconds=30)
    await anna.open("/account")
    await anna.send("/staff/users", request_id="r" * 22, **ASKED["/staff/users"])
    fields = anna.hidden() | {"confirm_password": PASSWORD, "confirm_code": code_of(secret, env)}

    async def send() -> int:
        return (await anna.http.post("/staff/users", data=fields, headers=SAME)).status_code

    at_once = await asyncio.gather(send(), send())
    assert 303 in at_once
    assert set(at_once) <= {303, 422}, "the code works once"
    assert await send() == 303, "and from then on nothing is asked"
    assert len(await env.accounts.users(None)) == 2


# --- the API -----------------------------------------------------------------------------------------------------


async def test_tokens_are_not_asked(browser: Browser, env: AccountsEnv) -> None:
    _, token = await env.accounts.tokens.make("operations", "Anna")
    env.clock.forward(days=30)
    headers = {"Authorization": f"Bearer {token}"}
    made = await browser.http.post(
        f"{API}/tokens", json={"name": "Shop", "role": "shop"}, headers=headers
    )
    assert made.status_code == 201


async def test_calls_in_a_session_get_a_code(anna: Browser, env: AccountsEnv, app: FastAPI) -> None:
    """The API takes no sessions today; a route that takes one does not go round the question."""
    caller = Require(frozenset({"operations"}), sessions=True)
    router = APIRouter(route_class=GuardedRoute)

    @router.delete("/sensitive")
    @sensitive
    async def marked(_: Principal = Depends(caller)) -> str:
        return "done"

    @router.delete("/field")
    async def checked(request: Request, _: Principal = Depends(caller)) -> str:
        check_confirmed(request.state.principal)
        return "done"

    @router.delete("/usual")
    async def usual(_: Principal = Depends(caller)) -> str:
        return "done"

    own = FastAPI()
    own.include_router(router)
    own.state = app.state
    problems.install(own)
    secret = anna.http.cookies["__Host-cmi_session"]
    name = session_cookie(app.state.settings)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(own), base_url="https://cmi.example", cookies={name: secret}
    ) as http:
        assert (await http.delete("/usual")).status_code == 200
        for path in ("/sensitive", "/field"):
            answer = await http.delete(path)
            assert answer.status_code == 403
            assert answer.json()["code"] == "confirmation_needed"
        await env.accounts.sessions.confirm(secret, PASSWORD, "")
        for path in ("/sensitive", "/field"):
            assert (await http.delete(path)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "is_asked"),
    [
        ({"iban": None}, True),
        ({"email": "new@people.example"}, True),
        ({"escalation_email": None}, True),
        ({"status": "active"}, True),
        ({"status": "ended"}, False),
        ({"city": "Bern"}, False),
    ],
)
def test_which_changes_of_a_partner_are_sensitive(changes: dict[str, Any], is_asked: bool) -> None:
    assert PartnerChanges.model_validate(changes).is_sensitive is is_asked


async def test_sensitive_calls_are_marked(app: FastAPI) -> None:
    """Whichever call of the API makes, changes or removes a login or makes a token."""
    marked = {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        for method in getattr(route, "methods", None) or ()
        if hasattr(getattr(route.original_route, "endpoint", None), "_cmi_is_sensitive")
    }
    expected = {
        f"{method} {API}{path}"
        for owner in ("", "/partners/{partner_id}")
        for method, path in (
            ("POST", f"{owner}/tokens"),
            ("POST", f"{owner}/users"),
            ("POST", f"{owner}/users/{{user_id}}/invitation"),
            ("POST", f"{owner}/users/{{user_id}}/second-factor/reset"),
            ("DELETE", f"{owner}/users/{{user_id}}"),
        )
    }
    confirm = f"POST {API}/partners/{{partner_id}}/iban-changes/{{change_id}}/confirm"
    people = {
        f"POST {API}/people",
        f"POST {API}/people/{{user_id}}/invitation",
        f"DELETE {API}/people/{{user_id}}",
    }
    assert marked == expected | people | {confirm}
