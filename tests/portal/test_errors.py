"""What people see when something goes wrong: a page in their language; programs get a document."""

from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from tests.portal.portal import Portal, axe, fits, follow
from tests.portal.visitor import visitor
from use_cases.second_factor import SecondFactor
from web.problems import MEDIA_TYPE, unavailable

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_page_that_is_not_there(portal: Portal) -> None:
    page = await portal.page("partner", "it", device="phone")
    answer = await page.goto("/nothing/here")
    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading", level=1)).to_have_text("Questa pagina non esiste")
    await axe(page)
    await fits(page)
    outside = await portal.page(language="fr")
    await outside.goto("/nothing/here")
    await expect(outside.get_by_role("heading", level=1)).to_have_text("Cette page n’existe pas")


async def test_a_page_that_only_takes_forms(portal: Portal) -> None:
    page = await portal.page("partner")
    answer = await page.goto("/account/password")
    assert answer is not None
    assert answer.status == 405
    assert await answer.header_value("Allow") == "POST"
    await expect(page.get_by_role("heading", level=1)).to_have_text("So geht es nicht")


async def test_a_page_that_is_only_asked_about(portal: Portal) -> None:
    async with visitor(portal, "partner") as partner:
        for path in ("/", "/account", "/settlements"):
            whole, head = await partner.http.get(path), await partner.http.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Type"] == whole.headers["Content-Type"]
        refused = await partner.http.head("/account/password")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
    async with httpx.AsyncClient(base_url=portal.site.address) as nobody:
        led = await nobody.head("/orders?q=x")
        assert (led.status_code, led.headers["Location"]) == (303, "/login?next=/orders%3Fq%3Dx")


async def test_a_page_for_others(portal: Portal) -> None:
    async with visitor(portal, "accounting") as accounting:
        answer = await accounting.get("/staff")
        assert answer.status_code == 403
        assert ">Diese Seite ist nicht für Sie</h1>" in answer.text


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (RuntimeError("not for others' eyes"), 500, "Da ist uns ein Fehler passiert"),
        (unavailable("The database"), 503, "Im Moment nicht erreichbar"),
    ],
)
async def test_what_nobody_foresaw(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, said: str
) -> None:
    async def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(SecondFactor, "status", fails)
    page = await portal.page("partner")
    answer = await page.goto("/account")
    assert answer is not None
    assert answer.status == status
    await expect(page.get_by_role("heading", level=1)).to_have_text(said)
    text = await page.content()
    assert "eyes" not in text
    if status == 500:
        assert str(await answer.header_value("X-Request-Id")) in text
    else:
        assert await answer.header_value("Retry-After")
    await axe(page)


async def test_too_much(portal: Portal) -> None:
    page = await portal.page("partner")
    await page.goto("/account")
    await page.evaluate("document.querySelector('[name=language]').value = 'x'.repeat(1100000)")
    await page.get_by_label("Deutsch").check()
    await follow(page.get_by_role("button", name="Sprache ändern"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Das ist zu gross")


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/api/v1/nothing", "text/html"),
        ("/nothing", "*/*"),
        ("/nothing", "application/json"),
    ],
)
async def test_programs_get_a_document(portal: Portal, path: str, accept: str) -> None:
    answer = await portal.site.nobody.get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == MEDIA_TYPE
