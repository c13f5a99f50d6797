"""A partner's people on the pages: invited at the desk, given an order, and at work with it on the phone."""

import os
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from records.people import PeopleRecords
from tests.portal.portal import Portal, axe, fits, press
from tests.support.builders import TRANSMITTED
from tests.web.begun import begun
from tests.web.firms import firm

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def picture(page: object, name: str) -> None:
    """A screenshot for people to look at, where a folder for it is named."""
    if folder := os.environ.get("PORTAL_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)  # type: ignore[attr-defined]


async def test_an_order_goes_from_the_office_to_the_technicians_phone(portal: Portal) -> None:
    """The office has JavaScript, and the technician has not."""
    one = await firm(portal.site)
    his, other = [
        await begun(portal.site, *TRANSMITTED, partner_id=one.partner_id, name=name)
        for name in ("Regula Zugeteilt", "Beat Fremd")
    ]
    office = await portal.new_login("partner", partner_id=one.partner_id)
    hans = await portal.new_login("partner", partner_id=one.partner_id)
    people = PeopleRecords(portal.site.around.database)
    await people.change(one.partner_id, hans.user_id, "technician", None)

    desk = await portal.page(login=office)
    await desk.goto("/people")
    await desk.get_by_text("Jemanden einladen").click()
    await desk.get_by_label("Vorname und Name").fill("Nina Neu")
    await desk.get_by_label("E-Mail", exact=True).fill("keine Adresse@")
    await desk.locator("form[action='/people']").evaluate("form => form.noValidate = true")
    await press(desk, "Login anlegen und einladen")
    await expect(desk.locator("#person-email")).to_have_attribute("aria-invalid", "true")
    await expect(desk.locator(".error[role=alert]")).to_contain_text("E-Mail: ")
    email = f"nina.{datetime.now(UTC):%H%M%S%f}@people.example"
    await desk.get_by_label("E-Mail", exact=True).fill(email)
    await press(desk, "Login anlegen und einladen")
    await expect(desk.get_by_role("status").first).to_contain_text("Das Login ist angelegt")
    row = desk.locator(".people li").filter(has_text="Nina Neu")
    await expect(row).to_contain_text("Montage")
    await row.locator("summary").filter(has_text="Ändern").click()
    await fits(desk)
    await axe(desk)
    await picture(desk, "people-desk")
    await desk.goto(f"/orders/{his}")
    await desk.locator("details.assign summary").click()
    await desk.get_by_label("Wer erledigt den Auftrag?").select_option(hans.user_id)
    await press(desk, "Zuteilen")
    await expect(desk.get_by_role("status").first).to_contain_text("gespeichert")
    await expect(desk.locator("details.assign summary")).to_contain_text(hans.name)
    await fits(desk)
    await picture(desk, "people-order")

    phone = await portal.page(login=hans, device="phone", javascript=False)
    await phone.goto("/")
    await expect(phone.locator(".job").filter(has_text="Regula Zugeteilt")).to_have_count(1)
    await expect(phone.get_by_text("Beat Fremd")).to_have_count(0)
    await fits(phone)
    await picture(phone, "people-phone")
    await phone.goto("/account")
    await phone.get_by_label("Am Morgen: die eigenen Termine von heute").check()
    await press(phone, "Auswahl speichern")
    await expect(phone.get_by_label("Am Morgen: die eigenen Termine von heute")).to_be_checked()
    await fits(phone)
    await picture(phone, "people-account")
    boss = await portal.page(login=office, device="phone")
    await boss.goto("/people")
    await fits(boss)
    await picture(boss, "people-phone-office")
    await boss.goto(f"/orders/{other}")
    await picture(boss, "people-order-phone")
    await fits(boss)
