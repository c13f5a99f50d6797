"""Erases or deletes expired data every night, and finishes the erasure of an order outside the records on request."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.activities import ErasureOf, RetentionBatch, RetentionDone
    from contracts.messages import RetentionRun

BATCH_LIMIT = timedelta(minutes=5)
BATCHES_PER_RUN = 200
RETRIES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=5),
)


@workflow.defn(name=names.RETENTION)
class Retention:
    """One night: batch after batch, until no data are too old."""

    @workflow.run
    async def run(self, start: RetentionRun) -> RetentionRun:
        """Do all batches. Returns how much was erased and deleted."""
        scheduled = workflow.info().typed_search_attributes.get(names.SCHEDULED_START)
        state = start.replace(at=start.at or scheduled or workflow.now())
        assert state.at is not None
        for _ in range(BATCHES_PER_RUN):
            done = await workflow.execute_activity(
                activities.KEEP_RETENTION,
                RetentionBatch(at=state.at, after=state.after),
                result_type=RetentionDone,
                start_to_close_timeout=BATCH_LIMIT,
                retry_policy=RETRIES,
            )
            state = state.replace(
                after=done.next or "",
                erased=state.erased + done.erased,
                deleted=state.deleted + done.deleted,
            )
            if done.next is None:
                return state
        return workflow.continue_as_new(state)


@workflow.defn(name=names.ERASURE)
class Erasure:
    """Erases in Temporal and in files one order that operations erased."""

    @workflow.run
    async def run(self, of: ErasureOf) -> None:
        """Erase it. If that fails for a day, the nightly runs go on trying."""
        await workflow.execute_activity(
            activities.FINISH_ERASURE,
            of,
            start_to_close_timeout=BATCH_LIMIT,
            schedule_to_close_timeout=timedelta(days=1),
            retry_policy=RETRIES,
        )
