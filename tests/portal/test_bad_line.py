"""A partner's phone on a bad line: pages that were seen are there, and what was typed is sent later, once."""

import hashlib
from urllib.parse import unquote

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.portal.kept import kept
from tests.portal.line import line_to
from tests.portal.portal import PASSWORD, Portal, axe, fits, follow
from tests.support.builders import ACCEPTED, TRANSMITTED
from tests.support.limits import WAIT_LIMIT
from tests.web.begun import begun
from tests.web.site import API
from web.portal.pages import HERE
from web.security import session_cookie

pytestmark = pytest.mark.asyncio(loop_scope="session")


PICTURE = HERE / "static" / "icon-192.png"


def person_key_of(login_id: str) -> str:
    """The key of a login, as pages say it."""
    return hashlib.sha256(f"cmi person\n{login_id}".encode()).hexdigest()[:24]


async def _kept(page: Page, path: str) -> None:
    """Open a page with the service worker in charge, and wait until it is kept."""
    await page.goto(path)
    await page.evaluate("navigator.serviceWorker.ready")
    await page.wait_for_function("navigator.serviceWorker.controller !== null")
    await page.goto(path)
    await page.wait_for_function(
        "async (path) => (await (await caches.open('cmi-pages')).keys())"
        ".some((each) => new URL(each.url).pathname === path)",
        arg=path,
    )


async def _attempts(portal: Portal, sp_id: str) -> int:
    order = (await portal.site.operations.get(f"{API}/orders/{sp_id}")).json()
    return sum(event["type"] == "contact_logged" for event in order["timeline"])


async def _accepted(portal: Portal, name: str) -> str:
    return await begun(portal.site, *ACCEPTED, name=name)


async def test_what_is_typed_without_a_connection_is_sent_later(portal: Portal) -> None:
    sp_id = await _accepted(portal, "Im Keller")
    other = await kept(portal.site, *TRANSMITTED)
    async with line_to(portal.site.address) as line:
        page = await portal.page("partner", device="phone", keeps=True, address=line.address)
        await _kept(page, "/")
        await _kept(page, f"/orders/{sp_id}")
        line.turn("down")
        await follow(page.locator(".reach").get_by_role("button", name="Nicht erreicht"))
        waiting = page.locator("#waiting")
        await expect(waiting).to_contain_text("1 Eingabe wartet auf Verbindung")
        await expect(page.locator(".kept")).to_contain_text("Ohne Verbindung: Stand von")
        await fits(page)
        await axe(page)
        # the same kept page again: a second call in vain is one of its own
        await page.reload()
        await follow(page.locator(".reach").get_by_role("button", name="Nicht erreicht"))
        await expect(waiting).to_contain_text("2 Eingaben warten auf Verbindung")
        await page.goto(f"/orders/{other}")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Keine Verbindung")
        await expect(page.locator("[data-pages] a")).to_have_count(2)
        # A page may name another version of a file than the one that is kept.
        assert await page.evaluate("async () => (await fetch('/static/cmi.css?v=other')).ok")
        await fits(page)
        await axe(page)
        assert await _attempts(portal, sp_id) == 0
        line.turn("up")
        await page.goto("/")
        await expect(waiting).to_contain_text("2 Eingaben sind gesendet")
        assert await _attempts(portal, sp_id) == 2
        await waiting.get_by_role("button", name="Ausblenden").first.click()
        await expect(waiting).to_contain_text("1 Eingabe ist gesendet")


async def test_it_is_sent_by_itself_when_the_phone_is_online_again(portal: Portal) -> None:
    sp_id = await _accepted(portal, "Funkloch")
    page = await portal.page("partner", device="phone", keeps=True)
    await _kept(page, f"/orders/{sp_id}")
    await page.context.set_offline(True)
    await follow(page.locator(".reach").get_by_role("button", name="Erreicht", exact=True))
    await expect(page.locator("#waiting")).to_contain_text("1 Eingabe wartet auf Verbindung")
    await page.context.set_offline(False)
    await expect(page.locator("#waiting")).to_contain_text("1 Eingabe ist gesendet")
    assert await _attempts(portal, sp_id) == 1


async def test_a_line_that_breaks_after_the_server_has_the_form(portal: Portal) -> None:
    sp_id = await _accepted(portal, "Mittendrin")
    async with line_to(portal.site.address) as line:
        page = await portal.page("partner", device="phone", keeps=True, address=line.address)
        await _kept(page, f"/orders/{sp_id}")
        line.turn("deaf")
        await page.get_by_label("Nachricht an das Servicepartner-Team").fill("Bin im Tunnel")
        await follow(page.get_by_role("button", name="Nachricht senden"))
        await expect(page.locator("#waiting")).to_contain_text("1 Eingabe wartet")
        await follow(page.locator(".reach").get_by_role("button", name="Nicht erreicht"))
        await expect(page.locator("#waiting")).to_contain_text("2 Eingaben warten")
        await portal.site.has(sp_id, "contact_logged")  # the server has it, the phone does not know
        await page.locator("#photo").set_input_files(
            {"name": "tür.png", "mimeType": "image/png", "buffer": PICTURE.read_bytes()}
        )
        await expect(page.locator("#waiting")).to_contain_text("3 Eingaben warten")
        line.turn("up")
        await page.locator("#waiting").get_by_role("button", name="Jetzt senden").click()
        await expect(page.locator("#waiting")).to_contain_text("3 Eingaben sind gesendet")
        assert await _attempts(portal, sp_id) == 1
        await page.reload()
        await expect(page.locator(".photos li")).to_have_count(1)
        found = (await portal.site.operations.get(f"{API}/orders/{sp_id}/messages")).json()
        assert [each["text"] for each in found["items"]] == ["Bin im Tunnel"]


