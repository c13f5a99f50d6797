"""Compares what is open with its workflows, repairs what can be repaired, tells operations of the rest (DESIGN 8)."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities import names
from activities.failures import without_contents
from activities.letters import Letter, Letters
from activities.mail_texts import MailTexts, Reader
from activities.names import Compared, FindingKind, OpenBatch, WorkflowBatch
from activities.obsolete_mails import ObsoleteMails
from activities.postman import Refused
from activities.reconciled import PartnersSettlements, ServiceOrders, Things, Told
from records.orders import Orders
from records.reconciliation import Held, Open, Reconciliation, Same, Seen
from settings import Settings

BATCH = 200
AT_A_TIME = 8
ANSWER_WITHIN = 10.0  # seconds, for a query: a workflow that is not in memory is replayed for it
LOOK_AGAIN_AFTER = 2.0  # seconds: what is just being written is no difference
FAILING_SINCE_ATTEMPT = (
    3  # of one workflow task; the first ones may have met a worker that was stopped
)
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

    row: Open
    kind: FindingKind | None = None
    run_id: str = ""
    same: Same | None = None
    told: Told | None = None
    unanswered: bool = False


class ReconcileActivities:
    """The reconciler's work, on the server that `client` reaches."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        orders: Orders,
        records: Reconciliation,
        letters: Letters,
        obsolete: ObsoleteMails,
    ) -> None:
        self._settings = settings
        self._client = client
        self._records = records
        self._orders = ServiceOrders(client, orders, records)
        self._settlements = PartnersSettlements(client, records)
        self._things: dict[str, Things] = {
            each.workflow_type: each for each in (self._orders, self._settlements)
        }
        self._letters = letters
        self._obsolete = obsolete
        self._texts = MailTexts(settings.public_url)

    # --- what is open, and its workflows -------------------------------------------------------------------------

    @activity.defn(name=names.COMPARE_ORDERS)
    async def compare_orders(self, batch: OpenBatch) -> Compared:
        """Look up the next open orders on the server. Twice is once."""
        with without_contents("comparison of orders"):
            return await self._compare(self._orders, batch)

    @activity.defn(name=names.COMPARE_SETTLEMENTS)
    async def compare_settlements(self, batch: OpenBatch) -> Compared:
        """Look up the next open settlements on the server. Twice is once."""
        with without_contents("comparison of settlements"):
            return await self._compare(self._settlements, batch)

    async def _compare(self, things: Things, batch: OpenBatch) -> Compared:
        rows = await things.open_ones(batch.after, BATCH)
        known = await self._records.same([row.name for row in rows])
        turns = asyncio.Semaphore(AT_A_TIME)

        async def look(row: Open) -> _Look:
            async with turns:
                seen = await self._look(things, row, known.get(row.name))
                activity.heartbeat()
                return seen

        looks = await asyncio.gather(*(look(row) for row in rows))
        await self._records.keep_same(
            {
                each.row.name: each.same
                for each in looks
                if each.same is not None and each.same != known.get(each.row.name)
            }
        )
        unanswered = [each.row.name for each in looks if each.unanswered]
        await self._records.keep_open(unanswered, batch.began)
        seen = await self._look_again(things, [each for each in looks if each.kind is not None])
        await self._records.keep(seen, batch.began)
        return Compared(
            next=rows[-1].name if len(rows) == BATCH else None,
            compared=len(rows),
            repaired=sum(each.repaired for each in seen),
            found=sum(not each.repaired for each in seen),
            unanswered=len(unanswered),
        )

    async def _look(self, things: Things, row: Open, known: Same | None) -> _Look:
        workflow_id = things.workflow_id(row)
        try:
            workflow = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return _Look(row, "missing")
            raise
        if workflow.status is WorkflowExecutionStatus.RUNNING:
            return await self._look_at_running(things, row, workflow, known)
        told = await self._ask(things, workflow_id)
        assert workflow.status is not None
        kind = _DEAD.get(workflow.status)
        if kind is not None:
            return _Look(row, kind, workflow.run_id, told=told)
        if told is None:
            return _Look(row, unanswered=True)
        return _Look(row, "unclosed", workflow.run_id, told=told)

    async def _look_at_running(
        self,
        things: Things,
        row: Open,
        workflow: WorkflowExecutionDescription,
        known: Same | None,
    ) -> _Look:
        run_id = workflow.run_id
        task = workflow.raw_description.pending_workflow_task
        if task.attempt >= FAILING_SINCE_ATTEMPT:
            return _Look(row, "stuck", run_id)
        now = Same(run_id, workflow.history_length, row.version)
        if now == known:
            return _Look(row, same=known)
        told = await self._ask(things, workflow.id)
        if told is None:
            return _Look(row, unanswered=True)
        if told.version == row.version:
            return _Look(row, same=now)
        kind: FindingKind = "stale" if told.version > row.version else "reset"
        return _Look(row, kind, run_id, told=told)

    async def _look_again(self, things: Things, looks: list[_Look]) -> list[Seen]:
        """What is still so a moment later, after it was repaired if it can be."""
        if not looks:
            return []
        await asyncio.sleep(LOOK_AGAIN_AFTER)
        held = await things.held([each.row.name for each in looks])
        seen = []
        for each in looks:
            now = held.get(each.row.name)
            if now is not None:
                seen += await self._settle(each, now)
            activity.heartbeat()
        return seen

    async def _settle(self, look: _Look, held: Held) -> list[Seen]:
        """Nothing if the records have moved on meanwhile."""
        name, kind, told = look.row.name, look.kind, look.told
        assert kind is not None
        if held.is_over:
            return []
        if kind == "stale":
            assert told is not None
            if told.version <= held.version:
                return []
            if await told.keep():
                return [Seen(name, kind, look.run_id, repaired=True)]
            return [Seen(name, "unrecorded", look.run_id)]
        if kind == "unclosed":
            assert told is not None
            if told.version > held.version and await told.keep() and told.is_over:
                return [Seen(name, kind, look.run_id, repaired=True)]
            return [Seen(name, "ended", look.run_id)]
        if held.version != look.row.version:
            return []
        # The last that it knew is what it can be revived from.
        newer = told is not None and told.version > held.version and await told.keep()
        if newer and told is not None and told.is_over:
            return [Seen(name, "unclosed", look.run_id, repaired=True)]
        return [Seen(name, kind, look.run_id)]

    async def _ask(self, things: Things, workflow_id: str) -> Told | None:
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

    @activity.defn(name=names.FIND_UNRECORDED)
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
            await self._records.keep(seen, batch.began)
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
            held = await things.held(by_name)
            missing += [each for name, each in by_name.items() if name not in held]
        return missing

    async def _record(self, workflow: WorkflowExecution) -> Seen:
        things = self._things[workflow.workflow_type]
        told = await self._ask(things, workflow.id)
        activity.heartbeat()
        repaired = told is not None and await told.keep()
        return Seen(things.name(workflow.id), "unrecorded", workflow.run_id, repaired)

    # --- operations ----------------------------------------------------------------------------------------------

    @activity.defn(name=names.REPORT_FINDINGS)
    async def report_findings(self, began: datetime) -> int:
        """End what the pass has not seen any more, and tell operations of what is new, in one mail. How many stand.

        Mails that have lost their sense unsent are marked on the way, so that nobody looks for them.
        """
        with without_contents("report of findings"):
            await self._obsolete.mark(activity.info().started_time)
            await self._records.end_unseen(began)
            while await self._records.count_unreported():
                await self._records.reported(await self._tell())
            return await self._records.count()

    async def _tell(self) -> datetime:
        """Send a mail about what was not reported yet, once; when it went out, perhaps on an earlier attempt."""
        shown = await self._records.unreported(SHOWN)
        oldest = shown[0]
        what = f"{oldest.sp_id}/{oldest.kind}/{oldest.run_id}/{oldest.found_at.isoformat()}"
        key = f"reconciliation/{hashlib.sha256(what.encode()).hexdigest()[:32]}"
        language = self._settings.operations_language
        text = self._texts.compose_findings(
            language,
            [(finding.sp_id, finding.kind) for finding in shown],
            new=await self._records.count_unreported(),
            standing=await self._records.count(),
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
            raise ApplicationError(f"mail {key}: {refused}", type="MailServerUnavailable") from None
        return row.sent_at or now
