"""Which partners get orders, and under which policy."""

import itertools
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from domain.policy import Policy
from records.partners import Partner, Partners
from tests.web.site import API, NO_ACCEPT, PATH, Site, order, tomorrow

pytestmark = pytest.mark.asyncio(loop_scope="session")

_numbers = itertools.count(1)


async def firm(cmi: Site, **changes: Any) -> str:
    """The id of a new partner."""
    body = {
        "partner_id": f"firm-{next(_numbers)}", "name": "Montage AG", "canton": "ZH", "language": "de",
        "email": "auftraege@montage.example", "phone": "+41 44 555 00 00", "street": "Seestrasse 1",
        "postal_code": "8002", "city": "Zürich", **changes,
    }  # fmt: skip
    answer = await cmi.operations.post(f"{API}/partners", json=body)
    assert answer.status_code == 201, answer.text
    return str(body["partner_id"])


async def change(cmi: Site, partner_id: str, **changes: Any) -> None:
    answer = await cmi.operations.patch(f"{API}/partners/{partner_id}", json=changes)
    assert answer.status_code == 200, answer.text


async def place(cmi: Site, partner_id: str, language: str = "en", **changes: Any) -> httpx.Response:
    body = order(partner_id=partner_id, **changes)
    headers = {"Accept-Language": language}
    return await cmi.shop.post(f"{API}/orders", json=body, headers=headers)


def said(answer: httpx.Response) -> str:
    """What is wrong with the partner of a request."""
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "partner_id"
    return str(error["message"])


@pytest.mark.parametrize(
    ("status", "language", "why"),
    [
        ("paused", "en", "This service partner is paused and gets no new orders."),
        ("ended", "de", "Die Zusammenarbeit mit diesem Servicepartner ist beendet."),
    ],
)
async def test_a_partner_that_is_not_active_gets_no_new_orders(
    cmi: Site, status: str, language: str, why: str
) -> None:
    partner_id = await firm(cmi)
    sp_id = order()["sp_id"]
    assert (await place(cmi, partner_id, sp_id=sp_id)).status_code == 201
    await change(cmi, partner_id, status=status)
    assert said(await place(cmi, partner_id, language)) == why
    assert (await place(cmi, partner_id, sp_id=sp_id)).status_code == 200, "it is there already"

    other = await cmi.new()
    headers = {"Accept-Language": language}
    body = {"partner_id": partner_id, "reason": "Too many orders"}
    path = f"{API}/orders/{other}/reassign"
    assert said(await cmi.operations.post(path, json=body, headers=headers)) == why
    seen = (await cmi.operations.get(f"{API}/orders/{other}")).json()
    assert seen["partner_id"] == "elektro-huber"

    await change(cmi, partner_id, status="active")
    assert (await place(cmi, partner_id)).status_code == 201


async def test_a_paused_partner_goes_on_with_the_orders_it_has(cmi: Site) -> None:
    partner_id = await firm(cmi)
    made = await cmi.operations.post(f"{API}/partners/{partner_id}/tokens", json={"name": "Plan"})
    theirs = {"Authorization": f"Bearer {made.json()['token']}"}
    sp_id = (await place(cmi, partner_id)).json()["sp_id"]
    await cmi.reaches(sp_id, "new")
    await change(cmi, partner_id, status="paused")
    accepted = await cmi.nobody.post(f"{API}/orders/{sp_id}/accept", json={}, headers=theirs)
    assert accepted.status_code == 200
    await change(cmi, partner_id, status="ended")
    seen = await cmi.nobody.get(f"{API}/orders/{sp_id}", headers=theirs)
    assert seen.status_code == 401, "its token has ended with it"


async def test_an_order_is_placed_under_the_policy_of_its_partner_and_keeps_it(cmi: Site) -> None:
    own = await firm(cmi, policy=NO_ACCEPT)
    sp_id = (await place(cmi, own)).json()["sp_id"]
    await cmi.reaches(sp_id, "check_requirements")
    await cmi.has(sp_id, "partner_notified")
    seen = await cmi.shown(sp_id)
    kinds = {deadline["kind"] for deadline in seen["deadlines"]}
    # `transmit` runs until the notice is out.
    assert kinds - {"transmit"} == {"check_requirements", "contact_customer"}

    await change(cmi, own, policy=None)
    standard = (await place(cmi, own)).json()["sp_id"]
    await cmi.reaches(standard, "new")

    body = {"partner_id": "elektro-huber", "reason": "Too far away"}
    await cmi.do(cmi.operations, sp_id, "reassign", body)
    stored = await cmi.around.orders.get(sp_id)
    assert stored is not None
    assert stored.order.partner.partner_id == "elektro-huber"
    assert stored.order.policy.deadlines.accept is None, "its policy is pinned"
    await change(cmi, own, policy=NO_ACCEPT)
    await cmi.do(cmi.operations, standard, "reassign", {**body, "reason": "Once more"})
    moved = await cmi.around.orders.get(standard)
    assert moved is not None
    assert moved.order.policy.deadlines.accept == Policy().deadlines.accept


