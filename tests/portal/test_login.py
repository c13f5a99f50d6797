"""The entrance in a browser: log in, be led back to where one wanted to go, log out."""

import pytest

from domain.values import LANGUAGES, Language
from tests.portal.surf import PASSWORD, Device, Surfer, axe, fits, follow

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("device", ["desktop", "phone"])
@pytest.mark.parametrize("javascript", [True, False])
async def test_log_in_and_back_and_out(surf: Surfer, device: Device, javascript: bool) -> None:
    login = await surf.login("partner")
    page = await surf.page(device=device, javascript=javascript)
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
async def test_nobody_is_kept_out(surf: Surfer, language: Language) -> None:
    for device, dark in (("desktop", False), ("phone", True)):
        page = await surf.page(language=language, dark=dark, device=device)  # type: ignore[arg-type]
        for path in ("/login", "/reset", "/reset/nothing"):
            await page.goto(path)
            assert await page.locator("html").get_attribute("lang") == language
            await axe(page)
            await fits(page)
