"""What operations do in a day, in a browser: find who is late and why, decide, let a partner in, look back."""

import asyncio
import csv
import io
import os
import re
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import expect

import words
from tests.portal.bad_day import LATE, NAMES, NOTE, bad_day
from tests.portal.portal import PASSWORD, Portal, axe, fits, follow, press
from tests.web.begun import agreed_steps, begun
from tests.web.site import API, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def bad_day_data(portal_site: Site) -> None:
    """The data of `tests/portal/bad_day.py`."""
    await bad_day(portal_site)


async def test_who_is_late_and_why(portal: Portal) -> None:
    """Without JavaScript."""
    page = await portal.page("operations", device="phone", javascript=False)
    await page.goto("/")
    assert page.url.endswith("/staff")
    row = page.get_by_role("row").filter(has_text=NAMES[LATE]).first
    await follow(row.get_by_role("link").nth(1))
    assert f"partner_id={LATE}" in page.url
    rows = page.get_by_role("table").get_by_role("row")
    assert await rows.nth(1).get_by_role("link").first.inner_text() in ("S-CHECK-0", "S-CHECK-1")
    assert words.deadline_label("check_requirements", "de") in await rows.nth(1).inner_text()
    assert words.party_label("partner", "de") in await rows.nth(1).inner_text()
    assert "überfällig" in await rows.nth(1).inner_text()
    await fits(page)
    await follow(rows.nth(1).get_by_role("link").first)
    assert re.search(r"/orders/S-CHECK-\d$", page.url)


async def test_a_review_is_decided(portal: Portal) -> None:
    site = portal.site
    sp_id = await begun(site, *agreed_steps())
    await site.do(
        site.partner, sp_id, "execution", {"executed": False, "reason": "transport_damage"}
    )
    await site.reaches(sp_id, "under_review")
    page = await portal.page("operations", device="phone", javascript=False)
    await page.goto("/staff/reviews")
    row = page.get_by_role("row").filter(has_text=sp_id)
    assert words.reason_label("transport_damage", "de") in await row.inner_text()
    await follow(row.get_by_role("link", name="Entscheiden"))
    assert page.url.endswith(f"/orders/{sp_id}")
    await page.get_by_label(words.action_label("new_appointment", "de"), exact=True).check()
    await press(page, "Entscheid speichern")
    await site.reaches(sp_id, "set_appointment")
    await page.goto("/staff/reviews")
    assert await page.get_by_text(sp_id).count() == 0


async def test_what_a_partner_wrote_is_text(portal: Portal) -> None:
    page = await portal.page("operations")
    await page.goto("/staff/reviews")
    assert await page.get_by_text(NOTE).count() == 2


async def test_a_partner_and_its_first_login(portal: Portal) -> None:
    """Wrong at first, and what was typed is still there; then as far as the invited person's own page."""
    page = await portal.page("operations", javascript=False)
    await page.goto("/staff/partners")
    await follow(page.get_by_role("link", name="Partner anlegen"))
    typed = {
        "Partner-ID": "zügel & co",
        "Name der Firma": "Zügel & Co. <GmbH>",
        "Strasse und Nummer": "Seestrasse 1",
        "PLZ": "6003",
        "Ort": "Luzern",
        "E-Mail für Aufträge": "auftraege@zuegel.example",
        "Telefon": "+41 41 555 01 01",
    }
    for label, text in typed.items():
        await page.get_by_label(label, exact=True).fill(text)
    await page.get_by_label("Kanton").select_option("LU")
    await press(page, "Partner anlegen")
    field = page.get_by_label("Partner-ID", exact=True)
    assert await field.get_attribute("aria-invalid") == "true"
    described = await field.get_attribute("aria-describedby")
    assert described is not None
    assert "partner_id-error" in described
    assert await page.get_by_label("Name der Firma").input_value() == typed["Name der Firma"]
    await field.fill("zuegel-co")
    await press(page, "Partner anlegen")
    assert page.url.split("?")[0].endswith("/staff/partners/zuegel-co")
    assert await page.get_by_role("heading", name=typed["Name der Firma"]).count() == 1

    await page.get_by_label("Vorname und Name").fill("Zita Zügel")
    await page.get_by_label("E-Mail", exact=True).fill("zita@zuegel.example")
    await press(page, "Login anlegen und einladen")
    assert await page.get_by_role("status").inner_text() == (
        "Das Login ist angelegt, die Einladung ist unterwegs."
    )
    assert "eingeladen" in await page.get_by_role("row").filter(has_text="Zita").inner_text()
    link = await invitation(portal.site, "zita@zuegel.example")
    hers = await portal.page()
    await hers.goto(link)
    for each in await hers.locator("input[type=password]").all():
        await each.fill(PASSWORD)
    await follow(hers.locator("main button"))
    await page.reload()
    assert "aktiv" in await page.get_by_role("row").filter(has_text="Zita").inner_text()

    # The same address again is said beside its field.
    await page.get_by_text("Login anlegen", exact=True).click()
    await page.get_by_label("Vorname und Name").fill("Zoë")
    await page.get_by_label("E-Mail", exact=True).fill("ZITA@zuegel.example")
    await press(page, "Login anlegen und einladen")
    assert "schon ein Login" in await page.locator("#login-email-error").inner_text()
    await page.get_by_role("row").filter(has_text="Zita").get_by_text("Löschen").first.click()
    await follow(page.get_by_role("button", name="Endgültig löschen"))
    assert await page.get_by_role("row").filter(has_text="Zita").count() == 0


