"""Workers in the tests' own process that end even if the SDK's shutdown does not return."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def bounded(worker: Worker) -> AsyncIterator[Worker]:
    """Run one of the product's workers. Its shutdown is given up like that of a `BoundedWorker`."""
    await worker.__aenter__()
    try:
        yield worker
    finally:
        await _give_up(worker.__aexit__(None, None, None))


async def _give_up(shutdown: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(SHUTDOWN_LIMIT):
            await shutdown
    except TimeoutError:
        logger.warning("a worker's shutdown did not return within %s s", SHUTDOWN_LIMIT)
