"""Draws the icons for home screens from `web/portal/static/icon.svg`, in Chromium: `python -m scripts.icons`.

The maskable icon fills its square, with the sign in the middle, because phones cut it into their own shape.
"""

import asyncio
import io
from pathlib import Path

from PIL import Image
from playwright.async_api import async_playwright

from scripts.system_packages import chromium

STATIC = Path(__file__).parent.parent / "web" / "portal" / "static"
GROUND = "#0b5a6b"
ICONS = {
    "icon-180": (180, 1.0),
    "icon-192": (192, 0),
    "icon-512": (512, 0),
    "icon-maskable-512": (512, 0.8),
}
"""By file name, the pixels, and the part of the square that the sign takes; 0: all of it, with round corners."""


async def draw() -> None:
    """Write the PNG files."""
    sign = (STATIC / "icon.svg").read_text(encoding="utf-8")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        for name, (pixels, part) in ICONS.items():
            page = await browser.new_page(viewport={"width": pixels, "height": pixels})
            inner = round(pixels * (part or 1))
            ground = GROUND if part else "transparent"
            await page.set_content(
                f"<style>html{{height:100%;background:{ground}}}body{{height:100%;margin:0;display:grid;"
                f"place-items:center}}svg{{width:{inner}px;height:{inner}px}}</style>{sign}"
            )
            taken = await page.screenshot(omit_background=True)
            image = Image.open(io.BytesIO(taken)).quantize(32, method=Image.Quantize.FASTOCTREE)
            image.save(STATIC / f"{name}.png", optimize=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(draw())
