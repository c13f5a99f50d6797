"""Rules that change under running orders (docs/changing-rules.md): old orders replay, new and adopted ones follow."""

from collections.abc import AsyncIterator

import pytest
from temporalio.worker import UnsandboxedWorkflowRunner

from contracts import names
from domain import rules
from domain.actors import SYSTEM, Actor
from domain.orders.commands import AdoptRules, Bill, ConfirmExecution, SetAppointment
from domain.orders.lifecycle import fold
from domain.orders.order import Status
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import Policy
from domain.settlements.commands import AdoptRules as AdoptSettlementRules
from domain.settlements.commands import ApproveInvoice, NoteInvoice, NotePaid, VoidSettlement
from tests.support import newer_rules
from tests.support.builders import intake
from tests.support.newer_rules import DEADLINE, MAIL, NEWER, SETTLEMENT_MAIL
from tests.support.temporal_servers import skipping_server
from tests.workflows.life import OPERATIONS, WAREHOUSE, Life, Lives, zurich
from tests.workflows.replaying import replayer, timeline, timelines
from tests.workflows.settlement_lives import CALENDAR, SettlementLives, settlement_lives
from tests.workflows.test_lives import FRIDAY, due, until_checked
from tests.workflows.test_replay import NAMES, TIMELINES, history

ACCOUNTING = Actor(role="accounting", name="Beat")
ADOPT = AdoptRules(version=NEWER, policy=Policy())
MOVED = SetAppointment(
    start=zurich("2037-12-11 09:00"), end=zurich("2037-12-11 11:00"), reason="moved"
)


@pytest.fixture(autouse=True)
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that changes three rules of orders, and two of settlements."""
    newer_rules.make(monkeypatch)
    newer_rules.make_for_settlements(monkeypatch)


@pytest.fixture
async def month() -> AsyncIterator[SettlementLives]:
    """A server whose time skips, with settlements."""
    async with skipping_server() as env, settlement_lives(env) as running:
        yield running


async def replays(life: Life) -> None:
    """The order's history replays in the sandbox, and tells the same story."""
    kept = await life.handle.fetch_history()
    snapshot = await life.snapshot()
    assert await timeline(kept) == [
        f"{e.at.isoformat()} {e.event.type} by {e.author}" for e in snapshot.events
    ]
    assert fold(snapshot.order.intake, snapshot.events) == snapshot.order


async def on_its_way(lives: Lives, rules: int) -> Life:
    """Placed on a Friday under these rules; its goods are on their way since the Wednesday after."""
    begun = intake(day=FRIDAY.date()).model_copy(update={"rules": rules})
    life = await lives.start(begun, at=FRIDAY)
    await lives.until(zurich("2037-11-30 09:00"))
    await until_checked(life)
    await lives.until(zurich("2037-12-02 09:00"))
    await life.tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE)
    return life


async def appointed(life: Life) -> None:
    """An appointment stands, on Thursday, 10 December."""
    await life.tell(GoodsReceived(), WAREHOUSE)
    await life.do(SetAppointment(start=zurich("2037-12-10 09:00"), end=zurich("2037-12-10 11:00")))


async def executed(life: Life) -> None:
    """Done on that day, and billed."""
    await life.lives.until(zurich("2037-12-10 12:00"))
    await life.do(ConfirmExecution(note="done"))
    await life.do(Bill(settlement_id="V203712-TEST"), SYSTEM)
    await life.handle.result()


async def test_kept_histories_replay_as_if_nothing_had_changed() -> None:
    told = await timelines(map(history, NAMES), runner=UnsandboxedWorkflowRunner())
    assert told == TIMELINES


async def test_an_older_order_goes_on_under_its_own_rules(lives: Lives) -> None:
    life = await on_its_way(lives, rules=NEWER - 1)
    assert DEADLINE not in {d.kind for d in (await life.order()).deadlines}
    await appointed(life)
    await life.do(
        ConfirmExecution(early=True)
    )  # before the day, which the newer rules do not allow
    await life.do(Bill(settlement_id="V203712-TEST"), SYSTEM)
    await life.handle.result()
    assert MAIL not in lives.outside.kinds()
    await replays(life)


