"""Compares what is open with its workflows, repairs what can be repaired, and reports the rest to operations."""

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
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from activities.failures import without_contents
from activities.obsolete_mails import ObsoleteMails
from activities.reconciled import Comparable, PartnersSettlements, ServiceOrders, WorkflowAnswer
from contracts import activities
from contracts import names as workflow_names
from contracts.activities import Compared, FindingKind, OpenBatch, WorkflowBatch
from mail.letters import Letter, Letters
from mail.smtp import Refused
from mail.texts import MailTexts, Reader
from records.findings import Seen
from records.orders import Orders
from records.reconciliation import Reconciliation, Row, Same
from records.settlements import Settlements
from settings import Settings

BATCH = 200
AT_A_TIME = 8
ANSWER_WITHIN = 10.0  # seconds, for a query: a workflow that is not in memory is replayed for it
LOOK_AGAIN_AFTER = 2.0  # seconds: what is just being written is no difference
FAILING_SINCE_ATTEMPT = (
    3  # of one workflow task; the first ones may have met a worker that was stopped
)
CLOSED_FOR = timedelta(days=30)
"""For so long after its last change a closed order is compared, once; servers remember closed workflows as long."""
SHOWN = 50  # findings in one mail

_DEAD: dict[WorkflowExecutionStatus, FindingKind] = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
    WorkflowExecutionStatus.CANCELED: "canceled",
}
_THREAD = "reconciliation"


class _Look(NamedTuple):
    """What was seen of one order or settlement. Without a `kind` all is well, or (`unanswered`) nobody knows."""

    row: Row
    kind: FindingKind | None = None
    run_id: str = ""
    same: Same | None = None
    told: WorkflowAnswer | None = None
    unanswered: bool = False


