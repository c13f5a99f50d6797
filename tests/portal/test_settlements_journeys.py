"""A month is settled in the browser: as partner on a phone without JavaScript, as operations, as accounting."""

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Page, expect

import use_cases.settlement_papers
from contracts.activities import Snapshot
from domain.months import Month
from domain.settlements.commands import Close, TakeClaims
from domain.settlements.lines import LeftOut
from records.orders import Orders
from records.papers import Limit
from records.settlements import Settlements
from tests.invoices.papers import invoice, paper
from tests.portal.kept import kept_completed, kept_settlement
from tests.portal.portal import Portal, axe, fits, follow, press
from tests.portal.visitor import SAME, visitor
from tests.server.surroundings import eventually
from tests.support.builders import COMPLETED, lived
from tests.support.limits import WAIT_LIMIT
from tests.support.settlements import opening
from tests.support.settlements import settled as lived_settlement
from tests.web.firms import firm
from tests.web.site import API, NO_AUTHORITIES, Site
from tests.web.test_settlements import month
from use_cases.opening import open_month
from use_cases.settlements import PaperNotMade
from web.security import session_cookie

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def settled(page: Page) -> str:
    """Go from the list through the confirmation; the settlement's id."""
    await press(page, "Weiter zur Bestätigung")
    await press(page, "Verrechnung abschliessen")
    await page.wait_for_url(re.compile("/settlements/V"))
    return re.search("V[0-9]{6}-[A-Z0-9]{8}", page.url)[0]  # type: ignore[index]


async def issued(portal: Portal, page: Page) -> None:
    """Wait until the settlement of this page has its statement, and see it there."""
    number = urlsplit(page.url).path.rpartition("/")[2]

    async def there() -> bool:
        found = (await portal.site.accounting.get(f"{API}/settlements/{number}")).json()
        return found["status"] == "issued"

    await eventually(there)
    await page.reload()
    await expect(page.locator("main")).to_contain_text("Verrechnungsbeleg (PDF)")


async def fetched(portal: Portal, page: Page, path: str) -> httpx.Response:
    """A file, with the session of this browser."""
    cookies = {each["name"]: each["value"] for each in await page.context.cookies()}
    name = session_cookie(portal.site.app.state.settings)
    async with httpx.AsyncClient(
        base_url=portal.site.address, timeout=WAIT_LIMIT, verify=NO_AUTHORITIES
    ) as http:
        return await http.get(path, headers={"Cookie": f"{name}={cookies[name]}"})


async def months_end(site: Site, partner_id: str) -> None:
    """The partner's settlement of this month is opened, with all that it can bill."""
    around, now = site.around, datetime.now(UTC)
    partner = await around.partners.get(partner_id)
    assert partner is not None
    opened = await open_month(
        around.client,
        Settlements(around.database),
        partner,
        Month.parse(month()),
        now,
        policies=around.policies,
        vat_rates=around.settings.vat_percentages,
        display=around.settings.display,
    )
    assert opened is not None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "Rechnung <b>118.pdf"


