"""What an open order holds in a worker's memory."""

import asyncio
import time
from typing import Any

from bench.lifetimes import FloorSide, Intakes, ProductSide, Side
from bench.report import keep, table
from bench.stage import Stage, resident_bytes, stage
from development.embedded import Child

STARTERS = 16
_QUIET = 1.0


async def run(orders: int) -> None:
    """RSS of a worker with no, a fifth of, and all of `orders` open orders that wait to be accepted."""
    few = orders // 5
    figures: dict[str, Any] = {}
    async with stage() as made:
        for name in ("floor", "product, sandbox off", "product, sandbox on"):
            worker = made.floor() if name == "floor" else made.product(sandbox=name.endswith("on"))
            side: Side = FloorSide(made.client) if name == "floor" else ProductSide(made)
            async with worker as child:
                intakes = Intakes(made)
                await _open(made, child, side, intakes, STARTERS)
                sizes = [_resident(child)]
                for number in (few, orders - few):
                    await _open(made, child, side, intakes, number)
                    sizes.append(_resident(child))
            figures[name] = {
                "rss_bytes": dict(zip((0, few, orders), sizes, strict=True)),
                "bytes_per_order": (sizes[2] - sizes[1]) / (orders - few),
                "bytes_per_order_of_the_first": (sizes[1] - sizes[0]) / few,
            }
    table(
        f"Memory of a worker with open orders (slope: from {few} to {orders})",
        ["", "MB with none", f"MB with {few}", f"MB with {orders}", "KB an order"],
        [
            (
                name,
                *(size / 2**20 for size in f["rss_bytes"].values()),
                f["bytes_per_order"] / 1024,
            )
            for name, f in figures.items()
        ],
    )
    keep("memory", figures, orders=orders)


async def _open(made: Stage, child: Child, side: Side, intakes: Intakes, number: int) -> None:
    """Start so many orders, and wait until the worker has done all it has to do for them."""
    batch = iter([intakes.make(prepaid=False) for _ in range(number)])

    async def starter() -> None:
        for intake in batch:
            await side.start(intake)
            await side.transmitted(intake.placement.sp_id)

    async with asyncio.TaskGroup() as group:
        for _ in range(STARTERS):
            group.create_task(starter())
    before, since = made.cpu()[child.name], time.perf_counter()
    while True:
        await asyncio.sleep(_QUIET)
        used, now = made.cpu()[child.name], time.perf_counter()
        if used - before < 0.05 * (now - since):
            return
        before, since = used, now


def _resident(child: Child) -> int:
    assert child.pid is not None
    return resident_bytes(child.pid)
