"""A conversation with Temporal that ends in time, and what it means when it fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from connection import NoConnection, connecting


class TemporalAway(Exception):
    """Temporal does not answer; whoever asks again with the same request id does no harm."""


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
