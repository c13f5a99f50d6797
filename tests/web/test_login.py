"""The login pages, used as by a browser without JavaScript: invitations, login, logout, refusals."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pyotp
import pytest
from fastapi import FastAPI

from contracts.keys import new_key
from records.idempotency import Answers
from settings import Settings
from temporal.connection import connect
from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from use_cases.account_errors import BadLogin, Busy, Throttled
from use_cases.passwords import Passwords
from use_cases.people import PeopleUseCases
from use_cases.sessions import id_of
from web.app import API, create_app

HOME = "https://cmi.example"
UI = "https://temporal.example"
SAME = {"Sec-Fetch-Site": "same-origin"}
OWN = {"temporal_ui_url": UI, "encryption_keys": new_key("k")}


class Browser:
    """Keeps cookies, fills in forms."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.page: httpx.Response | None = None

    async def open(self, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.page = await self.http.get(path, headers=named)
        return self.page

    def hidden(self) -> dict[str, str]:
        assert self.page is not None
        found = re.findall(
            r'<input type="hidden" name="(\w+)"[^>]* value="([^"]*)"', self.page.text
        )
        return dict(found)

    async def send(
        self, path: str, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        """The form of the page that is open."""
        sent = self.hidden() | fields
        self.page = await self.http.post(
            path, data=sent, headers=SAME if headers is None else headers
        )
        return self.page

    async def log_in(self, password: str = PASSWORD, next: str = "/") -> httpx.Response:
        await self.open(f"/login?{httpx.QueryParams(next=next)}")
        return await self.send("/login", email=EMAIL, password=password)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """The application; `browser` gives it what it works with in each test."""
    return create_app(Settings.model_validate(OWN))


@pytest.fixture
async def browser(app: FastAPI, env: AccountsEnv) -> AsyncIterator[Browser]:
    """A browser in front of the application."""
    app.state.settings = Settings.model_validate(env.settings.model_dump() | OWN)
    app.state.database = env.database
    app.state.accounts = env.accounts
    app.state.people_use_cases = PeopleUseCases(env.accounts, env.database)
    app.state.temporal = await connect(app.state.settings, env.database, lazy=True)
    app.state.answers = Answers(env.database)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as http:
        yield Browser(http)


def lines(log: pytest.LogCaptureFixture) -> str:
    own = [record for record in log.records if record.name.startswith("cmi")]
    return "\n".join(f"{record.getMessage()} {vars(record)}" for record in own)


async def test_from_the_invitation_to_the_log_out(
    browser: Browser, env: AccountsEnv, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, token = await env.accounts.tokens.make("operations", "Anna")
    made = await browser.http.post(
        f"{API}/partners/elektro-huber/users",
        json={"email": EMAIL, "name": "Petra <Huber>", "language": "fr"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert made.status_code == 201, made.text
    secret = env.secret()
    path = f"/invitation/{secret}"
    for _ in range(2):  # opening uses nothing up
        page = await browser.open(path, Accept_Language="it")
        assert page.status_code == 200
        assert '<html lang="fr">' in page.text, "the language of who was invited"
        assert "Petra &lt;Huber&gt;" in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        (script,) = re.findall("<script.*", page.text)
        assert re.fullmatch(r'<script src="/static/cmi\.js\?v=\w{12}" defer></script>', script)
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
    # a page without referrer sends this
    null = {"Origin": "null", **SAME}
    wrong = await browser.send(path, null, password="short", again="short")
    assert wrong.status_code == 422
    assert 'id="password-error"' in wrong.text
    wrong = await browser.send(path, null, password=PASSWORD, again=PASSWORD + "x")
    assert wrong.status_code == 422
    assert 'id="again-error"' in wrong.text
    assert PASSWORD not in wrong.text
    assert (await browser.send(path, null, password=PASSWORD, again=PASSWORD)).status_code == 200
    dead = await browser.open(path)
    assert dead.status_code == 410
    assert dead.headers["Referrer-Policy"] == "no-referrer"

    assert (await browser.open("/account")).headers["Location"] == "/login?next=/account"
    let_in = await browser.log_in(next="/docs")
    assert (let_in.status_code, let_in.headers["Location"]) == (303, "/docs")
    (cookie,) = (each for each in let_in.headers.get_list("Set-Cookie") if "_session=" in each)
    name, _, value = cookie.partition(";")[0].partition("=")
    assert name == "__Host-cmi_session"
    attributes = {each.strip().lower() for each in cookie.split(";")[1:]}
    assert attributes >= {"httponly", "secure", "samesite=lax", "path=/"}
    assert not any(each.startswith("domain") for each in attributes)
    home = await browser.open("/account")
    assert '<html lang="fr">' in home.text
    assert "Petra &lt;Huber&gt;" in home.text
    assert (await browser.open("/login?next=/docs")).headers["Location"] == "/docs"

    button = await browser.open("/logout")
    assert button.status_code == 200
    assert (await browser.open("/account")).status_code == 200, "a link alone logs nobody out"
    out = await browser.send("/logout")
    assert (out.status_code, out.headers["Location"]) == (303, "/login")
    assert "__Host-cmi_session" not in browser.http.cookies
    browser.http.cookies.set(name, value)
    assert (await browser.open("/account")).headers["Location"] == "/login?next=/account", (
        "the session is dead"
    )

    log = lines(caplog)
    assert "/invitation/{secret}" in log
    for hidden in (secret, value, PASSWORD, EMAIL):
        assert hidden not in log


async def test_a_reset_says_the_same_whoever_asks(browser: Browser, env: AccountsEnv) -> None:
    await env.add_user()
    answers = []
    for email in (EMAIL, "nobody@nowhere.example"):
        await browser.open("/reset")
        answer = await browser.send("/reset", email=email)
        answers.append((answer.status_code, answer.text))
    assert answers[0] == answers[1]
    assert "Er gilt eine Stunde." in answers[0][1]
    await env.accounts.close()
    path = f"/reset/{env.secret()}"
    assert (await browser.open(path)).status_code == 200
    other = PASSWORD + " staple"
    assert (await browser.send(path, password=other, again=other)).status_code == 200
    assert (await browser.log_in()).status_code == 422
    assert (await browser.log_in(other)).status_code == 303


async def test_guesses_are_slowed_down(browser: Browser, env: AccountsEnv) -> None:
    await env.add_user()
    for _ in range(5):
        wrong = await browser.log_in("a wrong password")
        assert wrong.status_code == 422
        assert 'role="alert"' in wrong.text
        assert "a wrong password" not in wrong.text
    await browser.log_in("a wrong password")
    slow = await browser.log_in()
    assert slow.status_code == 429
    assert int(slow.headers["Retry-After"]) >= 1
    assert "_session" not in str(browser.http.cookies)


async def test_nobody_is_led_elsewhere(browser: Browser, env: AccountsEnv) -> None:
    await env.add_user()
    for next in (
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "javascript:alert(1)", "docs", "", " /docs", "/\r\nX: y", "/é", "/" + "x" * 2000,
    ):  # fmt: skip
        browser.http.cookies.clear()
        assert (await browser.log_in(next=next)).headers["Location"] == "/", next
        again = await browser.open(f"/login?{httpx.QueryParams(next=next)}")
        assert again.headers["Location"] == "/", next


async def test_forms_of_others_are_refused(browser: Browser, env: AccountsEnv) -> None:
    await env.add_user()
    for path in ("/login", "/login/code", "/logout", "/reset", "/reset/x", "/invitation/x"):
        browser.http.cookies.clear()
        await browser.log_in()
        session = browser.http.cookies["__Host-cmi_session"]
        await browser.open("/account")
        token = browser.hidden()["form_token"]
        right = {"email": EMAIL, "password": PASSWORD, "form_token": token}
        for fields, headers in (
            ({**right, "form_token": ""}, SAME),
            ({**right, "form_token": "x" * 43}, SAME),
            (right, {"Sec-Fetch-Site": "cross-site"}),
            (right, {"Sec-Fetch-Site": "same-site"}),
            (right, {"Origin": "https://evil.example"}),
        ):
            refused = await browser.http.post(path, data=fields, headers=headers)
            assert refused.status_code == 403, path
            assert "_session" not in refused.headers.get("Set-Cookie", ""), path
        assert await env.accounts.callers.of_session(session), "and nothing happened"
        taken = await browser.http.post(path, data=right, headers={"Origin": HOME})
        assert taken.status_code != 403, path
        browser.http.cookies.delete("__Host-cmi_form")
        for body in ({"data": right}, {"content": b"\xff"}):
            assert (await browser.http.post(path, headers=SAME, **body)).status_code == 403, path


async def test_the_second_factor(browser: Browser, env: AccountsEnv) -> None:
    user_id = await env.add_user()
    phone = pyotp.parse_uri((await env.accounts.second_factor.enrol(user_id, "session")).uri)
    assert isinstance(phone, pyotp.TOTP)
    await env.accounts.second_factor.confirm(user_id, phone.at(env.clock()), "session")
    env.clock.forward(seconds=30)
    asked = await browser.log_in(next="/docs")
    assert asked.status_code == 200
    assert 'autocomplete="one-time-code"' in asked.text
    assert (await browser.open("/account")).headers["Location"] == "/login?next=/account"
    browser.page = asked
    wrong = await browser.send("/login/code", code="000000")
    assert wrong.status_code == 422
    right = await browser.send("/login/code", code=phone.at(env.clock()))
    assert (right.status_code, right.headers["Location"]) == (303, "/docs")
    assert (await browser.open("/account")).status_code == 200
    await browser.log_in()
    browser.http.cookies.delete("__Host-cmi_session")
    asked = await browser.log_in()
    env.clock.forward(minutes=6)
    assert (await browser.send("/login/code", code=phone.at(env.clock()))).status_code == 422


async def test_sessions_count_for_the_codec_and_not_for_the_api(
    browser: Browser, env: AccountsEnv
) -> None:
    body = {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "e30="}]}
    origin = {"Origin": UI, "X-Namespace": "default"}
    assert (await browser.http.post("/codec/decode", json=body)).status_code == 401
    env.clock.now = datetime.now(UTC)  # the browser has its own clock, and forgets old cookies
    await env.add_user(role="operations", partner_id=None)
    await browser.log_in()
    encoded = await browser.http.post("/codec/encode", json=body, headers=origin)
    assert encoded.status_code == 200
    assert encoded.json() != body
    # The Temporal UI sends the token of its own login, too, if it has one.
    both = origin | {"Authorization": "Bearer of-the-ui"}
    decoded = await browser.http.post("/codec/decode", json=encoded.json(), headers=both)
    assert decoded.json() == body
    assert decoded.headers["Access-Control-Allow-Origin"] == UI
    assert decoded.headers["Access-Control-Allow-Credentials"] == "true"
    foreign = {"Origin": "https://evil.example"}
    refused = await browser.http.post("/codec/decode", json=encoded.json(), headers=foreign)
    assert refused.status_code == 403
    for method, path in (("GET", "/users"), ("GET", "/partners"), ("POST", "/tokens")):
        call = await browser.http.request(method, API + path, json={}, headers=SAME)
        assert call.status_code == 401


async def test_a_partner_s_session_decodes_nothing(browser: Browser, env: AccountsEnv) -> None:
    await env.add_user()
    await browser.log_in()
    answer = await browser.http.post("/codec/decode", json={"payloads": []}, headers={"Origin": UI})
    assert answer.status_code == 403


async def test_the_language_that_the_browser_asks_for(browser: Browser) -> None:
    for language in ("de", "fr", "it", "en"):
        page = await browser.open("/login", Accept_Language=f"{language}-CH, en;q=0.1")
        assert f'<html lang="{language}">' in page.text
    style = await browser.open("/static/cmi.css")
    assert style.headers["Content-Type"].startswith("text/css")
    assert style.headers["Cache-Control"] == "no-cache"
    assert "url(" not in style.text


async def test_a_file_is_asked_for_once_by_the_address_of_its_version(browser: Browser) -> None:
    page = await browser.open("/login")
    paths = re.findall(r'"(/static/[^"]+\?v=\w+)"', page.text)
    assert len(paths) >= 3
    for path in paths:
        found = await browser.open(path)
        assert "immutable" in found.headers["Cache-Control"]
        # Times and sizes may be those of a file of another release, which the browser has.
        same = await browser.open(path, If_None_Match=found.headers["ETag"])
        assert (same.status_code, same.headers["Cache-Control"]) == (304, "no-cache")
        # a page of another release, while a release is rolled out
        assert (await browser.open(f"{path}0")).headers["Cache-Control"] == "no-cache"
    none = await browser.http.get("/static/none.css?v=1")
    assert (none.status_code, none.headers["Cache-Control"]) == (404, "no-store")


async def test_static_files_are_compressed_and_pages_are_not(browser: Browser) -> None:
    style = await browser.open("/static/cmi.css", Accept_Encoding="gzip")
    assert style.headers["Content-Encoding"] == "gzip"
    assert style.headers["Vary"] == "Accept-Encoding"
    assert int(style.headers["Content-Length"]) < len(style.content) / 3
    plain = await browser.open("/static/cmi.css", Accept_Encoding="identity")
    assert (plain.headers.get("Content-Encoding"), plain.content) == (None, style.content)
    again = await browser.http.get(
        "/static/cmi.css", headers={"If-None-Match": style.headers["ETag"]}
    )
    assert again.status_code == 304
    page = await browser.open("/login", Accept_Encoding="gzip")
    assert "Content-Encoding" not in page.headers


async def test_head_of_a_static_file_has_the_headers_of_get(browser: Browser) -> None:
    names = ("Content-Encoding", "Vary", "Content-Length", "Content-Type", "ETag", "Cache-Control")
    for encoding in ("gzip", "identity"):
        asked = {"Accept-Encoding": encoding}
        got = await browser.http.get("/static/cmi.css", headers=asked)
        head = await browser.http.head("/static/cmi.css", headers=asked)
        assert (head.status_code, head.content) == (200, b"")
        assert [head.headers.get(name) for name in names] == [
            got.headers.get(name) for name in names
        ]
    assert (await browser.http.head("/static/none.css")).status_code == 404


async def test_a_browser_that_is_known_is_not_locked_out_by_strangers(
    browser: Browser, env: AccountsEnv
) -> None:
    await env.add_user()
    await browser.log_in()
    assert "cmi_device" in str(browser.http.cookies)
    await browser.open("/logout")
    await browser.send("/logout")
    assert "cmi_device" in str(browser.http.cookies)
    for number in range(6):
        with contextlib.suppress(BadLogin, Throttled):
            await env.accounts.sessions.log_in(EMAIL, "wrong", f"198.51.100.{number}")
    known = dict(browser.http.cookies)
    browser.http.cookies.clear()
    assert (await browser.log_in()).status_code == 429
    browser.http.cookies.update(known)
    assert (await browser.log_in()).status_code == 303


async def test_who_comes_when_too_many_log_in_is_told_to_try_again(
    browser: Browser, env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_many(*_: object) -> None:
        raise Busy(5)

    await env.add_user()
    monkeypatch.setattr(Passwords, "check", too_many)
    answer = await browser.log_in()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"


async def test_one_s_own_sessions(browser: Browser, env: AccountsEnv) -> None:
    await env.add_user()
    lost = await env.accounts.sessions.log_in(
        EMAIL, PASSWORD, ADDRESS, user_agent="Mozilla/5.0 (Linux; Android 15) Chrome/142.0"
    )
    other = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    browser.http.headers["User-Agent"] = "Firefox/140.0 on Linux <b>"
    await browser.log_in(next="/account")
    page = (await browser.open("/account")).text
    assert page.count("/account/sessions/") == 5  # three sessions, all others, all
    assert page.count("dieses Gerät") == 1
    assert "Firefox, Linux" in page
    assert "Chrome, Android" in page
    assert "192.0.2.x" in page
    answer = await browser.send(f"/account/sessions/{id_of(lost.secret)}/end")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/account?said=session_ended#sessions-title",
    )
    assert await env.accounts.callers.of_session(lost.secret) is None
    page = (await browser.open("/account?said=session_ended")).text
    assert "Auf jenem Gerät sind Sie abgemeldet." in page
    assert "Chrome, Android" not in page
    assert await env.accounts.callers.of_session(other.secret) is not None
    await browser.send("/account/sessions/end-others")
    assert await env.accounts.callers.of_session(other.secret) is None
    page = (await browser.open("/account")).text
    assert "end-others" not in page
    (mine,) = re.findall(r"/account/sessions/([0-9a-f]{16})/end", page)
    answer = await browser.send(f"/account/sessions/{mine}/end")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert (await browser.open("/account")).headers["Location"] == "/login?next=/account"


@pytest.mark.parametrize("charset", ["charset=punycode", 'charset="PUNYCODE"', "charset=utf-7"])
async def test_a_form_is_read_as_utf_8_only(browser: Browser, charset: str) -> None:
    """Nobody who is not logged in stops the process with a codec that takes quadratic time."""
    text = b"x" * 20_000 + b"-" + b"a" * 20_000
    part = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n' + text + b"\r\n--b--\r\n"
    for kind, status in ((f"; {charset}", 415), ("; charset=UTF-8", 403), ("", 403)):
        headers = {"Content-Type": f"multipart/form-data; boundary=b{kind}"}
        answer = await browser.http.post("/login", content=part, headers=headers)
        assert answer.status_code == status


async def test_a_kept_form_that_is_nested_too_deeply_is_none(
    browser: Browser, env: AccountsEnv
) -> None:
    await env.add_user()
    await browser.open("/login")
    answer = await browser.send("/login", email=EMAIL, password=PASSWORD, kept="[" * 100_000)
    assert answer.status_code == 303
