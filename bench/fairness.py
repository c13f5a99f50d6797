"""Measures how long a partner waits for its orders and for answers while another partner gets very many at once."""

import asyncio
import itertools
import time
import uuid
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from bench.report import console, keep, milliseconds, percentile, table
from bench.stage import running_product
from contracts import names
from domain.orders.commands import Accept
from domain.orders.order import Status
from domain.orders.request import Request
from domain.policy import Policy
from domain.rules import CURRENT
from temporal.orders import send_command, start_order
from tests.server.surroundings import Surroundings
from tests.support.builders import intake, partner_actor
from tests.workflows.life import DESK

MANY, FEW = "elektro-huber", "luzern-montage"
"""The partner that gets many orders at once, and the partner that gets few, one after the other."""
STARTERS = 8
"""How many callers place the orders of the partner with many, at the same time."""
QUIET = 40
"""How many orders of the partner with few are measured while there are no others."""
UNDER_WAY = 0.05
"""Measuring begins when this share of the many orders is sent, and ends when this share is left."""
MOST = 100
"""The most orders of the partner with few that are measured beside the many."""
PAUSE = 0.2
"""The seconds between two orders of the partner with few."""
_WITHOUT_FAIRNESS = ("--dynamic-config-value", "matching.enableFairness=false")
_PATIENCE = timedelta(seconds=120)
_numbers = itertools.count(1)


async def run(orders: int) -> None:
    """Measure the partner with few orders: alone, then beside many orders without fairness, then with fairness."""
    figures: dict[str, dict[str, float]] = {}
    for name, number, server in (
        ("alone", 0, ()),
        ("beside the many, without fairness", orders, _WITHOUT_FAIRNESS),
        ("beside the many, with fairness", orders, ()),
    ):
        async with running_product(server) as around:
            figures[name] = await _measure(around, number)
        console.print(name, figures[name])
    quiet = figures["alone"]
    for each in figures.values():
        each["ratio_sent_p95"] = each["sent_p95"] / quiet["sent_p95"]
        each["ratio_answer_p95"] = each["answer_p95"] / quiet["answer_p95"]
    columns = list(quiet)
    table(
        f"Milliseconds until an order is sent to its partner, and until a command is answered; the many: {orders}",
        ["", *(column.replace("_", " ") for column in columns)],
        [(name, *each.values()) for name, each in figures.items()],
    )
    keep("fairness", figures, orders=orders, pause=PAUSE)


async def _measure(around: Surroundings, many: int) -> dict[str, float]:
    for _ in range(5):  # warms everything up
        await _one_of_the_few(around)
    if many:  # they wait for a worker
        around.worker_process.kill()
        await _place_many(around, many)
        await around.start_worker_process()
        while await _sent(around) < many * UNDER_WAY:
            await asyncio.sleep(0.2)
    began, before = time.perf_counter(), await _sent(around)
    samples: list[tuple[float, float]] = []
    limit = MOST if many else QUIET
    while len(samples) < limit and (not many or await _has_unsent(around, many)):
        samples.append(await _one_of_the_few(around))
        await asyncio.sleep(PAUSE)
    seconds = time.perf_counter() - began
    sent, answers = zip(*samples, strict=True)
    return {
        "orders": len(samples),
        "sent_p50": milliseconds(percentile(sent, 0.5)),
        "sent_p95": milliseconds(percentile(sent, 0.95)),
        "answer_p50": milliseconds(percentile(answers, 0.5)),
        "answer_p95": milliseconds(percentile(answers, 0.95)),
        "many_per_second": (await _sent(around) - before) / seconds,
    }


async def _sent(around: Surroundings) -> int:
    found = await around.client.count_workflows(
        f'{names.PARTNER_ID.name} = "{MANY}" AND {names.SP_STATUS.name} = "{Status.NEW.value}"'
    )
    return found.count


async def _has_unsent(around: Surroundings, many: int) -> bool:
    """Whether more of the many orders are unsent than the share `UNDER_WAY`."""
    return await _sent(around) < many * (1 - UNDER_WAY)


async def _one_of_the_few(around: Surroundings) -> tuple[float, float]:
    """Seconds until an order is sent to its partner, then until a command is answered."""
    began = time.perf_counter()
    sp_id = f"SP-{next(_numbers):07}"
    await _place(around.client, around.policy, sp_id, FEW)
    while True:
        stored = await around.orders.get(sp_id)
        if stored is not None and stored.order.status is Status.NEW:
            break
        await asyncio.sleep(0.01)
    sent = time.perf_counter()
    request = Request(command=Accept(), actor=partner_actor(FEW), request_id=str(uuid.uuid4()))
    await send_command(around.client, sp_id, request, _PATIENCE)
    return sent - began, time.perf_counter() - sent


async def _place_many(around: Surroundings, many: int) -> None:
    numbers = iter(range(many))

    async def starter() -> None:
        for _ in numbers:
            await _place(around.client, around.policy, f"SP-8{next(_numbers):06}", MANY)

    async with asyncio.TaskGroup() as group:
        for _ in range(STARTERS):
            group.create_task(starter())


async def _place(client: Client, policy: Policy, sp_id: str, partner_id: str) -> None:
    now = datetime.now(UTC)
    placed = intake(
        sp_id=sp_id,
        partner_id=partner_id,
        policy=policy,
        day=now.date(),
        rules=CURRENT,
    )
    await start_order(client, placed, DESK, now)
