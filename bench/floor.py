"""The floor: a workflow that only takes the messages of an order's life, and its worker process."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
from temporalio import workflow
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from temporal.connection import connect_patiently

FLOOR = "Floor"
FLOOR_QUEUE = "floor"
_OPEN_ORDERS = 10_000


@workflow.defn(name=FLOOR)
class Floor:
    """Takes five updates and three signals and ends with the last update. It decides nothing and tells nobody."""

    def __init__(self) -> None:
        self._taken = 0
        self._billed = False

    @workflow.run
    async def run(self, start: dict[str, Any]) -> int:
        """Wait for the bill. Returns how many messages came."""
        await workflow.wait_condition(lambda: self._billed)
        return self._taken

    def _take(self) -> int:
        self._taken += 1
        return self._taken

    @workflow.update
    async def accept(self, request: dict[str, Any]) -> int:
        """Taken."""
        return self._take()

    @workflow.update
    async def confirm_requirements(self, request: dict[str, Any]) -> int:
        """Taken."""
        return self._take()

    @workflow.update
    async def set_appointment(self, request: dict[str, Any]) -> int:
        """Taken."""
        return self._take()

    @workflow.update
    async def confirm_execution(self, request: dict[str, Any]) -> int:
        """Taken."""
        return self._take()

    @workflow.update
    async def bill(self, request: dict[str, Any]) -> int:
        """Taken, and the last one."""
        self._billed = True
        return self._take()

    @workflow.signal
    def payment_received(self, request: dict[str, Any]) -> None:
        """Taken."""
        self._take()

    @workflow.signal
    def goods_shipped(self, request: dict[str, Any]) -> None:
        """Taken."""
        self._take()

    @workflow.signal
    def goods_received(self, request: dict[str, Any]) -> None:
        """Taken."""
        self._take()


async def run(alive: Path) -> None:
    """Work, tuned as `worker.py` is, until SIGTERM."""
    client = await connect_patiently()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Worker(
        client,
        task_queue=FLOOR_QUEUE,
        workflows=[Floor],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=_OPEN_ORDERS,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
    ):
        await asyncio.to_thread(alive.touch)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1])))
