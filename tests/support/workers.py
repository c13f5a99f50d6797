"""Workers in the tests' own process that end even if the SDK's shutdown does not return."""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

from temporalio.worker import Worker

SHUTDOWN_LIMIT = 30.0  # seconds; it takes about one
logger = logging.getLogger("cmi.tests")


class BoundedWorker(Worker):
    """A worker whose shutdown is given up after `SHUTDOWN_LIMIT`.

    The shutdown once did not return after workflow tasks had failed (docs/testing.md, "Flaky tests and their
    causes"). A process of its own is killed after its grace period; here the test would hang.
    """

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the worker."""
        await _give_up(super().__aexit__(exc_type, exc_value, traceback))


class BoundedRun:
    """Runs one of the product's workers, whose shutdown is given up like that of a `BoundedWorker`."""

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
        await _give_up(self._worker.__aexit__(exc_type, exc_value, traceback))


async def _give_up(shutdown: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(SHUTDOWN_LIMIT):
            await shutdown
    except TimeoutError:
        logger.warning("a worker's shutdown did not return within %s s", SHUTDOWN_LIMIT)
