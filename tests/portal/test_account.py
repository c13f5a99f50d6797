"""One's own account in a browser: language, password, second factor, logged out everywhere."""

import os
import re

import pyotp
import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from domain.values import LANGUAGES, Language
from tests.portal.portal import PASSWORD, Portal, axe, fits, follow
from use_cases.principal import Role

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANOTHER = "staple battery correct horse"


async def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    await page.goto("/login?next=/account")
    await page.get_by_label("E-Mail-Adresse").fill(email)
    await page.get_by_label("Passwort", exact=True).fill(password)
    await follow(page.get_by_role("button", name="Anmelden"))


@pytest.mark.parametrize(("role", "javascript"), [("partner", False), ("operations", True)])
async def test_everybody_chooses_a_language(portal: Portal, role: Role, javascript: bool) -> None:
    login = await portal.new_login(role)
    page = await portal.page(login=login, javascript=javascript)
    await page.goto("/account")
    names = {"fr": "Français", "it": "Italiano", "en": "English", "de": "Deutsch"}
    for language, name in names.items():
        await page.get_by_label(name).check()
        await follow(page.locator("[aria-labelledby=language-title] button"))
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await expect(page.get_by_role("status")).to_be_visible()
        await expect(page.get_by_label(name)).to_be_checked()
    await page.goto("/account")
    await expect(page.get_by_role("status")).to_have_count(0)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_account_keeps_nobody_out(portal: Portal, language: Language) -> None:
    pages = [await portal.page("partner", language, device="phone", dark=True)]
    if language == "de":  # the other languages differ in how long the words are
        pages.append(await portal.page("partner"))
    for page in pages:
        await page.goto("/account")
        if language == "de":
            await axe(page)
        await fits(page)


