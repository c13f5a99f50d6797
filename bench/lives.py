"""Whole lives a second against the floor, and what a life leaves in the history."""

from statistics import median
from typing import Any

from temporalio.client import Client

from bench.histories import count_of, summary
from bench.lifetimes import Drive, FloorSide, Intakes, ProductSide, Side, drive, until_idle
from bench.report import keep, table
from bench.stage import Stage, stage

ROUNDS = 3
CALLERS = 24
WARM_UP = 24
COUNTED = 20
PACED = 4


async def run(orders: int) -> None:
    """`orders` lives a round and side, in turns."""
    async with stage() as made, made.floor(), made.product():
        sides: dict[str, Side] = {"floor": FloorSide(made.client), "product": ProductSide(made)}
        intakes = Intakes(made)
        rounds: dict[str, list[Drive]] = {name: [] for name in sides}
        for side in sides.values():
            await drive(made, side, [intakes.make() for _ in range(WARM_UP)], CALLERS)
        for _ in range(ROUNDS):
            for name, side in sides.items():
                batch = [intakes.make() for _ in range(orders)]
                rounds[name].append(await drive(made, side, batch, CALLERS))
        speeds = _speeds(rounds)
        counted = await _count(made, sides, intakes, rounds)
    keep("lives", {"speed": speeds, "histories": counted}, orders=orders, callers=CALLERS)


def _speeds(rounds: dict[str, list[Drive]]) -> dict[str, Any]:
    ratios = [
        product.per_second / floor.per_second
        for floor, product in zip(rounds["floor"], rounds["product"], strict=True)
    ]
    speeds: dict[str, Any] = {
        name: {
            "lives_per_second": [d.per_second for d in drives],
            "median": median(d.per_second for d in drives),
            "cpu_ms_per_life": {
                process: median(d.cpu_seconds[process] * 1000 / d.lives for d in drives)
                for process in drives[0].cpu_seconds
            },
        }
        for name, drives in rounds.items()
    }
    speeds["ratio"] = {"rounds": ratios, "median": median(ratios)}
    table(
        f"Whole lives a second, {CALLERS} callers: {median(ratios):.2f} of the floor",
        ["", *(f"round {n + 1}" for n in range(ROUNDS)), "median"],
        [
            *((name, *speeds[name]["lives_per_second"], speeds[name]["median"]) for name in rounds),
            ("ratio", *ratios, median(ratios)),
        ],
    )
    processes = sorted({p for name in rounds for p in speeds[name]["cpu_ms_per_life"]})
    table(
        "CPU milliseconds a life, by process (steadier than the clock on a noisy machine)",
        ["", *processes, "all"],
        [
            (
                name,
                *(speeds[name]["cpu_ms_per_life"].get(p) for p in processes),
                sum(speeds[name]["cpu_ms_per_life"].values()),
            )
            for name in rounds
        ],
    )
    return speeds


async def _count(
    made: Stage,
    sides: dict[str, Side],
    intakes: Intakes,
    rounds: dict[str, list[Drive]],
) -> dict[str, Any]:
    """Histories of lives as fast as possible, and of lives whose every message finds the workflow idle."""
    client = made.client
    product, floor = sides["product"], sides["floor"]
    calm = [intakes.make() for _ in range(PACED)]
    await drive(made, product, calm, 1, until_idle(client))
    calm_floor = [intakes.make() for _ in range(PACED)]
    await drive(made, floor, calm_floor, 1, until_idle(client, "floor-"))
    alone = [intakes.make() for _ in range(PACED)]
    await drive(made, product, alone, 1)
    columns = {
        "floor, busy": [f"floor-{i}" for i in rounds["floor"][-1].sp_ids[:COUNTED]],
        "floor, paced": [f"floor-{i.placement.sp_id}" for i in calm_floor],
        "product, busy": rounds["product"][-1].sp_ids[:COUNTED],
        "product, alone and fast": [i.placement.sp_id for i in alone],
        "product, paced": [i.placement.sp_id for i in calm],
    }
    counted = {name: await _summary(client, ids) for name, ids in columns.items()}
    for what, title in (
        ("events", "Events of a life"),
        ("bytes", "Bytes of history of a life"),
        ("actions", "Actions of a life, as Temporal Cloud bills them"),
    ):
        detail = {
            "events": "events_by_type",
            "bytes": "bytes_by_type",
            "actions": "actions_by_kind",
        }[what]
        kinds = list(dict.fromkeys(k for c in reversed(counted.values()) for k in c[detail]))
        table(
            f"{title} (medians)",
            ["", *counted],
            [
                *(
                    (_short(kind), *(c[detail].get(kind) for c in counted.values()))
                    for kind in kinds
                ),
                ("all", *(c[what] for c in counted.values())),
            ],
        )
    return counted


async def _summary(client: Client, ids: list[str]) -> dict[str, Any]:
    return summary([await count_of(client, each) for each in ids])


def _short(kind: str) -> str:
    return kind.removeprefix("WORKFLOW_").removeprefix("EXECUTION_").replace("_", " ").lower()
