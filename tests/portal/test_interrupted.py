"""Forms that come at a bad time: the session ran out, cookies are gone, a double click, another site."""

import json
import re
from urllib.parse import urlsplit

import httpx
import pyotp
import pytest
from playwright.async_api import Page, expect

from tests.portal.portal import PASSWORD, Login, Portal, axe, fits, follow
from tests.portal.visitor import visitor
from tests.web.site import NO_AUTHORITIES
from web.portal.forms import Form, SavedForm, request_id_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def end_sessions(portal: Portal, login: Login) -> None:
    await portal.site.app.state.accounts.sessions.end_all(login.user_id)


async def type_in(page: Page) -> None:
    """Choose another language, which is a form like any other, and send it."""
    await page.get_by_label("Italiano").check()
    await follow(page.get_by_role("button", name="Sprache ändern"))


async def log_in(page: Page, email: str) -> None:
    await page.get_by_label("E-Mail-Adresse").fill(email)
    await page.get_by_label("Passwort", exact=True).fill(PASSWORD)
    await follow(page.get_by_role("button", name="Anmelden"))


async def test_the_session_ran_out_in_the_middle(portal: Portal) -> None:
    """Without JavaScript: tests/portal/test_orders_journeys.py."""
    login = await portal.new_login("partner")
    page = await portal.page(login=login, device="phone")
    await page.goto("/account")
    await end_sessions(portal, login)
    await type_in(page)
    await expect(page.get_by_role("status")).to_contain_text("Ihre Sitzung ist abgelaufen")
    await page.get_by_label("E-Mail-Adresse").fill(login.email)
    await page.get_by_label("Passwort", exact=True).fill("a wrong one, first")
    await follow(page.get_by_role("button", name="Anmelden"))
    await log_in(page, login.email)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bitte noch einmal senden")
    await expect(page.get_by_text(f"Es wird als {login.name} gesendet.")).to_be_visible()
    await page.get_by_text("Was gesendet wird").click()
    await expect(page.locator("main dd")).to_have_text(["it"])
    await axe(page)
    await fits(page)
    await follow(page.get_by_role("button", name="Jetzt senden"))
    assert urlsplit(page.url).path == "/account"
    await expect(page.locator("html")).to_have_attribute("lang", "it")


async def test_what_was_typed_comes_through_the_second_factor(portal: Portal) -> None:
    login = await portal.new_login("partner")
    factor = portal.site.app.state.accounts.second_factor
    phone = pyotp.TOTP((await factor.enrol(login.user_id, "session")).secret)
    page = await portal.page(login=login)
    codes = await factor.confirm(login.user_id, phone.now(), "session")
    await page.goto("/account")
    await end_sessions(portal, login)
    await type_in(page)
    await log_in(page, login.email)
    await page.get_by_label("Code").fill(codes[0])
    await follow(page.get_by_role("button", name="Anmelden"))
    await follow(page.get_by_role("button", name="Jetzt senden"))
    await expect(page.locator("html")).to_have_attribute("lang", "it")


async def test_or_it_is_discarded(portal: Portal) -> None:
    login = await portal.new_login("partner")
    page = await portal.page(login=login)
    await page.goto("/account")
    await end_sessions(portal, login)
    await type_in(page)
    await log_in(page, login.email)
    await follow(page.get_by_role("link", name="Verwerfen"))
    assert urlsplit(page.url).path == "/account"
    await expect(page.locator("html")).to_have_attribute("lang", "de")


async def test_cookies_were_deleted(portal: Portal) -> None:
    login = await portal.new_login("partner")
    page = await portal.page(login=login)
    await page.goto("/account")
    await page.context.clear_cookies(name="cmi_form")
    await type_in(page)
    await follow(page.get_by_role("button", name="Jetzt senden"))
    await expect(page.locator("html")).to_have_attribute("lang", "it")


async def test_passwords_are_not_kept(portal: Portal) -> None:
    login = await portal.new_login("partner")
    page = await portal.page(login=login)
    await page.goto("/account")
    await end_sessions(portal, login)
    await page.get_by_label("Bisheriges Passwort").fill(PASSWORD)
    await page.get_by_label("Neues Passwort", exact=True).fill("a new one of mine")
    await page.get_by_label("Neues Passwort noch einmal").fill("a new one of mine")
    await follow(page.get_by_role("button", name="Passwort ändern"))
    kept = await page.locator("input[name=kept]").get_attribute("value")
    assert kept is not None
    assert "/account/password" in kept
    assert PASSWORD not in await page.content()
    assert "a new one" not in await page.content()


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {},
    ],
)
async def test_nothing_of_another_site_is_kept(portal: Portal, headers: dict[str, str]) -> None:
    fields = {"language": "it", "back": "/account", "form_token": "x" * 43}
    async with visitor(portal, "partner") as partner:
        for sent in (dict(partner.http.cookies), {}):
            async with httpx.AsyncClient(
                base_url=portal.site.address, cookies=sent, verify=NO_AUTHORITIES
            ) as other:
                answer = await other.post("/account/language", data=fields, headers=headers)
            assert answer.status_code == 403
            assert 'value="it"' not in answer.text
            assert 'name="kept"' not in answer.text
        assert '<html lang="de"' in (await partner.get("/account")).text


@pytest.mark.parametrize(
    "dumped",
    [
        "", "null", "[]", "{}", "[1, 2, 3]", '["/a", "/b"]',
        json.dumps(["https://evil.example", "/", []]),
        json.dumps(["//evil.example", "/", []]),
        json.dumps(["/account", "javascript:alert(1)", []]),
        json.dumps(["/account", "/", [["one"]]]),
        json.dumps([["/account"], "/", []]),
    ],
)  # fmt: skip
async def test_what_is_kept_leads_nowhere_else(dumped: str) -> None:
    assert SavedForm.load(dumped) is None


async def test_what_is_kept_comes_back_as_it_was() -> None:
    kept = SavedForm(
        "/orders/SP-1/contact?x=1", "/orders/SP-1", [("note", 'a "b" <c>\r\n&'), ("n", "")]
    )
    assert SavedForm.load(kept.dump()) == kept


async def test_a_form_s_command_has_one_name() -> None:
    form = Form([("request_id", "x" * 22)])
    assert request_id_of(form) == request_id_of(form) == "page." + "x" * 22
    for wrong in ("", "x" * 21, "x" * 23, "x" * 21 + "/"):
        bad = Form([("request_id", wrong)])
        assert request_id_of(bad) != request_id_of(bad), "another each time"


async def test_a_double_click_sends_a_form_once(portal: Portal) -> None:
    page = await portal.page("partner", own=True)
    posts: list[str] = []
    page.on(
        "request", lambda request: posts.append(request.url) if request.method == "POST" else None
    )
    await page.goto("/account")
    await page.get_by_role("button", name="Sprache ändern").dblclick()
    await expect(page.get_by_role("status")).to_be_visible()
    assert len(posts) == 1
    # The message is not said again when the page is loaded anew.
    await expect(page).not_to_have_url(re.compile("said"))
