"""A conversation with Temporal that ends in time, and what it means when it fails."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from temporal.connection import NoConnection, connecting
from temporal.failing import why_it_fails

logger = logging.getLogger("cmi.desk")


class TemporalAway(Exception):
    """Temporal does not answer; whoever asks again with the same request id does no harm."""


class Broken(TemporalAway):
    """The workflow's tasks fail, by a mistake in its code or by a worker of another version: nothing can be done with
    it until that is mended. `cause` is the failure, for operations only: it may repeat what an order holds."""

    def __init__(self, workflow_id: str, cause: str) -> None:
        self.workflow_id = workflow_id
        self.cause = cause
        super().__init__(f"the tasks of {workflow_id} fail")


class Closed(Exception):
    """No workflow of this id is running."""


class NoAnswer(Exception):
    """The server, or a worker behind it, did not answer in time."""


_SLOW = (
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
)
_AWAY = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.ABORTED)
_LOOK_LIMIT = timedelta(seconds=2)


@asynccontextmanager
async def reaching(patience: timedelta) -> AsyncIterator[None]:
    """Talk to Temporal for so long at most. What a workflow says passes through.

    Raises:
        NoAnswer, Closed, TemporalAway: the failures, told apart.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            with connecting():
                yield
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise NoAnswer from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Closed from error
        if error.status in _SLOW:
            raise NoAnswer from error
        if error.status in _AWAY:
            raise TemporalAway(error.status.name) from error
        raise
    except NoConnection as error:
        raise TemporalAway("no connection") from error


@asynccontextmanager
async def asking(client: Client, workflow_id: str, patience: timedelta) -> AsyncIterator[None]:
    """Query or update one workflow, for so long at most: as `reaching`, and a workflow that is broken is told from a
    worker that is away.

    Raises:
        Broken: its tasks fail.
        NoAnswer, Closed, TemporalAway: as `reaching`.
    """
    try:
        async with reaching(patience):
            yield
    except NoAnswer:
        cause = await _why_it_fails(client, workflow_id)
        if cause is None:
            raise
        raise _broken(workflow_id, cause) from None
    except WorkflowQueryFailedError as error:
        raise _broken(workflow_id, str(error)) from error
    except RPCError as error:
        # After the third attempt at a task the server answers for the workflow.
        if error.status is not RPCStatusCode.FAILED_PRECONDITION:
            raise
        cause = await _why_it_fails(client, workflow_id)
        if cause is None:  # its task was only interrupted
            raise NoAnswer from error
        raise _broken(workflow_id, cause) from error


async def _why_it_fails(client: Client, workflow_id: str) -> str | None:
    try:
        async with reaching(_LOOK_LIMIT):
            return await why_it_fails(client, workflow_id)
    except (NoAnswer, Closed, TemporalAway):
        return None


def _broken(workflow_id: str, cause: str) -> Broken:
    logger.error("the tasks of a workflow fail", extra={"workflow_id": workflow_id})
    return Broken(workflow_id, cause)
