"""Recorded lives once more, with a worker without a cache, which replays the history for each task."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from temporalio.client import WorkflowHistory, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner

from contracts.names import SHELL
from tests.record_histories import ENDINGS, SETTLEMENTS, ending, settlement
from tests.support.empty_tasks import kind
from tests.support.limits import WAIT_LIMIT
from tests.workflows.coming_back import FORGETFUL, interrupted, last_tasks
from tests.workflows.replaying import replayer
from tests.workflows.test_replay import history

WORKER = {**FORGETFUL, "workflow_runner": UnsandboxedWorkflowRunner()}
"""Without the sandbox, which would be built again for each task. The same lives are lived, and replayed, within it."""

ALIKE = {
    "calendar-renewed",
    "cancelled-early",
    "mail-down",
    "missed-deadlines",
    "prepaid",
    "requirements-not-met",
    "review-new-appointment",
    "settlement-cancelled-in-temporal",
    "settlement-database-down",
    "settlement-nothing-billed",
}
"""Lives that are left out here, because the other lives have all their kinds of tasks."""

NO_END = "No completion event found"
"""What the client says if the time-skipping server's own limit of 20 seconds for the end of a workflow is over."""


async def check(history: WorkflowHistory) -> None:
    """No task failed on the way, and the whole of it replays."""
    assert "WORKFLOW_TASK_FAILED" not in [kind(event) for event in history.events]
    await replayer(runner=UnsandboxedWorkflowRunner()).replay_workflow(history)


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


def kinds_of_tasks(lives: Iterable[str]) -> set[tuple[str, ...]]:
    """The kinds of tasks in the kept histories of these lives, as far as the SDK tells them apart."""
    kept = (history(f"shell-{SHELL}/{name}") for name in lives)
    return {last_tasks(begun) for each in kept for begun in interrupted(each)}


def test_what_is_left_out_has_no_kind_of_task_of_its_own() -> None:
    assert kinds_of_tasks(ALIKE) <= kinds_of_tasks({*ENDINGS, *SETTLEMENTS} - ALIKE)


@pytest.mark.parametrize("name", [name for name in ENDINGS if name not in ALIKE])
async def test_an_order_lives_with_workers_that_come_back_for_each_task(name: str) -> None:
    await check(await lived(lambda: ending(ENDINGS[name], **WORKER)))


@pytest.mark.parametrize("name", [name for name in SETTLEMENTS if name not in ALIKE])
async def test_a_settlement_lives_with_workers_that_come_back_for_each_task(name: str) -> None:
    await check(await lived(lambda: settlement(SETTLEMENTS[name], **WORKER)))
