"""The login pages in a browser: log in, return to the wanted page, log out."""

import pytest

from domain.values import LANGUAGES, Language
from tests.portal.portal import PASSWORD, Device, Portal, axe, fits, follow

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(("device", "javascript"), [("desktop", True), ("phone", False)])
async def test_log_in_and_back_and_out(portal: Portal, device: Device, javascript: bool) -> None:
    login = await portal.login("partner")
    page = await portal.page(device=device, javascript=javascript)
    await page.goto("/account?from=mail")
    await page.get_by_label("E-Mail-Adresse").fill(login.email)
    await page.get_by_label("Passwort", exact=True).fill(PASSWORD)
    await follow(page.get_by_role("button", name="Anmelden"))
    assert page.url.endswith("/account?from=mail")
    await fits(page)
    if device == "phone":
        await page.get_by_text("Menü", exact=True).click()
    await follow(page.get_by_role("button", name="Abmelden", exact=True))
    assert page.url.endswith("/login")
    await page.goto("/account")
    assert "/login" in page.url


@pytest.mark.parametrize("language", LANGUAGES)
async def test_nobody_is_kept_out(portal: Portal, language: Language) -> None:
    pages = [await portal.page(language=language, dark=True, device="phone")]
    if language == "de":  # the other languages differ in how long the words are
        pages.append(await portal.page())
    for page in pages:
        for path in ("/login", "/reset", "/reset/nothing"):
            await page.goto(path)
            assert await page.locator("html").get_attribute("lang") == language
            if language == "de":
                await axe(page)
            await fits(page)