async def test_a_month_is_settled_on_a_phone_without_javascript(portal: Portal, file: Path) -> None:
    one = await firm(portal.site)
    first, second, third = await one.completed("129.00", "99.95", "1000.00")
    page = await portal.page("partner", device="phone", javascript=False, partner_id=one.partner_id)
    await page.goto("/settlements")
    await fits(page)
    await expect(page.get_by_text("3 Aufträge ausgewählt")).to_be_visible()
    await page.get_by_label(third).uncheck()
    await press(page, "Neu rechnen")
    await expect(page.get_by_text("2 Aufträge ausgewählt")).to_be_visible()
    await expect(page.get_by_text("CHF 228.95")).to_be_visible()
    await press(page, "Weiter zur Bestätigung")
    await fits(page)
    await expect(page.get_by_text("Sie verrechnen 2 Aufträge für")).to_be_visible()
    await press(page, "Auswahl ändern")
    await expect(page.get_by_label(third)).not_to_be_checked()
    number = await settled(page)
    await issued(portal, page)
    await fits(page)
    await expect(page.get_by_text("Jetzt fehlt Ihre Rechnung.")).to_be_visible()
    await expect(page.get_by_role("definition").filter(has_text="CHF 247.49")).to_be_visible()

    await page.goto("/settlements")
    await expect(page.get_by_text("1 Auftrag wartet darauf: CHF 1’000.00")).to_be_visible()
    await page.goto(f"/settlements/{number}")
    await press(page, "Hochladen und prüfen")
    await expect(page.get_by_role("link", name="Wählen Sie die Rechnung")).to_be_visible()

    file.write_bytes(paper(invoice(number, [first, "SP-999"], "247.50")))
    await page.get_by_label("Rechnung (PDF)").set_input_files(file)
    await press(page, "Hochladen und prüfen")
    wrong = page.locator("#wrong")
    await expect(wrong.get_by_text("Rechnung <b>118.pdf")).to_be_visible()
    await expect(wrong.get_by_text(f"{second} fehlt auf der Rechnung.")).to_be_visible()
    await expect(wrong.get_by_text("SP-999 gehört nicht auf diese Rechnung.")).to_be_visible()
    await fits(page)

    draft = await fetched(portal, page, f"/settlements/{number}/draft-invoice.pdf")
    assert (draft.status_code, draft.content[:5]) == (200, b"%PDF-")
    file.write_bytes(paper(invoice(number, [first, second], "247.50")))
    await page.get_by_label("Rechnung (PDF)").set_input_files(file)
    await press(page, "Hochladen und prüfen")
    await expect(page.get_by_role("status")).to_have_text(
        "Die Rechnung stimmt und ist bei der Buchhaltung."
    )

    office = await portal.page("accounting")
    await office.goto(f"/settlements?q={one.partner_id}")
    await follow(office.get_by_role("link", name=number))
    await axe(office)
    await expect(office.get_by_role("link", name="Rechnung des Partners (PDF)")).to_be_visible()
    sent = await fetched(portal, office, f"/settlements/{number}/invoice.pdf")
    assert sent.content == file.read_bytes()
    assert sent.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in sent.headers["Content-Security-Policy"]
    assert sent.headers["X-Content-Type-Options"] == "nosniff"
    table = await fetched(portal, office, f"/settlements/{number}/statement.csv")
    assert first in table.text


async def test_operations_settle_for_a_partner_correct_and_take_it_back(portal: Portal) -> None:
    one = await firm(portal.site, liable=False)
    (sp_id,) = await one.completed("129.00")
    page = await portal.page("operations")
    await page.goto(f"/settlements?partner_id={one.partner_id}")
    await follow(page.get_by_role("link", name="Für diesen Partner verrechnen"))
    await axe(page)
    number = await settled(page)
    await issued(portal, page)
    await page.get_by_text("Korrektur erfassen").click()
    await page.get_by_label("SP-ID", exact=True).fill("SP-NIRGENDS")
    await page.get_by_label("Betrag in CHF").fill("-12,50")
    await page.get_by_label("Grund").first.fill("Anfahrt <script>doppelt</script>")
    await press(page, "Korrektur speichern")
    await expect(page.locator("#sp_id-error")).to_have_text(
        "Diesen Auftrag gibt es bei diesem Servicepartner nicht."
    )
    await expect(page.get_by_label("Betrag in CHF")).to_have_value("-12,50")
    await axe(page)
    await page.get_by_label("SP-ID", exact=True).fill(sp_id)
    await press(page, "Korrektur speichern")
    await expect(page.get_by_text("Anfahrt <script>doppelt</script>")).to_be_visible()
    await page.locator("summary", has_text="Verrechnung stornieren").click()
    await page.locator("#reason").fill("Falscher Monat")
    await press(page, "Verrechnung stornieren")
    await expect(page.get_by_role("status")).to_contain_text("storniert")
    await expect(page.get_by_text("Falscher Monat")).to_be_visible()

    partner = await portal.page("partner", partner_id=one.partner_id, dark=True)
    await partner.goto("/settlements")

    async def can_be_billed_again() -> bool:
        await partner.reload()
        return await partner.get_by_label(sp_id).count() == 1

    await eventually(can_be_billed_again)
    await axe(partner)
    assert await settled(partner) == number
    assert partner.url.endswith(f"{number}-2")
    await partner.goto(f"/settlements/{number}")
    await expect(partner.get_by_text("Diese Verrechnung gilt nicht.")).to_be_visible()
    await expect(partner.get_by_text("Korrektur erfassen")).to_have_count(0)
    await axe(partner)


