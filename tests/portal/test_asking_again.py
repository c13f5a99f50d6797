"""In a browser: a sensitive change asks for the password again, and staff without a second factor sets one up first."""

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from playwright.async_api import expect
from sqlalchemy import update

from records.tables import sessions, users
from tests.portal.portal import PASSWORD, Login, Portal, axe, fits, follow

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def confirmed_long_ago(portal: Portal, login: Login) -> None:
    """Let the sessions of a login have been confirmed eleven minutes ago."""
    then = datetime.now(UTC) - timedelta(minutes=11)
    changed = update(sessions).where(sessions.c.user_id == login.user_id).values(confirmed_at=then)
    async with portal.site.around.database.writing() as connection:
        await connection.execute(changed)


async def first_used_long_ago(portal: Portal, login: Login) -> None:
    """Let a login have been used for the first time eight days ago."""
    then = datetime.now(UTC) - timedelta(days=8)
    changed = update(users).where(users.c.user_id == login.user_id).values(first_login_at=then)
    async with portal.site.around.database.writing() as connection:
        await connection.execute(changed)


async def test_a_new_token_asks_for_the_password_again(portal: Portal) -> None:
    login = await portal.new_login("operations", factor=True)
    page = await portal.page(login=login, device="phone")
    await page.goto("/staff/partners/elektro-huber")
    await confirmed_long_ago(portal, login)
    name = f"Planung von {login.user_id}"
    await page.get_by_text("Token anlegen", exact=True).first.click()
    await page.get_by_label("Name des Programms").fill(name)
    await follow(page.get_by_role("button", name="Token anlegen"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bitte bestätigen")
    await expect(page.locator("main strong")).to_have_text("Token anlegen")
    await page.get_by_text("Was gesendet wird").click()
    await expect(page.locator("main dd").first).to_have_text(name)
    await fits(page)
    await page.get_by_label("Ihr Passwort").fill("not this one")
    await page.get_by_label("Code", exact=True).fill(login.codes[0])
    await follow(page.get_by_role("button", name="Bestätigen"))
    await expect(page.locator("#confirm_password-error")).to_have_text(
        "Das ist nicht Ihr Passwort."
    )
    await fits(page)
    await axe(page)
    await page.get_by_label("Ihr Passwort").fill(PASSWORD)
    await page.get_by_label("Code", exact=True).fill(login.codes[0])
    await follow(page.get_by_role("button", name="Bestätigen"))
    await expect(page.get_by_text(re.compile("cmi_[A-Za-z0-9_-]{43}"))).to_be_visible()
    await page.goto("/staff/partners/elektro-huber")
    await expect(page.get_by_role("rowheader", name=name)).to_have_count(1)


async def test_what_asks_can_be_left(portal: Portal) -> None:
    login = await portal.new_login("operations")
    page = await portal.page(login=login)
    await page.goto("/account")
    await confirmed_long_ago(portal, login)
    await follow(page.get_by_role("button", name="Zweiten Faktor einrichten"))
    await follow(page.get_by_role("link", name="Verwerfen"))
    assert page.url.endswith("/account")
    await expect(page.get_by_role("button", name="Zweiten Faktor einrichten")).to_be_visible()


async def test_after_the_grace_the_second_factor_comes_first(portal: Portal) -> None:
    login = await portal.new_login("accounting")
    page = await portal.page(login=login, device="phone")
    await page.goto("/accounting")
    await expect(page.locator("p.notice").first).to_contain_text("braucht einen zweiten Faktor")
    await fits(page)
    await first_used_long_ago(portal, login)
    await page.goto("/accounting")
    assert page.url.endswith("/account/second-factor")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Zweiter Faktor nötig")
    await expect(page.get_by_role("navigation")).to_have_count(0)
    await fits(page)
    await axe(page)
    await page.get_by_label("Italiano").check()
    await follow(page.get_by_role("button", name="Sprache ändern"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Secondo fattore necessario")
    await page.get_by_label("Deutsch").check()
    await follow(page.locator("[aria-labelledby=language-title] button"))
    await follow(page.get_by_role("button", name="Zweiten Faktor einrichten"))
    secret = (await page.locator("code.secret").inner_text()).replace(" ", "")
    await page.get_by_label("Die sechs Ziffern").fill(pyotp.TOTP(secret).now())
    await follow(page.get_by_role("button", name="einschalten"))
    assert len(await page.locator(".codes code").all()) == 10
    await page.goto("/accounting")
    assert page.url.endswith("/accounting")
    await expect(page.get_by_text("braucht einen zweiten Faktor")).to_have_count(0)


@pytest.mark.parametrize(("javascript", "device"), [(True, "desktop"), (False, "phone")])
async def test_within_the_grace_a_token_waits_for_the_second_factor(
    portal: Portal, javascript: bool, device: str
) -> None:
    """It is set up in another window, and what was typed is still there afterwards."""
    login = await portal.new_login("operations")
    page = await portal.page(login=login, javascript=javascript, device=device)  # type: ignore[arg-type]
    await page.goto("/staff/partners/elektro-huber")
    notice = page.locator("p.notice").first
    await expect(notice).to_contain_text("können Sie erst mit ihm anlegen oder ändern")
    name = f"Planung von {login.user_id}"
    await page.get_by_text("Token anlegen", exact=True).first.click()
    await page.get_by_label("Name des Programms").fill(name)
    await follow(page.get_by_role("button", name="Token anlegen"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Zuerst der zweite Faktor")
    await page.get_by_text("Was gesendet wird").click()
    await expect(page.locator("main dd").first).to_have_text(name)
    await fits(page)
    if javascript:
        await axe(page)
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Zweiten Faktor einrichten").click()
    window = await opened.value
    await follow(window.get_by_role("button", name="Zweiten Faktor einrichten"))
    secret = (await window.locator("code.secret").inner_text()).replace(" ", "")
    await window.get_by_label("Die sechs Ziffern").fill(pyotp.TOTP(secret).now())
    await follow(window.get_by_role("button", name="einschalten"))
    await expect(window.locator(".codes code")).to_have_count(10)
    await follow(page.get_by_role("button", name="Jetzt senden"))
    await expect(page.get_by_text(re.compile("cmi_[A-Za-z0-9_-]{43}"))).to_be_visible()
    await page.goto("/staff/partners/elektro-huber")
    await expect(page.get_by_role("rowheader", name=name)).to_have_count(1)


async def test_who_is_locked_out_can_log_out(portal: Portal) -> None:
    login = await portal.new_login("operations")
    page = await portal.page(login=login, device="phone", javascript=False)
    await first_used_long_ago(portal, login)
    await page.goto("/staff")
    await follow(page.get_by_role("button", name="Abmelden"))
    assert page.url.endswith("/login")


async def test_a_lost_factor_is_reset_in_the_list(portal: Portal) -> None:
    lost = await portal.new_login("accounting")
    factor = portal.site.app.state.accounts.second_factor
    phone = pyotp.TOTP((await factor.enrol(lost.user_id, "session")).secret)
    await factor.confirm(lost.user_id, phone.now(), "session")
    page = await portal.page(login=await portal.new_login("operations", factor=True))
    await page.goto("/staff/users")
    row = page.get_by_role("row").filter(has_text=lost.email)
    await row.get_by_text("Zweiten Faktor zurücksetzen").click()
    await axe(page)
    await follow(row.get_by_role("button", name="Jetzt zurücksetzen"))
    await expect(page.get_by_role("status")).to_contain_text("ist zurückgesetzt")
    await expect(row.get_by_text("Zweiten Faktor zurücksetzen")).to_have_count(0)
