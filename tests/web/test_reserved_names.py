"""Orders share the ids of workflows with settlements and with what runs by the clock: none may be called like these."""

import json
from pathlib import Path

import pytest

from contracts import names
from contracts.activities import Snapshot
from tests.server.surroundings import eventually
from tests.support.builders import lived
from tests.web.firms import firm
from tests.web.site import API, Site, order
from tests.web.test_settlements import month, starter
from tests.web.test_wrong_calls import fields

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAKEN = (
    "settlement-elektro-huber-2026-10",
    "settlement-x",
    "monthly-billing",
    "monthly-billing-2026-11-01T05.00.00Z",
    "daily-digest",
    "reconciler",
    "reconciler-2026-11-01T05.00.00Z",
)


@pytest.mark.parametrize("sp_id", TAKEN)
async def test_no_order_is_called_like_another_workflow(cmi: Site, sp_id: str) -> None:
    answer = await cmi.shop.post(f"{API}/orders", json=order(sp_id=sp_id))
    assert fields(answer.json()) == {"sp_id"}
    for caller in (cmi.operations, cmi.shop, cmi.partner):
        assert (await caller.get(f"{API}/orders/{sp_id}")).status_code == 404
    assert (await cmi.post(cmi.shop, sp_id, "cancel", {"reason": "x"})).status_code == 404


async def test_names_that_only_look_similar_are_free(cmi: Site) -> None:
    for sp_id in ("Settlement-1", "settlements", "reconciler2", "SP-settlement-1"):
        assert not names.is_taken(sp_id)
    assert (await cmi.place(sp_id="reconciled-1"))["sp_id"] == "reconciled-1"


async def test_a_settlement_is_not_blocked_and_not_shown_as_an_order(cmi: Site) -> None:
    one = await firm(cmi)
    name = f"settlement-{one.partner_id}-{month()}"
    body = order(sp_id=name, partner_id=one.partner_id)
    assert (await cmi.shop.post(f"{API}/orders", json=body)).status_code == 422
    await one.begun_issued("10.00")
    assert (await cmi.around.client.get_workflow_handle(name).describe()).id == name
    for caller in (cmi.operations, cmi.shop):
        assert (await caller.get(f"{API}/orders/{name}")).status_code == 404


async def test_an_order_of_old_times_is_still_read(cmi: Site) -> None:
    old, events = lived(sp_id="settlement-of-the-kitchen")
    await cmi.around.orders.save(Snapshot(order=old, events=events))
    seen = await cmi.operations.get(f"{API}/orders/{old.sp_id}")
    assert (seen.status_code, seen.json()["sp_id"]) == (200, old.sp_id)
    body = old.intake.placement.model_dump(mode="json")
    assert (await cmi.shop.post(f"{API}/orders", json=body)).status_code == 200


async def test_the_command_refuses_it_too(cmi: Site, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([order(sp_id="settlement-x-2026-10")]))
    code, out, complaint = await starter(cmi, "order", str(file))
    assert (code, out, complaint.count("\n")) == (2, "", 1)
    assert "item 1: sp_id: settlement-x-2026-10" in complaint


async def test_a_workflow_of_another_type_is_no_order(cmi: Site) -> None:
    """Somebody started a settlement's workflow by hand under an order's name."""
    one = await firm(cmi)
    number = (await one.begun_issued("10.00"))["settlement_id"]
    found = await cmi.around.client.get_workflow_handle(
        names.settlement_workflow_id(one.partner_id, await _month(cmi, number))
    ).fetch_history()
    start = found.events[0].workflow_execution_started_event_attributes.input.payloads
    (value,) = await cmi.around.client.data_converter.decode(start)
    await cmi.around.client.start_workflow(
        names.SETTLEMENT, value, id="SP-by-hand", task_queue=names.ORDERS_QUEUE
    )

    async def answered() -> bool:
        answer = await cmi.operations.get(f"{API}/orders/SP-by-hand")
        assert answer.status_code == 503
        return "something else than an order" in answer.json()["detail"]

    await eventually(answered)
    await cmi.around.client.get_workflow_handle("SP-by-hand").terminate()


async def _month(cmi: Site, number: str) -> names.Month:
    found = (await cmi.operations.get(f"{API}/settlements/{number}")).json()
    return names.Month.parse(found["month"])