async def test_the_total_runs_along_and_two_clicks_make_one_settlement(portal: Portal) -> None:
    one = await firm(portal.site)
    first, _ = await one.completed("129.00", "1100.50")
    page = await portal.page("partner", partner_id=one.partner_id)
    await page.goto("/settlements")
    await page.get_by_label(first).uncheck()
    await expect(page.locator("[data-net]")).to_have_text("CHF 1’100.50")
    await expect(page.locator("[data-count]")).to_have_text("1 Auftrag ausgewählt")
    await page.get_by_label(first).check()
    await expect(page.locator("[data-net]")).to_have_text("CHF 1’229.50")
    await axe(page)
    await press(page, "Weiter zur Bestätigung")
    await axe(page)
    again = await page.context.new_page()  # somebody else of the firm, at the same point
    await again.goto("/settlements")
    await press(again, "Weiter zur Bestätigung")
    await press(page, "Verrechnung abschliessen")
    await page.wait_for_url(re.compile("/settlements/V"))
    await press(again, "Verrechnung abschliessen")
    await again.wait_for_url(re.compile("/settlements/V"))
    assert again.url.split("?")[0] == page.url.split("?")[0]
    await expect(again.get_by_role("status")).to_contain_text("bereits verrechnet")


async def test_nothing_picked_is_said(portal: Portal) -> None:
    one = await firm(portal.site)
    await kept_completed(portal.site, one.partner_id, "129.00")
    page = await portal.page("partner", javascript=False, partner_id=one.partner_id)
    await page.goto("/settlements")
    await press(page, "Keine auswählen")
    await press(page, "Weiter zur Bestätigung")
    await expect(page.get_by_role("alert")).to_have_text("Wählen Sie mindestens einen Auftrag aus.")


async def test_somebody_elses_settlement_is_not_there(portal: Portal) -> None:
    one = await firm(portal.site)
    number = await kept_settlement(portal.site, one.partner_id)
    async with visitor(portal, "partner") as other:
        for path in ("", "/statement.pdf", "/statement.csv", "/draft-invoice.pdf", "/invoice.pdf"):
            answer = await other.get(f"/settlements/{number}{path}")
            assert answer.status_code == 404
        answer = await other.get("/settlements")
        assert answer.status_code == 200
        assert number not in answer.text


async def test_the_address_of_a_form_leads_back_to_its_page(portal: Portal) -> None:
    one = await firm(portal.site)
    number = await kept_settlement(portal.site, one.partner_id)
    async with visitor(portal, "partner", partner_id=one.partner_id) as partner:
        for form in ("selection", "invoice"):
            answer = await partner.get(f"/settlements/{number}/{form}")
            assert answer.headers["Location"] == f"/settlements/{number}"
        answer = await partner.get(f"/settlements/{number}")
        assert re.search("<h1[^>]*>[^<]*Verrechnung", answer.text)


async def test_who_picks_for_a_partner_comes_back_to_that_partner(portal: Portal) -> None:
    one = await firm(portal.site)
    await kept_completed(portal.site, one.partner_id, "129.00")
    page = await portal.page("operations")
    await page.goto(f"/staff/partners/{one.partner_id}")
    await follow(page.locator(".lead").get_by_role("link", name="Verrechnungen"))
    await follow(page.get_by_role("link", name="Für diesen Partner verrechnen"))
    here = f"/settlements/new?partner_id={one.partner_id}"
    for _ in range(2):
        back = page.locator("form.picking input[name=back]")
        await expect(back).to_have_value(here)
        await press(page, "Neu rechnen")


async def test_the_months_end_leaves_time_to_unpick(portal: Portal) -> None:
    one = await firm(portal.site)
    first, second = await one.completed("129.00", "99.95")
    await months_end(portal.site, one.partner_id)
    page = await portal.page("partner", device="phone", javascript=False, partner_id=one.partner_id)
    await page.goto("/settlements")
    await fits(page)
    await follow(page.locator("table a"))
    await fits(page)
    await expect(page.get_by_text("Ohne Ihr Zutun wird sie am")).to_be_visible()
    await page.get_by_label(first).uncheck()
    await press(page, "Auswahl speichern")
    await expect(page.get_by_role("status").first).to_have_text("Die Auswahl ist gespeichert.")
    await expect(page.get_by_label(first)).not_to_be_checked()
    await press(page, "Weiter zur Bestätigung")
    await expect(page.get_by_text("Sie verrechnen 1 Auftrag für")).to_be_visible()
    await press(page, "Verrechnung abschliessen")
    await issued(portal, page)
    await expect(page.get_by_role("rowheader", name=second)).to_be_visible()
    await expect(page.get_by_role("rowheader", name=first)).to_have_count(0)