async def test_nothing_is_placed_while_the_policy_of_the_partner_is_missing(cmi: Site) -> None:
    """As after its file was taken away and the processes were started again."""
    partner_id = await firm(cmi)
    records = Partners(cmi.around.database)
    known = await records.get(partner_id)
    assert known is not None
    gone = Partner.model_validate({**known.model_dump(), "policy": "taken-away"})
    await records.put(gone, datetime.now(UTC))
    sp_id = order()["sp_id"]
    answer = await place(cmi, partner_id, sp_id=sp_id)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json()["title"] == "Policy missing"
    assert "taken-away" in answer.json()["detail"]
    assert (await cmi.operations.get(f"{API}/orders/{sp_id}")).status_code == 404
    await change(cmi, partner_id, phone="+41 44 555 11 11")  # other fields can be changed
    await change(cmi, partner_id, policy=NO_ACCEPT)
    assert (await place(cmi, partner_id, sp_id=sp_id)).status_code == 201


async def test_only_a_policy_that_is_there_can_be_chosen(cmi: Site) -> None:
    partner_id = await firm(cmi)
    for name in ("vanished", "no-accept.toml", "../no-accept", ""):
        answer = await cmi.operations.patch(f"{API}/partners/{partner_id}", json={"policy": name})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["policy"]


async def brought(cmi: Site, sp_id: str, status: str) -> None:
    """Bring an order from `new` to this state, by operations on behalf of its partner."""
    for call, body, reached in PATH:
        caller = cmi.warehouse if call.startswith("goods") else cmi.operations
        await cmi.do(caller, sp_id, call, body() if callable(body) else body)
        await cmi.reaches(sp_id, reached)
        if call == "goods-received":
            await cmi.has(sp_id, "goods_received")
        if reached == status and call != "goods-shipped":
            return


async def placed(cmi: Site, partner_id: str, status: str) -> str:
    """The SP-ID of an order that has this state."""
    answer = await place(cmi, partner_id, prepaid=status == "awaiting_payment")
    assert answer.status_code == 201, answer.text
    sp_id = str(answer.json()["sp_id"])
    if status == "awaiting_payment":
        return sp_id
    await cmi.reaches(sp_id, "new")
    match status:
        case "new":
            pass
        case "unassigned":
            body = {"reason": "no_capacity", "note": ""}
            await cmi.do(cmi.operations, sp_id, "decline", body)
        case "under_review" | "on_hold":
            await brought(cmi, sp_id, "check_requirements")
            until = tomorrow(days=30)[:10]
            problem = {"reason": "customer_postpones", "note": "", "until": until}
            await cmi.do(cmi.operations, sp_id, "problem", problem)
            if status == "on_hold":
                wait = {"decision": "wait_until", "until": until, "note": ""}
                await cmi.do(cmi.operations, sp_id, "review", wait)
        case "cancelled":
            await cmi.do(cmi.operations, sp_id, "cancel", {"reason": "Withdrawn"})
        case _:
            await brought(cmi, sp_id, status)
    await cmi.reaches(sp_id, status)
    return sp_id


LOST = (
    "awaiting_payment",
    "new",
    "check_requirements",
    "confirm_execution",
    "under_review",
    "on_hold",
)
KEPT = ("unassigned", "completed", "cancelled")


async def test_the_open_orders_of_an_ended_partner_lose_it(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_partners = cmi.app.state.order_use_cases.ended_partners
    monkeypatch.setattr(ended_partners, "_page_size", 2)
    partner_id, another = await firm(cmi), await firm(cmi)
    orders = {status: await placed(cmi, partner_id, status) for status in (*LOST, *KEPT)}
    other = await placed(cmi, another, "new")
    before = {
        status: (await cmi.operations.get(f"{API}/orders/{orders[status]}")).json()
        for status in KEPT
    }

    await change(cmi, partner_id, status="ended")

    for status in LOST:
        await cmi.reaches(orders[status], "unassigned")
        seen = await cmi.shown(orders[status])
        assert (seen["partner_id"], seen["ball"]) == (None, "retailer")
        last = seen["timeline"][-1]
        assert (last["type"], last["data"]["reason"]) == ("unassigned", "partner_ended"), status
    await change(cmi, partner_id, status="ended")
    assert await ended_partners.release_all() == 0, "none of them is left"
    for status in KEPT:
        seen = (await cmi.operations.get(f"{API}/orders/{orders[status]}")).json()
        assert seen["timeline"] == before[status]["timeline"], status
    assert (await cmi.operations.get(f"{API}/orders/{other}")).json()["partner_id"] == another

    body = {"partner_id": another, "reason": "The partner has ended"}
    moved = await cmi.do(cmi.operations, orders["on_hold"], "reassign", body)
    assert (moved["partner_id"], moved["status"]) == (another, "new")


async def test_an_end_on_the_command_line_is_found_by_the_web_processes(cmi: Site) -> None:
    """So is one after which the process died before it told the orders."""
    partner_id = await firm(cmi)
    sp_id = await placed(cmi, partner_id, "check_requirements")
    await Partners(cmi.around.database).change(partner_id, {"status": "ended"}, datetime.now(UTC))
    ended_partners = cmi.app.state.order_use_cases.ended_partners
    assert await ended_partners.release_all() >= 1
    await ended_partners.release_all()
    await cmi.reaches(sp_id, "unassigned")
    seen = await cmi.shown(sp_id)
    assert [event["type"] for event in seen["timeline"]].count("unassigned") == 1
