"""The job sheet as it is printed: one page of A4 for each order, in the reader's or the partner's language."""

import io
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from playwright.async_api import Page, expect
from pypdf import PdfReader

from domain.values import Language
from tests.portal.kept import appointed, kept
from tests.portal.portal import Portal, axe, fits
from tests.portal.visitor import visitor
from tests.support.builders import TRANSMITTED
from tests.web.site import tomorrow

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTE = ("Zweiter Hauseingang im Hof, Lift nur bis in den dritten Stock. Hund im Garten! " * 24)[
    :1990
]


async def _printed(page: Page, name: str) -> list[str]:
    """The texts of the printed pages. `PORTAL_PICTURES` names a folder for the file."""
    made = await page.pdf(prefer_css_page_size=True)
    if folder := os.environ.get("PORTAL_PICTURES"):
        (Path(folder) / f"{name}.pdf").write_bytes(made)
    pages = PdfReader(io.BytesIO(made)).pages
    assert {(round(p.mediabox.width), round(p.mediabox.height)) for p in pages} == {(595, 842)}
    return [each.extract_text() for each in pages]


async def test_a_sheet_is_one_page_in_each_language(portal: Portal) -> None:
    sp_id = await kept(portal.site, *TRANSMITTED, name="Frieda Blatt-Papier", note=NOTE)
    for language in get_args(Language):
        page = await portal.page("partner", language)
        await page.goto(f"/orders/{sp_id}/sheet")
        await expect(page.locator("html")).to_have_attribute("lang", language)
        (text,) = await _printed(page, f"sheet-{language}")
        for shown in (sp_id, "Frieda Blatt-Papier", "Hund im Garten!"):
            assert shown in text
        if language == "de":  # roles and colours are the same in all languages
            await axe(page)
    page = await portal.page("operations", "fr", device="phone")
    await page.goto(f"/orders/{sp_id}/sheet")
    await expect(page.locator("html")).to_have_attribute("lang", "de")  # the partner's
    await fits(page)
    async with visitor(portal, "partner", partner_id="luzern-montage") as stranger:
        assert (await stranger.get(f"/orders/{sp_id}/sheet")).status_code == 404


async def test_the_sheets_of_a_day_are_a_page_each_the_earliest_first(portal: Portal) -> None:
    start = datetime.fromisoformat(tomorrow())
    day = start.date()
    agreed = appointed(start, start + timedelta(hours=2))
    orders = [
        await kept(portal.site, *agreed, name=name) for name in ("Erste Kundin", "Zweiter Kunde")
    ]
    page = await portal.page("partner")
    await page.goto(f"/orders/sheets?day={day}")
    texts = await _printed(page, "sheets")
    assert len(texts) >= 2
    assert all(sum(sp_id in text for text in texts) == 1 for sp_id in orders)
    await page.goto("/orders/sheets?day=2020-01-01")
    await expect(page.get_by_text("An diesem Tag ist kein Termin vereinbart.")).to_be_visible()
    await axe(page)
