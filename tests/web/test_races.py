"""Many callers at once, the same call again, answers before the work is done."""

import asyncio
import hashlib
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest

from domain.orders.commands import Accept
from domain.orders.request import Request
from temporal import orders as workflow_client
from tests.server.surroundings import eventually
from tests.support.patience import patience_with_connections
from tests.web.site import API, MET, Site, order

__all__ = ["patience_with_connections"]  # fifty calls at once take turns on ten connections

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_of_fifty_that_accept_at_once_one_wins(cmi: Site) -> None:
    sp_id = await cmi.new()
    answers = await asyncio.gather(*(cmi.post(cmi.partner, sp_id, "accept") for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["order_status"] == "check_requirements"
            assert "log_contact" in answer.json()["allowed"]
    seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    assert [entry["type"] for entry in seen["timeline"]].count("accepted") == 1


async def test_of_fifty_that_place_the_same_order_one_does(cmi: Site) -> None:
    body = order()
    answers = await asyncio.gather(*(cmi.shop.post(f"{API}/orders", json=body) for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 49}


async def test_of_two_other_orders_with_one_name_one_is_placed(cmi: Site) -> None:
    body = order()
    answers = await asyncio.gather(
        *(cmi.shop.post(f"{API}/orders", json={**body, "note": str(n)}) for n in range(10))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}


async def test_an_answer_is_found_by_the_next_call_and_in_the_lists(cmi: Site) -> None:
    async def once() -> None:
        sp_id = await cmi.new()
        for call, body in (
            ("accept", {}),
            ("contacts", {"outcome": "reached"}),
            ("requirements", MET),
        ):
            told = await cmi.do(cmi.partner, sp_id, call, body)
            seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
            assert seen["version"] >= told["version"]
            listed = await cmi.partner.get(f"{API}/orders", params={"q": sp_id})
            assert listed.json()["items"][0]["version"] >= told["version"]
            assert listed.json()["counts"][told["status"]] == 1

    await asyncio.gather(*(once() for _ in range(4)))


async def test_the_same_key_is_answered_the_same_and_done_once(cmi: Site) -> None:
    sp_id = await cmi.new()
    key = {"Idempotency_Key": "accept-1"}
    answers = await asyncio.gather(
        *(cmi.post(cmi.partner, sp_id, "accept", **key) for _ in range(10))
    )
    first = answers[0]
    assert first.status_code == 200
    assert all((a.status_code, a.json()) == (200, first.json()) for a in answers)
    contact = {"outcome": "not_reached", "note": "Voicemail"}
    for _ in range(3):
        await cmi.do(cmi.partner, sp_id, "contacts", contact, Idempotency_Key="contact-1")
    seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    assert [e["type"] for e in seen["timeline"]].count("contact_logged") == 1
    # Long after, the answer is the first one, and not the order as it is now.
    again = await cmi.post(cmi.partner, sp_id, "accept", **key)
    assert again.json() == first.json()
    assert again.json()["version"] < seen["version"]


async def test_the_same_key_for_something_else_is_refused(cmi: Site) -> None:
    sp_id, other = await cmi.new(), await cmi.new()
    await cmi.do(cmi.partner, sp_id, "accept", Idempotency_Key="k-1")
    for target, call, body in (
        (sp_id, "contacts", {"outcome": "reached"}),
        (other, "accept", {}),
    ):
        answer = await cmi.post(cmi.partner, target, call, body, Idempotency_Key="k-1")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    # A key belongs to its login.
    assert (await cmi.post(cmi.operations, other, "accept", Idempotency_Key="k-1")).is_success
    # What is written otherwise and says the same is the same.
    await cmi.do(
        cmi.partner, sp_id, "contacts", {"outcome": "reached", "note": "a"}, Idempotency_Key="k-2"
    )
    spaced = await cmi.partner.post(
        f"{API}/orders/{sp_id}/contacts",
        content=b'{ "note":"a",\n"outcome":"reached" }',
        headers={"Idempotency-Key": "k-2", "Content-Type": "application/json"},
    )
    assert spaced.status_code == 200


async def test_a_refusal_is_repeated_and_what_was_malformed_may_be_mended(cmi: Site) -> None:
    sp_id = await cmi.new()
    refused = await cmi.post(cmi.partner, sp_id, "requirements", MET, Idempotency_Key="r-1")
    assert refused.status_code == 409
    await cmi.do(cmi.partner, sp_id, "accept")
    again = await cmi.post(cmi.partner, sp_id, "requirements", MET, Idempotency_Key="r-1")
    assert (again.status_code, again.json()) == (409, refused.json())
    assert again.headers["Content-Type"] == "application/problem+json"
    wrong = await cmi.post(cmi.partner, sp_id, "contacts", {}, Idempotency_Key="r-2")
    assert wrong.status_code == 422
    await cmi.do(cmi.partner, sp_id, "contacts", {"outcome": "reached"}, Idempotency_Key="r-2")


async def test_keys_that_cannot_be(cmi: Site) -> None:
    sp_id = await cmi.new()
    for key in ("", "two words", "x" * 256, "ü".encode()):
        answer = await cmi.post(cmi.partner, sp_id, "accept", Idempotency_Key=key)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    two = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await cmi.partner.post(f"{API}/orders/{sp_id}/accept", json={}, headers=two)
    assert answer.status_code == 422
    assert (await cmi.post(cmi.partner, sp_id, "accept", Idempotency_Key="x" * 255)).is_success


async def test_placing_with_a_key_gives_the_first_answer_again(cmi: Site) -> None:
    body, key = order(), {"Idempotency-Key": "place-1"}
    first = await cmi.shop.post(f"{API}/orders", json=body, headers=key)
    again = await cmi.shop.post(f"{API}/orders", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()


async def test_a_crash_between_the_work_and_its_answer_does_no_harm(cmi: Site) -> None:
    sp_id = await cmi.new()
    # The work that a process did which died before it could keep the answer.
    accounts = cmi.app.state.accounts
    principal = await accounts.callers.of_token(cmi.tokens["partner"])
    named = "\n".join((principal.login_id, "crash-1", sp_id, "accept"))
    request = Request(
        command=Accept(),
        actor=principal.actor,
        request_id=hashlib.sha256(named.encode()).hexdigest()[:40],
    )
    await workflow_client.send_command(
        cmi.app.state.temporal, sp_id, request, cmi.app.state.order_use_cases._patience
    )
    answer = await cmi.post(cmi.partner, sp_id, "accept", Idempotency_Key="crash-1")
    assert (answer.status_code, answer.json()["status"]) == (200, "check_requirements")
    seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    assert [entry["type"] for entry in seen["timeline"]].count("accepted") == 1


async def test_who_prefers_not_to_wait(cmi: Site) -> None:
    sp_id = await cmi.new()
    before = datetime.now(UTC)
    stored = await cmi.post(cmi.partner, sp_id, "accept", Prefer="respond-async; x=1, wait=5")
    assert stored.status_code == 202
    assert stored.headers["Preference-Applied"] == "respond-async"
    assert stored.json() == {"sp_id": sp_id, "stored": True}
    await cmi.reaches(sp_id, "check_requirements")
    seen = await cmi.shown(sp_id)
    at = next(e["at"] for e in seen["timeline"] if e["type"] == "accepted")
    assert before <= datetime.fromisoformat(at) <= datetime.now(UTC)
    # What is plainly wrong is said at once, and what is not its own is not there.
    wrong = await cmi.post(cmi.partner, sp_id, "requirements", {}, Prefer="respond-async")
    assert wrong.status_code == 422
    missing = {"met": True, "checklist": {}}
    wrong = await cmi.post(cmi.partner, sp_id, "requirements", missing, Prefer="respond-async")
    assert wrong.json()["errors"][0]["field"] == "checklist.connections"
    foreign = await cmi.post(cmi.stranger, sp_id, "accept", Prefer="respond-async")
    assert foreign.status_code == 404
    # Another preference is none of ours.
    done = await cmi.post(cmi.partner, sp_id, "requirements", MET, Prefer="return=minimal")
    assert done.status_code == 200


async def test_a_refusal_that_nobody_waited_for_is_mailed(cmi: Site) -> None:
    sp_id = await cmi.new()
    stored = await cmi.post(
        cmi.partner, sp_id, "execution", {"executed": True}, Prefer="respond-async"
    )
    assert stored.status_code == 202

    async def noted() -> bool:
        seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
        return any(entry["type"] == "command_refused" for entry in seen["timeline"])

    await eventually(noted)
    await eventually(lambda: len(cmi.around.inbox.mails(sp_id)) == 2)
    assert cmi.around.inbox.mails(sp_id)[1]["To"]


async def test_an_order_that_is_over_says_so(cmi: Site) -> None:
    sp_id = await cmi.new()
    await cmi.do(cmi.shop, sp_id, "cancel", {"reason": "Withdrawn"}, Idempotency_Key=f"c-{sp_id}")
    handle = cmi.around.client.get_workflow_handle(sp_id)
    await handle.result()
    for caller, call, body, prefer in (
        (cmi.partner, "accept", {}, ""),
        (cmi.shop, "cancel", {"reason": "Again"}, ""),
        (cmi.partner, "accept", {}, "respond-async"),
    ):
        refused: httpx.Response = await cmi.post(caller, sp_id, call, body, Prefer=prefer)
        assert refused.status_code == 409
        assert refused.json()["allowed"] == []
        assert refused.json()["order_status"] == "cancelled"
    # What the warehouse repeats is no error.
    assert (await cmi.post(cmi.warehouse, sp_id, "goods-shipped", {"tracking": "1"})).is_success
    again = await cmi.post(
        cmi.shop, sp_id, "cancel", {"reason": "Withdrawn"}, Idempotency_Key=f"c-{sp_id}"
    )
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
