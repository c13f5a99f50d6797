"""The running site with browsers: opens its pages for people of every role and language, on a desktop or a phone.

Each page is checked while it is open: it requests nothing from another site, stays below 100 KB with its files, does
not violate its Content-Security-Policy, and no script fails. `Portal.check` fails with the violations.
"""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pyotp
import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    async_playwright,
    expect,
)
from pwdlib import PasswordHash

from domain.cantons import pin_calendar
from domain.policy import CANTONS, Policy
from domain.values import Language
from records.accounts import AccountRecords, UserRole
from scripts import system_packages
from tests.support.limits import WAIT_LIMIT
from tests.support.needs import require
from tests.support.users import add_user
from tests.use_cases.conftest import QUICK
from tests.web.site import Site
from use_cases.principal import Role
from web.security import session_cookie

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "correct horse battery"
HEAVIEST = 100_000  # bytes of a page with its stylesheet and script
PARTNER = "elektro-huber"

Device = Literal["desktop", "phone"]
SIZES: dict[Device, tuple[int, int]] = {"desktop": (1280, 800), "phone": (360, 740)}
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--in-process-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-zero-copy",  # without it each part of a page is copied once more after it has been drawn
    "--js-flags=--no-opt,--no-maglev",  # axe-core runs so briefly that optimized code comes too late
]
_IDLE, _ALIKE = 8, 2  # windows kept for the next test, all and of one look; each has its process
expect.set_options(timeout=WAIT_LIMIT * 1000)  # it only ends a test that hangs (docs/testing.md)
_SUNDAY = 6
_addresses = itertools.count(1)


def usual_day(days: int = 3) -> date:
    """A day on which an appointment is usual: at least so many days ahead, no Sunday and no holiday anywhere."""
    begin = datetime.now(ZoneInfo("Europe/Zurich")).date() + timedelta(days=days)
    free = {day for canton in CANTONS for day in pin_calendar(canton, Policy(), begin).holidays}
    following = (begin + timedelta(days=n) for n in range(30))
    return next(day for day in following if day.weekday() != _SUNDAY and day not in free)


class _WindowKind(NamedTuple):
    """What two windows must have in common for one to be used as the other."""

    language: Language
    device: Device
    javascript: bool
    dark: bool


class Login(NamedTuple):
    """A user with a login. The password is `PASSWORD`.

    `codes`: the recovery codes of its second factor, of which each log-in uses up one; empty if it has none.
    """

    user_id: str
    email: str
    name: str
    codes: list[str]


@asynccontextmanager
async def chromium(*, windows: bool = False) -> AsyncIterator[Browser]:
    """The system's Chromium: its headless shell if that is there. Raises `RuntimeError` if there is none.

    `windows`: with all that a window has, which costs three times as much and is needed for what is not in the page.
    """
    executable = system_packages.chromium()
    if executable is None:
        raise RuntimeError(system_packages.why_missing("chromium"))
    if not windows and not os.environ.get("CMI_CHROMIUM"):
        executable = system_packages.headless_shell() or executable
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@cache
def axe_source() -> str:
    """The source of axe-core. Skips the test where it could not be installed."""
    if not AXE.exists():
        require("npm")
        pytest.skip("axe-core is missing on this machine; to install: make setup")
    return AXE.read_text(encoding="utf-8")


async def axe(page: Page) -> None:
    """Assert that axe-core finds nothing serious or critical on the page as it is now.

    What it finds depends on marks and colours, and not on the language: of a page in all languages, one is enough.
    """
    await page.evaluate(axe_source())
    found = await page.evaluate(
        """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
             .filter((each) => ["serious", "critical"].includes(each.impact))
             .map((each) => `${each.id}: ${each.help}\\n`
               + each.nodes.map((node) => `    ${node.html}\\n    ${node.failureSummary}`).join("\\n"))"""
    )
    assert not found, f"{page.url}:\n" + "\n".join(found)


