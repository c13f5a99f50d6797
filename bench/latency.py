"""How long a caller waits for the answer to one update: with two callers at once, and at saturation."""

from typing import Any

from bench.lifetimes import FloorSide, Intakes, ProductSide, drive
from bench.report import keep, milliseconds, percentile, table
from bench.stage import stage

SATURATED = 32
WARM_UP = 24


async def run(orders: int) -> None:
    """`orders` lives at saturation, a quarter of that for two callers, in turns of two rounds."""
    samples: dict[tuple[int, str], list[float]] = {}
    async with stage() as made, made.floor(), made.product():
        sides = (FloorSide(made.client), ProductSide(made))
        intakes = Intakes(made)
        for side in sides:
            await drive(made, side, [intakes.make() for _ in range(WARM_UP)], WARM_UP)
        for callers, lives in ((2, orders // 8), (SATURATED, orders // 2)) * 2:
            for side in sides:
                batch = [intakes.make() for _ in range(max(lives, callers))]
                driven = await drive(made, side, batch, callers)
                samples.setdefault((callers, side.name), []).extend(driven.update_seconds)
    figures: dict[str, Any] = {}
    rows = []
    for (callers, name), seconds in samples.items():
        p50, p95 = (milliseconds(percentile(seconds, share)) for share in (0.5, 0.95))
        figures[f"{name}, {callers} callers"] = {"updates": len(seconds), "p50": p50, "p95": p95}
        rows.append((name, callers, len(seconds), p50, p95))
    table(
        "Milliseconds until one update is answered",
        ["", "callers", "updates", "p50", "p95"],
        rows,
    )
    keep("latency", figures, orders=orders)
