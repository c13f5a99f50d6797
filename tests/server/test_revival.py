"""Reviving on the real server: what the workflow itself tells counts, whatever the records hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from contracts import names
from contracts.activities import SettlementSnapshot, Snapshot
from domain.orders import lifecycle
from domain.orders.commands import Accept, Cancel, ConfirmRequirements, LogContact
from domain.orders.order import Status
from domain.settlements import lifecycle as settlement_lifecycle
from domain.settlements.commands import Close, VoidSettlement
from domain.settlements.settlement import SettlementStatus
from records.mails import MailLog
from tests.server.settlements import HUBER, settlement_office
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.server.test_reconciler import Broken, forget, starter, working
from tests.server.test_settlements_lost import command, stored
from tests.server.test_settlements_lost import forget as forget_settlement
from tests.support.builders import ACCEPTED, OPERATIONS, partner_actor
from tests.support.workers import bounded_worker
from tests.workflows.life import DESK, SHOP, Life
from use_cases import revival
from use_cases.revival import NotRevivable, Revival, SettlementRevival

CHECKED = ConfirmRequirements(
    checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
)


def give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon on queries from here on: nobody answers them."""
    monkeypatch.setattr(revival, "ANSWER_WITHIN", timedelta(seconds=1))


def revives(around: Surroundings) -> Revival:
    """Where orders are revived."""
    return Revival(around.client, around.orders, MailLog(around.database), DESK)


async def invent(around: Surroundings, before: Snapshot, *commands: Accept | LogContact) -> None:
    """Have the records tell of commands that its workflow never took, after what they held `before`."""
    order, events = before.order, list(before.events)
    for each in commands:
        now = max(datetime.now(UTC), order.changed_at or datetime.now(UTC))
        order, more = lifecycle.handle(order, each, partner_actor(), now)
        events += more
    await forget(around, order.sp_id)
    await around.orders.save(Snapshot(order=order, events=tuple(events)))


async def new(around: Surroundings, sp_id: str) -> tuple[Life, Snapshot]:
    """An order that its partner has not accepted yet, and all of it. Nothing follows until somebody does something."""
    life = await around.place(sp_id)
    await around.reaches(life, Status.NEW)
    await around.notified(life)
    return life, await around.check_records(life)


async def is_closed_as(life: Life, status: WorkflowExecutionStatus) -> bool:
    """Whether the order's last run ended like this: no run came after it."""
    return (await life.handle.describe()).status is status


async def test_a_cancelled_order_is_not_brought_back_by_an_acceptance_that_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        async with around.worker():
            life, before = await new(around, "SP-1")
            await life.do(Cancel(reason="doch nicht"), SHOP)
            await life.handle.result()
            await around.reaches(life, Status.CANCELLED)
            await invent(around, before, Accept(), LogContact(outcome="reached"))
            with pytest.raises(NotRevivable, match="SP-1 is cancelled"):
                await revives(around).revive("SP-1")
            assert await is_closed_as(life, WorkflowExecutionStatus.COMPLETED)
        # Nor while nobody can tell anything but the server: its last run has ended by itself.
        give_up_soon(monkeypatch)
        await invent(around, before, Accept(), LogContact(outcome="reached"))
        for from_records in (False, True):
            with pytest.raises(NotRevivable, match="ended by itself as cancelled"):
                await revives(around).revive("SP-1", from_records=from_records)
        assert await is_closed_as(life, WorkflowExecutionStatus.COMPLETED)


async def test_a_terminated_order_goes_on_where_its_workflow_stood(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        life, before = await new(around, "SP-1")
        await life.handle.terminate()
        await invent(around, before, Accept(), LogContact(outcome="reached"))
        revived = await revives(around).revive("SP-1")
        assert (revived.status, revived.version) == (Status.NEW, before.order.version)
        assert await life.snapshot() == before
        await life.do(Accept())
        assert (await life.order()).status is Status.CHECK_REQUIREMENTS


async def test_a_workflow_that_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        async with around.worker():
            life = await around.begin("SP-1", *ACCEPTED)
            await around.check_records(life)  # its first task is done; the next test has none
            await life.handle.terminate()
        # No worker is up.
        give_up_soon(monkeypatch)
        with pytest.raises(NotRevivable, match="does not tell where it stood"):
            await revives(around).revive("SP-1")
        # One is up, and its code is broken.
        async with bounded_worker(
            around.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[Broken],
        ):
            refused = await starter(around, "revive", "SP-1")
            assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
            assert "SP-1: its workflow does not tell where it stood" in refused.stderr
            assert await is_closed_as(life, WorkflowExecutionStatus.TERMINATED)
        # Operations decide that the records are right.
        revived = await revives(around).revive("SP-1", from_records=True)
        assert revived.status is Status.CHECK_REQUIREMENTS
        async with around.worker():
            await life.do(CHECKED)
            await around.reaches(life, Status.REQUIREMENTS_MET)
            await around.check_records(life)


async def test_a_workflow_that_was_ended_before_it_began(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        life = await around.place("SP-1")
        await life.handle.terminate()
        async with around.worker():
            with pytest.raises(NotRevivable, match="does not tell where it stood"):
                await revives(around).revive("SP-1")
            assert (await revives(around).revive("SP-1", from_records=True)).version == 1
            await around.reaches(life, Status.NEW)


async def test_a_settlement_that_was_taken_back_stays_so(tmp_path: Path) -> None:
    async with settlement_office(tmp_path) as office:
        around = office.around
        sp_ids = await office.complete(["SP-1", "SP-2"])
        async with around.worker():
            number = await office.open(*sp_ids, automatic=True)

            async def is_announced() -> bool:
                found = await office.settlements.get(number)
                return found is not None and found.settlement.told

            await eventually(is_announced)
            before = await stored(office, number)
            await command(office, VoidSettlement(reason="Falsch"))
            await office.reaches(number, SettlementStatus.VOID)
            workflow_id = names.settlement_workflow_id(HUBER, before.settlement.opening.month)
            handle = around.client.get_workflow_handle(workflow_id)
            await handle.result()
            # The records tell that it was closed at the same moment.
            closing, more = settlement_lifecycle.handle(
                before.settlement, Close(), OPERATIONS, datetime.now(UTC)
            )
            await forget_settlement(office, number)
            await office.settlements.save(
                SettlementSnapshot(settlement=closing, events=(*before.events, *more))
            )
            revival = SettlementRevival(
                around.client, office.settlements, MailLog(around.database), DESK
            )
            with pytest.raises(NotRevivable, match=f"{number} is void"):
                await revival.revive(number)
            assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
