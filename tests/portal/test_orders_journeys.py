"""A partner's day in a browser, from the overview through the call and the appointment to the execution."""

import re
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

import words
from domain.values import LANGUAGES, Language
from tests.portal.kept import appointed, kept
from tests.portal.portal import PASSWORD, Device, Portal, axe, fits, follow, press, usual_day
from tests.support.builders import ACCEPTED, GOODS_THERE, TRANSMITTED
from tests.web.begun import agreed_steps, begun
from tests.web.firms import firm
from tests.web.site import Site, tomorrow
from web.security import session_cookie

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = (
    "<script>document.title='x'</script>&amp;\u202eesrever\u202c "
    + "Donaudampfschiffahrtsgesellschaft" * 4
)
GOODS = {"tracking": "99.00.1"}


async def look(page: Page) -> None:
    """At a page as people with and without eyes and large windows do."""
    await fits(page)
    await axe(page)


async def says(page: Page, text: str) -> None:
    await expect(page.get_by_role("status")).to_contain_text(text)


async def test_from_the_overview_to_the_execution(portal: Portal) -> None:
    site, one = portal.site, await firm(portal.site)
    sp_id = await site.new(name="Rosa Blanc", partner_id=one.partner_id)
    page = await portal.page("partner", partner_id=one.partner_id)
    await page.goto("/")
    await fits(page)
    await follow(page.get_by_role("button", name=f"Akzeptieren {sp_id}"))
    await says(page, "Auftrag akzeptiert. Als Nächstes rufen Sie die Kundschaft an.")
    call = page.get_by_role("link", name="Anrufen: +41 44 555 01 02")
    await expect(call).to_have_attribute("href", "tel:+41445550102")
    where = page.get_by_role("link", name="Langstrasse 12")
    await expect(where).to_have_attribute("rel", "noreferrer noopener")
    await fits(page)

    await page.get_by_label("Erreicht", exact=True).check()
    await page.locator("#contact").get_by_label("Bemerkung").fill("Kommt gern\nam Morgen")
    await press(page, "Kontaktversuch festhalten")
    await says(page, "Der Kontaktversuch ist festgehalten.")
    await expect(page.locator(".timeline")).to_contain_text("Kundschaft erreicht. «Kommt gern")

    await page.goto("/")
    await follow(page.get_by_role("link", name=f"Anforderungen prüfen {sp_id}"))
    for item in await page.locator("#requirements fieldset").all():
        await item.get_by_label("Ja").check()
    await press(page, "Anforderungen bestätigen")
    await says(page, "Anforderungen bestätigt.")
    await page.goto("/orders?status=requirements_met")
    await expect(page.get_by_role("link", name="Rosa Blanc")).to_be_visible()

    await site.do(site.warehouse, sp_id, "goods-shipped", GOODS)
    await site.reaches(sp_id, "set_appointment")
    await page.goto("/")
    await follow(page.get_by_role("link", name=f"Termin setzen {sp_id}"))
    await fits(page)
    day = usual_day().isoformat()
    await page.get_by_label("Datum").fill(day)
    await page.get_by_label("Beginn").fill("10:00")
    await page.get_by_label("Ende", exact=True).fill("09:00")
    await press(page, "Termin speichern")
    wrong = page.get_by_label("Ende", exact=True)
    await expect(wrong).to_have_attribute("aria-invalid", "true")
    await expect(wrong).to_have_value("09:00")
    await expect(page.get_by_label("Datum")).to_have_value(day)
    await look(page)
    await wrong.fill("12:00")
    await press(page, "Termin speichern")
    await says(page, "Der Kundentermin ist gespeichert.")

    async with page.expect_download() as download:
        await page.get_by_role("link", name="In den Kalender übernehmen").click()
    assert (await download.value).suggested_filename == f"{sp_id}.ics"
    await page.get_by_text("Termin verschieben", exact=True).click()
    await expect(page.get_by_label("Beginn")).to_have_value("10:00")
    await page.get_by_label("Beginn").fill("11:00")
    await page.get_by_label("Die Kundschaft", exact=True).check()
    await page.get_by_label("Grund für den neuen Termin").fill("Kundschaft ist erst dann da")
    await fits(page)
    await press(page, "Neuen Termin speichern")
    await expect(page.locator(".timeline")).to_contain_text(
        "Kundentermin auf Wunsch der Kundschaft verschoben auf"
    )

    await site.do(site.warehouse, sp_id, "goods-received")
    await site.has(sp_id, "goods_received")
    await page.goto("/")
    await follow(page.get_by_role("link", name=f"Ansehen {sp_id}"))
    await page.get_by_text("Schon ausgeführt?").click()
    await press(page, "Ja, früher ausgeführt")
    await says(page, "Ausführung bestätigt.")
    await look(page)
    await page.goto("/orders?status=completed")
    await expect(page.get_by_role("link", name="Rosa Blanc")).to_be_visible()
    await fits(page)


