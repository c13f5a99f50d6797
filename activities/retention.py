"""The activities that erase and delete what is older than its retention."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.failures import without_contents
from contracts import activities
from contracts.activities import ErasureOf, RetentionBatch, RetentionDone
from domain.actors import SYSTEM
from domain.retention import Kind
from records.erasures import Erasures
from records.idempotency import Answers
from records.lookups import Lookups
from records.security_events import SecurityEvents
from records.uploads import Uploads
from use_cases.erasing import Erasing

ORDERS_AT_ONCE = 50
ROWS_AT_ONCE = 500


class RetentionActivities:
    """Retention in batches: an interrupted batch is repeated, and finds less to do."""

    def __init__(
        self,
        spans: Mapping[Kind, timedelta],
        erasing: Erasing,
        erasures: Erasures,
        uploads: Uploads,
        traces: Sequence[SecurityEvents | Lookups],
        answers: Answers,
    ) -> None:
        self._spans = spans
        self._erasing = erasing
        self._erasures = erasures
        self._uploads = uploads
        self._traces = traces
        self._answers = answers

    @activity.defn(name=activities.KEEP_RETENTION)
    async def keep_retention(self, batch: RetentionBatch) -> RetentionDone:
        """Erase and delete one batch of everything that is too old, and compact the database after the last one."""
        with without_contents("retention"):
            spans, erasures = self._spans, self._erasures
            due = await erasures.due(batch.at - spans["orders"], ORDERS_AT_ONCE)
            codes = [await self._erasing.erase_rows(sp_id, SYSTEM.role) for sp_id in due]
            undone = await erasures.undone(batch.after, ORDERS_AT_ONCE)
            await self._erasing.erase_outside(undone)
            await erasures.erase_late_reasons()
            deleted = (
                await erasures.delete_mails(batch.at - spans["mails"], ROWS_AT_ONCE),
                await erasures.delete_asked_reminders(batch.at - spans["mails"], ROWS_AT_ONCE),
                await erasures.delete_findings(batch.at - spans["findings"], ROWS_AT_ONCE),
                await self._uploads.delete_refused(
                    batch.at - spans["refused_invoices"], batch.at, ROWS_AT_ONCE
                ),
                await erasures.delete_settlements(batch.at - spans["settlements"], ORDERS_AT_ONCE),
                await erasures.delete_orders(batch.at - spans["settlements"], ORDERS_AT_ONCE),
                await erasures.delete_iban_changes(batch.at - spans["settlements"], ROWS_AT_ONCE),
                await erasures.delete_exports(batch.at - spans["traces"], ROWS_AT_ONCE),
            )
            erased = codes.count(None)
            # Orders that refuse would be due again in each batch: the next night asks them again.
            is_full = len(due) == ORDERS_AT_ONCE and erased > 0
            if is_full or len(undone) == ORDERS_AT_ONCE or any(deleted):
                after = undone[-1] if undone else batch.after
                return RetentionDone(erased=erased, deleted=sum(deleted), next=after)
            for traces in self._traces:
                await traces.delete_older_than(batch.at - spans["traces"])
            await self._answers.forget(batch.at - spans["answers"])
            await erasures.compact()
            return RetentionDone(erased=erased, deleted=sum(deleted))

    @activity.defn(name=activities.FINISH_ERASURE)
    async def finish_erasure(self, of: ErasureOf) -> None:
        """Erase what Temporal, files and the database's free space hold of an order that is erased in the records."""
        with without_contents(f"erasure of {of.sp_id}"):
            running: frozenset[str] = frozenset()
            if await self._erasures.is_undone(of.sp_id):
                running = await self._erasing.erase_outside([of.sp_id])
            await self._erasures.compact()
            if running:
                raise ApplicationError(
                    "its workflow runs again", category=ApplicationErrorCategory.BENIGN
                )
