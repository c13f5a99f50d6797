"""Writing to the read model from a workflow: quickly if it can be, and in any case."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.background import UNTIL_IT_SUCCEEDS

# A read-model write holds up the workflow task that it runs in: so long and no longer.
LOCAL_WRITE_LIMIT = timedelta(seconds=2)


async def save(
    activity: str, snapshot: Any, version: int, *, limit: timedelta, quick: bool = True
) -> None:
    """Have the records hold this version, however long they are away.

    `quick`: it is small enough for a local activity. If that fails the database is away, and from there on the workflow
    does not wait for it, not even that long. `limit` is for one attempt that is not local.
    """
    summary = f"version {version}"
    if quick:
        try:
            await workflow.execute_local_activity(
                activity,
                snapshot,
                schedule_to_close_timeout=LOCAL_WRITE_LIMIT,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=summary,
            )
            return
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
    await workflow.execute_activity(
        activity,
        snapshot,
        start_to_close_timeout=limit,
        retry_policy=UNTIL_IT_SUCCEEDS,
        summary=summary,
    )
