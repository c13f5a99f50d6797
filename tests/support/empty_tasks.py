"""Finds empty workflow tasks in histories: tasks that an event caused and that complete without a command.

A worker without the workflow in its cache may execute an empty task and the update after it as one task, and a later
worker as two (temporalio/sdk-rust#1146). The workflow is then stuck permanently. So a workflow with updates makes no
empty task (docs/testing.md, "Empty tasks").
"""

import json
from collections.abc import AsyncIterator, Iterable

from google.protobuf.message import Message
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowHandle,
    WorkflowHistory,
)
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from tests.workflows.replaying import replayer

FIRST_SHELL_WITHOUT = 2
"""The first version of a workflow's shell (`Start.shell`) that makes no empty tasks."""
UPDATES = ("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_UPDATE_COMPLETED")


def kind(event: HistoryEvent) -> str:
    """The type of an event, such as `WORKFLOW_TASK_STARTED`."""
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def is_command(event: HistoryEvent) -> bool:
    """Whether the completion of a workflow task wrote this event."""
    about: Message = getattr(event, event.WhichOneof("attributes") or "")
    by_a_task = "workflow_task_completed_event_id" in about.DESCRIPTOR.fields_by_name
    return by_a_task or kind(event) in UPDATES


def _leads_to_a_task(event: HistoryEvent) -> bool:
    """Whether this event causes a workflow task. A refused update causes one, too, but leaves no event."""
    silent = kind(event).startswith("WORKFLOW_TASK_") or kind(event) == "ACTIVITY_TASK_STARTED"
    return not silent and not is_command(event)


def shell(history: WorkflowHistory) -> int:
    """The version of the shell with which a run of an order or settlement was started.

    0 for other workflows, and where the input is encrypted.
    """
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    if not payloads or payloads[0].metadata["encoding"] != b"json/plain":
        return 0
    start = json.loads(payloads[0].data)
    if not isinstance(start, dict) or "desk" not in start:
        return 0
    return int(start.get("shell", 1))


def tasks_without_a_command(history: WorkflowHistory) -> list[int]:
    """The ids of the start events of tasks without a command that an event caused."""
    found, told, started = [], False, 0
    for event, following in zip(history.events, [*history.events[1:], None], strict=True):
        match kind(event):
            case "WORKFLOW_TASK_STARTED":
                started = event.event_id
            case "WORKFLOW_TASK_COMPLETED":
                if told and (following is None or not is_command(following)):
                    found.append(started)
                told = False
            case _:
                told = told or _leads_to_a_task(event)
    return found


async def empty_tasks(history: WorkflowHistory) -> list[int]:
    """The tasks of `tasks_without_a_command` that deliver something to the workflow. Others are harmless.

    An example of the others is the end of an activity whose cancellation was not waited for.
    """
    suspects = tasks_without_a_command(history)
    if not suspects:
        return []
    told = await told_with_the_last_tasks([up_to(history, each) for each in suspects])
    return [each for each, jobs in zip(suspects, told, strict=True) if jobs]


async def assert_no_empty_tasks(history: WorkflowHistory) -> None:
    """Check that a run has no empty tasks, unless its shell still makes them."""
    if shell(history) >= FIRST_SHELL_WITHOUT:
        found = await empty_tasks(history)
        assert not found, f"{history.workflow_id}: tasks without a command start at {found}"


async def assert_none_has_empty_tasks(client: Client, workflow_ids: Iterable[str] = ()) -> None:
    """Check the latest runs of these workflows, or of all orders and settlements that the server lists."""
    handles = [client.get_workflow_handle(each) for each in workflow_ids]
    if not handles:
        listed = client.list_workflows("WorkflowType IN ('ServiceOrder', 'Settlement')")
        handles = [client.get_workflow_handle(run.id, run_id=run.run_id) async for run in listed]
    for handle in handles:
        await assert_no_empty_tasks(await handle.fetch_history())


def up_to(history: WorkflowHistory, event_id: int) -> WorkflowHistory:
    """A history up to this event."""
    return WorkflowHistory(history.workflow_id, history.events[:event_id])


async def told_with_the_last_tasks(histories: Iterable[WorkflowHistory]) -> list[list[str]]:
    """Replay histories. Returns for each the jobs of the activation with its last task, such as `fire_timer`."""
    notes, told = _Notes(), []

    async def one_by_one() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            notes.told.clear()
            yield history

    async with replayer(runner=notes).workflow_replay_iterator(one_by_one()) as replayed:
        async for result in replayed:
            if result.replay_failure:
                raise result.replay_failure
            told.append(notes.told.get(result.history.events[-1].event_id, []))
    return told


class _Notes(WorkflowRunner):
    """Runs workflows outside the sandbox and records the jobs of each activation, by the start event of its task."""

    def __init__(self) -> None:
        self._inner = UnsandboxedWorkflowRunner()
        self.told: dict[int, list[str]] = {}

    def prepare_workflow(self, defn: object) -> None:
        self._inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._inner.create_instance(det)
        activate = instance.activate

        def noting(act: WorkflowActivation) -> WorkflowActivationCompletion:
            jobs = [job.WhichOneof("variant") for job in act.jobs]
            told = self.told.setdefault(act.history_length, [])
            told.extend(job for job in jobs if job and job != "remove_from_cache")
            return activate(act)

        instance.activate = noting
        return instance


class Started(Interceptor):
    """Records which workflows a client starts, for a server that cannot list workflows."""

    def __init__(self) -> None:
        self.workflow_ids: set[str] = set()

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        noted = self.workflow_ids

        class Noting(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle:
                handle = await super().start_workflow(input)
                noted.add(input.id)
                return handle

        return Noting(next)
