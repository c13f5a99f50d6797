"""An order's page as operations see it: whom to call, what they can do themselves, what they do for the partner."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from domain.values import Language
from tests.portal.bad_day import LATE, bad_day, partner
from tests.portal.portal import Portal, axe, fits, follow, press
from tests.portal.visitor import visitor
from tests.server.surroundings import eventually
from tests.support.builders import TRANSMITTED
from tests.web.begun import begun
from tests.web.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def bad_day_data(portal_site: Site) -> None:
    """The data of `tests/portal/bad_day.py`."""
    await bad_day(portal_site)


async def cards(page: object) -> list[str]:
    """The headings of the page's cards, in the order in which they are read."""
    return await page.locator("main h2").all_inner_texts()  # type: ignore[attr-defined]


async def test_the_partner_comes_first_and_its_actions_last(portal: Portal) -> None:
    """Without JavaScript, on a phone: who to call and how urgent it is are the first thing on it."""
    page = await portal.page("operations", device="phone", javascript=False)
    await page.goto("/orders/S-CHECK-0")
    assert (await cards(page))[:4] == [
        "Servicepartner",
        "Kundschaft",
        "Was Sie tun können",
        "Im Namen von Spaet-Montage AG",
    ]
    firm = page.get_by_role("region", name="Servicepartner", exact=True)
    phone = partner(LATE).phone
    call = firm.get_by_role("link", name=f"Anrufen: {phone}")
    assert await call.get_attribute("href") == "tel:" + phone.replace(" ", "")
    await expect(firm).to_contain_text("4. Mahnung")
    await expect(page.locator(".reach")).to_have_count(0)
    for name in ("Anforderungen bestätigen", "Kontaktversuch festhalten"):
        await expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    await fits(page)


async def test_each_action_of_the_partner_says_for_whom_it_is(portal: Portal) -> None:
    site, sp_id = portal.site, await begun(portal.site, *TRANSMITTED)
    page = await portal.page("operations")
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_text("Aktionen des Servicepartners zeigen").click()
    section = page.get_by_role("region", name="Im Namen von Elektro Huber AG")
    forms = section.locator("form")
    assert await forms.count() > 1
    for form in await forms.all():
        assert "Im Namen von Elektro Huber AG" in (await form.text_content() or "")
    await axe(page)
    await fits(page)
    await press(page, "Auftrag akzeptieren")
    await site.reaches(sp_id, "check_requirements")
    await expect(page.locator(".timeline")).to_contain_text("für Elektro Huber AG")
    # What was not accepted stands open, with its error.
    async with visitor(portal, "operations") as one:
        assert (await one.post(f"/orders/{sp_id}/requirements", {})).status_code == 422
        assert one.page is not None
        opened = one.page.text.partition('id="behalf"')[2]
        assert '<details class="fold" open>' in opened.partition("</summary>")[0]


async def test_a_partner_and_accounting_see_none_of_it(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    for role in ("partner", "accounting"):
        async with visitor(portal, role) as one:  # type: ignore[arg-type]
            await one.get(f"/orders/{sp_id}")
            for text in ("Wer was erfahren hat", "Im Namen von", "Technischer Ablauf"):
                assert text not in one.text, (role, text)
            answer = await one.get(f"/orders/{sp_id}/temporal")
            assert answer.status_code == 403
    async with visitor(portal, "operations") as one:
        assert (await one.get("/orders/SP-nobody/temporal")).status_code == 404


@pytest.mark.parametrize("language", ["de", "en"])
async def test_who_was_told_what(portal: Portal, language: Language) -> None:
    """Mails that were sent, and such as were not, each with who it was for."""
    sp_id = await portal.site.new()
    async with visitor(portal, "operations", language) as one:

        async def told() -> bool:
            await one.get(f"/orders/{sp_id}")
            sent = {"de": "Neuer Auftrag · Servicepartner", "en": "New order · Service partner"}
            state = {"de": "zugestellt", "en": "delivered"}
            return sent[language] in one.text and state[language] in one.text

        await eventually(told)
        await one.get("/orders/S-NEW-0")
        lost = {"de": "aufgegeben", "en": "given up"}
        assert re.search(rf"weg@example\.ch {lost[language]}", one.text)


async def test_the_link_leads_to_the_current_details(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    client = portal.site.around.client
    run = (await client.get_workflow_handle(sp_id).describe()).run_id
    async with visitor(portal, "operations") as one:
        answer = await one.get(f"/orders/{sp_id}/temporal")
        base = portal.site.app.state.settings.temporal_ui_url
        assert answer.status_code == 303
        assert answer.headers["Location"] == (
            f"{base}/namespaces/{client.namespace}/workflows/{sp_id}/{run}/user-metadata"
        )
        # One that Temporal does not know leads to where the UI says so.
        answer = await one.get("/orders/S-CHECK-0/temporal")
        assert answer.headers["Location"].endswith("/workflows/S-CHECK-0")


async def test_another_partner_is_chosen_from_what_operations_can_do(portal: Portal) -> None:
    site, sp_id = portal.site, await begun(portal.site, *TRANSMITTED)
    page = await portal.page("operations", device="phone", javascript=False)
    await page.goto(f"/orders/{sp_id}")
    own = page.get_by_role("region", name="Was Sie tun können")
    await own.get_by_text("Auftrag stornieren").first.click()
    await own.locator("#cancel").get_by_label("Grund").fill("Doppelt bestellt")
    await follow(own.locator("#cancel").get_by_role("button"))
    await site.reaches(sp_id, "cancelled")
