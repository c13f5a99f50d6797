"""Signs of life of what runs for long, and what a cancellation that they bring does to it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.heartbeats import Heartbeats
from contracts import activities
from tests.support.limits import WAIT_LIMIT

LIMIT = timedelta(seconds=0.03)
SHUTDOWN = ActivityCancellationDetails(cancel_requested=False, worker_shutdown=True)


class Work(ActivityInboundInterceptor):
    """An activity that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ended = False

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self.begun.set()
        try:
            await self.let_go.wait()
        finally:
            await asyncio.sleep(0)  # a transaction is rolled back, a connection closed
            self.ended = True
        return "done"


class Running:
    """That activity, run as a worker does it."""

    def __init__(self, name: str, limit: timedelta | None = LIMIT) -> None:
        self.work = Work()
        self.environment = ActivityEnvironment()
        self.environment.info = replace(
            self.environment.info, activity_type=name, heartbeat_timeout=limit
        )
        self.beats = 0
        self.beaten = asyncio.Event()
        self.environment.on_heartbeat = self._beat
        run: Callable[[Any], Awaitable[Any]] = (
            Heartbeats().intercept_activity(self.work).execute_activity
        )
        self.task = asyncio.ensure_future(self.environment.run(run, None))

    def _beat(self, *_: object) -> None:
        self.beats += 1
        self.beaten.set()

    async def next_beat(self) -> None:
        self.beaten.clear()
        await asyncio.wait_for(self.beaten.wait(), WAIT_LIMIT)


async def test_it_beats_while_the_activity_runs_and_gives_what_came_of_it() -> None:
    running = Running(activities.SAVE_ORDER)
    for _ in range(3):
        await running.next_beat()
    running.work.let_go.set()
    assert await running.task == "done"


async def test_without_a_limit_it_does_not_beat() -> None:
    running = Running(activities.SAVE_ORDER, limit=None)
    await running.work.begun.wait()
    running.work.let_go.set()
    assert await running.task == "done"
    assert running.beats == 0


@pytest.mark.parametrize("name", [activities.SEND_MAIL, activities.REQUEST_SHIPPING])
async def test_what_goes_out_is_not_cut_off_by_a_cancellation(name: str) -> None:
    """It beats on, and is done: the server must not take it for dead, nor the next run send it again."""
    running = Running(name)
    await running.work.begun.wait()
    running.environment.cancel()
    await running.next_beat()
    await running.next_beat()
    running.work.let_go.set()
    assert await running.task == "done"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (activities.CLAIM_ORDERS, ActivityCancellationDetails(cancel_requested=True)),
        (activities.SEND_MAIL, SHUTDOWN),
    ],
)
async def test_the_rest_is_cut_off_and_so_is_all_when_the_worker_ends(
    name: str, why: ActivityCancellationDetails
) -> None:
    running = Running(name)
    await running.work.begun.wait()
    running.environment.cancel(why)
    with pytest.raises(asyncio.CancelledError):
        await running.task
    assert running.work.ended, "nothing comes of it any more"
