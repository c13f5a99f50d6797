"""A partner's day with few taps: the call and its outcome, a reminder, an appointment, the overview, keys."""

import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from domain.orders.order import Status
from records.worklist import Job, Section
from tests.portal.kept import kept
from tests.portal.portal import Portal, axe, fits, follow
from tests.portal.visitor import visitor
from tests.support.builders import ACCEPTED, GOODS_THERE, TRANSMITTED, placement
from tests.web.begun import begun
from tests.web.firms import firm
from web.portal.orders.overview import grouped

pytestmark = pytest.mark.asyncio(loop_scope="session")


LINES = """() => [...document.querySelectorAll(".job")].map((job) => {
  const boxes = [...job.querySelectorAll(".who > *, .what, .due")].map((each) => each.getBoundingClientRect());
  const middles = boxes.filter((box) => box.height).map((box) => (box.top + box.bottom) / 2);
  return middles.sort((one, other) => one - other).filter((at, n, all) => !n || at - all[n - 1] > 8).length;
})"""
"""In how many lines each order of a list says who, where, what and by when."""


class Taps:
    """Taps on a page, counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.number = 0

    async def on(self, selector: str) -> None:
        """Tap on something."""
        self.number += 1
        await self.page.locator(selector).tap()

    async def to(self, selector: str) -> None:
        """Tap on something that leads to a page."""
        async with self.page.expect_event("load"):
            await self.on(selector)


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_appointment_takes_four_taps(portal: Portal, javascript: bool) -> None:
    sp_id = await begun(portal.site, *GOODS_THERE, name="Vier Tipper")
    page = await portal.page("partner", device="phone", javascript=javascript)
    await page.goto("/")
    await fits(page)
    taps = Taps(page)
    await taps.to(f"a[href='/orders/{sp_id}#appointment']")
    await fits(page)
    await expect(page.get_by_label("Datum")).to_be_hidden()
    await taps.on("#appointment .chip:has([name='appointment.day_chip']) >> nth=1")
    await taps.on("#appointment .chip:has([value='10:00-12:00'])")
    if javascript:
        await axe(page)
    if folder := os.environ.get("PORTAL_PICTURES"):
        await page.screenshot(path=f"{folder}/appointment{javascript}.png")
    await taps.to("#appointment button[type=submit]")
    await expect(page.get_by_role("status")).to_contain_text("Der Kundentermin ist gespeichert.")
    await expect(page.locator(".date")).to_contain_text("10:00")
    assert taps.number == 4


async def test_clashes_and_unusual_hours_are_said_at_once(portal: Portal) -> None:
    first, second = [await begun(portal.site, *GOODS_THERE) for _ in range(2)]
    page = await portal.page("partner")
    for sp_id in (first, second):
        await page.goto(f"/orders/{sp_id}#appointment")
        await page.locator("#appointment .chip:has([name='appointment.day_chip']) >> nth=2").click()
        await page.locator("#appointment .chip:has([value='13:00-15:00'])").click()
        if sp_id == first:
            await follow(page.locator("#appointment button[type=submit]"))
    against = page.locator("[data-against]")
    await expect(against).to_contain_text(f"Zur selben Zeit: 8004 Zürich, 13:00–15:00 ({first})")
    await page.get_by_label("Beginn").fill("22:00")
    await page.get_by_label("Ende", exact=True).fill("23:00")
    await page.get_by_label("Ende", exact=True).press("Tab")
    await page.get_by_label("Der Termin ist so vereinbart").check()
    await follow(page.locator("#appointment button[type=submit]"))
    await expect(page.locator(".date")).to_contain_text("22:00")


async def test_a_call_in_vain_takes_one_tap_and_reminds_its_caller(portal: Portal) -> None:
    sp_id = await begun(portal.site, *ACCEPTED, name="Nie Daheim")
    page = await portal.page("partner", device="phone")
    await page.goto(f"/orders/{sp_id}")
    bar = page.locator(".reach")
    await expect(bar.get_by_text("1. Versuch")).to_be_in_viewport()
    await page.mouse.wheel(0, 5000)
    await expect(bar.get_by_role("button", name="Nicht erreicht")).to_be_in_viewport()
    await follow(bar.get_by_role("button", name="Nicht erreicht"))
    await expect(bar).to_contain_text("2. Versuch")
    await fits(page)
    await axe(page)
    await follow(page.locator(".again button").first)
    await expect(page.locator(".again")).to_contain_text("Ihre Erinnerung")
    await follow(bar.get_by_role("button", name="Erreicht", exact=True))
    await expect(page.locator(".again")).to_have_count(0)


async def test_a_reminder_is_its_persons_own(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    async with visitor(portal, "partner") as one, visitor(portal, "partner", "fr") as other:
        await one.post(f"/orders/{sp_id}/reminder", {"reminder.at": "2020-01-01T10:00"})
        state = portal.site.app.state
        login = await portal.login("partner")
        assert await state.reminders.get(login.user_id, sp_id) is None
        answer = await one.post(f"/orders/{sp_id}/reminder", {"reminder.at": "gestern"})
        assert answer.headers["location"].endswith("said=reminder-wrong#main")
        await other.post("/orders/SP-0000000/reminder", {"reminder.at": "clear"})
        assert other.page is not None
        assert other.page.status_code == 404


async def test_keys_lead_through_lists_and_to_the_search(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED, name="Tasten Taster")
    page = await portal.page("partner")
    await page.goto("/orders")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await axe(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await page.keyboard.type(sp_id)
    async with page.expect_event("load"):
        await page.keyboard.press("Enter")
    await page.goto("/orders?q=Tasten")
    await page.keyboard.press("j")
    async with page.expect_event("load"):
        await page.keyboard.press("Enter")
    assert page.url.endswith(f"/orders/{sp_id}")


async def test_after_an_error_the_focus_is_in_the_field_that_it_names(portal: Portal) -> None:
    sp_id = await begun(portal.site, *GOODS_THERE)
    page = await portal.page("partner")
    await page.goto(f"/orders/{sp_id}")
    await follow(page.locator("#appointment button[type=submit]"))
    await expect(page.get_by_role("alert")).to_contain_text("Datum: ")
    await expect(page.get_by_label("Datum")).to_be_focused()


async def test_thirty_orders_are_five_screens_of_a_phone(portal: Portal) -> None:
    fresh = await firm(portal.site)
    for number in range(30):
        steps = ACCEPTED if number % 3 else TRANSMITTED
        name = f"Kundin Nummer {number}"
        await kept(portal.site, *steps, partner_id=fresh.partner_id, name=name)
    page = await portal.page("partner", device="phone", partner_id=fresh.partner_id, own=True)
    await page.set_viewport_size({"width": 390, "height": 844})
    for path, shown in (("/", 30), ("/orders", 25)):
        await page.goto(path)
        await fits(page)
        assert await page.locator(".job").count() == shown
        assert await page.evaluate("document.documentElement.scrollHeight") <= 5 * 844
        assert await page.evaluate(LINES) == [2] * shown
    staff = await portal.page("operations", device="phone")
    await staff.goto(f"/orders?partner_id={fresh.partner_id}")
    await fits(staff)
    await axe(staff)
    assert max(await staff.evaluate(LINES)) <= 4, "those of operations have SP-ID and partner, too"
    for job in await staff.locator(".job").all():
        number, service = job.locator(".sp"), job.locator(".who + .what > bdi")
        await expect(number).to_have_text(re.compile("^SP-"))
        for part in (number, service):
            box = await part.bounding_box()
            assert box is not None
            assert 0 < box["x"] < box["x"] + box["width"] < 360
    await page.goto("/")
    if folder := os.environ.get("PORTAL_PICTURES"):
        await staff.screenshot(path=f"{folder}/staff.png", full_page=True)
        await page.screenshot(path=f"{folder}/phone.png")
        await page.set_viewport_size({"width": 1280, "height": 900})
        await page.screenshot(path=f"{folder}/desk.png")


async def test_the_overview_says_that_there_is_news(portal: Portal) -> None:
    fresh = await firm(portal.site)
    await begun(portal.site, *TRANSMITTED, partner_id=fresh.partner_id)
    page = await portal.page("partner", partner_id=fresh.partner_id)
    await page.goto("/")
    await page.get_by_role("link", name="Aktualisieren").focus()
    await expect(page.locator("[data-news]")).to_be_hidden()
    await begun(portal.site, *TRANSMITTED, partner_id=fresh.partner_id)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.locator("[data-news]")).to_be_visible()
    await follow(page.locator("[data-news] a"))
    await expect(page.locator(".job")).to_have_count(2)


async def test_what_is_overdue_comes_first_and_everything_once() -> None:
    now = datetime(2026, 11, 30, 9, tzinfo=UTC)
    hour = timedelta(hours=1)

    def job(sp_id: str, due: datetime | None, state: Status = Status.NEW) -> Job:
        return Job(placement(sp_id=sp_id), state, due, None, None, None)

    late, soon = job("SP-1", now - hour), job("SP-2", now + hour)
    later, never = job("SP-3", now + 48 * hour), job("SP-4", None)
    waits = job("SP-5", now - hour, Status.UNDER_REVIEW)
    groups = grouped(
        {
            Status.NEW: Section((late, soon, later, never), 9),
            Status.UNDER_REVIEW: Section((waits,), 1),
        },
        now,
    )
    assert groups.overdue == (late,)
    assert groups.today == (soon,)
    assert groups.others == {Status.NEW: (later, never), Status.UNDER_REVIEW: (waits,)}
    assert groups.hidden == {Status.NEW: 5, Status.UNDER_REVIEW: 0}
