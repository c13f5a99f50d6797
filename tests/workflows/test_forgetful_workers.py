"""Every kept life once more, with a worker that keeps nothing in memory: it comes back for each task."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio.client import WorkflowHistory, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner

from tests.record_histories import ENDINGS, SETTLEMENTS, ending, settlement
from tests.support.empty_tasks import kind
from tests.support.limits import WAIT_LIMIT
from tests.workflows.coming_back import FORGETFUL
from tests.workflows.replaying import replayer

WORKER = {**FORGETFUL, "workflow_runner": UnsandboxedWorkflowRunner()}
"""Without the sandbox, which would be built again for each task. The same lives are lived, and replayed, within it."""

NO_END = "No completion event found"
"""What the client says if the time-skipping server's own limit of 20 seconds for the end of a workflow is over."""


async def check(history: WorkflowHistory) -> None:
    """No task failed on the way, and the whole of it replays."""
    assert "WORKFLOW_TASK_FAILED" not in [kind(event) for event in history.events]
    await replayer().replay_workflow(history)


async def lived(live: Callable[[], Awaitable[WorkflowHistory]]) -> WorkflowHistory:
    """The history of a life, lived again if its server lost an update.

    If the SDK drops a task while it forgets the workflow, the time-skipping server repeats the task without the update
    that came with it, and nobody answers it (docs/testing.md, "Flaky tests and their causes"). The real server refuses
    such an update.
    """
    try:
        async with asyncio.timeout(WAIT_LIMIT / 3):
            return await live()
    except (
        TimeoutError,
        WorkflowUpdateRPCTimeoutOrCancelledError,
        RPCError,
        RuntimeError,
    ) as error:
        if not _is_lost(error):
            raise
        async with asyncio.timeout(WAIT_LIMIT):
            return await live()


def _is_lost(error: Exception) -> bool:
    """Whether somebody waited in vain."""
    if isinstance(error, RPCError):  # the SDK waits 30 seconds for an answer, also while time skips
        return error.status is RPCStatusCode.CANCELLED
    if isinstance(error, RuntimeError):
        return str(error) == NO_END
    return True


@pytest.mark.parametrize("name", ENDINGS)
async def test_an_order_lives_with_workers_that_come_back_for_each_task(name: str) -> None:
    await check(await lived(lambda: ending(ENDINGS[name], **WORKER)))


@pytest.mark.parametrize("name", SETTLEMENTS)
async def test_a_settlement_lives_with_workers_that_come_back_for_each_task(name: str) -> None:
    await check(await lived(lambda: settlement(SETTLEMENTS[name], **WORKER)))