async def test_another_password(portal: Portal) -> None:
    """Wrong at first, in a window with JavaScript; then changed in one without."""
    login = await portal.new_login("partner")
    wrong, elsewhere = [
        await portal.page(login=login, javascript=javascript) for javascript in (True, False)
    ]

    async def change(page: Page, former: str, password: str, again: str) -> None:
        await page.goto("/account")
        await page.get_by_label("Bisheriges Passwort").fill(former)
        await page.get_by_label("Neues Passwort", exact=True).fill(password)
        await page.get_by_label("Neues Passwort noch einmal").fill(again)
        await follow(page.get_by_role("button", name="Passwort ändern"))

    for former, password, again, field, said in (
        ("not this one", ANOTHER, ANOTHER, "former", "Das ist nicht Ihr Passwort."),
        (PASSWORD, "short", "short", "password", "mindestens 12 Zeichen"),
        (PASSWORD, ANOTHER, PASSWORD, "again", "nicht gleich"),
    ):
        await change(wrong, former, password, again)
        await expect(wrong.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
        await expect(wrong.locator(f"#{field}-error")).to_contain_text(said)
        await expect(wrong.get_by_role("alert").get_by_role("link")).to_have_attribute(
            "href", f"#{field}"
        )
    await axe(wrong)
    await change(elsewhere, PASSWORD, ANOTHER, ANOTHER)
    await expect(elsewhere.get_by_role("status")).to_contain_text("Das Passwort ist geändert.")
    for page in (wrong, elsewhere):
        await page.goto("/account")
        assert page.url.endswith("/login?next=/account")
    await log_in(page, login.email, ANOTHER)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Mein Konto")


async def test_a_second_factor_by_qr_code(portal: Portal) -> None:
    login = await portal.new_login("operations")
    page = await portal.page(login=login, dark=True, device="phone")
    await page.goto("/account/second-factor")
    assert page.url.endswith("/account"), "nothing to see before it is begun"
    await follow(page.get_by_role("button", name="Zweiten Faktor einrichten"))
    await axe(page)
    await fits(page)
    picture = portal.folder / "qr.png"
    await page.locator("svg.qr").screenshot(path=picture, scale="device")
    with Image.open(picture) as image:
        (read,) = zxingcpp.read_barcodes(image)
    phone = pyotp.parse_uri(read.text)
    assert isinstance(phone, pyotp.TOTP)
    typed = await page.locator("code.secret").inner_text()
    assert typed.replace(" ", "") == phone.secret
    await page.get_by_label("Die sechs Ziffern").fill("000000")
    await follow(page.get_by_role("button", name="einschalten"))
    await expect(page.locator("#code-error")).to_be_visible()
    await page.get_by_label("Die sechs Ziffern").fill(phone.now())
    await follow(page.get_by_role("button", name="einschalten"))
    codes = await page.locator(".codes code").all_inner_texts()
    assert len(codes) >= 8
    await page.goto("/account")
    assert codes[0] not in await page.content(), "shown once"

    await page.context.clear_cookies(name="cmi_session")
    await log_in(page, login.email)
    await page.get_by_label("Code").fill(codes[0])
    await follow(page.get_by_role("button", name="Anmelden"))
    await page.get_by_label("Code").fill(codes[0])
    await follow(page.get_by_role("button", name="ausschalten"))
    await expect(page.locator("#code-error")).to_contain_text("schon gebraucht")
    await page.get_by_label("Code").fill(codes[1])
    await follow(page.get_by_role("button", name="ausschalten"))
    await expect(page.get_by_role("status")).to_contain_text("ausgeschaltet")
    await page.context.clear_cookies(name="cmi_session")
    await log_in(page, login.email)
    assert page.url.endswith("/account")


async def test_one_session_or_all_others_end(portal: Portal) -> None:
    login = await portal.new_login("partner")
    page = await portal.page(login=login, device="phone")
    for _ in range(2):
        await portal.log_in(page.context, login)
    await page.context.clear_cookies()
    await log_in(page, login.email)
    elsewhere = await portal.page(login=login)
    await page.goto("/account")
    sessions = page.locator(".sessions li")
    await expect(sessions).to_have_count(5)  # with those of the three cookies that are gone
    await expect(sessions.filter(has_text="dieses Gerät")).to_have_count(1)
    await expect(sessions.first).to_contain_text("dieses Gerät")
    await expect(sessions.first).to_contain_text("Chrome, ")
    await fits(page)
    await axe(page)
    if folder := os.environ.get("PORTAL_PICTURES"):
        await sessions.first.scroll_into_view_if_needed()
        await page.screenshot(path=f"{folder}/sessions.png", full_page=True)
    other = sessions.filter(has_not_text="dieses Gerät").first
    await follow(other.get_by_role("button", name="Abmelden"))
    await expect(page.get_by_role("status")).to_contain_text("Auf jenem Gerät")
    await expect(sessions).to_have_count(4)
    await follow(page.get_by_role("button", name="Alle anderen abmelden"))
    await expect(sessions).to_have_count(1)
    await expect(page.get_by_role("button", name="Alle anderen abmelden")).to_have_count(0)
    await elsewhere.goto("/account")
    assert elsewhere.url.endswith("/login?next=/account")
    await follow(sessions.get_by_role("button", name="Abmelden"))
    assert page.url.endswith("/login")


async def test_a_common_password_is_refused_at_its_field(portal: Portal) -> None:
    login = await portal.new_login("partner", "fr")
    page = await portal.page(login=login)
    await page.goto("/account")
    await page.locator("#former").fill(PASSWORD)
    await page.locator("#password").fill("Passwort1234!")
    await page.locator("#again").fill("Passwort1234!")
    await follow(page.locator("[aria-labelledby=password-title] button"))
    await expect(page.locator("#password")).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#password-error")).to_contain_text("utilisé par beaucoup")


async def test_a_lost_phone(portal: Portal) -> None:
    login = await portal.new_login("partner")
    lost = await portal.page(login=login, device="phone")
    desk = await portal.page(login=login, javascript=False)
    await lost.goto("/account")
    await desk.goto("/account")
    await follow(desk.get_by_role("button", name="Überall abmelden"))
    await expect(desk.get_by_role("status")).to_contain_text("auf allen Geräten abgemeldet")
    await lost.reload()
    assert re.search(r"/login\?next=/account$", lost.url)
