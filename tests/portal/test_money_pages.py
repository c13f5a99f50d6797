"""Pages about money: a second person for an account, an invoice with another account, the running month."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.portal.kept import kept_completed
from tests.portal.portal import Portal, axe, fits, follow, press
from tests.web.firms import firm
from tests.web.site import API
from tests.web.test_money import OTHER, paper_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_second_person_confirms_an_account(portal: Portal) -> None:
    one = await firm(portal.site)
    path = f"/staff/partners/{one.partner_id}"
    anna = await portal.page(login=await portal.new_login("operations", factor=True))
    await anna.goto(f"{path}/edit")
    await anna.get_by_label("IBAN").fill("CH44 3199 9123 0008 8901 3")
    await press(anna, "Speichern")
    await expect(anna.get_by_text("Das ist keine IBAN").first).to_be_visible()
    await anna.get_by_label("IBAN").fill("CH44 3199 9123 0008 8901 2")
    await anna.get_by_label("MWST-Nummer").fill("che109322551 mwst")
    await press(anna, "Speichern")
    await expect(anna.get_by_role("status")).to_contain_text("sobald eine zweite Person")
    text = await anna.locator("main").inner_text()
    assert "CH93 0076 2011 6238 5295 7" in text, "the account in force"
    assert "CHE-109.322.551 MWST" in text
    assert "Bestätigen muss eine zweite Person." in text
    await expect(anna.get_by_role("button", name="Änderung des Kontos bestätigen")).to_have_count(0)
    await expect(anna.get_by_role("cell", name="CH44 … 9012")).to_be_visible()

    login = await portal.new_login("operations", factor=True)
    berta = await portal.page(login=login, device="phone")
    await berta.goto("/staff/partners?q=" + one.partner_id)
    await expect(berta.get_by_text("Konto zu bestätigen")).to_be_visible()
    await berta.goto(path)
    await fits(berta)
    await axe(berta)
    await expect(berta.get_by_text("CH44 3199 9123 0008 8901 2")).to_be_visible()
    await follow(berta.get_by_role("button", name="Änderung des Kontos bestätigen"))
    await expect(berta.get_by_role("status")).to_contain_text("gilt ab sofort")
    await expect(berta.get_by_text("CH44 3199 9123 0008 8901 2")).to_be_visible()
    await expect(berta.get_by_text(f"bestätigt von {login.name}")).to_be_visible()


async def test_an_account_is_refused(portal: Portal) -> None:
    one = await firm(portal.site)
    path = f"{API}/partners/{one.partner_id}"
    await portal.site.operations.patch(path, json={"iban": OTHER})
    page = await portal.page("operations", javascript=False)
    await page.goto(f"/staff/partners/{one.partner_id}")
    await follow(page.get_by_role("button", name="Änderung des Kontos ablehnen"))
    await expect(page.get_by_role("status")).to_contain_text("abgelehnt")
    await expect(page.get_by_text("CH93 0076 2011 6238 5295 7")).to_be_visible()


async def test_accounting_returns_and_accepts_an_invoice_with_another_account(
    portal: Portal, tmp_path: Path
) -> None:
    one = await firm(portal.site)
    seen = await one.issued(await one.completed("100.00"))
    path = f"/settlements/{seen['settlement_id']}"
    partner = await portal.page("partner", partner_id=one.partner_id)
    office = await portal.page("accounting", device="phone")
    for attempt in ("eins", "zwei"):
        file = tmp_path / "rechnung.pdf"
        file.write_bytes(paper_of(seen, "108.10", iban=OTHER, name=attempt))
        await partner.goto(path)
        await partner.get_by_label("Rechnung (PDF)").set_input_files(file)
        await press(partner, "Hochladen und prüfen")
        await expect(partner.get_by_role("status")).to_contain_text("ein anderes Konto")
        await office.goto(path)
        await fits(office)
        await expect(office.get_by_text("CH44 … 9012").first).to_be_visible()
        await expect(office.get_by_role("link", name="Rechnung des Partners (PDF)")).to_be_visible()
        if attempt == "eins":
            await office.get_by_text("Rechnung an den Partner zurückgeben").click()
            await office.locator("#account_reason").fill("   ")
            await press(office, "Rechnung zurückgeben")
            await expect(office.get_by_role("link", name="Bitte ausfüllen.")).to_be_visible()
            await office.locator("#account_reason").fill("Dieses Konto kennen wir nicht")
            await press(office, "Rechnung zurückgeben")
            await expect(office.get_by_role("status")).to_contain_text("zurückgewiesen")
    await axe(office)
    await press(office, "Rechnung annehmen")
    await expect(office.get_by_role("status")).to_contain_text("angenommen")


async def test_closing_says_that_the_month_still_runs(portal: Portal) -> None:
    one = await firm(portal.site)
    await kept_completed(portal.site, one.partner_id, "100.00")
    page = await portal.page("partner", device="phone", javascript=False, partner_id=one.partner_id)
    await page.goto("/settlements")
    await expect(page.get_by_text("läuft noch: Sie verrechnen jetzt")).to_be_visible()
    await press(page, "Weiter zur Bestätigung")
    await expect(page.get_by_text("Der Monat läuft noch.")).to_be_visible()
    await fits(page)
