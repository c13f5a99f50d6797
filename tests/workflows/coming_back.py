"""What a worker is told that comes back in the middle of a history, by the SDK as it is."""

from collections.abc import Iterator

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from tests.empty_tasks import is_command, kind
from tests.workflows.replaying import replayer

_LAST = ("COMPLETED", "FAILED", "CANCELED", "CONTINUED_AS_NEW")


def interrupted(history: WorkflowHistory) -> Iterator[WorkflowHistory]:
    """What the server gives to a worker that comes back: the history up to the start of a task, for each task."""
    for at, event in enumerate(history.events):
        if kind(event) == "WORKFLOW_TASK_STARTED":
            yield WorkflowHistory(history.workflow_id, history.events[: at + 1])


def followed_by_an_update(history: WorkflowHistory) -> Iterator[WorkflowHistory]:
    """What the server gives to a worker that comes back for an update that comes after a task, for each task.

    An update is no event before it is accepted: it comes with a task that no event led to.
    """
    for at, event in enumerate(history.events):
        if kind(event) != "WORKFLOW_TASK_COMPLETED":
            continue
        end = at + 1
        while end < len(history.events) and is_command(history.events[end]):
            end += 1
        last = history.events[end - 1]
        if kind(last).removeprefix("WORKFLOW_EXECUTION_") in _LAST:
            return
        yield WorkflowHistory(history.workflow_id, [*history.events[:end], *_task_after(last)])


def _task_after(last: HistoryEvent) -> tuple[HistoryEvent, HistoryEvent]:
    scheduled = HistoryEvent(
        event_id=last.event_id + 1,
        event_time=last.event_time,
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    )
    scheduled.workflow_task_scheduled_event_attributes.attempt = 1
    started = HistoryEvent(
        event_id=last.event_id + 2,
        event_time=last.event_time,
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    )
    started.workflow_task_started_event_attributes.scheduled_event_id = scheduled.event_id
    return scheduled, started


async def told_with_the_last_task(history: WorkflowHistory) -> list[str]:
    """Replay a history; what the workflow is told in one step with the last task of it, such as `fire_timer`."""
    notes = _Notes()
    await replayer(runner=notes).replay_workflow(history)
    return notes.told.get(history.events[-1].event_id, [])


class _Notes(WorkflowRunner):
    """Runs workflows outside the sandbox and notes what they are told, by the event that the task started with."""

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