async def invitation(site: Site, address: str) -> str:
    """The path of the link that was mailed to somebody."""
    for _ in range(100):
        for file in sorted(site.around.inbox.directory.glob("*.eml")):
            mail = file.read_bytes()
            found = re.search(rb"/invitation/[A-Za-z0-9_-]{43}", mail.replace(b"=\r\n", b""))
            if address.encode() in mail and found:
                return found[0].decode()
        await asyncio.sleep(0.05)
    raise AssertionError(f"no invitation for {address}")


async def test_a_token_is_shown_once(portal: Portal) -> None:
    """And works; sent once more, by reloading, it neither appears again nor is there a second one."""
    page = await portal.page("operations", own=True)
    await page.goto(f"/staff/partners/{LATE}")
    await page.locator("summary", has_text="Token anlegen").click()
    await page.get_by_label("Name des Programms").fill("Planung")
    await follow(page.get_by_role("button", name="Token anlegen"))
    token = await page.locator("code.secret").inner_text()
    headers = {"Authorization": f"Bearer {token}"}
    assert (await portal.site.nobody.get(f"{API}/orders", headers=headers)).is_success
    page.on("dialog", lambda dialog: dialog.accept())
    await page.reload()
    assert token not in await page.content()
    assert "schon angelegt" in await page.get_by_role("heading", level=1).inner_text()
    await page.goto(f"/staff/partners/{LATE}")
    assert await page.get_by_role("row").filter(has_text="Planung").count() == 1
    assert token not in await page.content()
    await page.get_by_role("row").filter(has_text="Planung").get_by_text("Sperren").first.click()
    await follow(page.get_by_role("button", name="Endgültig sperren"))
    assert (await portal.site.nobody.get(f"{API}/orders", headers=headers)).status_code == 401
    assert "gesperrt" in await page.get_by_role("row").filter(has_text="Planung").inner_text()


async def test_tokens_end_with_the_login_of_their_maker(portal: Portal) -> None:
    """The list says who made a token, and why it ended; the form says how long one may last."""
    today = datetime.now(UTC).date()
    leaver, colleague = await portal.new_login("operations"), await portal.page("operations")
    page = await portal.page(login=leaver)
    await page.goto(f"/staff/partners/{LATE}")
    await page.locator("summary", has_text="Token anlegen").click()
    await page.get_by_label("Name des Programms").fill("Montageplan")
    await page.get_by_label("Gültig bis und mit").fill(f"{today.year + 3}-01-01")
    await follow(page.get_by_role("button", name="Token anlegen"))
    await expect(page.locator("#token-expires_at-error")).to_contain_text("So lange darf")
    await page.get_by_label("Gültig bis und mit").fill(f"{today + timedelta(days=5)}")
    await follow(page.get_by_role("button", name="Token anlegen"))
    await colleague.goto(f"/staff/partners/{LATE}")
    row = colleague.get_by_role("row").filter(has_text="Montageplan")
    await expect(row).to_contain_text(f"von {leaver.name}")
    await expect(row).to_contain_text("läuft bald ab")
    await colleague.goto("/staff/users")
    row = colleague.get_by_role("row").filter(has_text=leaver.email)
    await row.locator("summary", has_text="Löschen").click()
    await expect(row).to_contain_text("Tokens, die diese Person angelegt hat")
    await follow(row.get_by_role("button", name="Endgültig löschen"))
    await colleague.goto(f"/staff/partners/{LATE}")
    row = colleague.get_by_role("row").filter(has_text="Montageplan")
    await expect(row).to_contain_text("mit dem es angelegt war, wurde gelöscht")
    if folder := os.environ.get("PORTAL_PICTURES"):
        await colleague.screenshot(path=f"{folder}/tokens.png", full_page=True)


async def test_two_people_change_one_partner(portal: Portal) -> None:
    """Each changes what he or she changed, and the other's stays."""
    pages = [await portal.page("operations") for _ in range(2)]
    for page in pages:
        await page.goto(f"/staff/partners/{LATE}/edit")
    await pages[0].get_by_label("Telefon").fill("+41 44 555 00 00")
    await pages[1].get_by_label("Ort").fill("Zürich Altstetten")
    for page in pages:
        await press(page, "Speichern")
    text = await pages[1].locator("main").inner_text()
    assert "+41 44 555 00 00" in text
    assert "Zürich Altstetten" in text


async def test_nobody_deletes_the_own_login(portal: Portal) -> None:
    login = await portal.new_login("operations")
    page = await portal.page(login=login)
    await page.goto("/staff/users")
    mine = page.get_by_role("row").filter(has_text=login.email)
    assert "Das sind Sie." in await mine.inner_text()
    assert await mine.get_by_text("Löschen").count() == 0


async def test_a_month_in_retrospect(portal: Portal) -> None:
    page = await portal.page("operations")
    await page.goto("/staff/reports")
    months = [await page.get_by_label("Monat").input_value()]
    await follow(page.get_by_role("link", name="Monat davor"))
    months.append(await page.get_by_label("Monat").input_value())
    assert months[1] < months[0]
    # The bad day's misses are in one of the two, whatever the day of the month.
    for month in months:
        await page.goto(f"/staff/reports?month={month}")
        row = page.get_by_role("row").filter(has_text=NAMES[LATE])
        if await row.count():
            break
    assert "verfehlt" in await row.inner_text()
    async with page.expect_download() as started:
        await page.get_by_role("link", name="CSV").click()
    download = await started.value
    assert download.suggested_filename == f"deadlines-{month}.csv"
    table = (await download.path()).read_text("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(table), delimiter=";"))
    missed = sum(int(line["missed"]) for line in lines if line["partner_id"] == LATE)
    assert missed > 0
    await follow(row.get_by_role("link"))
    late = page.get_by_role("table", name="Aufträge, die zu spät waren")
    assert await late.get_by_role("row").count() == missed + 1
    await axe(page)
    await fits(page)
