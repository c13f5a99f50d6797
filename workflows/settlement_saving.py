"""Writing a settlement to the read model: quickly if it is small, and in any case."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from activities import names as activities
from workflows.background import UNTIL_IT_SUCCEEDS

# A read-model write holds up the workflow task that it runs in: so long and no longer.
LOCAL_WRITE_LIMIT = timedelta(seconds=2)
# One of more orders takes longer than that, and is no local activity.
LOCAL_WRITE_ORDERS = 300
WRITE_LIMIT = timedelta(minutes=2)


async def save(snapshot: activities.SettlementSnapshot) -> None:
    """Have the records hold this version, however long they are away."""
    settling = snapshot.settling
    summary = f"version {settling.version}"
    if len(settling.picked) + len(settling.left_out) <= LOCAL_WRITE_ORDERS:
        try:
            await workflow.execute_local_activity(
                activities.SAVE_SETTLEMENT,
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
        activities.SAVE_SETTLEMENT,
        snapshot,
        start_to_close_timeout=WRITE_LIMIT,
        retry_policy=UNTIL_IT_SUCCEEDS,
        summary=summary,
    )
