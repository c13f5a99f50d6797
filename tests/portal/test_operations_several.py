"""Several orders at once, and views of the list: as operations use them, and by HTTP."""

import re
from email import message_from_bytes, policy

import pytest
from playwright.async_api import expect

from tests.portal.bad_day import LATE, bad_day
from tests.portal.portal import PARTNER, Portal, axe, fits, follow, press
from tests.portal.visitor import visitor
from tests.server.surroundings import eventually
from tests.support.builders import TRANSMITTED
from tests.web.begun import agreed_steps, begun

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER = "luzern-montage"
SUBJECT = "Bitte um Erledigung"


async def mails(portal: Portal, *words: str) -> list[str]:
    """The reminders by operations that were received and have all these words: subject and text."""

    async def there() -> list[str]:
        found = []
        for file in sorted(portal.site.around.inbox.directory.glob("*.eml")):
            mail = message_from_bytes(file.read_bytes(), policy=policy.default)
            body = mail.get_body(("plain",))
            assert body is not None
            text = f"{mail['To']}\n{mail['Subject']}\n{body.get_content()}"
            if SUBJECT in str(mail["Subject"]) and all(word in text for word in words):
                found.append(text)
        return found

    found: list[str] = await eventually(there)
    return found


async def test_several_are_cancelled(portal: Portal) -> None:
    """All of a page are ticked with one link, one is left out, and each answer is told."""
    site = portal.site
    sp_ids = [await begun(site, *TRANSMITTED, name=f"Absage {number}") for number in range(3)]
    page = await portal.page("operations", device="phone")
    await page.goto("/orders?q=Absage")
    await follow(page.get_by_role("link", name="Alle auf dieser Seite auswählen"))
    await page.get_by_label(f"{sp_ids[0]} auswählen").uncheck()
    await press(page, "Stornieren …")
    assert await page.get_by_role("checkbox").count() == 2
    await expect(page.locator(".ticks")).to_contain_text("Absage 1")
    await fits(page)
    await axe(page)
    # Meanwhile somebody else cancels one of them.
    await site.do(site.operations, sp_ids[2], "cancel", {"reason": "verzichtet"})
    await page.get_by_label("Grund").fill("Aktion beendet")
    await press(page, "Ausgewählte stornieren")
    box = page.get_by_role("status").first
    await expect(box).to_contain_text(f"1 Auftrag ist storniert: {sp_ids[1]}")
    await expect(box).to_contain_text(f"{sp_ids[2]}: Der Auftrag hat den Status «Storniert»")
    await follow(page.get_by_role("link", name="Zurück zur Liste"))
    assert "/orders?q=Absage" in page.url
    await site.reaches(sp_ids[0], "new")


