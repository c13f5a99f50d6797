"""Pictures of the main pages, with orders in every state: `python -m tests.portal.screenshots [folder]` (docs/images).

Each page is taken at a desk in the light, and with a phone in the dark. An area adds its pages to `PAGES`.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from domain.values import Language
from tests.portal.portal import Portal, chromium, follow
from tests.server.surroundings import surroundings
from tests.support.databases import end_servers
from tests.use_cases.conftest import SECRET_KEY
from tests.web.site import PATH, POLICY, site
from use_cases.principal import Role


class Shot(NamedTuple):
    """One page. `{state}` in its path is the SP-ID of an order in that state; `act` (CSS) is clicked before."""

    name: str
    path: str
    role: Role | None
    language: Language = "de"
    act: str | None = None


PAGES = [
    Shot("login", "/login", None),
    Shot("overview", "/", "partner"),
    Shot("orders", "/orders", "partner"),
    Shot("order", "/orders/{check_requirements}", "partner"),
    Shot("appointment", "/orders/{set_appointment}", "partner", "fr"),
    Shot("account", "/account", "partner"),
    Shot(
        "second-factor",
        "/account",
        "partner",
        act="[aria-labelledby=factor-title] :is(button, .button)",
    ),
    Shot("staff", "/staff", "operations"),
    Shot("staff-partners", "/staff/partners", "operations"),
    Shot("staff-reports", "/staff/reports", "operations"),
    Shot("settlements", "/settlements", "partner"),
]


async def take(folder: Path, wanted: list[str]) -> None:
    """Take the pictures (of these names, or all) into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        policy = Path(place) / "web.toml"
        policy.write_text(POLICY)
        settings = {"CMI_POLICY": str(policy), "CMI_SECRET_KEY": SECRET_KEY}
        async with (
            surroundings(Path(place), within=None, **settings) as around,
            around.worker(),
            site(around) as running,
            chromium() as browser,
        ):
            made = {"new": await running.new(sales_order_id="48392010")}
            for number, state in enumerate(dict.fromkeys(state for _, _, state in PATH)):
                made[state] = await running.new(sales_order_id=f"4839202{number}")
                await running.brought(made[state], state)
            surfer = Portal(running, browser)
            for shot in PAGES:
                if wanted and shot.name not in wanted:
                    continue
                for device, dark in (("desktop", False), ("phone", True)):
                    page = await surfer.page(shot.role, shot.language, device=device, dark=dark)  # type: ignore[arg-type]
                    await page.goto(shot.path.format(**made))
                    if shot.act:
                        await follow(page.locator(shot.act))
                    path = folder / f"{shot.name}-{device}.png"
                    # as high as the page, so that what sticks to the window's edge covers nothing
                    size = page.viewport_size
                    assert size is not None
                    height = await page.evaluate("document.documentElement.scrollHeight")
                    await page.set_viewport_size({"width": size["width"], "height": height})
                    await page.screenshot(path=path, full_page=True)
                    print(path)
            await surfer.check()


if __name__ == "__main__":
    try:
        asyncio.run(take(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"), sys.argv[2:]))
    finally:
        end_servers()
