"""Which partners get orders, and under which policy."""

import itertools
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from domain.orders.commands import Cancel, DecideReview, Decline, ReportProblem
from domain.policy import Policy
from records.partners import Partner, Partners
from tests.support.builders import ACCEPTED, TRANSMITTED, Step
from tests.web.begun import agreed_steps, begun, completed_steps
from tests.web.site import API, NO_ACCEPT, Site, order, tomorrow

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

    other = await begun(cmi, *TRANSMITTED)
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
    sp_id = await begun(cmi, *TRANSMITTED, partner_id=partner_id)
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
    standard = await begun(cmi, *TRANSMITTED, partner_id=own)

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


def on_hold_steps() -> tuple[Step, ...]:
    """The steps up to a decision to wait for 30 days."""
    until = date.fromisoformat(tomorrow(days=30)[:10])
    problem = ReportProblem(reason="customer_postpones", until=until)
    return (*ACCEPTED, problem, DecideReview(decision="wait_until", until=until))


KEPT = ("unassigned", "completed", "cancelled")


async def test_the_open_orders_of_an_ended_partner_lose_it(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_partners = cmi.app.state.order_use_cases.ended_partners
    monkeypatch.setattr(ended_partners, "_page_size", 2)
    partner_id, another = await firm(cmi), await firm(cmi)
    steps: dict[str, tuple[Step, ...]] = {
        "new": TRANSMITTED,
        "check_requirements": ACCEPTED,
        "confirm_execution": agreed_steps(),
        "under_review": on_hold_steps()[:-1],
        "on_hold": on_hold_steps(),
        "unassigned": (*TRANSMITTED, Decline(reason="no_capacity")),
        "completed": completed_steps(),
        "cancelled": (*TRANSMITTED, Cancel(reason="Withdrawn")),
    }
    orders = {
        status: await begun(cmi, *lived, partner_id=partner_id) for status, lived in steps.items()
    }
    orders["awaiting_payment"] = await begun(cmi, partner_id=partner_id, prepaid=True)
    other = await begun(cmi, *TRANSMITTED, partner_id=another)
    before = {
        status: (await cmi.operations.get(f"{API}/orders/{orders[status]}")).json()
        for status in KEPT
    }

    await change(cmi, partner_id, status="ended")

    for status in orders.keys() - KEPT:
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
    sp_id = await begun(cmi, *ACCEPTED, partner_id=partner_id)
    await Partners(cmi.around.database).change(partner_id, {"status": "ended"}, datetime.now(UTC))
    ended_partners = cmi.app.state.order_use_cases.ended_partners
    assert await ended_partners.release_all() >= 1
    await ended_partners.release_all()
    await cmi.reaches(sp_id, "unassigned")
    seen = await cmi.shown(sp_id)
    assert [event["type"] for event in seen["timeline"]].count("unassigned") == 1
