"""Compares open orders and settlements with their workflows every quarter of an hour.

A terminated workflow notifies nobody: only a comparison finds it.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.messages import Pass, PassCounts

ATTEMPT_LIMIT = timedelta(minutes=5)
HEARTBEAT = timedelta(seconds=30)
# A pass that makes no progress for this long fails, which the Temporal UI shows. The next one compares everything.
GIVE_UP_AFTER = timedelta(minutes=30)
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=1),
)


@workflow.defn(name=names.RECONCILER)
class Reconciler:
    """One pass: everything open in the records is looked up on the server, then every open workflow in the records.

    Records are repaired on the way. What cannot be repaired is kept as a finding and reported to operations once.
    """

    @workflow.init
    def __init__(self, start: Pass) -> None:
        self._began = start.began or workflow.now()
        self._min_age = start.min_age
        self._counts = start.tally
        self._orders_done = start.orders_done
        self._settlements_done = start.settlements_done
        self._position = start.position

    @workflow.run
    async def run(self, start: Pass) -> PassCounts:
        """Compare everything, and report the findings."""
        while not self._orders_done:
            self._show("comparing open orders with their workflows")
            await self._compare(activities.COMPARE_ORDERS)
            self._orders_done = self._position is None
            self._continue_if_long()
        while not self._settlements_done:
            # The history of a pass that an older release began has this marker. Without this line that pass would be
            # stuck, and all later passes with it, since the schedule never runs two. The next release can remove it.
            workflow.deprecate_patch("reconciler-settlements")
            self._show("comparing open settlements with their workflows")
            await self._compare(activities.COMPARE_SETTLEMENTS)
            self._settlements_done = self._position is None
            self._continue_if_long()
        more = True
        while more:
            self._show("looking up open workflows in the records")
            page = activities.WorkflowBatch(
                began=self._began, min_age=self._min_age, page=self._position
            )
            await self._do(activities.FIND_UNRECORDED, page, "a page of open workflows")
            more = self._position is not None
            if more:
                self._continue_if_long()
        standing = await workflow.execute_activity(
            activities.REPORT_FINDINGS,
            self._began,
            result_type=int,
            start_to_close_timeout=ATTEMPT_LIMIT,
            schedule_to_close_timeout=GIVE_UP_AFTER,
            retry_policy=RETRY,
            summary=f"{self._counts.found} found",
        )
        self._show(f"done; {standing} findings stand")
        return self._counts

    async def _compare(self, activity: str) -> None:
        batch = activities.OpenBatch(began=self._began, after=self._position)
        await self._do(activity, batch, f"after {self._position or 'the start'}")

    async def _do(
        self, activity: str, batch: activities.OpenBatch | activities.WorkflowBatch, summary: str
    ) -> None:
        result = await workflow.execute_activity(
            activity,
            batch,
            result_type=activities.Compared,
            start_to_close_timeout=ATTEMPT_LIMIT,
            schedule_to_close_timeout=GIVE_UP_AFTER,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            summary=summary,
        )
        self._position = result.next
        self._counts = PassCounts(
            compared=self._counts.compared + result.compared,
            repaired=self._counts.repaired + result.repaired,
            found=self._counts.found + result.found,
            unanswered=self._counts.unanswered + result.unanswered,
        )

    def _continue_if_long(self) -> None:
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(
                Pass(
                    min_age=self._min_age,
                    began=self._began,
                    tally=self._counts,
                    orders_done=self._orders_done,
                    settlements_done=self._settlements_done,
                    position=self._position,
                )
            )

    def _show(self, doing: str) -> None:
        counts = self._counts
        workflow.set_current_details(
            f"**{doing}**\n\n"
            f"- compared: {counts.compared}\n"
            f"- repaired: {counts.repaired}\n"
            f"- found: {counts.found}\n"
            f"- without an answer, left for the next pass: {counts.unanswered}\n"
        )
