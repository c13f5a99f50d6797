"""Operations pause a partner, end the work with it, and give it a policy of its own, in a browser."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import Page

from records.partners import Partners
from tests.activities.conftest import partner
from tests.portal.kept import kept
from tests.portal.portal import PASSWORD, Portal, axe, fits, follow, press
from tests.support.builders import TRANSMITTED
from tests.web.site import API, NO_ACCEPT, order

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def firm(portal: Portal, partner_id: str, **changes: object) -> str:
    """A new partner's page."""
    known = Partners(portal.site.around.database)
    await known.put(partner(partner_id, **changes), datetime.now(UTC))
    return f"/staff/partners/{partner_id}"


async def said(page: Page) -> str:
    return await page.get_by_role("status").first.inner_text()


async def test_a_partner_pauses_and_goes_on(portal: Portal) -> None:
    """On a phone without JavaScript; the test after it is at a desk with it."""
    path = await firm(portal, "pausing-ag")
    page = await portal.page("operations", device="phone", javascript=False)
    await page.goto(path)
    await press(page, "Pausieren")
    assert await said(page) == "Der Partner pausiert: Er erhält keine neuen Aufträge."
    assert await page.get_by_role("button", name="Pausieren").count() == 0
    await fits(page)

    await page.goto("/staff/partners")
    await page.get_by_label("Zusammenarbeit").select_option("paused")
    await follow(page.locator("#main").get_by_role("button", name="Suchen"))
    row = page.get_by_role("row").filter(has_text="pausing-ag")
    assert "pausiert" in await row.inner_text()
    await page.goto(path)
    await press(page, "Wieder aufnehmen")
    assert await said(page) == "Der Partner erhält wieder Aufträge."
    await page.goto("/staff/partners?status=paused")
    assert await page.get_by_role("row").filter(has_text="pausing-ag").count() == 0


async def test_a_partner_ends_while_somebody_of_it_is_at_work(portal: Portal) -> None:
    path = await firm(portal, "ending-ag")
    login = await portal.new_login("partner", partner_id="ending-ag")
    theirs = await portal.page(login=login)
    await theirs.goto("/")
    page = await portal.page(login=await portal.new_login("operations", factor=True))
    await page.goto(path)
    await page.locator("summary", has_text="Beenden").click()
    await axe(page)
    await follow(page.get_by_role("button", name="Zusammenarbeit beenden"))
    assert "Logins, Einladungen und Tokens" in await said(page)
    assert await page.get_by_text("Login anlegen", exact=True).count() == 0
    assert await page.get_by_text("Token anlegen", exact=True).count() == 0
    await axe(page)

    await theirs.reload()
    assert "/login" in theirs.url
    await theirs.get_by_label("E-Mail").fill(login.email)
    await theirs.get_by_label("Passwort", exact=True).fill(PASSWORD)
    await follow(theirs.locator("main button[type=submit]").first)
    assert (
        "Die Zusammenarbeit mit Ihrer Firma ist beendet"
        in await theirs.locator("main").inner_text()
    )

    await press(page, "Wieder aufnehmen")
    await theirs.get_by_label("Passwort", exact=True).fill(PASSWORD)
    await follow(theirs.locator("main button[type=submit]").first)
    assert "/login" not in theirs.url


async def test_only_partners_that_get_orders_can_be_chosen_for_one(portal: Portal) -> None:
    await firm(portal, "takes-orders", name="Nimmt Aufträge AG")
    await firm(portal, "is-paused", name="Pausiert AG", status="paused")
    await firm(portal, "has-ended", name="Beendet AG", status="ended")
    sp_id = await kept(portal.site, *TRANSMITTED)
    page = await portal.page("operations")
    await page.goto(f"/orders/{sp_id}")
    choices = await page.locator("select[name='reassign.partner_id'] option").all_text_contents()
    assert any("Nimmt" in choice for choice in choices)
    assert not any("Pausiert" in choice or "Beendet" in choice for choice in choices)


async def test_a_partner_gets_a_policy_of_its_own(portal: Portal) -> None:
    path = await firm(portal, "own-policy")
    page = await portal.page("operations", javascript=False)
    await page.goto(f"{path}/edit")
    await page.get_by_label("Fristen und Vorgaben").select_option(NO_ACCEPT)
    await press(page, "Speichern")
    assert NO_ACCEPT in await page.locator("main").inner_text()
    site = portal.site
    placed = await site.shop.post(f"{API}/orders", json=order(partner_id="own-policy"))
    assert placed.status_code == 201
    await site.reaches(placed.json()["sp_id"], "check_requirements")
    await page.goto(f"{path}/edit")
    await page.get_by_label("Fristen und Vorgaben").select_option("")
    await press(page, "Speichern")
    assert "wie üblich" in await page.locator("main").inner_text()


async def test_a_policy_that_is_not_there_is_shown_and_stays_until_another_is_chosen(
    portal: Portal,
) -> None:
    path = await firm(portal, "lost-policy", policy="taken-away")
    page = await portal.page("operations", javascript=False)
    await page.goto(path)
    assert "nicht hinterlegt" in await page.locator("main").inner_text()
    await page.goto(f"{path}/edit")
    await page.get_by_label("Telefon").fill("+41 44 555 22 22")
    await press(page, "Speichern")
    text = await page.locator("main").inner_text()
    assert "+41 44 555 22 22" in text
    assert "taken-away" in text
