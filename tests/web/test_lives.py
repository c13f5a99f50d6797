"""Whole lives of orders by the API alone."""

import pytest

from tests.web.begun import agreed_steps, begun
from tests.web.site import API, MET, Site, agreed, order, tomorrow

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_order_from_the_shop_to_its_completion(cmi: Site) -> None:
    body = order()
    answer = await cmi.shop.post(f"{API}/orders", json=body)
    assert answer.status_code == 201
    sp_id = body["sp_id"]
    assert answer.headers["Location"] == f"{API}/orders/{sp_id}"
    placed = answer.json()
    assert {name: placed[name] for name in body} == body
    assert placed["service"]["fee"] == "129.00"
    assert placed["status"] == "in_transmission"
    assert placed["status_label"] == "In Übermittlung"
    assert placed["checklist"] == ["connections", "space", "passages"]
    assert placed["ball"] == "retailer"
    assert placed["allowed"] == ["cancel"], "operations alone reassign"
    assert [entry["type"] for entry in placed["timeline"]] == ["placed"]

    # Placed is found at once.
    assert (await cmi.operations.get(f"{API}/orders/{sp_id}")).status_code == 200

    await cmi.reaches(sp_id, "new")
    await cmi.has(sp_id, "partner_notified")  # afterwards only calls change the order
    new = await cmi.shown(sp_id)
    assert new["version"] > placed["version"]
    seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    assert seen["allowed"] == ["accept", "decline"]
    assert {d["kind"] for d in seen["deadlines"]} == {"accept", "contact_customer"}
    assert all(d["explanation"] and not d["overdue"] for d in seen["deadlines"])

    accepted = await cmi.do(cmi.partner, sp_id, "accept")
    assert accepted["status"] == "check_requirements"
    assert accepted == (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    listed = (await cmi.partner.get(f"{API}/orders", params={"q": sp_id})).json()["items"]
    assert [item["status"] for item in listed] == ["check_requirements"]
    only_single = {name: accepted[name] for name in ("timeline", "related", "clashes")}
    assert {**listed[0], **only_single} == accepted

    contact = {"outcome": "not_reached", "note": "Voicemail"}
    await cmi.do(cmi.partner, sp_id, "contacts", contact)
    contacted = await cmi.do(cmi.partner, sp_id, "contacts", {"outcome": "reached"})
    assert contacted["timeline"][-1]["data"] == {"outcome": "reached", "note": ""}
    assert "contact_customer" not in {d["kind"] for d in contacted["deadlines"]}
    met = await cmi.do(cmi.partner, sp_id, "requirements", MET)
    assert met["status"] == "requirements_met"
    assert met["ball"] == "warehouse"

    told = await cmi.post(cmi.warehouse, sp_id, "goods-shipped", {"tracking": "99.00.1"})
    assert told.status_code == 202
    assert told.json() == {"sp_id": sp_id, "stored": True}
    await cmi.reaches(sp_id, "set_appointment")
    await cmi.do(cmi.warehouse, sp_id, "goods-received", {"received_at": tomorrow(7, -1)})
    await cmi.has(sp_id, "goods_received")

    dated = await cmi.do(cmi.partner, sp_id, "appointment", agreed())
    assert {**dated["appointment"], "unusual": True} == {**agreed(), "sequence": 0}
    moved = await cmi.do(cmi.partner, sp_id, "appointment", agreed(2, reason="Customer is ill"))
    assert moved["appointment"]["sequence"] == 1
    refused = await cmi.post(cmi.partner, sp_id, "execution", {"executed": True})
    assert refused.status_code == 422
    assert [e["field"] for e in refused.json()["errors"]] == ["executed_on"]
    early = {"executed": True, "note": "All fine", "early": True}
    done = await cmi.do(cmi.partner, sp_id, "execution", early)
    assert done["status"] == "completed"
    assert done["executed_on"]
    assert done["settlement_id"] is None
    assert done["allowed"] == ["undo"]


async def test_a_prepaid_order_waits_for_its_payment(cmi: Site) -> None:
    placed = await cmi.place(prepaid=True)
    assert placed["status"] == "awaiting_payment"
    assert placed["allowed"] == ["payment_received", "cancel"]
    assert (await cmi.partner.get(f"{API}/orders/{placed['sp_id']}")).status_code == 404
    for _ in range(2):
        told = await cmi.post(cmi.shop, placed["sp_id"], "payment-received")
        assert told.status_code == 202
    await cmi.reaches(placed["sp_id"], "new")
    found = await cmi.shown(placed["sp_id"])
    assert [entry["type"] for entry in found["timeline"]].count("paid") == 1
    # Long after, too, it is no error.
    assert (await cmi.post(cmi.shop, placed["sp_id"], "payment-received")).status_code == 202


async def test_a_place_that_is_not_ready_is_decided_by_operations(cmi: Site) -> None:
    sp_id = await cmi.new()
    await cmi.do(cmi.partner, sp_id, "accept")
    no = {"met": False, "reason": "passage_too_narrow", "note": "58 cm"}
    rejected = await cmi.do(cmi.partner, sp_id, "requirements", no)
    assert rejected["status"] == "under_review"
    assert (rejected["ball"], rejected["review_reason"]) == ("retailer", "passage_too_narrow")
    ended = await cmi.do(cmi.operations, sp_id, "review", {"decision": "cancel"})
    assert ended["status"] == "cancelled"
    refused = await cmi.post(cmi.partner, sp_id, "accept")
    assert refused.status_code == 409
    assert refused.json()["allowed"] == []
    assert refused.json()["order_status"] == "cancelled"


@pytest.mark.parametrize(
    ("decision", "status"),
    [
        ("new_appointment", "set_appointment"),
        ("reship", "requirements_met"),
        ("cancel", "cancelled"),
        ("accept_as_executed", "completed"),
    ],
)
async def test_what_was_not_executed_is_decided_by_operations(
    cmi: Site, decision: str, status: str
) -> None:
    sp_id = await begun(cmi, *agreed_steps())
    no = {"executed": False, "reason": "customer_absent", "note": ""}
    reported = await cmi.do(cmi.partner, sp_id, "execution", no)
    assert reported["status"] == "under_review"
    assert reported["allowed"] == ["withdraw_problem"]
    seen = (await cmi.operations.get(f"{API}/orders/{sp_id}")).json()
    assert decision in seen["allowed"]
    decided = await cmi.do(cmi.operations, sp_id, "review", {"decision": decision, "note": "So"})
    assert decided["status"] == status


async def test_the_shop_cancels(cmi: Site) -> None:
    placed = await cmi.place(prepaid=True)
    cancelled = await cmi.do(cmi.shop, placed["sp_id"], "cancel", {"reason": "Withdrawn"})
    assert cancelled["status"] == "cancelled"
    assert cancelled["timeline"][-1]["data"] == {"reason": "Withdrawn"}
    # It never was the partner's to see.
    assert (await cmi.partner.get(f"{API}/orders/{placed['sp_id']}")).status_code == 404


async def test_another_partner_gets_the_order_and_the_first_one_loses_sight_of_it(
    cmi: Site,
) -> None:
    sp_id = await cmi.new()
    await cmi.do(cmi.partner, sp_id, "accept")
    await cmi.do(cmi.partner, sp_id, "contacts", {"outcome": "reached", "note": "Our secret"})
    body = {"partner_id": "luzern-montage", "reason": "On holiday"}
    reassigned = await cmi.do(cmi.operations, sp_id, "reassign", body)
    assert (reassigned["partner_id"], reassigned["status"]) == ("luzern-montage", "new")
    for gone in (
        await cmi.partner.get(f"{API}/orders/{sp_id}"),
        await cmi.post(cmi.partner, sp_id, "accept"),
    ):
        assert gone.status_code == 404
    assert not (await cmi.partner.get(f"{API}/orders", params={"q": sp_id})).json()["items"]
    seen = (await cmi.stranger.get(f"{API}/orders/{sp_id}")).json()
    assert seen["allowed"] == ["accept", "decline"]
    assert "Our secret" not in str(seen)
    assert "canton LU" in next(
        d["explanation"]
        for d in (
            await cmi.stranger.get(f"{API}/orders/{sp_id}", headers={"Accept-Language": "en"})
        ).json()["deadlines"]
    )
    assert (await cmi.do(cmi.stranger, sp_id, "accept"))["status"] == "check_requirements"


async def test_operations_act_in_the_partner_s_place(cmi: Site) -> None:
    sp_id = await cmi.new()
    await cmi.has(sp_id, "partner_notified")
    accepted = await cmi.do(cmi.operations, sp_id, "accept")
    entry = accepted["timeline"][-1]
    assert entry["type"] == "accepted"
    assert entry["by"].startswith("operations:")
    assert entry["by"].endswith("for partner:elektro-huber")
    assert "reassign" in accepted["allowed"]


async def test_the_goods_may_come_before_their_time(cmi: Site) -> None:
    sp_id = await cmi.new()
    for _ in range(2):
        await cmi.do(cmi.warehouse, sp_id, "goods-shipped", {"tracking": "early"})
    await cmi.do(cmi.warehouse, sp_id, "goods-received", {})
    await cmi.do(cmi.partner, sp_id, "accept")
    met = await cmi.do(cmi.partner, sp_id, "requirements", MET)
    assert met["status"] == "set_appointment"
