"""Goods that are reported after an order's workflow has ended: recorded, told to operations once, and never dropped."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from domain.orders.commands import Cancel
from domain.orders.events import GoodsUnexpected
from domain.orders.order import Status
from domain.orders.shipment import GoodsReceived, GoodsShipped, Notice
from records.orders import StoredOrder
from records.reconciliation import Reconciliation
from temporal import orders as workflow_client
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.builders import REQUIREMENTS_MET
from tests.workflows.life import DESK, SHOP, Life
from use_cases.late_goods import LateGoods
from use_cases.orders import OrderUseCases
from use_cases.principal import Principal

WAREHOUSE = Principal(role="warehouse", login_id="tok_w", name="warehouse")
PARCEL = GoodsShipped(tracking="99.00.7")
RECEIVED = GoodsReceived(received_at=datetime(2026, 11, 5, 9, 30, tzinfo=UTC))


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Surroundings]:
    async with surroundings(tmp_path, shared=True) as all_around, all_around.worker():
        yield all_around


async def ended(around: Surroundings, sp_id: str = "SP-1") -> Life:
    """An order whose goods were requested, and that was cancelled. Its workflow has ended."""
    life = await around.begin(sp_id, *REQUIREMENTS_MET)
    await life.do(Cancel(reason="Returned"), SHOP)
    await has_ended(around, sp_id)
    return life


async def has_ended(around: Surroundings, sp_id: str) -> None:
    handle = around.client.get_workflow_handle(sp_id)

    async def completed() -> bool:
        return (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED

    await eventually(completed)


async def report(
    around: Surroundings, notice: Notice, request_id: str, sp_id: str = "SP-1"
) -> None:
    desk = OrderUseCases(around.client, around.orders, around.partners, around.policy, DESK)
    await desk.notice(WAREHOUSE, sp_id, notice, request_id)


async def stored(around: Surroundings, sp_id: str = "SP-1") -> StoredOrder:
    found = await around.orders.get(sp_id)
    assert found is not None
    return found


def unexpected(order: StoredOrder) -> list[Notice]:
    return [each.event.notice for each in order.events if isinstance(each.event, GoodsUnexpected)]


async def told(around: Surroundings, times: int, sp_id: str = "SP-1") -> None:
    """Operations have these mails about unexpected goods, and no more."""

    def mails() -> list[str]:
        kept = around.inbox.mails(sp_id)
        return [str(mail["Subject"]) for mail in kept if "Ware" in str(mail["Subject"])]

    await eventually(lambda: len(mails()) >= times)
    assert len(mails()) == times


async def test_they_are_recorded_and_told_once(around: Surroundings) -> None:
    await ended(around)
    for request_id in ("a", "a", "b"):
        await report(around, PARCEL, request_id)
        await has_ended(around, "SP-1")
    for request_id in ("c", "d"):
        await report(around, RECEIVED, request_id)
        await has_ended(around, "SP-1")
    found = await stored(around)
    assert found.order.status is Status.CANCELLED
    assert unexpected(found) == [PARCEL, RECEIVED]
    assert [each.by for each in found.events[-2:]] == ["warehouse:warehouse"] * 2
    await told(around, 2)
    # What the reconciler compares is the same on both sides.
    held = await workflow_client.snapshot(around.client, "SP-1")
    assert await around.orders.holds(held)
    findings = await Reconciliation(around.database).findings.open(10)
    assert findings == ()


async def test_of_many_at_once_none_is_lost_and_each_is_told_once(around: Surroundings) -> None:
    await ended(around)
    parcels = [GoodsShipped(tracking=f"99.00.{number}") for number in range(4)]
    reports = [(parcel, f"{parcel.tracking}-{copy}") for parcel in parcels for copy in range(2)]

    async def until_taken(parcel: GoodsShipped, request_id: str) -> None:
        """As the warehouse does, which repeats what was not taken."""

        async def taken() -> bool:
            try:
                await report(around, parcel, request_id)
            except Exception:
                return False
            return True

        await eventually(taken)

    await asyncio.gather(*(until_taken(*each) for each in reports))

    async def all_recorded() -> bool:
        return len(unexpected(await stored(around))) == len(parcels)

    await eventually(all_recorded)
    await has_ended(around, "SP-1")
    noted = unexpected(await stored(around))
    assert sorted(noted, key=str) == sorted(parcels, key=str)
    await told(around, len(parcels))


async def test_a_process_that_dies_after_the_start_has_lost_nothing(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run records the goods and sends the mail without it."""
    await ended(around)

    async def die(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    before = await stored(around)
    goods = LateGoods(around.client, around.orders, DESK)
    with monkeypatch.context() as patch:
        patch.setattr(goods._orders, "save", die)
        with pytest.raises(KeyboardInterrupt):
            await goods.record(before, PARCEL, WAREHOUSE.actor, datetime.now(UTC))
        patch.undo()
    await told(around, 1)
    await has_ended(around, "SP-1")
    assert unexpected(await stored(around)) == [PARCEL]
    await report(around, PARCEL, "again")
    await told(around, 1)


async def test_who_read_an_older_version_starts_nothing(around: Surroundings) -> None:
    await ended(around)
    before = await stored(around)
    await report(around, PARCEL, "a")
    await has_ended(around, "SP-1")
    goods = LateGoods(around.client, around.orders, DESK)
    assert not await goods.record(before, RECEIVED, WAREHOUSE.actor, datetime.now(UTC))
    assert unexpected(await stored(around)) == [PARCEL]


async def test_the_first_rules_drop_them_as_before(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.rules.CURRENT", 1)
    await ended(around)
    before = await stored(around)
    await report(around, PARCEL, "a")
    assert await stored(around) == before
