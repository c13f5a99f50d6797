"""Partners take turns on the task queue: one that gets many orders at once holds up nobody."""

import asyncio
from datetime import datetime
from pathlib import Path

from temporalio.api.enums.v1 import EventType

from contracts import names
from tests.server.surroundings import Surroundings, eventually, surroundings

MANY, FEW = "elektro-huber", "luzern-montage"
NUMBER = 14


async def _begun(around: Surroundings, sp_id: str) -> tuple[datetime, str]:
    """When the first task of an order was taken by a worker, and the key that the order is known by on the queue."""
    handle = around.client.get_workflow_handle(names.order_id(sp_id))

    async def taken() -> tuple[datetime, str] | None:
        events = (await handle.fetch_history()).events
        key = events[0].workflow_execution_started_event_attributes.priority.fairness_key
        for each in events:
            if each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                return each.event_time.ToDatetime(), key
        return None

    begun: tuple[datetime, str] = await eventually(taken)
    return begun


async def test_the_last_order_of_a_quiet_partner_does_not_wait_for_all_of_another_one(
    tmp_path: Path,
) -> None:
    async with surroundings(tmp_path, shared=True, CMI_WORKFLOW_SLOTS="2") as around:
        many = [f"SP-{number}" for number in range(1, NUMBER + 1)]
        for sp_id in many:
            await around.place(sp_id, partner_id=MANY)
        await around.place("SP-FEW", partner_id=FEW)
        await around.start_worker_process()
        few, key = await _begun(around, "SP-FEW")
        begun = await asyncio.gather(*(_begun(around, sp_id) for sp_id in many))
        assert key == FEW
        assert {each for _, each in begun} == {MANY}
        before = sum(at < few for at, _ in begun)
        assert before < NUMBER / 2