async def fits(page: Page) -> None:
    """Assert that nothing makes the page wider than its window."""
    assert page.viewport_size is not None
    too_wide = await page.evaluate(
        """(width) => document.documentElement.scrollWidth <= width ? null
          : [...document.querySelectorAll("body *")]
              .filter((each) => each.getBoundingClientRect().right > width + 1)
              .map((each) => each.outerHTML.slice(0, 120))""",
        page.viewport_size["width"],
    )
    assert too_wide is None, f"{page.url} is wider than its window: {too_wide}"


async def follow(what: Locator) -> None:
    """Click on something that leads to a page, and wait until that page is there, whole, after any redirect.

    A click alone says nothing of the page that it asks for: what is read next may still be the old one, or half the
    new one.
    """
    async with what.page.expect_event("load"):
        await what.click()


async def press(page: Page, name: str) -> None:
    """Press the button of this name, and be on the page that comes."""
    await follow(page.get_by_role("button", name=name, exact=True))


class Portal:
    """A running site, its users and their browsers."""

    def __init__(self, site: Site, browser: Browser) -> None:
        self.site = site
        self.folder = site.around.folder
        self._browser = browser
        self._logins: dict[tuple[str, str, str | None], Login] = {}
        self._open: list[tuple[_WindowKind | None, Page]] = []
        self._idle: list[tuple[_WindowKind, Page]] = []
        self._found: list[str] = []
        self._documents: list[Request] = []
        self._assets: dict[str, Request] = {}
        self._asset_weights: dict[str, int] = {}  # a window has them from its cache the next time

    async def login(
        self, role: Role, language: Language = "de", partner_id: str | None = PARTNER
    ) -> Login:
        """The user with this role and language: always the same one."""
        partner_id = partner_id if role == "partner" else None
        key = (role, language, partner_id)
        if key not in self._logins:
            self._logins[key] = await self.new_login(role, language, partner_id)
        return self._logins[key]

    async def new_login(
        self,
        role: Role,
        language: Language = "de",
        partner_id: str | None = PARTNER,
        *,
        factor: bool = False,
    ) -> Login:
        """A new user. `factor`: with a second factor, which the staff needs for sensitive changes."""
        around = self.site.around
        partner_id = partner_id if role == "partner" else None
        records = AccountRecords(around.database)
        number = next(_addresses)
        login = Login(
            f"usr_portal{os.getpid()}x{number}",
            f"{role}.{language}.{number}@people.example",
            f"Petra {role.capitalize()}",
            [],
        )
        accounts_role: UserRole = role  # type: ignore[assignment]
        now = datetime.now(UTC)
        await add_user(
            records,
            login.user_id,
            accounts_role,
            partner_id,
            login.email,
            login.name,
            language,
            now,
        )
        await records.passwords.set(
            login.user_id, PasswordHash((QUICK,)).hash(PASSWORD), datetime.now(UTC)
        )
        if factor:
            factors = self.site.app.state.accounts.second_factor
            phone = pyotp.TOTP((await factors.enrol(login.user_id, "session")).secret)
            login.codes.extend(await factors.confirm(login.user_id, phone.now(), "session"))
        return login

    async def page(
        self,
        role: Role | None = None,
        language: Language = "de",
        *,
        device: Device = "desktop",
        javascript: bool = True,
        dark: bool = False,
        partner_id: str | None = PARTNER,
        login: Login | None = None,
        keeps: bool = False,
        address: str | None = None,
        own: bool = False,
    ) -> Page:
        """A page of a browser, logged in if a role or a login is given. `goto` takes paths.

        `partner_id` is the partner of a user with the role `partner`. `keeps`: with the service worker, which other
        tests do without. `address`: of a line to the site that can break (tests/portal/line.py). `own`: in a new
        window, for a test that changes its size or listens to what happens in it. Other tests get a window that an
        earlier one has left, without its cookies: a new one costs as much processor time as another page, and axe-core
        in its new process as much again.
        """
        look = _WindowKind(language, device, javascript, dark)
        shared = not (keeps or own or address)
        page = self._left(look) if shared else None
        if page is None or page.is_closed():
            page = await self._new_page(look, address or self.site.address, keeps=keeps)
        self._open.append((look if shared else None, page))
        if role is not None and login is None:
            login = await self.login(role, language, partner_id)
        if login is not None:
            await self.log_in(page.context, login)
        return page

    def _left(self, look: _WindowKind) -> Page | None:
        """A window that an earlier test has left, with this look."""
        at = next((n for n, (other, _) in enumerate(self._idle) if other == look), None)
        return None if at is None else self._idle.pop(at)[1]

    async def _new_page(self, look: _WindowKind, address: str, *, keeps: bool) -> Page:
        width, height = SIZES[look.device]
        context = await self._browser.new_context(
            base_url=address,
            service_workers="allow" if keeps else "block",
            viewport={"width": width, "height": height},
            java_script_enabled=look.javascript,
            color_scheme="dark" if look.dark else "light",
            has_touch=look.device == "phone",
            is_mobile=look.device == "phone",
            locale=f"{look.language}-CH",
            timezone_id="Europe/Zurich",
        )
        context.set_default_timeout(WAIT_LIMIT * 1000)
        page = await context.new_page()
        self._watch(page, address)
        return page

    async def log_in(self, context: BrowserContext, login: Login) -> None:
        """Give the browser a session of this login."""
        state = self.site.app.state
        address = f"2001:db8:{next(_addresses):x}::1"  # nobody's guesses make another wait
        code = login.codes.pop() if login.codes else None
        session = await state.accounts.sessions.log_in(login.email, PASSWORD, address, code)
        name = session_cookie(state.settings)
        await context.add_cookies(
            [{"name": name, "value": session.secret, "url": self.site.address, "httpOnly": True}]
        )

    def _watch(self, page: Page, address: str) -> None:
        host = urlsplit(address).netloc

        def requested(request: Request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host:
                self._found.append(f"{page.url} asks another site: {request.url}")

        def finished(request: Request) -> None:
            if request.resource_type == "document":
                self._documents.append(request)
            else:
                self._assets[request.url] = request

        def said(message: ConsoleMessage) -> None:
            # Chromium logs each 4xx response as an error, which is no error of the page.
            if message.type == "error" and "Failed to load resource" not in message.text:
                self._found.append(f"{page.url} says: {message.text}")

        page.on("request", requested)
        page.on("requestfinished", finished)
        page.on("console", said)
        page.on("pageerror", lambda error: self._found.append(f"{page.url} fails: {error}"))

    async def check(self) -> None:
        """Close or empty all windows and assert that no page violated the rules above."""
        for url, request in list(self._assets.items()):
            if not self._asset_weights.get(url):
                self._asset_weights[url] = await _weight(request)
        assets = sum(self._asset_weights.get(url, 0) for url in self._assets)
        for document in list(self._documents):
            weight = await _weight(document) + assets
            if weight > HEAVIEST:
                self._found.append(f"{document.url} weighs {weight} bytes")
        for look, page in self._open:
            await self._leave(look, page)
        found = self._found
        self._open, self._found, self._documents, self._assets = [], [], [], {}
        assert not found, "\n".join(found)

    async def _leave(self, look: _WindowKind | None, page: Page) -> None:
        """Keep a window for the next test that wants this look, unless there are enough, or close it."""
        alike = sum(other == look for other, _ in self._idle)
        if look is None or alike == _ALIKE or page.is_closed():
            await page.context.close()
            return
        for other in page.context.pages:
            if other is not page:
                await other.close()
        if look.javascript:
            # Nothing of the old page goes on. For about:blank, Chromium would begin a new process.
            try:
                await page.goto("/healthz")
            except Error:  # the page went elsewhere by itself at the same time
                await page.context.close()
                return
        await page.context.clear_cookies()
        self._idle.append((look, page))
        if len(self._idle) > _IDLE:
            await self._idle.pop(0)[1].context.close()


async def _weight(request: Request) -> int:
    sizes: dict[str, Any] = dict(await request.sizes())
    return max(0, int(sizes["responseBodySize"]))
