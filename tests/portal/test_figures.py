"""A partner's own figures, and what the report of operations says beyond counts."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from domain.months import Month
from tests.portal.bad_day import LATE, NAMES, TRUSTY, bad_day
from tests.portal.portal import Portal, axe, fits, follow
from tests.portal.visitor import visitor
from tests.web.site import Site
from web.portal.formats import today

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def bad_day_data(portal_site: Site) -> None:
    """The data of `tests/portal/bad_day.py`."""
    await bad_day(portal_site)


async def month_with(portal: Portal, role: str, path: str, text: str) -> Month:
    """The month, this one or the last, whose page has a text: the bad day may be at a month's beginning."""
    month = Month.of(today())
    async with visitor(portal, role, partner_id=LATE) as one:  # type: ignore[arg-type]
        await one.get(f"{path}?month={month}")
        return month if text in one.text else month.previous


@pytest.mark.parametrize(("device", "dark"), [("desktop", False), ("phone", True)])
async def test_a_partner_sees_its_month_and_why(portal: Portal, device: str, dark: bool) -> None:
    page = await portal.page("partner", partner_id=LATE, device=device, dark=dark)  # type: ignore[arg-type]
    month = await month_with(portal, "partner", "/figures", "S-NEW-0")
    await page.goto(f"/figures?month={month}")
    kinds = page.get_by_role("table", name="Nach Frist")
    row = kinds.get_by_role("row").filter(has_text="Auftrag akzeptieren")
    await expect(row).to_contain_text("verfehlt")
    await expect(row).to_contain_text(re.compile(r"\d × nichts festgehalten, bis die Frist um war"))
    await expect(kinds).to_contain_text("98.0 %")
    trend = page.get_by_role("table", name="Entwicklung im letzten Halbjahr")
    assert await trend.get_by_role("row").count() == 7
    await axe(page)
    await fits(page)
    misses = page.get_by_role("table", name="Welche Fristen verpasst wurden")
    await follow(misses.get_by_role("link", name="S-NEW-0").first)
    assert page.url.endswith("/orders/S-NEW-0")


async def test_it_is_printed_without_its_form(portal: Portal) -> None:
    """Without JavaScript: the menu leads to it, and paper has the table but not the choice of the month."""
    page = await portal.page("partner", partner_id=LATE, javascript=False, own=True)
    await page.goto("/")
    await follow(page.get_by_role("link", name="Termintreue").first)
    assert page.url.endswith("/figures")
    await expect(page.get_by_label("Monat")).to_be_visible()
    await page.emulate_media(media="print")
    await expect(page.get_by_label("Monat")).to_be_hidden()
    await expect(page.get_by_role("table").first).to_be_visible()


async def test_many_misses_come_page_by_page(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.portal.figures.PER_PAGE", 7)
    month = await month_with(portal, "partner", "/figures", "S-NEW-0")
    page = await portal.page("partner", partner_id=LATE)
    listed = page.get_by_role("table", name="Welche Fristen verpasst wurden").get_by_role("row")
    await page.goto(f"/figures?month={month}")
    seen = []
    while True:
        seen += [await row.inner_text() for row in (await listed.all())[1:]]
        more = page.get_by_role("link", name="Weitere anzeigen")
        if not await more.count():
            break
        await follow(more)
    missed = await page.locator(".tile strong").last.inner_text()
    assert len(seen) == len(set(seen)) == int(missed)
    for strange in ("x", "-1", "9999999999"):
        answer = await page.goto(f"/figures?month={month}&after={strange}")
        assert answer is not None
        assert answer.status == 200


async def test_its_own_only(portal: Portal) -> None:
    """Neither another partner's orders nor its counts, whatever the address says; and for partners alone."""
    month = Month.of(today())
    for shown in (month, month.previous):
        async with visitor(portal, "partner", partner_id=TRUSTY) as one:
            await one.get(f"/figures?month={shown}&partner_id={LATE}")
            assert "S-NEW" not in one.text
            assert "S-CHECK" not in one.text
            assert "verfehlt" not in one.text
    for role in ("operations", "accounting"):
        async with visitor(portal, role) as other:  # type: ignore[arg-type]
            assert (await other.get("/figures")).status_code == 403
    async with visitor(portal, "partner") as one:
        answer = await one.get("/figures?month=2026-13")
        assert answer.headers["Location"].endswith("/figures")
        await one.get("/figures?month=2024-02")
        assert "noch keine Frist abgelaufen" in one.text


async def test_figures_of_a_partner_are_those_of_the_report(portal: Portal) -> None:
    month = await month_with(portal, "partner", "/figures", "S-NEW-0")
    async with visitor(portal, "partner", partner_id=LATE) as own:
        await own.get(f"/figures?month={month}")
        share, met, missed = re.search(  # type: ignore[union-attr]
            r"([\d.]+) % rechtzeitig, Ziel 98.0 % (\d+) Fristen eingehalten (\d+) Fristen verpasst",
            own.text,
        ).groups()
    async with visitor(portal, "operations") as staff:
        await staff.get(f"/staff/reports?month={month}")
        assert f"{NAMES[LATE]} {met} {missed} {share} % verfehlt" in staff.text


async def test_the_report_says_why_how_long_and_what_was_impossible(portal: Portal) -> None:
    month = await month_with(portal, "operations", "/staff/reports", NAMES[LATE])
    page = await portal.page("operations", device="phone")
    await page.goto(f"/staff/reports?month={month}")
    why = page.get_by_role("table", name="Warum Fristen verpasst wurden")
    row = why.get_by_role("row").filter(has_text="Auftrag akzeptieren")
    await expect(row.get_by_role("cell").first).to_have_text("7")
    await expect(page.locator(".counts")).to_contain_text("noch nicht erledigt")
    trend = page.get_by_role("table", name="Entwicklung im letzten Halbjahr")
    assert await trend.get_by_role("row").count() == 7
    await axe(page)
    await fits(page)
    # Both were within the last days, in this month or the one before.
    texts = ""
    for shown in (month, month.next):
        await page.goto(f"/staff/reports?month={shown}")
        texts += await page.locator("main").inner_text()
    assert "Kundschaft nicht angetroffen" in texts
    assert "im Ganzen, von der Bestellung bis zur Ausführung" in texts
