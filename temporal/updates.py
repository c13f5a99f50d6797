"""Sends an update to a workflow, once more if its task was interrupted."""

import asyncio
from typing import Any, Final

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

_PAUSES: Final = (0.05, 0.2, 0.5)  # seconds


async def execute_update(
    handle: WorkflowHandle[Any, Any], name: str, *args: Any, **options: Any
) -> Any:
    """The answer to an update, which has an id in `options`, so that twice is once.

    A task that goes over into the next run while something else comes in is begun again by the server. It turns the
    task's updates away meanwhile (FAILED_PRECONDITION), as it does those of a workflow whose tasks fail.

    Raises:
        RPCError: with that status, its tasks do fail; else as `WorkflowHandle.execute_update`.
    """
    for pause in _PAUSES:
        try:
            return await handle.execute_update(name, *args, **options)
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                raise
            await asyncio.sleep(pause)
    return await handle.execute_update(name, *args, **options)
