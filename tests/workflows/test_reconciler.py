"""A pass of the reconciler that an older release began goes on under this one: the schedule waits for it."""

from pathlib import Path

from temporalio import activity
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, Worker

from contracts import activities, names
from contracts.activities import Compared, OpenBatch, WorkflowBatch
from contracts.messages import Pass, PassCounts
from temporal.connection import data_converter
from tests.support.temporal_servers import skipping_server
from workflows.reconciler import Reconciler

HISTORY = Path(__file__).parents[1] / "histories" / "reconciler" / "one-pass.json"


@activity.defn(name=activities.COMPARE_ORDERS)
async def compare_orders(batch: OpenBatch) -> Compared:
    """Two batches."""
    return Compared(next="SP-1" if batch.after is None else None, compared=1, repaired=0, found=0)


@activity.defn(name=activities.COMPARE_SETTLEMENTS)
async def compare_settlements(batch: OpenBatch) -> Compared:
    """Two batches."""
    return Compared(next="V-1" if batch.after is None else None, compared=1, repaired=1, found=0)


@activity.defn(name=activities.FIND_UNRECORDED)
async def find_unrecorded(batch: WorkflowBatch) -> Compared:
    """Two pages."""
    return Compared(next="p-2" if batch.page is None else None, compared=0, repaired=0, found=1)


@activity.defn(name=activities.REPORT_FINDINGS)
async def report_findings(began: object) -> int:
    """Nothing new."""
    return 0


async def one_pass() -> tuple[PassCounts, WorkflowHistory]:
    """What a pass did, and its history."""
    async with (
        skipping_server() as env,
        Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[Reconciler],
            activities=[compare_orders, compare_settlements, find_unrecorded, report_findings],
        ),
    ):
        handle = await env.client.start_workflow(
            names.RECONCILER,
            Pass(),
            id=names.RECONCILER_ID,
            task_queue=names.ORDERS_QUEUE,
            result_type=PassCounts,
        )
        return await handle.result(), await handle.fetch_history()


async def test_a_pass_goes_through_orders_settlements_and_workflows() -> None:
    tally, _ = await one_pass()
    assert tally == PassCounts(compared=4, repaired=2, found=2)


async def test_a_pass_that_was_begun_before_this_release_goes_on() -> None:
    """From wherever it stood: the history up to each of its tasks."""
    whole = WorkflowHistory.from_json("one-pass", HISTORY.read_text())
    replayer = Replayer(workflows=[Reconciler], data_converter=data_converter())
    ends = [
        number
        for number, event in enumerate(whole.events, start=1)
        if event.HasField("workflow_task_started_event_attributes")
    ]
    assert len(ends) > 6
    for end in (*ends, len(whole.events)):
        await replayer.replay_workflow(WorkflowHistory("one-pass", list(whole.events)[:end]))
