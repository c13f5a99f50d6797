"""Workers in the tests' own process that end even if the SDK's shutdown does not return."""

import asyncio
import logging
from types import TracebackType
from typing import Any

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SHUTDOWN_LIMIT = 30.0  # seconds; it takes about one
logger = logging.getLogger("cmi.tests")


class BoundedRun:
    """Runs a worker whose shutdown is given up after `SHUTDOWN_LIMIT`.

    The shutdown once did not return after workflow tasks had failed (docs/testing.md, "Flaky tests and their
    causes"). A process of its own is killed after its grace period; here the test would hang.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __aenter__(self) -> Worker:
        """Start the worker."""
        return await self._worker.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the worker."""
        try:
            async with asyncio.timeout(SHUTDOWN_LIMIT):
                await self._worker.__aexit__(exc_type, exc_value, traceback)
        except TimeoutError:
            logger.warning("a worker's shutdown did not return within %s s", SHUTDOWN_LIMIT)


def bounded_worker(client: Client, **options: Any) -> BoundedRun:
    """Run a new worker with these options of the SDK's `Worker`, without the sandbox, as in production."""
    return BoundedRun(Worker(client, workflow_runner=UnsandboxedWorkflowRunner(), **options))
