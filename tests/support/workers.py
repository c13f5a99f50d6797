"""Workers in the tests' own process that end even if the SDK's shutdown does not return."""

import asyncio
import logging
from types import TracebackType

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
        try:
            async with asyncio.timeout(SHUTDOWN_LIMIT):
                await super().__aexit__(exc_type, exc_value, traceback)
        except TimeoutError:
            logger.warning("a worker's shutdown did not return within %s s", SHUTDOWN_LIMIT)