async def test_nothing_is_cancelled_without_a_reason(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    async with visitor(portal, "operations") as one:
        await one.get(f"/several/cancel?sp_id={sp_id}&back=//evil.example")
        assert "evil" not in one.page.text  # type: ignore[union-attr]
        answer = await one.post("/several/cancel", {"sp_id": sp_id, "reason": " "})
        assert answer.status_code == 422
        assert 'id="move-reason-error"' in answer.text
    await portal.site.reaches(sp_id, "new")


async def test_one_mail_reminds_a_partner_of_its_orders(portal: Portal) -> None:
    """Sent twice it goes out once; an order comes again after an hour only; who has nothing to do is left alone."""
    site = portal.site
    sp_ids = [await begun(site, *TRANSMITTED, name=f"Mahnfall {number}") for number in range(2)]
    foreign = await begun(site, *TRANSMITTED, name="Mahnfall fremd", partner_id=OTHER)
    done = await begun(site, *agreed_steps(), name="Mahnfall fertig")
    async with visitor(portal, "operations") as one:
        ticked = {"sp_id": [*sp_ids, foreign, done, "SP-nobody"]}
        for _ in range(2):
            await one.post("/several/remind", ticked, request_id="R" * 22)
            assert f"An 3 Aufträge wird erinnert: {sp_ids[0]}" in one.text
            assert f"{done} : Im Moment wartet nichts" in one.text
            assert "SP-nobody : Diesen Auftrag gibt es nicht." in one.text
        # Somebody else asks for one of them again, a moment later.
        await one.post("/several/remind", {"sp_id": sp_ids[0]}, request_id="S" * 22)
        assert re.search(rf"{sp_ids[0]} : Dazu ging schon um \d\d:\d\d eine Erinnerung", one.text)
    (mail,) = await mails(portal, *sp_ids)
    assert "auftraege@elektro-huber.example" in mail
    assert "Bitte um Erledigung von 2 Aufträgen" in mail
    assert "Auftrag akzeptieren bis " in mail
    for stranger in (foreign, done, "Mahnfall"):
        assert stranger not in mail, "neither others' orders nor customers' names"
    assert len(await mails(portal, foreign)) == 1
    async with visitor(portal, "operations") as one:

        async def told() -> bool:
            await one.get(f"/orders/{sp_ids[1]}")
            return "Erinnerung vom Servicepartner-Team · Servicepartner" in one.text

        await eventually(told)


async def test_a_reminder_from_the_page_of_an_order(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    page = await portal.page("operations", device="phone", javascript=False)
    await page.goto(f"/orders/{sp_id}")
    await press(page, "Erinnerung senden")
    await expect(page.get_by_role("status").first).to_contain_text("An 1 Auftrag wird erinnert")
    await follow(page.get_by_role("link", name="Zurück zur Liste"))
    assert page.url.endswith(f"/orders/{sp_id}")
    (mail,) = await mails(portal, f"{sp_id}: {SUBJECT}: Auftrag akzeptieren")
    assert f"/orders/{sp_id}" in mail


@pytest.mark.parametrize("role", ["partner", "accounting"])
async def test_it_is_for_operations_alone(portal: Portal, role: str) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    async with visitor(portal, role) as one:  # type: ignore[arg-type]
        for what in ("reassign", "cancel", "remind"):
            assert (await one.get(f"/several/{what}?sp_id={sp_id}")).status_code == 403
            sent = {"sp_id": sp_id, "reason": "x", "partner_id": OTHER}
            assert (await one.post(f"/several/{what}", sent)).status_code == 403
        assert (await one.post("/views", {"name": "x", "query": "status=new"})).status_code == 403
        page = await one.get(f"/orders?q={sp_id[3:]}")
        for text in ("several/reassign", "several/cancel", "several/remind", "Ansicht speichern"):
            assert text not in page.text
    await portal.site.reaches(sp_id, "new")
    found = await portal.site.shown(sp_id)
    assert found["partner_id"] == PARTNER


async def test_late_orders_lead_to_the_list_with_ticks(portal: Portal) -> None:
    await bad_day(portal.site)
    page = await portal.page("operations", "it", device="phone", javascript=False)
    await page.goto(f"/staff/late?partner_id={LATE}")
    await follow(page.get_by_role("link", name="Elaborarne più di uno alla volta"))
    await expect(page.get_by_role("checkbox", name=re.compile("S-CHECK-0"))).to_have_count(1)
    await expect(page.get_by_role("checkbox", name=re.compile("S-GOODS-0"))).to_have_count(0)


# --- views ---------------------------------------------------------------------------------------------------------


async def test_filters_are_kept_as_a_view(portal: Portal) -> None:
    """By its own person, without what was searched, and gone when it is removed."""
    login = await portal.new_login("operations")
    page = await portal.page(login=login, device="phone", javascript=False)
    await page.goto("/orders?status=new&partner_id=elektro-huber&sort=oldest&q=Zbinden")
    await page.get_by_text("Ansichten speichern und löschen").click()
    await page.get_by_label("Name der Ansicht").fill('Neue <b>von</b> "Huber"')
    await press(page, "Ansicht speichern")
    kept = page.get_by_role("navigation", name="Gespeicherte Ansichten").get_by_role("link")
    assert await kept.inner_text() == 'Neue <b>von</b> "Huber"'
    assert await kept.get_attribute("aria-current") == "page"
    await fits(page)
    await page.goto("/orders")
    await follow(kept)
    assert page.url.endswith("/orders?status=new&partner_id=elektro-huber&sort=oldest")
    async with visitor(portal, "operations") as other:
        await other.get("/orders")
        assert "Huber&#34;" not in other.page.text  # type: ignore[union-attr]
    await page.get_by_text("Ansichten speichern und löschen").click()
    await follow(page.get_by_role("button", name=re.compile(r"^Löschen\s*: Neue")))
    await expect(kept).to_have_count(0)


async def test_views_of_one_name_of_none_and_of_too_many(portal: Portal) -> None:
    login = await portal.new_login("operations")
    views = portal.site.app.state.list_views
    page = await portal.page(login=login)
    await page.goto("/orders?status=new")
    for query, name in (("status=new", "Eins"), ("status=completed&q=Muster", "Eins"), ("", " ")):
        await page.evaluate(
            """async ([query, name]) => {
                const form = document.querySelector("[action$='/views']");
                const body = new URLSearchParams(new FormData(form));
                body.set("query", query);
                body.set("name", name);
                await fetch(form.action, {method: "POST", body});
            }""",
            [query, name],
        )
    assert [each[1:] for each in await views.of(login.user_id)] == [("Eins", "status=completed")]
    for number in range(40):
        await views.keep(login.user_id, f"Nummer {number}", "status=new")
    assert len(await views.of(login.user_id)) == 30
    await views.remove("usr_somebody_else", (await views.of(login.user_id))[0].view_id)
    assert len(await views.of(login.user_id)) == 30