class ReconcileActivities:
    """The reconciler's work, on the server that `client` reaches."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        orders: Orders,
        settlements: Settlements,
        records: Reconciliation,
        letters: Letters,
        obsolete: ObsoleteMails,
    ) -> None:
        self._settings = settings
        self._client = client
        self._records = records
        self._findings = records.findings
        self._orders = ServiceOrders(client, orders, records)
        self._settlements = PartnersSettlements(client, settlements, records)
        self._things: dict[str, Comparable] = {
            each.workflow_type: each for each in (self._orders, self._settlements)
        }
        self._letters = letters
        self._obsolete = obsolete
        self._texts = MailTexts(settings.public_url)

    # --- what is open, and its workflows -------------------------------------------------------------------------

    @activity.defn(name=activities.COMPARE_ORDERS)
    async def compare_orders(self, batch: OpenBatch) -> Compared:
        """Look up the next open orders on the server. Twice is once."""
        with without_contents("comparison of orders"):
            return await self._compare(self._orders, batch)

    @activity.defn(name=activities.COMPARE_SETTLEMENTS)
    async def compare_settlements(self, batch: OpenBatch) -> Compared:
        """Look up the next open settlements on the server. Twice is once."""
        with without_contents("comparison of settlements"):
            return await self._compare(self._settlements, batch)

    async def _compare(self, things: Comparable, batch: OpenBatch) -> Compared:
        rows = await things.to_compare(batch.after, BATCH, batch.began - CLOSED_FOR)
        known = await self._records.same([row.name for row in rows])
        looks = await self._look_at(things, rows, known)
        # What is just being written is no difference.
        different = [each.row.name for each in looks if each.kind is not None]
        if different:
            await asyncio.sleep(LOOK_AGAIN_AFTER)
            again = await self._look_at(things, await things.rows(different), {})
            looks = [each for each in looks if each.kind is None] + again
        await self._records.keep_same(
            {
                each.row.name: each.same
                for each in looks
                if each.same is not None and each.same != known.get(each.row.name)
            }
        )
        unanswered = [each.row.name for each in looks if each.unanswered]
        await self._findings.keep_open(unanswered, batch.began)
        seen = [await self._settle(each, each.kind) for each in looks if each.kind is not None]
        await self._findings.keep(seen, batch.began)
        return Compared(
            next=rows[-1].name if len(rows) == BATCH else None,
            compared=len(rows),
            repaired=sum(each.repaired for each in seen),
            found=sum(not each.repaired for each in seen),
            unanswered=len(unanswered),
        )

    async def _look_at(
        self, things: Comparable, rows: Sequence[Row], known: Mapping[str, Same]
    ) -> list[_Look]:
        turns = asyncio.Semaphore(AT_A_TIME)

        async def look(row: Row) -> _Look:
            async with turns:
                seen = await self._look(things, row, known.get(row.name))
                activity.heartbeat()
                return seen

        return await asyncio.gather(*(look(row) for row in rows))

    async def _look(self, things: Comparable, row: Row, known: Same | None) -> _Look:
        workflow_id = things.workflow_id(row)
        try:
            workflow = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if row.is_over:  # the server forgets what has ended
                return _Look(row, same=Same("", 0, row.version, row.digest))
            return _Look(row, "missing")
        run_id = workflow.run_id
        running = workflow.status is WorkflowExecutionStatus.RUNNING
        task = workflow.raw_description.pending_workflow_task
        if running and task.attempt >= FAILING_SINCE_ATTEMPT:
            return _Look(row, "stuck", run_id)
        now = Same(run_id, workflow.history_length, row.version, row.digest)
        if now == known:
            return _Look(row, same=known)
        dead = _DEAD.get(workflow.status) if workflow.status is not None else None
        told = await self._ask(things, workflow_id)
        if told is None:
            return _Look(row, None if row.is_over else dead, run_id, unanswered=dead is None)
        if dead is not None and not told.is_over:
            return _Look(row, dead, run_id, told=told)
        if await told.is_recorded():
            # It has ended, and not as one that is over does.
            ended = not running and not told.is_over
            if running and told.shell < workflow_names.SHELL:
                with suppress(
                    RPCError
                ):  # it may have ended just now; if not, the next pass asks again
                    handle = self._client.get_workflow_handle(workflow_id)
                    await handle.signal(workflow_names.NEXT_RUN)
            return _Look(row, "ended", run_id) if ended else _Look(row, same=now)
        return _Look(row, _difference(row, told, running=running), run_id, told=told)

    async def _settle(self, look: _Look, kind: FindingKind) -> Seen:
        """Repair what can be repaired, from what the workflow says."""
        name, told = look.row.name, look.told
        activity.heartbeat()
        if told is None:
            return Seen(name, kind, look.run_id)
        kept = await told.is_recorded() or await told.keep()
        if kind in _DEAD.values():  # the last that it knew is what it can be revived from
            return Seen(name, kind, look.run_id)
        if not kept:
            return Seen(name, "unrecorded", look.run_id)
        return Seen(name, kind, look.run_id, repaired=True)

    async def _ask(self, things: Comparable, workflow_id: str) -> WorkflowAnswer | None:
        """How far a workflow is; None if it does not say."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await things.ask(workflow_id)
        except (TimeoutError, WorkflowQueryFailedError) as error:
            why = type(error).__name__
        except RPCError as error:
            if error.status is RPCStatusCode.UNAVAILABLE:
                raise
            why = error.status.name
        activity.logger.warning("no answer", extra={"about": workflow_id, "why": why})
        return None

    # --- open workflows and their rows ---------------------------------------------------------------------------

    @activity.defn(name=activities.FIND_UNRECORDED)
    async def find_unrecorded(self, batch: WorkflowBatch) -> Compared:
        """Look up the next open workflows in the records, and record those that are missing there. Twice is once."""
        with without_contents("search for workflows without a row"):
            before = (activity.info().started_time - batch.min_age).astimezone(UTC)
            listed = self._client.list_workflows(
                f"WorkflowType IN ({', '.join(map(repr, self._things))}) AND ExecutionStatus = 'Running'"
                f" AND StartTime < '{before.isoformat(timespec='milliseconds')}'",
                page_size=BATCH,
                next_page_token=base64.b64decode(batch.page) if batch.page else None,
            )
            await listed.fetch_next_page()
            running = listed.current_page or ()
            missing = await self._missing(running)
            if missing:
                await asyncio.sleep(LOOK_AGAIN_AFTER)
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
        for workflow_type, things in self._things.items():
            by_name = {
                things.name(each.id): each
                for each in running
                if each.workflow_type == workflow_type
            }
            held = {row.name for row in await things.rows(by_name)}
            missing += [each for name, each in by_name.items() if name not in held]
        return missing

    async def _record(self, workflow: WorkflowExecution) -> Seen:
        things = self._things[workflow.workflow_type]
        told = await self._ask(things, workflow.id)
        activity.heartbeat()
        repaired = told is not None and await told.keep()
        return Seen(things.name(workflow.id), "unrecorded", workflow.run_id, repaired)

    # --- operations ----------------------------------------------------------------------------------------------

    @activity.defn(name=activities.REPORT_FINDINGS)
    async def report_findings(self, began: datetime) -> int:
        """End what the pass has not seen any more, and tell operations of what is new, in one mail. How many stand.

        Mails that have lost their sense unsent are marked on the way, so that nobody looks for them.
        """
        with without_contents("report of findings"):
            await self._findings.end_unseen(began)
            await self._records.forget_closed(began - CLOSED_FOR)
            while await self._findings.count_unreported():
                await self._findings.mark_reported(await self._tell())
            await self._obsolete.mark(activity.info().started_time)
            return await self._findings.count()

    async def _tell(self) -> datetime:
        """Send a mail about what was not reported yet, once; when it went out, perhaps on an earlier attempt."""
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
        letter = Letter(
            key,
            _THREAD,
            "reconciliation",
            "operations",
            self._settings.mail_operations,
            Reader("", language, staff=True),
            lambda: text,
        )
        now = activity.info().started_time
        try:
            row = await self._letters.deliver(letter, now)
        except Refused as refused:
            await self._letters.refused(key, refused)
            raise ApplicationError(
                f"mail {key}: {refused}",
                type="MailServerUnavailable",
                category=ApplicationErrorCategory.BENIGN,
            ) from None
        return row.sent_at or now


def _difference(row: Row, told: WorkflowAnswer, *, running: bool) -> FindingKind:
    """How the records differ from what a workflow says."""
    if not running and not row.is_over:
        return "unclosed"
    if told.version == row.version:
        return "different"
    return "stale" if told.version > row.version else "reset"