async def test_nobody_sends_or_reads_what_another_person_left_on_the_phone(portal: Portal) -> None:
    sp_id = await _accepted(portal, "Geteiltes Telefon")
    mine, theirs = await portal.new_login("partner"), await portal.new_login("partner")
    async with line_to(portal.site.address) as line:
        page = await portal.page(login=mine, device="phone", keeps=True, address=line.address)
        await _kept(page, f"/orders/{sp_id}")
        line.turn("down")
        await page.get_by_label("Nachricht an das Servicepartner-Team").fill("Nur von mir")
        await follow(page.get_by_role("button", name="Nachricht senden"))
        waiting = page.locator("#waiting")
        await expect(waiting).to_contain_text("1 Eingabe wartet auf Verbindung")
        await page.context.clear_cookies()  # the session has ended
        line.turn("up")
        await waiting.get_by_role("button", name="Jetzt senden").click()
        await expect(waiting).to_contain_text("Ihre Sitzung ist abgelaufen.")
        kept = "async () => (await (await caches.open('cmi-pages')).keys()).length"
        assert await page.evaluate(kept) == 0
        await portal.log_in(page.context, theirs)
        await page.goto("/")
        await expect(waiting).to_contain_text("1 Eingabe einer anderen Person wartet")
        await expect(waiting).not_to_contain_text("Nur von mir")
        line.turn("down")
        await page.goto(f"/orders/{sp_id}")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Keine Verbindung")
        line.turn("up")
        await page.goto("/")
        await page.locator("details.narrow > summary").click()
        await follow(page.locator("details.narrow").get_by_role("button", name="Abmelden"))
        await expect(page).to_have_url(f"{line.address}/login")
        assert await page.evaluate(kept) == 0
        await portal.log_in(page.context, mine)
        await page.goto("/")
        await expect(waiting).to_contain_text("1 Eingabe ist gesendet")
        found = (await portal.site.operations.get(f"{API}/orders/{sp_id}/messages")).json()
        assert [each["author"] for each in found["items"]] == [mine.name]
        await _kept(page, f"/orders/{sp_id}")
        await page.context.clear_cookies()
        await page.get_by_label("Nachricht an das Servicepartner-Team").fill("Zu spät")
        await follow(page.get_by_role("button", name="Nachricht senden"))
        await expect(page.get_by_label("Passwort")).to_be_visible()
        assert await page.evaluate(kept) == 0, "the answer asks to log in"


async def test_the_server_takes_no_kept_form_of_another_person(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    mine, theirs = await portal.login("partner"), await portal.login("partner", "fr")
    state = portal.site.app.state
    session = await state.accounts.sessions.log_in(mine.email, PASSWORD, "2001:db8::7")
    cookies = {session_cookie(state.settings): session.secret}
    async with httpx.AsyncClient(
        base_url=portal.site.address, cookies=cookies, timeout=WAIT_LIMIT
    ) as http:
        known = (await http.get("/offline/session")).json()
        fields = {"form_token": known["form_token"], "request_id": "K" * 22}
        keys = (known["person"], "0" * 24, person_key_of(theirs.user_id))
        answers = [
            await http.post(f"/orders/{sp_id}/accept", data=fields, headers={"CMI-Person": key})
            for key in keys[1:] + keys[:1] + keys[:1]
        ]
        assert [each.status_code for each in answers] == [403, 403, 303, 303]
        assert answers[0].headers["cmi-refusal"] == "other-person"
        late = await http.post(
            f"/orders/{sp_id}/accept",
            data=fields | {"request_id": "L" * 22},
            headers={"CMI-Person": keys[0]},
        )
        assert late.status_code == 409
        assert unquote(late.headers["cmi-refusal"])
        assert "cmi-keep" not in late.headers
        soon = await http.post(
            f"/orders/{sp_id}/reminder",
            data=fields | {"request_id": "M" * 22, "reminder.at": "2026-01-01T17:00"},
            headers={"CMI-Person": keys[0]},
            follow_redirects=True,
        )
        assert soon.status_code == 200
        assert "Bitte wählen" in unquote(soon.headers["cmi-refusal"]), (
            "a notice on the page it leads to"
        )


async def test_a_refusal_is_shown_with_what_was_typed(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED, name="Zu spät")
    async with line_to(portal.site.address) as line:
        page = await portal.page("partner", device="phone", keeps=True, address=line.address)
        await _kept(page, f"/orders/{sp_id}")
        line.turn("down")
        await page.locator("#decline summary").click()
        await page.locator("#decline [value=other]").check()
        await page.locator("#decline textarea").fill("Keine Leute")
        await follow(page.locator("#decline button[type=submit]"))
        waiting = page.locator("#waiting")
        await expect(waiting).to_contain_text("1 Eingabe wartet auf Verbindung")
        await portal.site.do(portal.site.shop, sp_id, "cancel", {"reason": "customer_wish"})
        line.turn("up")
        await waiting.get_by_role("button", name="Jetzt senden").click()
        await expect(waiting).to_contain_text("1 Eingabe wurde nicht angenommen")
        await expect(waiting).to_contain_text("storniert")
        await waiting.locator("summary").click()
        await expect(waiting).to_contain_text("Keine Leute")
