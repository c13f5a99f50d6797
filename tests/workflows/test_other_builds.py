"""Old and new processes understand each other: every value of every kept history, with more fields and with fewer."""

import json
from functools import cache
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from tests.support.newer import ADDED, adapter_of, fewer, fewest, more, payloads, rewritten
from tests.workflows.replaying import replayer, timeline
from workflows.daily_digest import DailyDigest

HISTORIES = Path(__file__).parents[1] / "histories"
TIMELINES = json.loads((HISTORIES / "timelines.json").read_text())
ALL = sorted(
    str(path.relative_to(HISTORIES).with_suffix(""))
    for path in HISTORIES.rglob("*.json")
    if path.stem != "timelines"
)


@cache
def history(name: str) -> WorkflowHistory:
    """A kept history, parsed once for all tests, which leave it as it is."""
    return WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", ALL)
def test_every_value_is_read_with_more_fields_and_written_with_them_again(name: str) -> None:
    count = 0
    for what, payload, kind in payloads(history(name)):
        adapter = adapter_of(kind)
        value = adapter.validate_json(payload.data)
        newer = json.dumps(more(value, json.loads(payload.data)))
        again = adapter.dump_json(adapter.validate_json(newer)).decode()
        assert again.count(ADDED) == newer.count(ADDED), what
        assert adapter.validate_json(again, extra="ignore") == value, what
        count += newer.count(ADDED)
    assert count


@pytest.mark.parametrize("name", ALL)
def test_every_value_is_read_without_the_fields_that_came_later(name: str) -> None:
    for what, payload, kind in payloads(history(name)):
        adapter = adapter_of(kind)
        value = adapter.validate_json(payload.data)
        written = json.loads(payload.data)
        assert adapter.validate_json(json.dumps(fewer(value, written))) == value, what
        adapter.validate_json(json.dumps(fewest(value, written)))


def of_another_build(name: str) -> WorkflowHistory:
    """A history in which no value has the fields with their defaults, and each object has one more field.

    The tests above read each value in each of these two forms.
    """
    less = rewritten(history(name), fewer)
    changed = rewritten(less, more)
    assert history(name).events != less.events != changed.events
    return changed


@pytest.mark.parametrize("name", sorted(TIMELINES))
async def test_the_same_happens_when_another_build_wrote_it(name: str) -> None:
    assert await timeline(of_another_build(name)) == TIMELINES[name]


async def test_a_digest_goes_on_when_another_build_wrote_it() -> None:
    await replayer(DailyDigest).replay_workflow(of_another_build("digest/one-morning"))
