"""Writing a snapshot to the records from a workflow: after Temporal has kept it, however long the database is away."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.background import UNTIL_IT_SUCCEEDS, Background

LOST_AFTER = timedelta(seconds=5)
"""A write without a sign of life for so long is begun again: twice is once."""
SAVE_LIMIT = timedelta(seconds=10)
"""For one attempt to write an order. What a dead worker has begun is begun again after it."""

# How long a local write, of runs that still have them, may hold up its workflow task.
LOCAL_WRITE_LIMIT = timedelta(seconds=2)


async def save(
    background: Background, activity: str, snapshot: Any, version: int, *, limit: timedelta
) -> None:
    """Have the records hold this version. `limit` is for one attempt.

    By an ordinary activity: the server hands it to a worker only once it has kept the workflow task that asks for it,
    so nothing is written that Temporal does not know.
    """
    await background.start_activity(
        activity,
        snapshot,
        start_to_close_timeout=limit,
        heartbeat_timeout=LOST_AFTER,
        retry_policy=UNTIL_IT_SUCCEEDS,
        summary=f"version {version}",
    )


async def save_locally(activity: str, snapshot: Any, version: int) -> bool:
    """Whether a local activity has written this version, as runs that began before `names.SHELL` was 2 try first."""
    try:
        await workflow.execute_local_activity(
            activity,
            snapshot,
            schedule_to_close_timeout=LOCAL_WRITE_LIMIT,
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary=f"version {version}",
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        return False
    return True
