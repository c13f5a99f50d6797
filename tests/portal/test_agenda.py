"""The agenda as a person sees it: a week at a desk, a list on a phone, a sheet of paper, and keys."""

import itertools
import os
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from contracts.activities import Snapshot
from domain.agenda import ZONE, Period
from domain.orders.commands import SetAppointment
from records.assignments import Assignment, Assignments
from records.orders import Orders
from tests.portal.portal import Portal, axe, fits, follow
from tests.support.builders import GOODS_THERE, intake, lived
from tests.web.firms import firm

pytestmark = pytest.mark.asyncio(loop_scope="session")

_numbers = itertools.count(1_990_001)
TODAY = datetime.now(ZONE).date()
WEEK = Period.week_of(TODAY)


class Firm:
    """A firm of its own with two people, and orders that are in the records only."""

    def __init__(self, portal: Portal, partner_id: str) -> None:
        self.portal, self.partner_id = portal, partner_id
        self.database = portal.site.around.database

    async def visit(
        self, day: date, begin: int, end: int, person: str | None = None, **changes: str
    ) -> str:
        """The SP-ID of an order with an appointment at these hours."""
        sp_id = f"SP-{next(_numbers)}"
        start, until = (
            datetime.combine(day, time(hour), ZONE).astimezone(UTC) for hour in (begin, end)
        )
        placed = start - timedelta(days=5)
        of = intake(day=placed.date(), rules=2, sp_id=sp_id, partner_id=self.partner_id, **changes)
        agreed = SetAppointment(start=start, end=until, unusual=True)
        order, events = lived(*GOODS_THERE, agreed, of=of, at=placed)
        await Orders(self.database).save(Snapshot(order=order, events=events))
        if person is not None:
            wanted = Assignment(sp_id, self.partner_id, person, person, placed)
            assert await Assignments(self.database).assign(wanted) == "assigned"
        return sp_id


async def two_people(portal: Portal) -> tuple[Firm, str]:
    """A firm, and the id of its person that uses the pages in German. The other one is a Frenchman."""
    partner_id = (await firm(portal.site)).partner_id
    own = await portal.login("partner", "de", partner_id)
    await portal.login("partner", "fr", partner_id)
    return Firm(portal, partner_id), own.user_id


async def picture(page: object, name: str) -> None:
    if folder := os.environ.get("PORTAL_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)  # type: ignore[attr-defined]


async def test_a_week_of_the_firm(portal: Portal) -> None:
    works, own = await two_people(portal)
    monday = WEEK.next.first
    mine = await works.visit(monday, 8, 10, own, name="Anna Früh")
    clash = await works.visit(monday, 9, 11, own, name="Beat Gleichzeitig", city="Schwerzenbach")
    nobodys = await works.visit(monday + timedelta(days=2), 13, 15, name="Carla Niemand")
    for device in ("desktop", "phone"):
        page = await portal.page("partner", device=device, partner_id=works.partner_id)
        await page.goto("/agenda")
        await expect(page.get_by_role("heading", name="Heute")).to_be_visible()
        await fits(page)
        async with page.expect_event("load"):
            await page.keyboard.press("l")
        assert page.url.endswith(f"/agenda?week={WEEK.next}")
        first = page.locator(".visit").first
        await expect(first).to_contain_text("08:00–10:00")
        await expect(first).to_contain_text("Anna Früh")
        await expect(first).to_contain_text("Langstrasse 12, 8004 Zürich")
        await expect(first).to_contain_text(f"Zur selben Zeit: {clash}")
        await expect(first.get_by_role("link", name="+41 44 555 01 02")).to_be_visible()
        await expect(page.locator(".visit", has_text=nobodys)).to_contain_text(
            "niemandem zugeteilt"
        )
        await fits(page)
        await axe(page)
        await picture(page, f"agenda-{device}")
        await follow(page.get_by_label("Person").get_by_role("link", name="niemandem zugeteilt"))
        await expect(page.locator(".visit")).to_have_count(1)
        await expect(page.locator(".clash")).to_have_count(0)
        await page.goto(f"/agenda?day={monday}")
        await expect(page.get_by_role("heading", name="Petra Partner")).to_be_visible()
        await picture(page, f"agenda-day-{device}")
        await page.keyboard.press("j")
        await follow(page.locator(":focus"))
        assert page.url.endswith(f"/orders/{mine}")


async def test_a_week_fits_on_paper_and_needs_no_script(portal: Portal) -> None:
    works, own = await two_people(portal)
    for day in WEEK.days[:5]:
        for hour in (8, 10, 13, 15):
            await works.visit(day, hour, hour + 2, own, name="Alexandra-Katharina von Wattenwyl")
    page = await portal.page("partner", javascript=False, partner_id=works.partner_id, own=True)
    await page.goto(f"/agenda?week={WEEK}")
    await expect(page.locator(".visit")).to_have_count(20)
    await page.emulate_media(media="print")
    await page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins
    await fits(page)
    await expect(page.get_by_role("navigation", name="Zeit")).to_be_hidden()
    paper = await page.pdf(format="A4", margin={"top": "10mm", "bottom": "10mm"})
    assert paper.count(b"/Type /Page\n") <= 3, "four visits a day for a week"
    await picture(page, "agenda-paper")


async def test_a_person_subscribes_to_its_calendar(portal: Portal) -> None:
    works, _ = await two_people(portal)
    await works.visit(WEEK.next.first, 8, 10, name="Anna Früh")
    page = await portal.page("partner", device="phone", partner_id=works.partner_id)
    await page.goto("/agenda")
    await follow(page.get_by_role("link", name="Im eigenen Kalender abonnieren"))
    await fits(page)
    await follow(page.get_by_role("button", name="Adresse anlegen"))
    address = await page.locator("#address").inner_text()
    await fits(page)
    await axe(page)
    await picture(page, "calendar-address")
    async with httpx.AsyncClient(base_url=portal.site.address) as calendar:
        found = await calendar.get(urlsplit(address).path)
    assert "Anna Früh" in found.text
    await follow(page.get_by_role("link", name="Fertig"))
    await page.goto("/agenda/calendar")
    await expect(page.get_by_text("Zuletzt gelesen")).to_be_visible()
    await fits(page)
    await axe(page)
    await picture(page, "calendar")
    await follow(page.get_by_role("button", name="Abo beenden"))
    await expect(page.get_by_role("status")).to_contain_text("Das Abo ist beendet.")
