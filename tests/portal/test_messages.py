"""Messages on the pages: a question on a phone, its answer, notes that partners never see, what waits for an answer."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect
from sqlalchemy import update

from records.tables import order_messages
from tests.portal.kept import kept
from tests.portal.portal import PARTNER, Portal, axe, fits, press
from tests.portal.visitor import Visitor, visitor
from tests.support.builders import TRANSMITTED
from tests.web.begun import begun
from tests.web.site import API

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "Kulanz-Geheimnis"


async def picture(page: object, name: str) -> None:
    """A screenshot for people to look at, where a folder for it is named."""
    if folder := os.environ.get("PORTAL_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)  # type: ignore[attr-defined]


async def test_a_question_from_the_phone_and_its_answer(portal: Portal) -> None:
    """No script has a part in it; those who send the forms of the tests below by HTTP have none."""
    sp_id = await begun(portal.site, *TRANSMITTED, name="Fragende Kundin")
    phone = await portal.page("partner", device="phone")
    await phone.goto(f"/orders/{sp_id}")
    box = phone.get_by_label("Nachricht an das Servicepartner-Team")
    await box.fill("Ist der Lift breit genug?\nEr misst 60 cm.")
    await press(phone, "Nachricht senden")
    await expect(phone.get_by_role("status")).to_contain_text("Die Nachricht ist gesendet.")
    thread = phone.locator("#messages .thread li")
    await expect(thread).to_have_count(1)
    await expect(thread).to_contain_text("Er misst 60 cm.")
    await fits(phone)

    desk = await portal.page("operations")
    await desk.goto("/staff")
    row = desk.locator("tr").filter(has_text=sp_id).filter(has_text="Lift")
    await expect(row).to_contain_text("Elektro Huber AG")
    await fits(desk)
    await row.get_by_role("link", name=sp_id).click()
    await expect(desk.locator("#messages .pill")).to_have_text("neu")
    await expect(desk.locator("#messages .waits")).to_contain_text("Antwort:")
    await desk.get_by_role("textbox", name="Interne Notiz").fill(f"{SECRET}: 50 Franken")
    await press(desk, "Notiz speichern")
    await expect(desk.locator("#notes .thread")).to_contain_text(SECRET)
    await expect(desk.locator("#messages .waits")).to_be_visible()
    await desk.get_by_label("Nachricht an Elektro Huber AG").fill("Ja, er misst 65 cm.")
    await press(desk, "Nachricht senden")
    await expect(desk.locator("#messages .waits")).to_have_count(0)
    await axe(desk)
    await picture(desk, "messages-desk")
    await desk.goto("/staff")
    await expect(desk.locator("tr").filter(has_text=sp_id).filter(has_text="Lift")).to_have_count(0)

    await phone.goto("/")
    await fits(phone)
    news = phone.locator("#news .job").filter(has_text=sp_id)
    await expect(news).to_contain_text("1 neue Nachricht")
    await axe(phone)
    await picture(phone, "messages-overview")
    await phone.goto(f"/orders?q={sp_id[:-1]}")
    await expect(phone.locator(".job").filter(has_text=sp_id)).to_contain_text("1 neue Nachricht")
    await phone.goto("/")
    await news.get_by_role("link", name=f"1 neue Nachricht {sp_id}").click()
    await expect(thread).to_have_count(2)
    await expect(thread.nth(1)).to_contain_text("Ja, er misst 65 cm.")
    await expect(thread.nth(1).locator(".pill")).to_have_text("neu")
    assert SECRET not in await phone.content()
    await fits(phone)
    await axe(phone)
    await picture(phone, "messages-phone")
    await phone.goto("/")
    await expect(news).to_have_count(0)


@pytest.mark.parametrize("language", ["de", "fr", "it", "en"])
async def test_the_section_is_there_in_each_language(portal: Portal, language: str) -> None:
    sp_id = await kept(portal.site, *TRANSMITTED)
    await portal.site.post(portal.site.partner, sp_id, "messages", {"text": "Frage?"})
    page = await portal.page("operations", language, device="phone")  # type: ignore[arg-type]
    await page.goto("/staff")
    await fits(page)
    await page.goto(f"/orders/{sp_id}")
    await fits(page)
    await expect(page.locator("#messages textarea")).to_have_count(2)


async def test_errors_name_the_field_and_keep_the_text(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    async with visitor(portal, "partner") as partner, visitor(portal, "operations") as staff:
        await partner.get(f"/orders/{sp_id}")
        answer = await partner.post(f"/orders/{sp_id}/messages", {"message.text": "  "})
        assert answer.status_code == 422
        assert "Bitte schreiben Sie einen Text." in partner.text
        answer = await partner.post(f"/orders/{sp_id}/messages", {"message.text": "ä" * 2001})
        assert answer.status_code == 422
        assert "höchstens 2000 Zeichen" in partner.text
        assert (await partner.post(f"/orders/{sp_id}/notes", {"note.text": "x"})).status_code == 403
        other = {"partner_id": "luzern-montage", "reason": "Näher"}
        await portal.site.do(portal.site.operations, sp_id, "reassign", other)
        await staff.get(f"/orders/{sp_id}")
        form = {"message.text": "An Huber", "message.partner_id": "elektro-huber"}
        answer = await staff.post(f"/orders/{sp_id}/messages", form)
        assert answer.status_code == 409
        assert "Inzwischen hat ein anderer Servicepartner den Auftrag." in staff.text
        assert "An Huber" in staff.text, "what was typed is not lost"
        answer = await partner.post(f"/orders/{sp_id}/messages", {"message.text": "Noch da?"})
        assert answer.status_code == 404


async def test_the_same_form_twice_is_one_message(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    async with visitor(portal, "partner") as partner:
        await partner.get(f"/orders/{sp_id}")
        form = {"message.text": "Doppelt getippt", "request_id": "A" * 22}
        for _ in range(2):
            answer = await partner.post(f"/orders/{sp_id}/messages", form)
            assert answer.status_code == 303
        await partner.get(f"/orders/{sp_id}")
        assert partner.text.count("Doppelt getippt") == 1


async def test_what_needs_no_answer_waits_no_longer(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    await portal.site.post(portal.site.partner, sp_id, "messages", {"text": "Besten Dank!"})
    async with visitor(portal, "operations") as staff, visitor(portal, "accounting") as accounting:
        await staff.get("/staff/questions")
        assert sp_id in staff.text
        await staff.get(f"/orders/{sp_id}")
        message_id = staff.value("message_id")
        answer = await staff.post(f"/orders/{sp_id}/no-answer", {"message_id": message_id})
        assert answer.status_code == 303
        await staff.get("/staff/questions")
        assert sp_id not in staff.text
        answer = await staff.post(f"/orders/{sp_id}/no-answer", {"message_id": "msg_0"})
        assert answer.status_code == 422
        await accounting.get(f"/orders/{sp_id}")
        assert "Besten Dank!" not in accounting.text
        assert (
            await portal.site.accounting.get(f"{API}/orders/{sp_id}/messages")
        ).status_code == 403


async def test_an_overdue_answer_is_marked_in_the_list_and_on_the_order(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED, name="Wartende Kundin")
    await portal.site.post(portal.site.partner, sp_id, "messages", {"text": "Lift?"})
    mark = "Antwort überfällig"
    pages = (f"/orders?partner_id={PARTNER}&q=Wartende", f"/orders/{sp_id}")
    async with visitor(portal, "operations") as staff, visitor(portal, "partner") as partner:

        async def marked(who: Visitor) -> list[bool]:
            return [mark in (await who.get(page)).text for page in pages]

        assert await marked(staff) == [False, False]
        late = update(order_messages).where(order_messages.c.sp_id == sp_id)
        late = late.values(due=datetime.now(UTC) - timedelta(minutes=1))
        write = portal.site.app.state.database.write
        await write(lambda connection: connection.execute(late))
        assert await marked(staff) == [True, True]
        assert await marked(partner) == [False, False]
        await portal.site.post(portal.site.operations, sp_id, "messages", {"text": "Ja."})
        assert await marked(staff) == [False, False]
        await portal.site.post(portal.site.partner, sp_id, "messages", {"text": "Sicher?"})
        await write(lambda connection: connection.execute(late))
        assert await marked(staff) == [True, True]
        declined = {"reason": "no_capacity", "note": ""}  # a former partner waits for no answer
        await portal.site.do(portal.site.partner, sp_id, "decline", declined)
        await portal.site.reaches(sp_id, "unassigned")
        assert await marked(staff) == [False, False]


async def test_a_long_thread_begins_with_its_last_messages(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.portal.orders.messages.SHOWN", 2)
    sp_id = await begun(portal.site, *TRANSMITTED)
    for n in range(5):
        await portal.site.post(portal.site.partner, sp_id, "messages", {"text": f"Nummer {n}."})
    async with visitor(portal, "partner") as partner:
        await partner.get(f"/orders/{sp_id}")
        assert "3 frühere Nachrichten anzeigen" in partner.text
        assert "Nummer 2." not in partner.text
        assert "Nummer 3." in partner.text
        await partner.get(f"/orders/{sp_id}?messages=all")
        assert "Nummer 2." in partner.text
