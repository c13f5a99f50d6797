"""Figures of the database: kept for a moment, asked for by one scrape at a time, left out while it is away."""

import asyncio
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, generate_latest

from telemetry.figures import Family, FigureCollector


async def test_kept_for_a_moment_and_left_out_while_the_database_is_away() -> None:
    asked = 0
    is_away = False

    async def read() -> Sequence[Family]:
        nonlocal asked
        asked += 1
        if is_away:
            raise OSError("away")
        return (Family("cmi_late", "Late.", ("kind",), {("accept",): asked}),)

    registry = CollectorRegistry()
    collector = FigureCollector(read, asyncio.get_running_loop(), kept_seconds=60)
    registry.register(collector)
    assert asked == 0

    async def scrape() -> str:
        return (await asyncio.to_thread(generate_latest, registry)).decode()

    first, second = await asyncio.gather(scrape(), scrape())
    assert 'cmi_late{kind="accept"} 1.0' in first
    assert 'cmi_late{kind="accept"} 1.0' in second
    assert asked == 1

    collector._kept_seconds = -1
    is_away = True
    text = await scrape()
    assert "cmi_figures_up 0.0" in text
    assert "cmi_late" not in text
    is_away = False
    assert 'cmi_late{kind="accept"} 3.0' in await scrape()
