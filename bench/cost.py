"""Counts what one order costs: events, bytes, actions of Temporal Cloud, rows of the records, processor time."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import median

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.lives import Handle, Product, until_idle
from bench.report import console, keep, table
from bench.stage import cpu_seconds, running_product
from tests.server.surroundings import Surroundings, rests

ACTIONS: Mapping[int, str] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "workflow started",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "updates",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signals",
    EventType.EVENT_TYPE_TIMER_STARTED: "timers",
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: "activities",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_MARKER_RECORDED: "markers",
}
"""The events that Temporal Cloud bills as an action each, an activity for every attempt."""


async def run(orders: int) -> None:
    """Take `orders` through their life, one after the other, with each message sent to an idle workflow, and count."""
    async with running_product() as around:
        product = Product(around, around.worker_process)
        await product.lead(2, 1, until_idle)  # warms everything up
        rows, size = _database(around)
        used, began = _cpu(around), time.perf_counter()
        lived = await product.lead(orders, 1, until_idle)
        worker, server = (
            (after - before) * 1000 / orders
            for after, before in zip(_cpu(around), used, strict=True)
        )
        handles = [product.handle(sp_id) for sp_id in lived.sp_ids]
        for handle in handles:
            while not await rests(handle):
                await asyncio.sleep(0.05)
        seconds = time.perf_counter() - began
        counted = [await _count(handle) for handle in handles]
        bytes_ = [(await handle.describe()).raw_description for handle in handles]
        rows_after, size_after = _database(around)
        memory = _megabytes(around.worker_process.pid)
    new = {name: (rows_after[name] - rows.get(name, 0)) / orders for name in rows_after}
    actions = {name: median(each[name] for each in counted) for name in ACTIONS.values()}
    figures = {
        "events": median(each["events"] for each in counted),
        "history_bytes": median(each.workflow_execution_info.history_size_bytes for each in bytes_),
        "actions": sum(actions.values()),
        "of_them": actions,
        "rows": sum(new.values()),
        "of_them_in": {name: count for name, count in sorted(new.items()) if count},
        "database_bytes": (size_after - size) / orders,
        "cpu_ms_worker": worker,
        "cpu_ms_server": server,
        "worker_megabytes": memory,
        "seconds_a_life": seconds / orders,
    }
    table(
        "What one order costs, from placing to billing",
        ["", ""],
        [(name, value) for name, value in figures.items() if not isinstance(value, dict)],
    )
    for name in ("of_them", "of_them_in"):
        console.print(name, figures[name])
    keep("cost", figures, orders=orders)


async def _count(handle: Handle) -> Counter[str]:
    history = (await handle.fetch_history()).events
    found = Counter(ACTIONS[each.event_type] for each in history if each.event_type in ACTIONS)
    found["activities"] = sum(_attempts(each) for each in history)
    found["events"] = len(history)
    return found


def _attempts(event: HistoryEvent) -> int:
    if event.event_type != EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
        return 0
    return event.activity_task_started_event_attributes.attempt


def _cpu(around: Surroundings) -> tuple[float, float]:
    return cpu_seconds(around.worker_process), cpu_seconds(around.server)


def _megabytes(pid: int) -> float:
    """The resident memory of a process."""
    (line,) = (
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def _database(around: Surroundings) -> tuple[dict[str, int], int]:
    """The rows of each table of the records, and the bytes of all pages in use."""
    with closing(sqlite3.connect(around.folder / "cmi.db")) as database:
        names = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        rows = {
            name: int(database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])
            for name in names
        }
        ((pages,), (free,), (size,)) = (
            database.execute(f"PRAGMA {what}").fetchone()
            for what in ("page_count", "freelist_count", "page_size")
        )
    return rows, (pages - free) * size
