"""Orders that do not go as planned, in a browser: problems, holds, declined orders, early execution, what is undone."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from domain.orders.commands import ConfirmExecution
from domain.orders.shipment import GoodsShipped
from tests.portal.kept import appointed, kept
from tests.portal.portal import PARTNER, Device, Portal, axe, fits, follow, press
from tests.portal.test_settlements_journeys import fetched
from tests.support.builders import (
    ACCEPTED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
)
from tests.web.begun import agreed_steps, begun
from tests.web.firms import firm
from tests.web.site import agreed, tomorrow

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER = "luzern-montage"


def day(days: int) -> date:
    """A day in Switzerland, this many days from today."""
    return (datetime.now(ZoneInfo("Europe/Zurich")) + timedelta(days=days)).date()


def next_sunday() -> date:
    """The Sunday after tomorrow at the earliest."""
    return next(d for d in (day(n) for n in range(2, 10)) if d.weekday() == 6)


async def look(page: Page) -> None:
    """At a page as people with and without eyes and large windows do."""
    await fits(page)
    await axe(page)


async def says(page: Page, text: str) -> None:
    await expect(page.get_by_role("status")).to_contain_text(text)


async def test_a_problem_a_hold_and_on_it_goes(portal: Portal) -> None:
    """The partner is on a phone, and operations are at a desk."""
    site, one = portal.site, await firm(portal.site)
    sp_id = await begun(site, *ACCEPTED, partner_id=one.partner_id)
    page = await portal.page("partner", device="phone", partner_id=one.partner_id)
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_text("Problem melden").first.click()
    form = page.locator("#problem")
    offered = await form.get_by_label("Grund").locator("option").all_inner_texts()
    assert "Kundschaft verschiebt" in offered
    assert "Kundschaft nicht erreichbar" not in offered  # nobody has called yet
    assert "Kundschaft nicht angetroffen" not in offered  # there is no appointment
    await expect(form).to_contain_text("erst nach 3 Kontaktversuchen an 2 Tagen")
    await form.get_by_label("Grund").select_option("customer_postpones")
    await form.get_by_label("Bemerkung").fill("Baut um")
    await press(page, "Problem melden")
    await expect(form).to_contain_text("Geben Sie an, bis wann.")
    await look(page)
    await form.get_by_label("Bis wann?").fill(day(20).isoformat())
    await press(page, "Problem melden")
    await says(page, "Das Servicepartner-Team entscheidet, wie es weitergeht.")
    await expect(page.locator("#report")).to_contain_text("Kundschaft verschiebt")
    await expect(page.locator("#report")).to_contain_text("Baut um")
    await fits(page)

    staff = await portal.page("operations")
    await staff.goto("/staff/reviews")
    row = staff.get_by_role("row").filter(has_text=sp_id)
    await expect(row).to_contain_text("Kundschaft verschiebt")
    await fits(staff)
    await follow(row.get_by_role("link", name="Entscheiden"))
    await staff.get_by_label("Zurückstellen bis zu einem Datum", exact=True).check()
    until = staff.get_by_label("Zurückstellen bis", exact=False).last
    await expect(until).to_have_value(day(20).isoformat())
    await look(staff)
    await press(staff, "Entscheid speichern")
    await says(staff, "Der Entscheid ist gespeichert.")

    await page.goto("/")
    held = page.locator("#on_hold")
    await expect(held).to_contain_text(f"Bis {day(20):%d.%m.%Y}")
    await fits(page)
    await page.goto(f"/orders/{sp_id}")
    await expect(page.locator(".now")).to_contain_text("geht dann von selbst weiter")
    await look(page)
    await press(page, "Auftrag fortsetzen")
    await says(page, "Der Auftrag geht weiter.")
    await site.reaches(sp_id, "check_requirements")


async def test_a_report_is_withdrawn(portal: Portal) -> None:
    site = portal.site
    sp_id = await begun(site, *ACCEPTED)
    await site.do(site.partner, sp_id, "problem", {"reason": "site_not_ready"})
    page = await portal.page("partner", device="phone", javascript=False)
    await page.goto(f"/orders/{sp_id}")
    await press(page, "Meldung zurückziehen")
    await says(page, "Die Meldung ist zurückgezogen.")
    await site.reaches(sp_id, "check_requirements")


async def test_declined_orders_go_to_another_partner(portal: Portal) -> None:
    """The partner has no JavaScript, and operations have."""
    site, one = portal.site, await firm(portal.site)
    sp_ids = [await begun(site, *TRANSMITTED, partner_id=one.partner_id) for _ in range(2)]
    page = await portal.page("partner", device="phone", javascript=False, partner_id=one.partner_id)
    for sp_id in sp_ids:
        await page.goto(f"/orders/{sp_id}")
        await page.get_by_text("Auftrag ablehnen").first.click()
        await fits(page)
        await page.get_by_label("Keine Kapazität").check()
        await press(page, "Auftrag ablehnen")
        await says(page, "Sie haben den Auftrag abgelehnt.")
    answer = await page.goto(f"/orders/{sp_ids[0]}")
    assert answer is not None
    assert answer.status == 404
    await page.goto("/orders?q=" + sp_ids[0])
    await expect(page.locator(".job")).to_have_count(0)

    staff = await portal.page("operations", device="phone")
    await staff.goto(f"/orders/{sp_ids[0]}")
    await expect(staff.locator(".card.partner")).to_contain_text("keiner; zuletzt")
    await expect(staff.locator(".now")).to_contain_text("Keine Kapazität")
    await look(staff)
    await staff.goto("/staff")
    await fits(staff)
    await staff.goto("/staff/unassigned")
    for sp_id in sp_ids:
        row = staff.get_by_role("row").filter(has_text=sp_id)
        await expect(row).to_contain_text("Keine Kapazität")
        await staff.get_by_label(f"{sp_id} auswählen").check()
    await look(staff)
    await site.do(site.operations, sp_ids[1], "cancel", {"reason": "verzichtet"})
    await staff.get_by_label("Neuer Servicepartner").select_option(OTHER)
    await staff.get_by_label("Grund", exact=True).fill("Hat Kapazität")
    await press(staff, "Ausgewählte neu zuteilen")
    await says(staff, f"1 Auftrag ist neu zugeteilt: {sp_ids[0]}")
    await says(staff, f"{sp_ids[1]}: Der Auftrag hat den Status «Storniert»")
    await fits(staff)
    new = await portal.page("partner", partner_id=OTHER)
    await new.goto(f"/orders/{sp_ids[0]}")
    await expect(new.get_by_role("button", name="Auftrag akzeptieren", exact=True)).to_be_visible()
    assert "Keine Kapazität" not in await new.locator("main").inner_text()


async def test_open_orders_of_a_partner_are_given_to_another(portal: Portal) -> None:
    site = portal.site
    opened = await begun(site, *TRANSMITTED, name="Umteilung eins")
    done = await kept(site, *COMPLETED, at=MONDAY, name="Umteilung zwei")
    page = await portal.page("operations")
    await page.goto("/orders?q=umteilung&partner_id=elektro-huber")
    await expect(page.get_by_label(f"{done} auswählen")).to_have_count(0)
    await page.get_by_label(f"{opened} auswählen").check()
    await look(page)
    await press(page, "Neu zuteilen …")
    await look(page)
    await page.get_by_label("Neuer Servicepartner").select_option(OTHER)
    await page.get_by_label("Grund", exact=True).fill("Ferien")
    await press(page, "Ausgewählte neu zuteilen")
    await says(page, f"1 Auftrag ist neu zugeteilt: {opened}")
    await follow(page.get_by_role("link", name="Zurück zur Liste"))
    assert "q=umteilung" in page.url
    await site.reaches(opened, "new")
    assert (await site.shown(opened))["partner_id"] == OTHER


async def test_what_is_rejected_is_cancelled_with_one_click(portal: Portal) -> None:
    site = portal.site
    sp_ids = [await begun(site, *ACCEPTED) for _ in range(2)]
    for sp_id in sp_ids:
        refused = {"met": False, "reason": "no_space", "note": "4 cm fehlen"}
        await site.do(site.partner, sp_id, "requirements", refused)
    page = await portal.page("operations", device="phone", javascript=False)
    await page.goto("/staff/reviews")
    row = page.get_by_role("row").filter(has_text=sp_ids[0])
    await expect(row).to_contain_text("4 cm fehlen")
    await fits(page)
    await follow(row.get_by_role("button", name="Stornieren"))
    await says(page, "Der Entscheid ist gespeichert.")
    await expect(page.get_by_role("row").filter(has_text=sp_ids[0])).to_have_count(0)
    await site.reaches(sp_ids[0], "cancelled")
    await page.goto(f"/orders/{sp_ids[1]}")
    await press(page, "Auftrag stornieren")
    await site.reaches(sp_ids[1], "cancelled")


async def test_another_partner_is_one_of_the_decisions(portal: Portal) -> None:
    site = portal.site
    sp_id = await begun(site, *ACCEPTED)
    await site.do(site.partner, sp_id, "problem", {"reason": "partner_unable"})
    page = await portal.page("operations")
    await page.goto(f"/orders/{sp_id}")
    review = page.locator("#review")
    await review.get_by_label("Anderem Servicepartner zuteilen").check()
    await press(page, "Entscheid speichern")
    await expect(review).to_contain_text("Bitte wählen Sie eine der Möglichkeiten.")
    await look(page)
    await review.get_by_label("Neuer Servicepartner").select_option(OTHER)
    await review.get_by_label("Bemerkung").fill("Der andere kann nicht")
    await press(page, "Entscheid speichern")
    await says(page, "Der Auftrag ist neu zugeteilt.")
    await site.reaches(sp_id, "new")
    assert (await site.shown(sp_id))["partner_id"] == OTHER


@pytest.mark.parametrize(("device", "javascript"), [("desktop", True), ("phone", False)])
async def test_an_unusual_appointment_is_confirmed_as_such(
    portal: Portal, device: Device, javascript: bool
) -> None:
    site = portal.site
    sp_id = await begun(site, *GOODS_THERE)
    page = await portal.page("partner", device=device, javascript=javascript)
    await page.goto(f"/orders/{sp_id}")
    # on a phone the free fields are behind these
    await page.get_by_text("Anderer Tag", exact=True).click()
    await page.get_by_text("Andere Zeit", exact=True).click()
    await page.get_by_label("Datum").fill(next_sunday().isoformat())
    await page.get_by_label("Beginn").fill("10:00")
    await page.get_by_label("Ende", exact=True).fill("12:00")
    unusual = page.get_by_label("Der Termin ist so vereinbart")
    # with JavaScript the page asks the server while somebody types
    await expect(unusual).to_have_count(1 if javascript else 0)
    await press(page, "Termin speichern")
    await expect(page.locator("#appointment")).to_contain_text("auf einem Sonntag oder Feiertag")
    await (look if javascript else fits)(page)
    await unusual.check()
    await press(page, "Termin speichern")
    await says(page, "Der Kundentermin ist gespeichert.")
    await expect(page.locator(".now")).to_contain_text("ausserhalb der üblichen Zeiten")
    await page.get_by_text("Termin verschieben", exact=True).click()
    await page.get_by_label("Beginn").fill("11:00")
    await page.get_by_label("Die Kundschaft", exact=True).check()
    await page.get_by_label("Grund für den neuen Termin").fill("Schläft aus")
    await press(page, "Neuen Termin speichern")
    await page.get_by_label("Der Termin ist so vereinbart").check()
    await press(page, "Neuen Termin speichern")
    await says(page, "Der Kundentermin ist gespeichert.")
    found = await site.around.orders.get(sp_id)
    assert found is not None
    moved = found.events[-1].event
    assert moved.type == "appointment_moved"
    assert (moved.moved_by, moved.unusual) == ("customer", True)


async def test_executed_early_and_taken_back(portal: Portal) -> None:
    site = portal.site
    sp_id = await begun(site, *REQUIREMENTS_MET, GoodsShipped(tracking="99.00.1"))
    await site.do(site.partner, sp_id, "appointment", agreed(3))
    page = await portal.page("partner", device="phone")
    await page.goto("/")
    await expect(page.get_by_role("link", name=f"Bestätigen {sp_id}")).to_have_count(0)
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_text("Erhalt der Ware melden").first.click()
    await look(page)
    await press(page, "Erhalt der Ware melden")
    await says(page, "Der Erhalt der Ware ist gemeldet.")
    await expect(page.get_by_role("button", name="Ausführung bestätigen")).to_have_count(0)
    await page.get_by_text("Schon ausgeführt?").click()
    await expect(page.locator("#execution")).to_contain_text("wirklich früher ausgeführt?")
    await fits(page)
    await press(page, "Ja, früher ausgeführt")
    await says(page, "Ausführung bestätigt.")
    await expect(page.locator(".known")).to_contain_text("(vor dem Termin)")
    await fits(page)
    await press(page, "Bestätigung zurücknehmen")
    await says(page, "Die Bestätigung ist zurückgenommen.")
    await site.reaches(sp_id, "confirm_execution")


async def test_damaged_goods_are_reviewed(portal: Portal) -> None:
    site = portal.site
    sp_id = await begun(site, *REQUIREMENTS_MET)
    page = await portal.page("partner")
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_text("Erhalt der Ware melden").first.click()
    await page.get_by_label("Eingetroffen am").fill("2020-01-01")
    await press(page, "Erhalt der Ware melden")
    await expect(page.locator("#receipt")).to_contain_text("weder vor der Bestellung")
    await page.get_by_label("Eingetroffen am").fill(day(0).isoformat())
    await page.get_by_label("Die Ware ist beschädigt").check()
    await press(page, "Erhalt der Ware melden")
    await says(page, "Der Erhalt der Ware ist gemeldet.")
    await expect(page.locator("#report")).to_contain_text("Ware bei Erhalt beschädigt")
    await site.reaches(sp_id, "under_review")


async def test_operations_take_a_completion_back(portal: Portal) -> None:
    site = portal.site
    sp_id = await begun(site, *agreed_steps(), ConfirmExecution(early=True))
    page = await portal.page("operations")
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_text("Abschluss zurücknehmen").first.click()
    await look(page)
    await page.locator("#reopen").get_by_label("Grund").fill("Verwechselt")
    await press(page, "Abschluss zurücknehmen")
    await says(page, "Der Abschluss ist zurückgenommen.")
    await site.reaches(sp_id, "confirm_execution")


async def test_orders_of_one_sales_order_are_together(portal: Portal) -> None:
    site = portal.site
    sales_order = f"S{tomorrow()[:10]}together"
    sp_id = await begun(site, *TRANSMITTED, sales_order_id=sales_order)
    other, foreign = [
        await kept(site, *TRANSMITTED, sales_order_id=sales_order, partner_id=partner_id)
        for partner_id in (PARTNER, OTHER)
    ]
    page = await portal.page("partner")
    await page.goto(f"/orders/{sp_id}")
    listed = page.locator(".siblings")
    await expect(listed).to_contain_text(other)
    assert foreign not in await listed.inner_text()
    await look(page)
    staff = await portal.page("operations")
    await staff.goto(f"/orders/{sp_id}")
    await expect(staff.locator(".siblings")).to_contain_text(foreign)


async def test_another_appointment_at_the_same_time_is_shown(portal: Portal) -> None:
    site = portal.site
    # Not the 40th day, on which an order of test_orders_journeys.py has its appointment.
    start = datetime.fromisoformat(tomorrow(13, 41))
    other = await kept(site, *appointed(start, start + timedelta(hours=2)))
    sp_id = await begun(site, *GOODS_THERE)
    page = await portal.page("partner")
    await page.goto(f"/orders/{sp_id}")
    for label, text in (
        ("Datum", start.date().isoformat()),
        ("Beginn", "14:00"),
        ("Ende", "16:00"),
    ):
        await page.get_by_label(label, exact=True).fill(text)
    await press(page, "Termin speichern")
    if await page.get_by_label("Der Termin ist so vereinbart").count():  # a Sunday or a holiday
        await page.get_by_label("Der Termin ist so vereinbart").check()
        await press(page, "Termin speichern")
    await says(page, "Der Kundentermin ist gespeichert.")
    await expect(page.locator(".attention")).to_contain_text("Zur selben Zeit ist ein anderer")
    await expect(page.locator(".attention")).to_contain_text(other)
    await look(page)


async def test_the_list_is_sorted_and_downloaded_as_it_is_filtered(portal: Portal) -> None:
    site = portal.site
    yesterday = datetime.now(UTC) - timedelta(days=1)
    first = await kept(site, *TRANSMITTED, name="=Tabelle eins", at=yesterday)
    second = await kept(
        site, *TRANSMITTED, name="Tabelle zwei", at=yesterday + timedelta(minutes=1)
    )
    foreign = await kept(site, *TRANSMITTED, name="Tabelle drei", partner_id=OTHER)
    page = await portal.page("operations", device="phone")
    await page.goto("/orders?q=tabelle&partner_id=elektro-huber&sort=oldest")
    await expect(page.locator(".job")).to_have_count(2)
    await expect(page.locator(".job").first).to_contain_text(first)
    await expect(page.locator(".job").first).to_contain_text("seit 1 Tag")
    await fits(page)
    await page.goto("/orders?q=tabelle&partner_id=elektro-huber&sort=newest")
    await expect(page.locator(".job").first).to_contain_text(second)
    address = await page.get_by_role("link", name="Liste herunterladen (CSV)").get_attribute("href")
    assert address is not None
    table = await fetched(portal, page, address)
    text = table.content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert [row["sp_id"] for row in rows] == [second, first]
    assert rows[1]["customer"] == "'=Tabelle eins", "no formula"
    assert (rows[0]["partner_id"], rows[0]["age_days"]) == ("elektro-huber", "1")
    partner = await portal.page("partner", partner_id=OTHER)
    own = await fetched(portal, partner, "/orders.csv?q=tabelle&partner_id=elektro-huber")
    assert first not in own.text, "a partner has its own orders only"
    assert foreign in own.text