async def test_a_rejection_on_a_phone_without_javascript(portal: Portal) -> None:
    one = await firm(portal.site)
    sp_id = await begun(portal.site, *TRANSMITTED, partner_id=one.partner_id)
    page = await portal.page(
        "partner", "it", device="phone", javascript=False, partner_id=one.partner_id
    )
    await page.goto("/")
    await fits(page)
    await follow(page.get_by_role("button", name=f"Accettare {sp_id}"))
    await says(page, "Incarico accettato.")
    for item, answer in zip(
        await page.locator("#requirements fieldset").all(), ("No", "Sì", "Sì"), strict=True
    ):
        await item.get_by_label(answer, exact=True).check()
    await press(page, "Confermare i requisiti")
    await expect(page.get_by_role("alert")).to_contain_text("Ha risposto «No» a una domanda.")
    await fits(page)
    await press(page, words.action_label("reject_requirements", "it"))
    await says(page, "Segnalato.")
    await portal.site.reaches(sp_id, "under_review")
    await fits(page)


async def test_a_problem_on_a_phone_without_javascript(portal: Portal) -> None:
    sp_id = await begun(portal.site, *agreed_steps())
    button = words.action_label("report_problem", "fr")
    page = await portal.page("partner", "fr", device="phone", javascript=False)
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_text(button).first.click()
    form = page.locator("#problem")
    await form.get_by_label("Motif").select_option("other")
    await press(page, button)
    await expect(form.locator(".error").last).to_be_visible()
    await expect(form.get_by_label("Motif")).to_have_value("other")
    await form.get_by_label("Remarque").fill("Pas d’électricité")
    await press(page, button)
    await says(page, "Signalé.")
    await expect(page.locator(".timeline")).to_contain_text("Pas d’électricité")
    await fits(page)


async def test_several_orders_at_once(portal: Portal) -> None:
    site, one = portal.site, await firm(portal.site)
    sp_ids = [await begun(site, *TRANSMITTED, partner_id=one.partner_id) for _ in range(2)]
    page = await portal.page("partner", device="phone", partner_id=one.partner_id)
    await page.goto("/")
    await site.do(site.operations, sp_ids[1], "cancel", {"reason": "verzichtet"})
    for sp_id in sp_ids:
        await page.get_by_label(f"{sp_id} auswählen").check()
    await press(page, "Ausgewählte akzeptieren")
    await says(page, f"1 Auftrag ist akzeptiert: {sp_ids[0]}")
    await says(page, f"{sp_ids[1]}: Der Auftrag hat den Status «Storniert»")
    await look(page)
    await page.reload()
    await expect(page.get_by_role("link", name=f"Anforderungen prüfen {sp_ids[0]}")).to_be_visible()


async def test_two_people_on_one_order(portal: Portal) -> None:
    sp_id = await begun(portal.site, *ACCEPTED)
    one, other = await portal.page("partner"), await portal.page("operations")
    for page in (one, other):
        await page.goto(f"/orders/{sp_id}")
        if page is other:
            await page.get_by_text("Aktionen des Servicepartners zeigen").click()
        for item in await page.locator("#requirements fieldset").all():
            await item.get_by_label("Ja").check()
    await press(other, "Anforderungen bestätigen")
    await press(one, "Anforderungen bestätigen")
    alert = one.get_by_role("alert")
    await expect(alert).to_contain_text("im Status «Anforderungen erfüllt» nicht möglich")
    await expect(alert).to_contain_text("(Petra Operations (Servicepartner-Team) für Elektro")
    await look(one)


