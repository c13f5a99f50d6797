"""Calls to Temporal with a time limit, and what their failures mean."""

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

from temporal.connection import NoConnection, Refused, connecting
from temporal.failing import why_it_fails

logger = logging.getLogger("cmi.desk")


class TemporalAway(Exception):
    """Temporal does not answer. It is safe to call again with the same request id."""


class Broken(TemporalAway):
    """The workflow's tasks fail, because of a bug or a worker of another version. Until that is corrected it takes no
    messages. `cause` is the failure, for operations only: it may quote the order's data."""

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
_LOOKUP_LIMIT = timedelta(seconds=2)


@asynccontextmanager
async def temporal_call(timeout: timedelta) -> AsyncIterator[None]:
    """Call Temporal within `timeout`. What a workflow raises passes through.

    Raises:
        NoAnswer: no answer in time.
        Closed: no workflow of this id is running.
        TemporalAway: there is no connection, or the server does not answer.
    """
    try:
        async with asyncio.timeout(timeout.total_seconds()):
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
        if isinstance(error, Refused):
            logger.error("no connection to Temporal", extra={"cause": str(error)})
        raise TemporalAway("no connection") from error


@asynccontextmanager
async def workflow_call(
    client: Client, workflow_id: str, timeout: timedelta
) -> AsyncIterator[None]:
    """Query or update one workflow within `timeout`. Distinguishes a broken workflow from a worker that is down.

    Raises:
        Broken: its tasks fail.
        NoAnswer, Closed, TemporalAway: as `temporal_call`.
    """
    try:
        async with temporal_call(timeout):
            yield
    except NoAnswer:
        cause = await _why_it_fails(client, workflow_id)
        if cause is None:
            raise
        raise _broken(workflow_id, cause) from None
    except WorkflowQueryFailedError as error:
        raise _broken(workflow_id, str(error)) from error
    except RPCError as error:
        # After three failed attempts at a task the server refuses calls to the workflow.
        if error.status is not RPCStatusCode.FAILED_PRECONDITION:
            raise
        cause = await _why_it_fails(client, workflow_id)
        if cause is None:  # the task was interrupted, and has not failed
            raise NoAnswer from error
        raise _broken(workflow_id, cause) from error


async def _why_it_fails(client: Client, workflow_id: str) -> str | None:
    try:
        async with temporal_call(_LOOKUP_LIMIT):
            return await why_it_fails(client, workflow_id)
    except (NoAnswer, Closed, TemporalAway):
        return None


def _broken(workflow_id: str, cause: str) -> Broken:
    logger.error("the tasks of a workflow fail", extra={"workflow_id": workflow_id})
    return Broken(workflow_id, cause)
