"""An order with a very long history refuses what can be repeated, also of two at once, and replays as before."""

import asyncio

import pytest

from domain.orders import limits
from domain.orders.commands import Accept, LogContact
from tests.workflows.life import Lives, zurich
from tests.workflows.replaying import replayer
from tests.workflows.test_lives import CHECKED, FRIDAY

AGAIN = LogContact(outcome="not_reached", note="nobody there")


async def test_of_many_at_once_only_those_that_fit_are_taken(
    lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-30 09:00"))
    await life.do(Accept())
    version = (await life.order()).version
    monkeypatch.setattr(limits, "MOST_EVENTS", version + 3)
    outcomes = await asyncio.gather(
        *(life.do(AGAIN, request_id=f"r-{number}") for number in range(8)), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert len(refused) == 5
    order = await life.order()
    assert order.version == version + 3

    error = await life.refused(AGAIN)
    assert error.details[0]["code"] == "too_many_entries"
    assert "log_contact" not in error.details[0]["allowed"]
    taken = next(n for n, each in enumerate(outcomes) if not isinstance(each, BaseException))
    assert (await life.do(AGAIN, request_id=f"r-{taken}")).version <= version + 3, "a repetition"
    await life.do(CHECKED)  # what leads on is taken
    assert (await life.order()).version > version + 3

    monkeypatch.setattr(limits, "MOST_EVENTS", 1)  # a release with a lower limit replays it
    await replayer().replay_workflow(await life.handle.fetch_history())
