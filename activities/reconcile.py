"""Compares orders and settlements with their workflows, repairs the records, and reports the rest to operations."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.entities import (
    Entities,
    OrderEntities,
    SettlementEntities,
    WorkflowAnswer,
)
from activities.failures import without_contents
from activities.obsolete_mails import ObsoleteMails
from activities.sending import send_from_activity
from contracts import activities
from contracts import names as workflow_names
from contracts.activities import Compared, FindingKind, OpenBatch, WorkflowBatch
from mail.outbox import Outbox, OutgoingMail
from mail.texts import MailTexts, Reader
from records.findings import Seen
from records.orders import Orders
from records.reconciliation import Reconciliation, Row, Same
from records.settlements import Settlements
from settings import Settings
from telemetry.metrics import RECONCILED_AT

BATCH = 200
MAX_CONCURRENT = 8
QUERY_TIMEOUT = 10.0
"""Seconds for a query. A workflow that is not in a worker's cache is replayed for it."""
COMPARE_AGAIN_AFTER = 2.0
"""Seconds after which a difference is compared again, because a write may have been pending."""
STUCK_FROM_ATTEMPT = 3
"""Attempts at a workflow task after which the workflow counts as stuck. Earlier ones may fail with their worker."""
CLOSED_FOR = timedelta(days=30)
"""How long after its last change a closed order is still compared, once. Servers keep closed workflows as long."""
SHOWN = 50  # findings in one mail

_DEAD: dict[WorkflowExecutionStatus, FindingKind] = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
    WorkflowExecutionStatus.CANCELED: "canceled",
}
_THREAD = "reconciliation"


class _Comparison(NamedTuple):
    """An order or settlement compared with its workflow. Without a `kind` they agree, or the workflow did not answer.

    `same` is stored, so that the next pass can skip the row while nothing changes.
    """

    row: Row
    kind: FindingKind | None = None
    run_id: str = ""
    same: Same | None = None
    answer: WorkflowAnswer | None = None
    unanswered: bool = False