async def test_a_new_order_lives_by_the_newer_rules(lives: Lives) -> None:
    life = await on_its_way(lives, rules=NEWER)
    assert due(await life.order(), DEADLINE) == zurich("2037-12-07 18:00")
    await lives.until(zurich("2037-12-07 18:01"))
    assert lives.outside.kinds()[-3:] == ["reminder", "escalation", "escalation"]
    await appointed(life)
    assert (await life.refused(MOVED)).details[0]["code"] == "wrong_state"
    await executed(life)
    assert lives.outside.kinds("operations")[-1] == MAIL
    await replays(life)


async def test_an_order_that_adopts_the_rules_half_way(lives: Lives) -> None:
    """Its goods have been on their way for a day; from then on it is as one that was placed under them."""
    life = await on_its_way(lives, rules=NEWER - 1)
    await lives.until(zurich("2037-12-03 10:00"))
    first = await life.do(ADOPT, OPERATIONS, request_id="adopt")
    assert await life.do(ADOPT, OPERATIONS, request_id="adopt") == first
    assert await life.do(ADOPT, SYSTEM) == first, "nor does another request record it twice"
    order = await life.order()
    assert (order.rules, order.status) == (NEWER, Status.SET_APPOINTMENT)
    assert due(order, DEADLINE) == zurich("2037-12-08 18:00")  # three working days from then
    await lives.until(zurich("2037-12-08 18:01"))
    assert lives.outside.kinds()[-3:] == ["reminder", "escalation", "escalation"]
    await appointed(life)
    assert (await life.refused(MOVED)).details[0]["code"] == "wrong_state"
    await executed(life)
    assert lives.outside.kinds("operations")[-1] == MAIL
    assert (await life.events()).count("rules_adopted") == 1
    await replays(life)


async def test_who_may_not_adopt_and_what_cannot_be_adopted(lives: Lives) -> None:
    life = await on_its_way(lives, rules=NEWER)
    assert (await life.refused(ADOPT)).details[0]["code"] == "role"
    assert (await life.refused(ADOPT, Actor(role="shop"))).details[0]["code"] == "role"
    older = AdoptRules(version=NEWER - 1, policy=Policy())
    refusal = await life.refused(older, OPERATIONS)
    assert refusal.type == names.INVALID
    assert refusal.details[0] == {"field": "version", "code": "older_rules"}
    unknown = AdoptRules(version=NEWER + 1, policy=Policy())
    assert (await life.refused(unknown, OPERATIONS)).type == "NotUnderstood"
    assert (await life.order()).rules == NEWER, "and it lives on"


async def test_a_worker_of_an_older_release_does_not_go_on_with_it(
    lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a worker fails the task, so that another one takes it; it does not replay by rules that do not hold."""
    life = await on_its_way(lives, rules=NEWER - 1)
    await life.do(ADOPT, OPERATIONS)
    kept = await life.handle.fetch_history()
    await replayer().replay_workflow(kept)
    monkeypatch.setattr(rules, "CURRENT", NEWER - 1)
    with pytest.raises(RuntimeError, match="rules version"):
        await replayer().replay_workflow(kept)


async def test_a_settlement_that_adopts_the_rules(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    command = AdoptSettlementRules(version=NEWER, policy=Policy())
    assert (await life.refused(command)).details[0]["code"] == "role"
    first = await life.do(command, OPERATIONS, request_id="adopt")
    assert await life.do(command, OPERATIONS, request_id="adopt") == first
    assert await life.do(command, SYSTEM) == first
    refused = await life.refused(VoidSettlement(reason="x"), OPERATIONS)
    assert refused.details[0]["code"] == "wrong_state"
    await life.do(NoteInvoice(note="by post"), OPERATIONS)
    await life.do(ApproveInvoice(), ACCOUNTING)
    await life.do(NotePaid(paid_on=CALENDAR.local(await month.now()).date()), ACCOUNTING)
    await life.handle.result()
    assert month.outside.kinds() == ["statement", SETTLEMENT_MAIL]
    kept = await life.handle.fetch_history()
    assert [line.split()[1] for line in await timeline(kept)] == await life.events()


async def test_an_older_settlement_goes_on_under_its_own_rules(month: SettlementLives) -> None:
    life = await month.start("SP-1", automatic=False)
    await life.reaches("issued")
    await life.do(NoteInvoice(note="by post"), OPERATIONS)
    await life.handle.result()
    assert month.outside.kinds() == ["statement"]
