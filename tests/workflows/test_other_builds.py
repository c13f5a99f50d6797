"""Old and new processes understand each other: every value of every kept history, with more fields and with fewer."""

import json

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner

from tests.support.newer import ADDED, adapter_of, fewer, fewest, more, payloads, rewritten
from tests.workflows.replaying import replayer, timelines
from tests.workflows.test_replay import HISTORIES, TIMELINES, history
from workflows.daily_digest import DailyDigest

ALL = sorted(
    str(path.relative_to(HISTORIES).with_suffix(""))
    for path in HISTORIES.rglob("*.json")
    if path.stem != "timelines"
)


@pytest.mark.parametrize("name", ALL)
def test_every_value_is_read_with_more_fields_and_with_fewer(name: str) -> None:
    """A value is written again with the fields that are added, and read without the fields that came later."""
    added = left_out = 0
    for what, payload, kind in payloads(history(name)):
        adapter = adapter_of(kind)
        value = adapter.validate_json(payload.data)
        written = json.loads(payload.data)

        newer = json.dumps(more(value, written))
        again = adapter.dump_json(adapter.validate_json(newer)).decode()
        assert again.count(ADDED) == newer.count(ADDED), what
        assert adapter.validate_json(again, extra="ignore") == value, what
        added += newer.count(ADDED)

        less = fewer(value, written)
        assert adapter.validate_json(json.dumps(less)) == value, what
        adapter.validate_json(json.dumps(fewest(value, written)))
        left_out += less != written
    assert added
    assert left_out


def of_another_build(name: str) -> WorkflowHistory:
    """A history in which no value has the fields with their defaults, and each object has one more field.

    The test above reads each value in each of these two forms.
    """
    changed = rewritten(history(name), lambda value, written: more(value, fewer(value, written)))
    assert changed.events != history(name).events
    return changed


async def test_the_same_happens_when_another_build_wrote_it() -> None:
    of_others = map(of_another_build, TIMELINES)
    assert await timelines(of_others, runner=UnsandboxedWorkflowRunner()) == TIMELINES


async def test_a_digest_goes_on_when_another_build_wrote_it() -> None:
    await replayer(DailyDigest).replay_workflow(of_another_build("digest/one-morning"))