async def test_a_session_that_ran_out_in_the_middle_loses_nothing(portal: Portal) -> None:
    sp_id = await begun(portal.site, *ACCEPTED)
    login = await portal.login("partner")
    page = await portal.page("partner", javascript=False)
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_label("Nicht erreicht").check()
    await page.locator("#contact").get_by_label("Bemerkung").fill("Ruft morgen zurück")
    await page.context.clear_cookies(name=session_cookie(portal.site.app.state.settings))
    await press(page, "Kontaktversuch festhalten")
    await page.get_by_label("E-Mail-Adresse").fill(login.email)
    await page.get_by_label("Passwort", exact=True).fill(PASSWORD)
    await press(page, "Anmelden")
    await press(page, "Jetzt senden")
    await says(page, "Der Kontaktversuch ist festgehalten.")
    await expect(page.locator(".timeline")).to_contain_text("«Ruft morgen zurück»")


async def test_a_double_click_and_the_back_button_do_no_harm(portal: Portal) -> None:
    sp_id = await begun(portal.site, *ACCEPTED)
    page = await portal.page("partner", javascript=False)
    await page.goto(f"/orders/{sp_id}")
    await page.get_by_label("Nicht erreicht").check()
    await page.get_by_role("button", name="Kontaktversuch festhalten").dblclick()
    await says(page, "Der Kontaktversuch ist festgehalten.")
    await page.go_back()
    await page.get_by_label("Nicht erreicht").check()
    await press(page, "Kontaktversuch festhalten")
    await says(page, "Der Kontaktversuch ist festgehalten.")
    stored = await portal.site.around.orders.get(sp_id)
    assert stored is not None
    logged = [e for e in stored.events if e.event.type == "contact_logged"]
    assert 1 <= len(logged) <= 2  # two only if the browser loaded the page anew when it went back


async def test_hostile_text_is_text(portal: Portal) -> None:
    one = await firm(portal.site)  # of its own: its overview is as long as these texts
    sp_id = await begun(
        portal.site, *ACCEPTED, partner_id=one.partner_id, name=HOSTILE, street=HOSTILE, city="‮" + "Z" * 190,
        note=HOSTILE + "\n" + "W" * 1500, sku="A" * 200,
    )  # fmt: skip
    note = {"outcome": "reached", "note": "<img src=x onerror=alert(1)>" + "M" * 1500}
    await portal.site.do(one.http, sp_id, "contacts", note)
    devices: tuple[Device, ...] = ("desktop", "phone")
    for device in devices:
        page = await portal.page("partner", device=device, partner_id=one.partner_id)
        for path in ("/", "/orders?q=esrever", f"/orders/{sp_id}"):
            await page.goto(path)
            if path.startswith("/orders?"):
                await expect(page.locator(".job")).not_to_have_count(0)
            await expect(page).to_have_title(re.compile("CMI$"))
            assert await page.locator("main script, main img").count() == 0
            await fits(page)
    await axe(page)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paths(portal_site: Site) -> list[str]:
    """The pages of orders: the overview, lists, and an order in each state in which its partner has to do something."""
    site = portal_site
    lives = (TRANSMITTED, ACCEPTED, GOODS_THERE, agreed_steps())
    orders = [f"/orders/{await begun(site, *steps)}" for steps in lives]
    distant = datetime.fromisoformat(tomorrow(13, days=40))  # a date is longer than a weekday
    await kept(site, *appointed(distant, distant + timedelta(hours=2)))
    return ["/", "/orders", "/orders?q=nothing+like+it", *orders]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_in_every_language(
    portal: Portal, paths: list[str], language: Language
) -> None:
    # Colours and roles are the same in all languages; what differs is how long the words are.
    dark = language == "en"
    pages = [
        (await portal.page("partner", language, device="phone", dark=dark), look if dark else fits)
    ]
    if language == "de":
        pages.append((await portal.page("partner"), look))
    for page, check in pages:
        for path in paths:
            await page.goto(path)
            folds = "document.querySelectorAll('main details').forEach((each) => each.open = true)"
            await page.evaluate(folds)
            await check(page)
