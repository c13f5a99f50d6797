"""Workers that come back in the middle of a history: what makes one, and what the server gives to it."""

from collections.abc import Iterator
from itertools import groupby

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from tests.support.empty_tasks import UPDATES, is_command, kind, up_to

FORGETFUL = {
    "max_cached_workflows": 0,
    "max_concurrent_workflow_tasks": 1,
    "max_concurrent_workflow_task_polls": 1,
}
"""Options of a worker that keeps nothing in memory.

One task at a time: of two tasks of one workflow the SDK drops one while it forgets the workflow, and the server waits
ten seconds for it.
"""
_LAST = ("COMPLETED", "FAILED", "CANCELED", "CONTINUED_AS_NEW")


def interrupted(history: WorkflowHistory) -> Iterator[WorkflowHistory]:
    """For each task: the history up to its start."""
    for event in history.events:
        if kind(event) == "WORKFLOW_TASK_STARTED":
            yield up_to(history, event.event_id)


def followed_by_an_update(history: WorkflowHistory) -> Iterator[WorkflowHistory]:
    """For each task but the last one of a run: the history of a worker that comes back for an update right after it.

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


def last_tasks(history: WorkflowHistory) -> tuple[str, ...]:
    """What the SDK looks at in the last two whole tasks: the kinds of their events, of equal ones in a row the first.

    From that it decides what it gives to the workflow with the task at the end (docs/testing.md, "Empty tasks"). It
    asks whether there are commands, not how many or which. Updates and markers (of local activities) are exceptions,
    because the SDK looks for them in the next task.
    """
    starts = [
        at for at, event in enumerate(history.events) if kind(event) == "WORKFLOW_TASK_STARTED"
    ]
    begin = starts[-3] if len(starts) > 2 else 0
    return tuple(each for each, _ in groupby(map(_kind_to_the_sdk, history.events[begin:])))


def _kind_to_the_sdk(event: HistoryEvent) -> str:
    if is_command(event) and kind(event) not in (*UPDATES, "MARKER_RECORDED"):
        return "COMMAND"
    return kind(event)


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