class ReconcileActivities:
    """The activities of the reconciler. `client` reaches the server whose workflows are compared."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        orders: Orders,
        settlements: Settlements,
        records: Reconciliation,
        outbox: Outbox,
        obsolete: ObsoleteMails,
    ) -> None:
        self._settings = settings
        self._client = client
        self._records = records
        self._findings = records.findings
        self._orders = OrderEntities(client, orders, records)
        self._settlements = SettlementEntities(client, settlements, records)
        self._by_type: dict[str, Entities] = {
            each.workflow_type: each for each in (self._orders, self._settlements)
        }
        self._outbox = outbox
        self._obsolete = obsolete
        self._texts = MailTexts(settings.public_url)

    # --- from the records to the workflows -----------------------------------------------------------------------

    @activity.defn(name=activities.COMPARE_ORDERS)
    async def compare_orders(self, batch: OpenBatch) -> Compared:
        """Compare the next open orders with their workflows. Idempotent."""
        with without_contents("comparison of orders"):
            return await self._compare(self._orders, batch)

    @activity.defn(name=activities.COMPARE_SETTLEMENTS)
    async def compare_settlements(self, batch: OpenBatch) -> Compared:
        """Compare the next open settlements with their workflows. Idempotent."""
        with without_contents("comparison of settlements"):
            return await self._compare(self._settlements, batch)

    async def _compare(self, entities: Entities, batch: OpenBatch) -> Compared:
        rows = await entities.to_compare(batch.after, BATCH, batch.began - CLOSED_FOR)
        known = await self._records.same([row.name for row in rows])
        comparisons = await self._compare_all(entities, rows, known)
        different = [each.row.name for each in comparisons if each.kind is not None]
        if different:
            await asyncio.sleep(COMPARE_AGAIN_AFTER)
            again = await self._compare_all(entities, await entities.rows(different), {})
            comparisons = [each for each in comparisons if each.kind is None] + again
        await self._records.keep_same(
            {
                each.row.name: each.same
                for each in comparisons
                if each.same is not None and each.same != known.get(each.row.name)
            }
        )
        unanswered = [each.row.name for each in comparisons if each.unanswered]
        await self._findings.keep_open(unanswered, batch.began)
        seen = [
            await self._repair(each, each.kind) for each in comparisons if each.kind is not None
        ]
        await self._findings.keep(seen, batch.began)
        return Compared(
            next=rows[-1].name if len(rows) == BATCH else None,
            compared=len(rows),
            repaired=sum(each.repaired for each in seen),
            found=sum(not each.repaired for each in seen),
            unanswered=len(unanswered),
        )

    async def _compare_all(
        self, entities: Entities, rows: Sequence[Row], known: Mapping[str, Same]
    ) -> list[_Comparison]:
        slots = asyncio.Semaphore(MAX_CONCURRENT)

        async def comparison(row: Row) -> _Comparison:
            async with slots:
                seen = await self._compare_one(entities, row, known.get(row.name))
                activity.heartbeat()
                return seen

        return await asyncio.gather(*(comparison(row) for row in rows))

    async def _compare_one(self, entities: Entities, row: Row, known: Same | None) -> _Comparison:
        workflow_id = entities.workflow_id(row)
        try:
            workflow = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if row.is_over:  # the server deletes closed workflows after a while
                return _Comparison(row, same=Same("", 0, row.version, row.digest))
            return _Comparison(row, "missing")
        run_id = workflow.run_id
        running = workflow.status is WorkflowExecutionStatus.RUNNING
        task = workflow.raw_description.pending_workflow_task
        if running and task.attempt >= STUCK_FROM_ATTEMPT:
            return _Comparison(row, "stuck", run_id)
        now = Same(run_id, workflow.history_length, row.version, row.digest)
        if now == known:
            return _Comparison(row, same=known)
        dead = _DEAD.get(workflow.status) if workflow.status is not None else None
        answer = await self._ask(entities, workflow_id)
        if answer is None:
            return _Comparison(row, None if row.is_over else dead, run_id, unanswered=dead is None)
        if dead is not None and not answer.is_over:
            return _Comparison(row, dead, run_id, answer=answer)
        if await answer.is_recorded():
            # A workflow must not end before its order or settlement is over.
            ended = not running and not answer.is_over
            if running and answer.shell < workflow_names.SHELL:
                # It may have ended meanwhile. If not, the next pass signals again.
                with suppress(RPCError):
                    handle = self._client.get_workflow_handle(workflow_id)
                    await handle.signal(workflow_names.NEXT_RUN)
            return _Comparison(row, "ended", run_id) if ended else _Comparison(row, same=now)
        return _Comparison(row, _difference(row, answer, running=running), run_id, answer=answer)

    async def _repair(self, comparison: _Comparison, kind: FindingKind) -> Seen:
        """Write the workflow's answer to the records, if it gave one."""
        name, answer = comparison.row.name, comparison.answer
        activity.heartbeat()
        if answer is None:
            return Seen(name, kind, comparison.run_id)
        kept = await answer.is_recorded() or await answer.keep()
        # Operations must revive a dead one, from its last state, which is recorded now.
        if kind in _DEAD.values():
            return Seen(name, kind, comparison.run_id)
        if not kept:
            return Seen(name, "unrecorded", comparison.run_id)
        return Seen(name, kind, comparison.run_id, repaired=True)

    async def _ask(self, entities: Entities, workflow_id: str) -> WorkflowAnswer | None:
        """The workflow's answer to the query for its state; None if it does not answer."""
        try:
            async with asyncio.timeout(QUERY_TIMEOUT):
                return await entities.ask(workflow_id)
        except (TimeoutError, WorkflowQueryFailedError) as error:
            why = type(error).__name__
        except RPCError as error:
            if error.status is RPCStatusCode.UNAVAILABLE:
                raise
            why = error.status.name
        activity.logger.warning("no answer", extra={"about": workflow_id, "why": why})
        return None

    # --- from the workflows to the records -----------------------------------------------------------------------

    @activity.defn(name=activities.FIND_UNRECORDED)
    async def find_unrecorded(self, batch: WorkflowBatch) -> Compared:
        """Look up the next running workflows in the records, and record the missing ones. Idempotent."""
        with without_contents("search for workflows without a row"):
            before = (activity.info().started_time - batch.min_age).astimezone(UTC)
            listed = self._client.list_workflows(
                f"WorkflowType IN ({', '.join(map(repr, self._by_type))}) AND ExecutionStatus = 'Running'"
                f" AND StartTime < '{before.isoformat(timespec='milliseconds')}'",
                page_size=BATCH,
                next_page_token=base64.b64decode(batch.page) if batch.page else None,
            )
            await listed.fetch_next_page()
            running = listed.current_page or ()
            missing = await self._missing(running)
            if missing:
                await asyncio.sleep(COMPARE_AGAIN_AFTER)
                missing = await self._missing(missing)
            seen = [await self._record(workflow) for workflow in missing]
            await self._findings.keep(seen, batch.began)
            page = listed.next_page_token
            return Compared(
                next=base64.b64encode(page).decode() if page else None,
                compared=0,
                repaired=sum(each.repaired for each in seen),
                found=sum(not each.repaired for each in seen),
            )

    async def _missing(self, running: Sequence[WorkflowExecution]) -> list[WorkflowExecution]:
        missing = []
        for workflow_type, entities in self._by_type.items():
            by_name = {
                entities.name(each.id): each
                for each in running
                if each.workflow_type == workflow_type
            }
            held = {row.name for row in await entities.rows(by_name)}
            missing += [each for name, each in by_name.items() if name not in held]
        return missing

    async def _record(self, workflow: WorkflowExecution) -> Seen:
        entities = self._by_type[workflow.workflow_type]
        answer = await self._ask(entities, workflow.id)
        activity.heartbeat()
        repaired = answer is not None and await answer.keep()
        return Seen(entities.name(workflow.id), "unrecorded", workflow.run_id, repaired)

    # --- the report ----------------------------------------------------------------------------------------------

    @activity.defn(name=activities.REPORT_FINDINGS)
    async def report_findings(self, began: datetime) -> int:
        """End the findings that the pass did not see, and mail new ones to operations. Returns how many are open.

        Also marks unsent mails as obsolete that are no longer needed.
        """
        with without_contents("report of findings"):
            await self._findings.end_unseen(began)
            await self._records.forget_closed(began - CLOSED_FOR)
            while await self._findings.count_unreported():
                await self._findings.mark_reported(await self._report())
            await self._obsolete.mark(activity.info().started_time)
            RECONCILED_AT.set_to_current_time()
            return await self._findings.count()

    async def _report(self) -> datetime:
        """Mail the unreported findings. Returns when the mail was sent, possibly by an earlier attempt."""
        shown = await self._findings.unreported(SHOWN)
        oldest = shown[0]
        what = f"{oldest.about}/{oldest.kind}/{oldest.run_id}/{oldest.found_at.isoformat()}"
        key = f"reconciliation/{hashlib.sha256(what.encode()).hexdigest()[:32]}"
        language = self._settings.operations_language
        text = self._texts.compose_findings(
            language,
            [(finding.about, finding.kind) for finding in shown],
            new=await self._findings.count_unreported(),
            standing=await self._findings.count(),
            link=self._settings.temporal_ui_url,
        )
        mail = OutgoingMail(
            key,
            _THREAD,
            "reconciliation",
            "operations",
            self._settings.mail_operations,
            Reader("", language, staff=True),
            lambda: text,
            give_up_refused=None,
            give_up_put_off=None,
        )
        # The activity ends after half an hour, so an hourly retry would come too late.
        row = await send_from_activity(self._outbox, mail, refused_again=None)
        return row.sent_at or activity.info().started_time


def _difference(row: Row, answer: WorkflowAnswer, *, running: bool) -> FindingKind:
    """How the records differ from the workflow's answer."""
    if not running and not row.is_over:
        return "unclosed"
    if answer.version == row.version:
        return "different"
    return "stale" if answer.version > row.version else "reset"