async def test_many_orders_are_picked_and_shown_page_by_page(portal: Portal) -> None:
    one = await firm(portal.site)
    records = Orders(portal.site.around.database)
    sp_ids = [f"SP-MANY-{number:04}" for number in range(203)]
    for sp_id in sp_ids:
        order, events = lived(
            *COMPLETED, sp_id=sp_id, partner_id=one.partner_id, city="<b>Zürich</b>" * 4
        )
        await records.save(Snapshot(order=order, events=events))
    page = await portal.page("partner", javascript=False, partner_id=one.partner_id)
    await page.goto("/settlements")
    await expect(page.get_by_text("Seite 1 von 3")).to_be_visible()
    await page.get_by_label(sp_ids[7]).uncheck()
    await press(page, "Nächste Seite")
    await page.get_by_label(sp_ids[101]).uncheck()
    await press(page, "Nächste Seite")
    await expect(page.get_by_text("201 Aufträge ausgewählt")).to_be_visible()
    await press(page, "Weiter zur Bestätigung")
    await expect(page.get_by_text("2 Aufträge bleiben für den nächsten Monat")).to_be_visible()
    await press(page, "Auswahl ändern")
    await press(page, "Vorherige Seite")
    await expect(page.get_by_label(sp_ids[101])).not_to_be_checked()
    await expect(page.get_by_label(sp_ids[102])).to_be_checked()

    lines = await Settlements(portal.site.around.database).billable.lines(one.partner_id)
    billed = lived_settlement(
        opening(*(line.sp_id for line in lines), partner_id=one.partner_id),
        Close(),
        TakeClaims(refused=(LeftOut(sp_id=sp_ids[3], reason="cancelled"),), corrections=()),
    )
    await Settlements(portal.site.around.database).save(billed)
    await page.goto(f"/settlements/{billed.settlement.settlement_id}?part=3")
    await expect(page.get_by_text("Aufträge 201 bis 202 von 202")).to_be_visible()
    await expect(page.get_by_text("<b>Zürich</b>").first).to_be_visible()
    await expect(page.locator("[aria-labelledby=left-out]")).to_contain_text(sp_ids[3])
    await follow(page.get_by_role("link", name="Vorherige Seite"))
    await expect(page.get_by_role("rowheader")).to_have_count(100)


async def test_too_many_files_and_a_draft_that_cannot_be_made(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await firm(portal.site)
    number = await kept_settlement(portal.site, one.partner_id, issued=True)

    async def fails(*_: object) -> None:
        raise PaperNotMade(number)

    monkeypatch.setattr(use_cases.settlement_papers, "UPLOADS", Limit(files=0, size=0))
    monkeypatch.setattr(use_cases.settlement_papers.SettlementPapers, "draft", fails)
    for language, many, failed in (
        ("de", "so viele Dateien hochgeladen", "Der Entwurf konnte nicht erstellt werden."),
        ("fr", "Le nombre maximal de fichiers", "Le projet de facture n’a pas pu être établi."),
        ("it", "il numero massimo di file", "Non è stato possibile creare la bozza."),
        ("en", "As many files as possible", "The draft could not be made."),
    ):
        async with visitor(portal, "partner", language, one.partner_id) as partner:
            hidden = {"form_token": partner.http.cookies.get("cmi_form"), "request_id": "A" * 22}
            partner.page = await partner.http.post(
                f"/settlements/{number}/invoice",
                data=hidden,
                files={"invoice": ("r.pdf", paper(["x"]), "application/pdf")},
                headers=SAME,
            )
            assert partner.page.status_code == 409
            assert many in partner.text
            await partner.get(f"/settlements/{number}/draft-invoice.pdf")
            assert partner.page.status_code == 503
            assert failed in partner.text
            assert number in partner.text, "the page of the settlement, to go on from"
