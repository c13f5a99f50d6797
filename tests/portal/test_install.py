"""The pages on a home screen: the manifest, its icons, and what Chromium says against installing them."""

import struct
from typing import Any

import httpx
import pytest

from tests.portal.portal import Portal, chromium
from tests.support.limits import WAIT_LIMIT

pytestmark = pytest.mark.asyncio(loop_scope="session")

LARGEST_ICON = 8_000


def _size(png: bytes) -> str:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return f"{width}x{height}"


async def test_a_partner_can_install_the_pages(portal: Portal) -> None:
    async with chromium(windows=True) as browser:
        await installable(Portal(portal.site, browser))


async def installable(portal: Portal) -> None:
    """Chromium has nothing against installing the pages; its headless shell never says anything about that."""
    page = await portal.page("partner", keeps=True)
    await page.goto("/")
    await page.evaluate("navigator.serviceWorker.ready")
    session = await page.context.new_cdp_session(page)
    manifest: dict[str, Any] = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["manifest"]["startUrl"] == f"{portal.site.address}/"
    found = (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert {each["errorId"] for each in found} == {"in-incognito"}  # each test's browser is new
    assert await page.evaluate(
        "navigator.serviceWorker.getRegistration().then((r) => r.scope)"
    ) == (f"{portal.site.address}/")
    await portal.check()


async def test_icons_are_small_and_as_large_as_the_manifest_says(portal: Portal) -> None:
    async with httpx.AsyncClient(base_url=portal.site.address, timeout=WAIT_LIMIT) as http:
        answer = await http.get("/static/manifest.webmanifest")
        assert answer.headers["content-type"].startswith("application/manifest+json")
        icons = {each["src"]: each for each in answer.json()["icons"]}
        assert {each.get("purpose", "any") for each in icons.values()} == {"any", "maskable"}
        sizes = {name: each["sizes"] for name, each in icons.items() if name.endswith(".png")}
        assert {"192x192", "512x512"} <= set(sizes.values())
        for name, size in (sizes | {"icon-180.png": "180x180"}).items():
            png = (await http.get(f"/static/{name}")).content
            assert (_size(png), len(png) < LARGEST_ICON) == (size, True)


async def test_nobody_registers_the_service_worker_before_logging_in(portal: Portal) -> None:
    for role in (None, "operations"):
        page = await portal.page(role, keeps=True)  # type: ignore[arg-type]
        await page.goto("/login" if role is None else "/staff")
        assert await page.evaluate("navigator.serviceWorker.getRegistrations()") == []
    async with httpx.AsyncClient(base_url=portal.site.address, timeout=WAIT_LIMIT) as http:
        worker = await http.get("/sw.js")
        assert worker.headers["content-type"].startswith("text/javascript")
        assert worker.headers["cache-control"] == "no-cache"
        assert worker.headers["content-security-policy"] == "default-src 'none'; connect-src 'self'"
        session = await http.get("/offline/session")
        assert (session.status_code, session.json()) == (401, {"person": "none"})


async def test_operations_can_switch_it_off(portal: Portal) -> None:
    page = await portal.page("partner", keeps=True)
    await page.goto("/")
    await page.evaluate("navigator.serviceWorker.ready")
    state = portal.site.app.state
    before = state.settings
    state.settings = before.model_copy(update={"offline_pages": False})
    try:
        await page.evaluate("navigator.serviceWorker.ready.then((each) => each.update())")
        await page.wait_for_function(
            "async () => !(await navigator.serviceWorker.getRegistration()) && !(await caches.keys()).length"
        )
        await page.goto("/")
        assert await page.locator("#waiting").count() == 0
    finally:
        state.settings = before
