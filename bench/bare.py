"""The bare workflow, with which orders are compared: it receives the messages of an order and does nothing else."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from temporal.connection import connect_patiently

BARE = "Bare"
BARE_QUEUE = "bare"
_CACHED_WORKFLOWS = 10_000


@workflow.defn(name=BARE)
class BareWorkflow:
    """Counts updates and signals of any name, and ends with the update `bill`."""

    def __init__(self) -> None:
        self._messages = 0
        self._billed = False

    @workflow.run
    async def run(self, intake: dict[str, Any]) -> int:
        """Wait for the update `bill`. Returns the number of messages."""
        await workflow.wait_condition(lambda: self._billed)
        return self._messages

    @workflow.update(dynamic=True)
    async def update(self, name: str, arguments: Sequence[RawValue]) -> int:
        """Count an update. Returns the number of messages so far."""
        self._messages += 1
        self._billed = name == "bill"
        return self._messages

    @workflow.signal(dynamic=True)
    async def signal(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Count a signal."""
        self._messages += 1


async def run(alive: Path) -> None:
    """Run a worker with the options of `worker.py` until SIGTERM; touch `alive` when it is up."""
    client = await connect_patiently()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Worker(
        client,
        task_queue=BARE_QUEUE,
        workflows=[BareWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=_CACHED_WORKFLOWS,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
    ):
        await asyncio.to_thread(alive.touch)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1])))
