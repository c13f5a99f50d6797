"""Finds out how to repair a workflow whose history cannot be replayed (docs/operations.md, "A broken workflow")."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_SCHEDULED = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
_CANNOT_BE_REPLAYED = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
_OF_EVENT = re.compile(r"HistoryEvent\(id: (\d+)")
_OF_ACTIVITY = re.compile(r"Activity id of scheduled event '(\d+)'")


class Message(NamedTuple):
    """A message to the workflow: its name and when it came. `waits`: it was an update, not a signal."""

    name: str
    at: datetime
    waits: bool


class ReplayFailure(NamedTuple):
    """Why a workflow is stuck: a task fails because the history cannot be replayed.

    `back_to` is the event to reset to, the end of the last good task; None if no reset helps. `messages` are those
    that the workflow received after that event.
    """

    failure: str
    back_to: int | None
    messages: tuple[Message, ...]

    @property
    def can_be_reset(self) -> bool:
        """Whether a reset loses nothing.

        A reset reapplies the messages after that event. If they contain both updates and signals, they are reapplied
        in another order, and the workflow would be stuck again after the next restart.
        """
        return self.back_to is not None and len({each.waits for each in self.messages}) < 2


async def look(client: Client, workflow_id: str) -> ReplayFailure | None:
    """Why a workflow is stuck, from its history. None if its last task did not fail to replay.

    Raises:
        RPCError: the server does not know it, or Temporal is away.
    """
    return why((await client.get_workflow_handle(workflow_id).fetch_history()).events)


def advice(found: ReplayFailure, name: str, workflow_id: str) -> list[str]:
    """Lines for operations: why the order or settlement of this name is stuck, and the commands that help."""
    lines = [f"{name} is stuck: {found.failure}"]
    if found.back_to is None:
        lines += ["No reset is known to help: start workers of the release with which it ran."]
        return lines
    if found.can_be_reset:
        lines += [
            "Reset it. The messages after that event are delivered again:",
            f"  temporal workflow reset --workflow-id {workflow_id} --event-id {found.back_to}"
            ' --reason "cannot be replayed"',
        ]
    else:
        lines += [
            "After a reset it would get stuck again. Terminate and revive it:",
            f'  temporal workflow terminate --workflow-id {workflow_id} --reason "stuck"',
            f"  python starter.py revive {name} --from-records",
            "Send signals again that are not in the timeline.",
        ]
    for each in found.messages:
        signal = "" if each.waits else " (signal)"
        lines.append(f"  {each.at.isoformat(timespec='seconds')} {each.name}{signal}")
    return lines


def why(events: Sequence[HistoryEvent]) -> ReplayFailure | None:
    """Why a run with these events is stuck; None if its last task did not fail to replay."""
    ends = [each for each in events if each.event_type == _COMPLETED or _failure(each)]
    failure = _failure(ends[-1]) if ends else ""
    if not failure:
        return None
    differs = _where_it_differs(failure, events)
    # A task without commands may have been executed together with the update after it.
    empty = [
        each.event_id
        for each, following in pairwise(events)
        if each.event_type == _COMPLETED
        and following.event_type == _SCHEDULED
        and each.event_id < differs
    ]
    back_to = empty[-1] if empty else None
    messages = [_message(each) for each in events if back_to and each.event_id > back_to]
    return ReplayFailure(failure, back_to, tuple(each for each in messages if each is not None))


def _where_it_differs(failure: str, events: Sequence[HistoryEvent]) -> int:
    """The first event that a replay does not reach; 0 if the failure does not name it."""
    if named := _OF_EVENT.search(failure):
        return int(named[1])
    if named := _OF_ACTIVITY.search(failure):
        for event in events:
            if event.activity_task_scheduled_event_attributes.activity_id == named[1]:
                return event.event_id
    return 0


def _failure(event: HistoryEvent) -> str:
    failed = event.workflow_task_failed_event_attributes
    return failed.failure.message if failed.cause == _CANNOT_BE_REPLAYED else ""


def _message(event: HistoryEvent) -> Message | None:
    at = event.event_time.ToDatetime().astimezone()
    match event.WhichOneof("attributes"):
        case "workflow_execution_signaled_event_attributes":
            return Message(
                event.workflow_execution_signaled_event_attributes.signal_name, at, waits=False
            )
        case "workflow_execution_update_accepted_event_attributes":
            accepted = event.workflow_execution_update_accepted_event_attributes
            return Message(accepted.accepted_request.input.name, at, waits=True)
        case _:
            return None
