"""Every change of the workflow is replayed against kept histories: running orders survive it (docs/testing.md)."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

from contracts import names
from tests.support.empty_tasks import (
    FIRST_SHELL_WITHOUT,
    empty_tasks,
    shell,
    told_with_the_last_tasks,
)
from tests.workflows.coming_back import followed_by_an_update, interrupted, last_tasks
from tests.workflows.replaying import (
    WithASlowerClock,
    WithOneActivityLess,
    WithOneTimerMore,
    WithoutTheStatement,
    replayer,
    timeline,
    timelines,
)

HISTORIES = Path(__file__).parents[1] / "histories"
NAMES = sorted(
    str(path.relative_to(HISTORIES).with_suffix(""))
    for path in (*HISTORIES.glob("*.json"), *HISTORIES.glob("shell-*/*.json"))
    if path.stem != "timelines"
)
TIMELINES = json.loads((HISTORIES / "timelines.json").read_text())
WITH_PLACED = {"shell-2/executed-and-billed-placed"}
"""Of orders whose start brings the event `placed` (`Start.placed`); the workflows of the others made it themselves."""
PAYMENTS = {"shell-2/settlement-paid", "shell-2/settlement-returned"}
"""Of settlements under version 2 of the rules, up to the payment; there is none of the first shell."""
VERSION_2 = {
    f"shell-2/rules-2-{name}"
    for name in (
        "adopted",
        "declined-and-cancelled",
        "held-and-taken-back",
        "late-notice",
        "never-accepted",
        "outage",
        "people",
    )
}
"""Of orders under version 2 of the rules; there is none of the first shell."""
ENDINGS = {
    "calendar-renewed",
    "cancelled-early",
    "cancelled-in-temporal",
    "cancelled-late",
    "continued-as-new-1",
    "continued-as-new-2",
    "database-down",
    "executed-and-billed",
    "mail-down",
    "missed-deadlines",
    "not-executed-and-reshipped",
    "prepaid",
    "reassigned",
    "refused-afterwards",
    "requirements-not-met",
    "review-accepted",
    "review-cancelled",
    "review-new-appointment",
    "month-by-hand",
    "month-of-the-clock",
    "month-with-failures",
    "settlement-by-its-partner",
    "settlement-by-the-month",
    "settlement-cancelled-in-temporal",
    "settlement-claims-continued-1",
    "settlement-claims-continued-2",
    "settlement-database-down",
    "settlement-mail-down",
    "settlement-nothing-billed",
    "settlement-reminded",
    "settlement-two-invoices",
    "settlement-void-open",
    "settlement-void-released",
    "settlement-void-while-checking",
}


@cache
def history(name: str) -> WorkflowHistory:
    """A kept history, parsed once for all tests, which leave it as it is."""
    return WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())


WITHOUT_EMPTY_TASKS = [name for name in NAMES if name.startswith("shell-")]
"""Histories of workflows that make none. Those of older ones are replayed as they are."""


def test_there_is_a_history_of_every_ending() -> None:
    todays = {f"shell-{names.SHELL}/{name}" for name in ENDINGS if not name.startswith("month-")}
    assert set(NAMES) == ENDINGS | todays | WITH_PLACED | PAYMENTS | VERSION_2 == set(TIMELINES)


def test_histories_without_empty_tasks_are_in_folders_of_their_shells() -> None:
    without = {name for name in NAMES if shell(history(name)) >= FIRST_SHELL_WITHOUT}
    assert without == set(WITHOUT_EMPTY_TASKS)


async def test_all_replay_in_the_sandbox_and_the_same_happens_at_the_same_time() -> None:
    assert await timelines(map(history, NAMES)) == TIMELINES


# --- workers that come back in the middle ----------------------------------------------------------------------------


@cache
def different(
    begin: Callable[[WorkflowHistory], Iterator[WorkflowHistory]],
) -> dict[str, list[WorkflowHistory]]:
    """By history its beginnings, each kind once: the shortest of those whose last two tasks look the same to the SDK.

    What the workflow makes of the tasks before these two, each whole history shows.
    """
    shortest: dict[object, tuple[str, WorkflowHistory]] = {}
    for name in NAMES:
        of = history(name)
        for begun in begin(of):
            of_its_kind = (shell(of), last_tasks(begun))
            known = shortest.get(of_its_kind)
            if known is None or len(begun.events) < len(known[1].events):
                shortest[of_its_kind] = name, begun
    found = defaultdict(list)
    for name, begun in shortest.values():
        found[name].append(begun)
    return found


@pytest.mark.parametrize("name", NAMES)
async def test_it_replays_up_to_each_kind_of_task(name: str) -> None:
    await told_with_the_last_tasks(different(interrupted)[name])


@pytest.mark.parametrize("name", WITHOUT_EMPTY_TASKS)
async def test_a_worker_that_comes_back_for_an_update_takes_nothing_else_with_it(name: str) -> None:
    """One that stayed took what was before the update in a step of its own, and so does every later replay."""
    assert await empty_tasks(history(name)) == []
    for told in await told_with_the_last_tasks(different(followed_by_an_update)[name]):
        assert told == []


async def test_an_update_that_is_taken_together_with_an_empty_task_is_found() -> None:
    """The order of this history made empty tasks, and two restarts could stop it for good."""
    kept = history("reassigned")
    assert shell(kept) < FIRST_SHELL_WITHOUT
    assert await empty_tasks(kept)
    told = await told_with_the_last_tasks(followed_by_an_update(kept))
    assert ["resolve_activity"] in told, 'the SDK has changed: see docs/testing.md, "Empty tasks"'


# --- changes on purpose ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [WithOneTimerMore, WithOneActivityLess])
async def test_a_change_that_breaks_running_orders_is_found(changed: type) -> None:
    with pytest.raises(NondeterminismError):
        await replayer(changed).replay_workflow(history("executed-and-billed"))


async def test_a_change_that_breaks_running_settlements_is_found() -> None:
    with pytest.raises(NondeterminismError):
        await replayer(WithoutTheStatement).replay_workflow(history("settlement-by-the-month"))


async def test_a_change_that_temporal_does_not_notice_is_found() -> None:
    told = await timeline(history("executed-and-billed"), WithASlowerClock)
    assert told != TIMELINES["executed-and-billed"]
