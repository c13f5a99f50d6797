"""From the statement to the payment in the browser: the partner on a phone, accounting on its page."""

import csv
import io
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect
from sqlalchemy import update

from records.tables import settlements
from tests.portal.kept import kept_completed, kept_settlement
from tests.portal.portal import Device, Portal, axe, fits, follow, press
from tests.portal.test_settlements_journeys import fetched, issued, settled
from tests.support.needs import require
from tests.support.settlements import OCTOBER
from tests.web.firms import Firm, firm
from tests.web.site import API
from tests.web.test_money import OTHER, paper_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


def today() -> str:
    """The local day, as a field for a day has it."""
    return datetime.now(ZoneInfo("Europe/Zurich")).date().isoformat()


async def waiting(portal: Portal) -> tuple[Firm, str]:
    """A firm and the number of its settlement, which awaits the invoice."""
    one = await firm(portal.site)
    seen = await one.issued(await one.completed("129.00"))
    return one, seen["settlement_id"]


async def test_the_invoice_is_made_returned_made_again_and_paid(portal: Portal) -> None:
    require("pango")
    one = await firm(portal.site)
    await one.completed("129.00", "80.00")
    page = await portal.page("partner", device="phone", javascript=False, partner_id=one.partner_id)
    await page.goto("/settlements")
    number = await settled(page)
    await issued(portal, page)
    await fits(page)
    await expect(page.get_by_role("link", name="Entwurf ansehen (PDF)")).to_be_visible()
    await page.get_by_label("Ihre Rechnungsnummer").fill("–")
    await press(page, "Rechnung erstellen und einreichen")
    await expect(page.locator("#invoice_number-error")).to_contain_text("1 bis 35 Zeichen")
    await expect(page.get_by_label("Datum der Rechnung")).to_have_value(today())
    await page.get_by_label("Ihre Rechnungsnummer").fill("R-1 <b>")
    await press(page, "Rechnung erstellen und einreichen")
    await expect(page.get_by_role("status")).to_have_text(
        "Die Rechnung ist erstellt und bei der Buchhaltung."
    )
    await expect(page.get_by_text("die sie noch freigeben muss")).to_be_visible()
    await expect(page.get_by_role("definition").filter(has_text="R-1 <b>")).to_be_visible()
    await fits(page)

    office = await portal.page("accounting")
    await office.goto("/accounting")
    await axe(office)
    await follow(office.get_by_role("link", name=number))
    await axe(office)
    await office.locator("summary", has_text="Rechnung zurückweisen").click()
    await office.locator("#return_reason").fill("Die Adresse ist <i>falsch</i>.")
    await press(office, "Rechnung zurückweisen")
    await expect(office.get_by_role("status")).to_contain_text("zurückgewiesen")

    await page.reload()
    await expect(page.locator("#returned")).to_contain_text("Die Adresse ist <i>falsch</i>.")
    await fits(page)
    await page.get_by_label("Ihre Rechnungsnummer").fill("R-1 <b>")
    await press(page, "Rechnung erstellen und einreichen")
    await expect(page.locator("#wrong")).to_contain_text("hat die Buchhaltung zurückgewiesen")
    await page.get_by_label("Ihre Rechnungsnummer").fill("R-2")
    await press(page, "Rechnung erstellen und einreichen")
    await expect(page.get_by_role("definition").filter(has_text="R-2")).to_be_visible()

    await office.reload()
    await press(office, "Rechnung freigeben")
    await office.get_by_label("Bezahlt am").fill("2026-01-01")
    await office.get_by_label("Referenz der Zahlung").fill("2026-4711")
    await press(office, "Zahlung erfassen")
    await expect(office.locator("#paid_on-error")).to_contain_text(
        "nicht vor dem Verrechnungsbeleg"
    )
    await axe(office)
    await office.get_by_label("Bezahlt am").fill(today())
    await press(office, "Zahlung erfassen")
    await expect(office.get_by_role("status")).to_have_text("Die Zahlung ist erfasst.")

    await page.reload()
    day = datetime.fromisoformat(today())
    await expect(page.get_by_text(f"Die Rechnung wurde am {day:%d.%m.%Y} bezahlt.")).to_be_visible()
    await expect(page.get_by_role("definition").filter(has_text="2026-4711")).to_be_visible()
    await fits(page)


async def test_payments_are_imported(portal: Portal, tmp_path: Path) -> None:
    one, number = await waiting(portal)
    made = await one.post(
        number, "make-invoice", {"invoice_number": "R-1", "invoice_date": today()}
    )
    assert made.json()["accepted"], made.text
    office = await portal.page("accounting", device="phone")
    accounting = portal.site.accounting
    approved = await accounting.post(f"{API}/settlements/{number}/approve", json={})
    total = approved.json()["total"]
    await office.goto("/accounting")
    await fits(office)
    await press(office, "Importieren")
    await expect(office.locator("#file-error")).to_contain_text("Wählen Sie die Datei")
    file = tmp_path / "zahlungen.csv"
    file.write_text("settlement_id;amount\nV;1\n")
    await office.get_by_label("Datei (CSV)").set_input_files(file)
    await press(office, "Importieren")
    await expect(office.locator("#file-error")).to_contain_text("fehlt eine Spalte")
    file.write_text(
        "\ufeffsettlement_id;amount;paid_on\r\n"
        f"{number};{total};{today()}\r\n{number};1.00;{today()}\r\n<b>;1.00;{today()}\r\n",
        encoding="utf-8",
    )
    await office.get_by_label("Datei (CSV)").set_input_files(file)
    await press(office, "Importieren")
    await expect(office.get_by_role("status")).to_contain_text("1 Zahlung erfasst.")
    await expect(office.get_by_role("status")).to_contain_text("2 Zeilen sind zu prüfen.")
    await expect(office.get_by_text("Als bezahlt erfasst.")).to_be_visible()
    await expect(
        office.get_by_text(f"nicht das Total der Verrechnung, CHF {total}")
    ).to_be_visible()
    await expect(office.get_by_text("<b>", exact=True)).to_be_visible()
    await fits(office)
    await axe(office)
    seen = (await one.http.get(f"{API}/settlements/{number}")).json()
    assert (seen["status"], seen["paid_on"]) == ("paid", today())


