"""The due instant of an answer by the partner's policy, and what becomes of one that is missing."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.activities import Snapshot
from domain.orders.order import Order
from domain.policies import Policies
from domain.policy import Policy
from domain.policy_file import load_policy
from records.database import Database
from records.messages import Messages
from records.orders import Orders
from records.partners import Partners
from tests.activities.conftest import partner
from tests.support.builders import MONDAY, TRANSMITTED, lived
from use_cases.access import Forbidden
from use_cases.messages import MessageUseCases
from use_cases.principal import Principal, Role

NOW = datetime(2026, 12, 4, 9, tzinfo=UTC)  # a Friday
POLICIES = Policies(
    Policy(),
    {
        "quick": load_policy('[messages]\nanswer = "2 hours"'),
        "none": load_policy('[messages]\nanswer = "none"'),
        "saturdays": load_policy("[calendar]\nsaturday_is_working_day = true"),
    },
)


def caller(role: Role) -> Principal:
    """Somebody of this role."""
    own = "elektro-huber" if role == "partner" else None
    return Principal(role=role, login_id=f"usr_{role}", name=role.title(), partner_id=own)


async def kept(database: Database, policy: str | None) -> Order:
    """An order of a partner with this policy."""
    made = partner("elektro-huber").model_copy(update={"policy": policy})
    await Partners(database).put(made, MONDAY)
    order, events = lived(*TRANSMITTED, sp_id="SP-1")
    await Orders(database).save(Snapshot(order=order, events=events))
    return order


def use_cases(database: Database) -> MessageUseCases:
    """The use cases on a Friday."""
    return MessageUseCases(Messages(database), Partners(database), POLICIES, lambda: NOW)


@pytest.mark.parametrize(
    ("policy", "due"),
    [
        (None, datetime(2026, 12, 7, 17, tzinfo=UTC)),
        ("quick", NOW + timedelta(hours=2)),
        ("saturdays", datetime(2026, 12, 5, 17, tzinfo=UTC)),
        ("none", None),
        ("missing", datetime(2026, 12, 7, 17, tzinfo=UTC)),
    ],
)
async def test_the_answer_is_due_by_the_policy_of_the_partner(
    database: Database, policy: str | None, due: datetime | None
) -> None:
    order = await kept(database, policy)
    messages = use_cases(database)
    asked = await messages.write(caller("partner"), order, "Frage", request_id="1")
    assert asked.due == due
    assert (await messages.thread(caller("operations"), order)).due == due
    waiting = await messages.waiting(caller("operations"))
    assert [each.due for each in waiting.items] == [due], "it waits without a deadline, too"
    answer = await messages.write(caller("operations"), order, "Antwort", request_id="2")
    assert answer.due is None


@pytest.mark.parametrize("role", ["shop", "warehouse", "accounting"])
async def test_others_neither_read_nor_write(database: Database, role: Role) -> None:
    order = await kept(database, None)
    messages = use_cases(database)
    for call in (
        messages.thread(caller(role), order),
        messages.write(caller(role), order, "Frage", request_id="1"),
        messages.close(caller(role), order, "msg_1"),
        messages.waiting(caller(role)),
        messages.news(caller(role)),
    ):
        with pytest.raises(Forbidden):
            await call
    assert await messages.unread(caller(role), ["SP-1"]) == {"SP-1": None}


async def test_partners_see_nothing_of_what_waits(database: Database) -> None:
    order = await kept(database, None)
    messages = use_cases(database)
    for call in (
        messages.waiting(caller("partner")),
        messages.close(caller("partner"), order, "msg_1"),
    ):
        with pytest.raises(Forbidden):
            await call
