"""How fast a worker gets orders back that it does not hold in memory: histories a second, and events."""

import time
from collections.abc import Sequence
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from bench.floor import Floor
from bench.histories import history_of
from bench.lifetimes import FloorSide, Intakes, ProductSide, drive
from bench.report import keep, table
from bench.stage import stage
from temporal.connection import data_converter
from workflows.service_order import ServiceOrder

CALLERS = 8


async def run(orders: int) -> None:
    """Lead `orders` lives a side, and replay their histories."""
    async with stage() as made, made.floor(), made.product():
        intakes = Intakes(made)
        kept: dict[str, list[WorkflowHistory]] = {}
        for side, prefix in ((FloorSide(made.client), "floor-"), (ProductSide(made), "")):
            driven = await drive(made, side, [intakes.make() for _ in range(orders)], CALLERS)
            kept[side.name] = [await history_of(made.client, prefix + i) for i in driven.sp_ids]
    runs: tuple[tuple[str, type, list[WorkflowHistory], WorkflowRunner], ...] = (
        ("floor, sandbox off", Floor, kept["floor"], UnsandboxedWorkflowRunner()),
        ("product, sandbox off", ServiceOrder, kept["product"], UnsandboxedWorkflowRunner()),
        ("product, sandbox on", ServiceOrder, kept["product"], SandboxedWorkflowRunner()),
    )
    figures: dict[str, Any] = {}
    for name, workflow, histories, runner in runs:
        seconds = await _replay(workflow, histories, runner)
        events = sum(len(history.events) for history in histories)
        figures[name] = {
            "histories": len(histories),
            "events_per_history": events / len(histories),
            "histories_per_second": len(histories) / seconds,
            "events_per_second": events / seconds,
            "ms_per_history": seconds * 1000 / len(histories),
        }
    columns = ("events_per_history", "histories_per_second", "events_per_second", "ms_per_history")
    table(
        "Replay",
        ["", *(column.replace("_", " ") for column in columns)],
        [(name, *(f[column] for column in columns)) for name, f in figures.items()],
    )
    keep("replay", figures, orders=orders)


async def _replay(
    workflow: type, histories: Sequence[WorkflowHistory], runner: WorkflowRunner
) -> float:
    """Seconds for all of them.

    Raises:
        Exception: a history does not fit the workflow's code.
    """
    replayer = Replayer(
        workflows=[workflow], workflow_runner=runner, data_converter=data_converter()
    )
    await replayer.replay_workflow(histories[0])
    began = time.perf_counter()
    for history in histories:
        await replayer.replay_workflow(history)
    return time.perf_counter() - began