async def test_the_tables_are_downloaded(portal: Portal) -> None:
    one = await firm(portal.site)
    number = await kept_settlement(portal.site, one.partner_id, issued=True)
    (unbilled,) = await kept_completed(portal.site, one.partner_id, "60.00")
    month = f"{OCTOBER}"
    office = await portal.page("accounting")
    await office.goto("/accounting")
    journal = await fetched(portal, office, f"/accounting/journal.csv?month={month}")
    assert journal.headers["Content-Disposition"] == f'attachment; filename="journal-{month}.csv"'
    text = journal.content.decode("utf-8-sig")
    assert number in {
        row["settlement_id"] for row in csv.DictReader(io.StringIO(text), delimiter=";")
    }
    accruals = await fetched(portal, office, f"/accounting/accruals.csv?day={today()}")
    assert unbilled in accruals.text
    for path in (
        "/accounting/journal.csv?month=x",
        "/accounting/accruals.csv?day=31.02.2026",
        "/accounting/accruals.csv?day=2199-01-01",
    ):
        assert (await fetched(portal, office, path)).status_code == 422


async def test_the_page_is_for_accounting_alone(portal: Portal) -> None:
    partner_id = (await firm(portal.site)).partner_id
    number = await kept_settlement(portal.site, partner_id, issued=True)
    for role in ("operations", "partner"):
        page = await portal.page(role, partner_id=partner_id)  # type: ignore[arg-type]
        for path in (
            "/accounting",
            "/accounting/journal.csv?month=2026-10",
            "/accounting/month?month=2026-10",
            "/accounting/papers.zip?month=2026-10",
            "/accounting/lines.csv?month=2026-10",
        ):
            assert (await fetched(portal, page, path)).status_code == 403, (role, path)
        await page.goto(f"/settlements/{number}")
        await expect(page.get_by_text("Für die Buchhaltung", exact=True)).to_have_count(0)


async def test_what_is_to_be_done_comes_first_and_a_month_adds_up(portal: Portal) -> None:
    held_by, held = await waiting(portal)
    seen = (await held_by.http.get(f"{API}/settlements/{held}")).json()
    uploaded = await held_by.upload(held, paper_of(seen, seen["total"], iban=OTHER))
    assert uploaded.json()["accounting_decides"], uploaded.text
    late = await kept_settlement(portal.site, (await firm(portal.site)).partner_id, issued=True)
    overdue = update(settlements).where(settlements.c.settlement_id == late)
    async with portal.site.app.state.database.writing() as connection:
        await connection.execute(overdue.values(invoice_due=datetime(2026, 1, 5, 17, tzinfo=UTC)))
    payer, to_pay = await waiting(portal)
    invoice = {"invoice_number": "R-9", "invoice_date": today()}
    await payer.post(to_pay, "make-invoice", invoice)
    devices: tuple[Device, ...] = ("desktop", "phone")
    for device in devices:
        office = await portal.page("accounting", device=device)
        await office.goto("/accounting")
        for heading, number in (
            ("Rechnungen zum Entscheiden", held),
            ("Rechnungen zum Freigeben", to_pay),
            ("Überfällige Rechnungen", late),
        ):
            section = office.get_by_role("region", name=re.compile(heading))
            await expect(section.get_by_role("link", name=number)).to_be_visible()
        held_list = office.get_by_role("region", name=re.compile("Überfällige Rechnungen"))
        await expect(held_list.get_by_role("link", name=held)).to_have_count(0)
        await fits(office)
    await axe(office)
    await portal.site.accounting.post(f"{API}/settlements/{to_pay}/approve", json={})
    month = seen["month"]
    for device in devices:
        office = await portal.page("accounting", device=device)
        await office.goto("/accounting")
        await follow(office.locator(f'a[href$="/accounting/month?month={month}"]'))
        partners = office.get_by_role("table", name="Nach Servicepartner")
        row = partners.get_by_role("row").filter(has_text=to_pay)
        await expect(row).to_contain_text("Zur Zahlung freigegeben")
        await expect(row).to_contain_text("129.00")
        decisions = office.get_by_role("table", name="Wer was entschieden hat")
        decided = decisions.get_by_role("row").filter(has_text=to_pay)
        await expect(decided).to_contain_text("Rechnung zur Zahlung freigegeben")
        await expect(decided).to_contain_text("(Buchhaltung)")
        await fits(office)
    await axe(office)
    archive = await fetched(portal, office, f"/accounting/papers.zip?month={month}")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        assert f"{held}/{held}-invoice.pdf" in files.namelist()
    lines = await fetched(portal, office, f"/accounting/lines.csv?month={month}")
    assert to_pay in lines.text
    for path in ("/accounting/month?month=x", "/accounting/papers.zip?month="):
        assert (await fetched(portal, office, path)).status_code == 422
