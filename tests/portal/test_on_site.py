"""On site with the pages: a photo from the camera, the checklist, a signature, and what operations see of it."""

import os

import pytest
from playwright.async_api import Page, expect

from tests.portal.portal import Portal, axe, fits, press
from tests.portal.visitor import visitor
from tests.support.pictures import photo
from tests.web.begun import agreed_steps, begun

pytestmark = pytest.mark.asyncio(loop_scope="session")

_CAMERA = {"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": photo(size=(1200, 900))}


async def picture(page: Page, name: str) -> None:
    """A screenshot for people to look at, where a folder for it is named."""
    if folder := os.environ.get("PORTAL_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def check_all(page: Page) -> None:
    """Answer each item of the checklist with yes."""
    for item in await page.locator("fieldset.chips").all():
        await item.locator(".chip").first.click()


async def sign(page: Page) -> None:
    """Draw a signature with a finger or a mouse."""
    pad = page.locator("[data-pad] canvas")
    await pad.scroll_into_view_if_needed()
    box = await pad.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 20)
    await page.mouse.down()
    for step in range(8):
        await page.mouse.move(box["x"] + 20 + 25 * step, box["y"] + 20 + 30 * (step % 2))
    await page.mouse.up()


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_visit_from_photo_to_signature(portal: Portal, javascript: bool) -> None:
    sp_id = await begun(portal.site, *agreed_steps(), code="install-dryer")
    phone = await portal.page("partner", device="phone", javascript=javascript)
    await phone.goto(f"/orders/{sp_id}")
    camera, chosen = (
        phone.get_by_label("Mit der Kamera aufnehmen"),
        phone.get_by_label("Foto hinzufügen"),
    )
    await expect(camera).to_be_visible()
    assert await chosen.get_attribute("capture") is None, "a phone would offer the camera only"
    await (chosen if javascript else camera).set_input_files(_CAMERA)  # type: ignore[arg-type]
    if not javascript:
        await press(phone, "Foto speichern")
    await expect(phone.get_by_role("status")).to_contain_text("Das Foto ist gespeichert.")
    shown = phone.locator("#on-site img")
    await expect(shown).to_have_count(1)
    await shown.scroll_into_view_if_needed()
    await expect(shown).to_have_js_property("complete", True)
    assert await shown.evaluate("image => image.naturalWidth") == 360
    await fits(phone)
    if javascript:
        await axe(phone)
        await picture(phone, "on-site-phone")

    await phone.locator("#on-site").get_by_role("link", name="Ausführungsprotokoll").click()
    await expect(phone.get_by_role("heading", level=1)).to_have_text("Ausführungsprotokoll")
    if not javascript:
        await phone.locator("summary", has_text="Unterschrift auf Papier?").click()
        await phone.get_by_label("Bild der Unterschrift").set_input_files(_CAMERA)  # type: ignore[arg-type]
        await press(phone, "Bild speichern")
        await expect(phone.locator("img.signed")).to_have_count(1)
    await check_all(phone)
    await phone.get_by_label("Beginn", exact=True).fill("00:00")
    await phone.get_by_label("Ende", exact=True).fill("00:00")
    await press(phone, "Protokoll speichern")
    await expect(phone.locator(".error[role=alert]")).to_contain_text("nach ihrem Beginn")
    for item in await phone.locator("fieldset.chips").all():
        await expect(item.locator("input").first).to_be_checked()
    await fits(phone)
    # Of the day of the test nothing but its first minute is sure to be over.
    await phone.get_by_label("Ende", exact=True).fill("00:01")
    if javascript:
        await press(phone, "Protokoll speichern")
        await expect(phone.locator(".error[role=alert]")).to_contain_text("Unterschrift fehlt")
        await sign(phone)
        await axe(phone)
        await picture(phone, "protocol-phone")
    await press(phone, "Protokoll speichern")
    await expect(phone.get_by_role("status")).to_contain_text("Das Protokoll ist gespeichert.")
    await expect(phone.locator("#on-site .protocols li")).to_have_count(1)
    await expect(phone.get_by_role("button", name="Foto 1 löschen")).to_have_count(0)

    desk = await portal.page("operations", javascript=javascript)
    await desk.goto(f"/orders/{sp_id}")
    await expect(desk.locator("#on-site img")).to_have_count(1)
    async with desk.expect_download() as started:
        await desk.get_by_role("link", name="Ausführungsprotokoll (PDF)").click()
    download = await started.value
    assert download.suggested_filename == f"{sp_id}-protocol-1.pdf"
    await fits(desk)
    if javascript:
        await axe(desk)
        await picture(desk, "on-site-desk")


async def test_confirming_without_the_protocol_leads_to_it(portal: Portal) -> None:
    sp_id = await begun(portal.site, *agreed_steps(), code="install-dryer")
    phone = await portal.page("partner", device="phone", javascript=False)
    await phone.goto(f"/orders/{sp_id}")
    await phone.locator("summary", has_text="Schon ausgeführt?").click()
    await press(phone, "Ja, früher ausgeführt")
    await expect(phone.locator(".error[role=alert]")).to_contain_text("Ausführungsprotokoll")
    await (
        phone.locator("#execution")
        .get_by_role("link", name="Ausführungsprotokoll erfassen")
        .click()
    )
    await expect(phone.get_by_role("heading", level=1)).to_have_text("Ausführungsprotokoll")


async def test_what_a_protocol_lacks_is_named_as_the_reader_knows_it(portal: Portal) -> None:
    sp_id = await begun(portal.site, *agreed_steps(), code="install-dryer")
    async with visitor(portal, "partner", "fr") as one:
        shown = (await one.get(f"/orders/{sp_id}")).text
        assert shown.index('id="on-site"') < shown.index('id="facts"')
        await one.get(f"/orders/{sp_id}/protocol")
        answer = await one.post(f"/orders/{sp_id}/protocol", {"protocol.ending": "absent"})
        assert answer.status_code == 422
        assert "De niveau et stable: " in one.text
        assert "level: " not in one.text
        assert "Le rapport contient" not in one.text  # there is no photo
