"""What stands in a workflow's history: events, bytes, and the actions that Temporal Cloud would bill for."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

# docs.temporal.io/cloud/actions: one action each. Rejected updates count as well but leave no event; search attributes
# given at the start are free. Retries are in the attempt number of an activity.
_ACTIONS = {
    "WORKFLOW_EXECUTION_STARTED": "start",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "continue-as-new",
    "TIMER_STARTED": "timers",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "search attributes",
    "WORKFLOW_EXECUTION_SIGNALED": "signals",
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED": "updates",
}


class Count:
    """The events of one history by type, their bytes by type, and the actions by kind."""

    def __init__(self, events: Iterable[HistoryEvent]) -> None:
        self.events: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.actions: Counter[str] = Counter()
        tasks_with_markers: set[int] = set()
        for event in events:
            name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
            self.events[name] += 1
            self.bytes[name] += event.ByteSize()
            if name in _ACTIONS:
                self.actions[_ACTIONS[name]] += 1
            elif name == "ACTIVITY_TASK_STARTED":
                self.actions["activities"] += event.activity_task_started_event_attributes.attempt
            elif name == "MARKER_RECORDED":
                # All local activities of one workflow task are one action.
                tasks_with_markers.add(
                    event.marker_recorded_event_attributes.workflow_task_completed_event_id
                )
        if tasks_with_markers:
            self.actions["local activities"] = len(tasks_with_markers)


async def count_of(client: Client, workflow_id: str) -> Count:
    """The count of one workflow's history."""
    return Count((await history_of(client, workflow_id)).events)


async def history_of(client: Client, workflow_id: str) -> WorkflowHistory:
    """One workflow's history."""
    return await client.get_workflow_handle(workflow_id).fetch_history()


def medians(counters: Iterable[Counter[str]]) -> dict[str, float]:
    """The median of each entry over several counts; the most frequent first. An entry that is missing counts as 0."""
    all_counters = list(counters)
    columns: dict[str, list[int]] = defaultdict(list)
    for name in {name for counter in all_counters for name in counter}:
        columns[name] = [counter[name] for counter in all_counters]
    found = {name: float(median(values)) for name, values in columns.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def summary(counts: list[Count]) -> dict[str, Any]:
    """What the counts of several lives come to, as medians."""
    return {
        "lives": len(counts),
        "events": median(c.events.total() for c in counts),
        "events_range": [
            min(c.events.total() for c in counts),
            max(c.events.total() for c in counts),
        ],
        "bytes": median(c.bytes.total() for c in counts),
        "actions": median(c.actions.total() for c in counts),
        "events_by_type": medians(c.events for c in counts),
        "bytes_by_type": medians(c.bytes for c in counts),
        "actions_by_kind": medians(c.actions for c in counts),
    }
