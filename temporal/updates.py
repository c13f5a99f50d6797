"""Sends an update to a workflow, again if its workflow task was interrupted."""

import asyncio
from typing import Any, Final

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

_PAUSES: Final = (0.05, 0.2, 0.5)  # seconds


async def execute_update(
    handle: WorkflowHandle[Any, Any], name: str, *args: Any, **options: Any
) -> Any:
    """The answer to an update. `options` has the update's id, so that a repetition has no effect.

    If something comes in while a workflow task continues as new, the server repeats the task. Until then it rejects
    updates with FAILED_PRECONDITION, as it does for a workflow whose tasks fail.

    Raises:
        RPCError: with that status if the workflow's tasks fail; else as `WorkflowHandle.execute_update`.
    """
    for pause in _PAUSES:
        try:
            return await handle.execute_update(name, *args, **options)
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                raise
            await asyncio.sleep(pause)
    return await handle.execute_update(name, *args, **options)
