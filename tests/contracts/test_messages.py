"""What workflows and activities exchange stays readable for runs that began earlier."""

import json

import pytest
from pydantic import BaseModel
from pydantic_core import to_json

from contracts.messages import SettlementCarried
from tests.support.settlements import opening, settled

SNAPSHOT = settled(opening("SP-1"))
CARRIED = SettlementCarried(
    settlement=SNAPSHOT.settlement, unsaved=SNAPSHOT.events, outbox=(), answered={}
)


@pytest.mark.parametrize("value", [SNAPSHOT, CARRIED])
def test_a_settlement_is_stored_under_the_key_that_histories_have(value: BaseModel) -> None:
    written = to_json(value)  # as Temporal's converter writes it
    assert "settling" in json.loads(written)
    assert type(value).model_validate_json(written) == value
