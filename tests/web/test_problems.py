"""What goes otherwise than planned, by the API alone: problems, holds, declined orders, what is taken back."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.support.builders import ACCEPTED, GOODS_THERE, REQUIREMENTS_MET, TRANSMITTED
from tests.web.begun import agreed_steps, begun
from tests.web.site import API, Site, agreed, order, tomorrow

pytestmark = pytest.mark.asyncio(loop_scope="session")


def day(days: int) -> str:
    """A day in Zürich, so many days from today."""
    return f"{datetime.now(ZoneInfo('Europe/Zurich')) + timedelta(days=days):%Y-%m-%d}"


def wrong_fields(answer: httpx.Response) -> list[str]:
    """The fields that an answer names as wrong."""
    assert answer.status_code == 422, answer.text
    return [error["field"] for error in answer.json()["errors"]]


async def withdraw(caller: httpx.AsyncClient, sp_id: str) -> httpx.Response:
    return await caller.delete(f"{API}/orders/{sp_id}/problem")


async def test_a_problem_is_reported_put_on_hold_and_resumed(cmi: Site) -> None:
    sp_id = await begun(cmi, *ACCEPTED)
    problem: dict[str, Any] = {"reason": "customer_postpones", "note": "The kitchen is late"}
    assert wrong_fields(await cmi.post(cmi.partner, sp_id, "problem", problem)) == ["until"]
    past = {**problem, "until": day(0)}
    assert wrong_fields(await cmi.post(cmi.partner, sp_id, "problem", past)) == ["until"]
    problem["until"] = day(30)
    reported = await cmi.do(cmi.partner, sp_id, "problem", problem)
    assert (reported["status"], reported["ball"]) == ("under_review", "retailer")
    assert reported["timeline"][-1]["data"] == problem
    assert {d["kind"] for d in reported["deadlines"]} == set(), "the partner has nothing to do"

    wait = {"decision": "wait_until", "until": day(30), "note": ""}
    assert wrong_fields(
        await cmi.post(cmi.operations, sp_id, "review", {**wait, "until": None})
    ) == ["until"]
    held = await cmi.do(cmi.operations, sp_id, "review", wait)
    assert (held["status"], held["ball"]) == ("on_hold", "customer")
    assert held["held_until"].startswith(f"{day(30)}T08:00:00")
    seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    assert seen["allowed"] == ["resume", "log_contact", "report_problem"]
    resumed = await cmi.do(cmi.partner, sp_id, "resume")
    assert resumed["status"] == "check_requirements"
    assert {d["kind"] for d in resumed["deadlines"]} == {"check_requirements", "contact_customer"}


async def test_a_problem_is_withdrawn_until_it_is_decided(cmi: Site) -> None:
    sp_id = await begun(cmi, *ACCEPTED)
    assert (await withdraw(cmi.partner, sp_id)).status_code == 409
    await cmi.do(cmi.partner, sp_id, "problem", {"reason": "partner_unable", "note": ""})
    assert (await withdraw(cmi.stranger, sp_id)).status_code == 404
    answer = await withdraw(cmi.partner, sp_id)
    assert (answer.status_code, answer.json()["status"]) == (200, "check_requirements")
    assert (await withdraw(cmi.partner, sp_id)).status_code == 409


async def test_a_reason_that_is_not_possible_names_its_field(cmi: Site) -> None:
    sp_id = await begun(cmi, *ACCEPTED)
    for reason in ("other", "customer_unreachable", "customer_absent"):
        answer = await cmi.post(cmi.partner, sp_id, "problem", {"reason": reason, "note": ""})
        assert wrong_fields(answer) == ["note" if reason == "other" else "reason"], reason


async def test_a_declined_order_is_nobody_s_until_operations_reassign_it(cmi: Site) -> None:
    sp_id = await begun(cmi, *TRANSMITTED)
    before = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    declined = await cmi.do(cmi.partner, sp_id, "decline", {"reason": "no_capacity", "note": "Ill"})
    assert declined["status"] == "new", "as the partner last saw it"
    assert declined["customer"] == before["customer"]
    assert (await cmi.partner.get(f"{API}/orders/{sp_id}")).status_code == 404
    assert (await cmi.post(cmi.partner, sp_id, "accept")).status_code == 404
    listed = (await cmi.partner.get(f"{API}/orders", params={"q": sp_id})).json()
    assert listed["items"] == []
    assert sum(listed["counts"].values()) == 0

    seen = (await cmi.operations.get(f"{API}/orders/{sp_id}")).json()
    assert (seen["status"], seen["partner_id"], seen["ball"]) == ("unassigned", None, "retailer")
    assert {d["kind"] for d in seen["deadlines"]} == {"assign"}
    assert seen["allowed"] == ["reassign", "cancel"]
    body = {"partner_id": "luzern-montage", "reason": "Nearer by"}
    given = await cmi.do(cmi.operations, sp_id, "reassign", body)
    assert (given["status"], given["partner_id"]) == ("new", "luzern-montage")
    own = (await cmi.stranger.get(f"{API}/orders/{sp_id}")).json()
    assert "elektro-huber" not in str(own), "nobody learns who declined it"
    await cmi.do(cmi.stranger, sp_id, "decline", {"reason": "outside_area", "note": ""})
    again = {"partner_id": "luzern-montage", "reason": "They agreed on the telephone"}
    back = await cmi.do(cmi.operations, sp_id, "reassign", again)
    assert (back["status"], back["partner_id"]) == ("new", "luzern-montage")


async def test_an_order_in_review_is_reassigned_by_a_decision(cmi: Site) -> None:
    sp_id = await begun(cmi, *GOODS_THERE)
    body = {"decision": "reassign", "partner_id": "luzern-montage", "note": "Van broken"}
    early = await cmi.post(cmi.operations, sp_id, "review", body)
    assert early.status_code == 409
    await cmi.do(cmi.partner, sp_id, "problem", {"reason": "partner_unable", "note": ""})
    lacking = {"decision": "reassign", "note": ""}
    answer = await cmi.post(cmi.operations, sp_id, "review", lacking)
    assert wrong_fields(answer) == ["partner_id"]
    given = await cmi.do(cmi.operations, sp_id, "review", body)
    assert (given["status"], given["partner_id"]) == ("new", "luzern-montage")
    accepted = await cmi.do(cmi.stranger, sp_id, "accept")
    assert accepted["status"] == "set_appointment", "the goods have come"
    assert "goods_received" in [e["type"] for e in accepted["timeline"]]


async def test_the_partner_reports_receipt_and_damage(cmi: Site) -> None:
    new, sp_id = await begun(cmi, *TRANSMITTED), await begun(cmi, *REQUIREMENTS_MET)
    early = await cmi.post(cmi.partner, new, "goods-received", {})
    assert early.status_code == 409
    await cmi.do(cmi.warehouse, sp_id, "goods-shipped", {"tracking": "1"})
    await cmi.reaches(sp_id, "set_appointment")
    executed = {"executed": True, "early": True}
    await cmi.do(cmi.partner, sp_id, "appointment", agreed())
    refused = await cmi.post(cmi.partner, sp_id, "execution", executed)
    assert wrong_fields(refused) == ["executed_on"], "nothing has been received"
    answer = await cmi.post(cmi.partner, sp_id, "goods-received", {"damaged": True})
    assert answer.status_code == 200
    damaged = answer.json()
    assert (damaged["status"], damaged["review_reason"]) == ("under_review", "damaged_on_receipt")
    types = [entry["type"] for entry in damaged["timeline"]][-2:]
    assert types == ["goods_received", "problem_reported"]
    reshipped = await cmi.do(cmi.operations, sp_id, "review", {"decision": "reship", "note": ""})
    assert reshipped["status"] == "requirements_met"


async def test_an_execution_is_undone_or_reopened(cmi: Site) -> None:
    sp_id = await begun(cmi, *agreed_steps())
    executed = {"executed": True, "early": True}
    await cmi.do(cmi.partner, sp_id, "execution", executed)
    undone = await cmi.do(cmi.partner, sp_id, "undo")
    assert (undone["status"], undone["executed_on"]) == ("confirm_execution", None)
    await cmi.do(cmi.partner, sp_id, "execution", executed)
    assert (await cmi.post(cmi.partner, sp_id, "reopen", {"reason": "So"})).status_code == 403
    assert wrong_fields(await cmi.post(cmi.operations, sp_id, "reopen", {})) == ["reason"]
    reopened = await cmi.do(cmi.operations, sp_id, "reopen", {"reason": "Another house"})
    assert reopened["status"] == "confirm_execution"
    assert reopened["timeline"][-1]["data"] == {"reason": "Another house"}


async def test_appointments_are_as_people_make_them(cmi: Site) -> None:
    sp_id = await begun(cmi, *GOODS_THERE)
    times = {
        "past": (tomorrow(8, -1), tomorrow(10, -1), "start"),
        "too far": (tomorrow(8, 62), tomorrow(10, 62), "start"),
        "at night": (tomorrow(5), tomorrow(6), "start"),
    }
    for start, end, field in times.values():
        body = {"start": start, "end": end}
        assert wrong_fields(await cmi.post(cmi.partner, sp_id, "appointment", body)) == [field]
    night = {"start": tomorrow(5), "end": tomorrow(6), "unusual": True}
    agreed_on = await cmi.do(cmi.partner, sp_id, "appointment", night)
    assert agreed_on["appointment"]["unusual"] is True
    move = agreed(2, reason="The customer works", moved_by="customer")
    moved = await cmi.do(cmi.partner, sp_id, "appointment", move)
    assert moved["timeline"][-1]["data"]["moved_by"] == "customer"
    wrong = agreed(3, reason="So", moved_by="neighbour")
    assert wrong_fields(await cmi.post(cmi.partner, sp_id, "appointment", wrong)) == ["moved_by"]


async def test_whom_the_goods_go_to_is_the_shop_s_to_say(cmi: Site) -> None:
    plain = await cmi.place()
    assert (plain["deliver_to"], plain["sales_order_line"]) == ("partner", None)
    said = {"deliver_to": "customer", "sales_order_line": "2"}
    placed = (await cmi.shop.post(f"{API}/orders", json={**order(), **said})).json()
    assert (placed["deliver_to"], placed["sales_order_line"]) == ("customer", "2")


async def test_the_goods_of_a_line_come_once_for_all_its_services(cmi: Site) -> None:
    line = {"sales_order_id": "77001", "sales_order_line": "1"}
    ids = [await begun(cmi, *REQUIREMENTS_MET, **line) for _ in range(2)]
    first, second = ids
    await cmi.do(cmi.warehouse, first, "goods-shipped", {"tracking": "1"})
    for sp_id in ids:
        await cmi.reaches(sp_id, "set_appointment")
    await cmi.do(cmi.warehouse, second, "goods-received", {})
    for sp_id in ids:
        await cmi.has(sp_id, "goods_received")
        seen = await cmi.shown(sp_id)
        assert [e["type"] for e in seen["timeline"]].count("goods_shipped") == 1
    seen = (await cmi.partner.get(f"{API}/orders/{first}")).json()
    assert [(each["sp_id"], each["status"]) for each in seen["related"]] == [
        (second, "set_appointment")
    ]
    given = {"partner_id": "luzern-montage", "reason": "So"}
    await cmi.do(cmi.operations, second, "reassign", given)
    alone = (await cmi.partner.get(f"{API}/orders/{first}")).json()
    assert alone["related"] == [], "it is another partner's now"


async def test_a_clash_is_shown_and_not_refused(cmi: Site) -> None:
    ids = [await begun(cmi, *GOODS_THERE) for _ in range(2)]
    own = {"start": tomorrow(13, 9), "end": tomorrow(15, 9), "unusual": True}
    other = {"start": tomorrow(14, 9), "end": tomorrow(16, 9), "unusual": True}
    assert (await cmi.do(cmi.partner, ids[0], "appointment", own))["clashes"] == []
    clashing = await cmi.do(cmi.partner, ids[1], "appointment", other)
    assert [each["sp_id"] for each in clashing["clashes"]] == [ids[0]]
    assert clashing["clashes"][0]["start"] == own["start"]
