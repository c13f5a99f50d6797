"""Wrong calls by the dozen: each is told what is wrong, field by field, in problem documents."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.builders import ACCEPTED, GOODS_THERE, TRANSMITTED
from tests.web.begun import begun
from tests.web.site import API, CHECKLIST, MET, Site, agreed, order, tomorrow

pytestmark = pytest.mark.asyncio(loop_scope="session")


def fields(problem: dict[str, Any]) -> set[str]:
    """The fields that a problem names."""
    assert problem["status"] == 422
    assert {"type", "title", "detail"} <= set(problem)
    assert all(error["message"] for error in problem["errors"])
    return {error["field"] for error in problem["errors"]}


def without(body: dict[str, Any], field: str) -> dict[str, Any]:
    """The body without a field."""
    body = json.loads(json.dumps(body))
    *path, last = field.split(".")
    part = body
    for name in path:
        part = part[name]
    del part[last]
    return body


def changed(field: str, value: Any) -> dict[str, Any]:
    """An order with another value in a field."""
    body = order()
    *path, last = field.split(".")
    part = body
    for name in path:
        part = part[name]
    part[last] = value
    return body


REQUIRED = (
    "sp_id",
    "sales_order_id",
    "partner_id",
    "customer",
    "customer.name",
    "customer.email",
    "customer.phone",
    "customer.street",
    "customer.postal_code",
    "customer.city",
    "customer.language",
    "product",
    "product.sku",
    "product.name",
    "product.quantity",
    "service",
    "service.code",
    "service.name",
    "service.fee",
)


async def test_an_order_misses_something(cmi: Site) -> None:
    for field in REQUIRED:
        answer = await cmi.shop.post(f"{API}/orders", json=without(order(), field))
        assert fields(answer.json()) == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sp_id", ""),
        ("sp_id", "SP 1"),
        ("sp_id", "../etc"),
        ("sp_id", "x" * 65),
        ("sp_id", 7),
        ("sales_order_id", "   "),
        ("partner_id", "nobody-knows"),
        ("partner_id", "a\0b"),
        ("prepaid", "perhaps"),
        ("prepaid", None),
        ("customer", []),
        ("customer.name", "two\nlines"),
        ("customer.name", "x" * 201),
        ("customer.name", "\ud800"),
        ("customer.email", "nobody"),
        ("customer.email", "a@b@c"),
        ("customer.language", "rm"),
        ("customer.birthday", "1970-01-01"),
        ("product.quantity", 0),
        ("product.quantity", 1.5),
        ("product.quantity", "many"),
        ("product.quantity", 10**400),
        ("service.fee", 129.0),
        ("service.fee", "129.005"),
        ("service.fee", "-1.00"),
        ("service.fee", "NaN"),
        ("service.fee", "12 CHF"),
        ("note", "x" * 2001),
        ("note", "bell\a"),
        ("settlement_id", "V-1"),
    ],
)
async def test_an_order_holds_what_cannot_be(cmi: Site, field: str, value: Any) -> None:
    body = json.dumps(changed(field, value))
    json_type = {"Content-Type": "application/json"}
    answer = await cmi.shop.post(f"{API}/orders", content=body, headers=json_type)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert fields(answer.json()) == {field}


def with_a_field_too_many(body: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """The body with one field more, in each object of it in turn, and how that field is called."""
    if isinstance(body, dict):
        yield f"{where}surprise", {**body, "surprise": {"depth": 1}}
        for name, value in body.items():
            for field, changed_value in with_a_field_too_many(value, f"{where}{name}."):
                yield field, {**body, name: changed_value}


async def test_every_body_is_refused_with_a_field_that_is_not_known(cmi: Site) -> None:
    """Stored values are read tolerantly; what comes from outside never is, whoever sends it, at whatever depth."""
    document = (await cmi.nobody.get("/openapi.json")).json()
    tried = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            given = [each["value"] for each in content.get("examples", {}).values()]
            given += document["components"]["schemas"].get(name, {}).get("examples", [])
            assert given, path
            (tag,) = operation["tags"]
            callers = {
                "shop": cmi.shop,
                "warehouse": cmi.warehouse,
                "accounting": cmi.accounting,
                "people": cmi.partner,
            }
            caller = callers.get(tag, cmi.operations)
            address = re.sub(r"{\w+}", "some-id", path)
            wrong = [each for body in given for each in with_a_field_too_many(body)]
            for field, body in wrong:
                answer = await caller.request(method, address, json=body)
                assert answer.status_code == 422, (path, field)
                if not field.startswith("checklist."):  # its keys are no fields
                    assert fields(answer.json()) == {field}
                tried.add((path, field))
    assert {field for path, field in tried if path == f"{API}/orders"} == {
        "surprise",
        "customer.surprise",
        "product.surprise",
        "service.surprise",
    }
    assert len(tried) > 25


async def test_the_same_order_again_and_another_one_under_its_name(cmi: Site) -> None:
    body = order()
    first = await cmi.shop.post(f"{API}/orders", json=body)
    again = await cmi.shop.post(f"{API}/orders", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["sp_id"] == body["sp_id"]
    other = await cmi.shop.post(f"{API}/orders", json={**body, "note": "Another one"})
    assert other.status_code == 409
    assert other.json()["code"] == "already_placed"
    assert "cancel" in other.json()["allowed"]
    # Also when it is over.
    await cmi.do(cmi.shop, body["sp_id"], "cancel", {"reason": "Withdrawn"})
    again = await cmi.shop.post(f"{API}/orders", json=body)
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"accept"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"sp_id": NaN}',
        b"1" * 5000,
        b"sp_id=SP-1&partner_id=x",
    ],
    ids=[
        "empty",
        "broken",
        "list",
        "null",
        "text",
        "latin",
        "deep",
        "nan",
        "number",
        "form",
    ],
)
async def test_what_is_not_an_object(cmi: Site, body: bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded", ""):
        headers = {"Content-Type": kind} if kind else {}
        answer = await cmi.shop.post(f"{API}/orders", content=body, headers=headers)
        assert answer.status_code == 422
        assert fields(answer.json())


@pytest.mark.parametrize(
    ("call", "body", "named"),
    [
        ("accept", {"note": "more"}, {"note"}),
        ("accept", [], {"body"}),
        ("contacts", {}, {"outcome"}),
        ("contacts", {"outcome": "maybe"}, {"outcome"}),
        ("contacts", {"outcome": "reached", "note": 7}, {"note"}),
        ("requirements", {}, {"met"}),
        ("requirements", {"met": "true"}, {"met"}),
        ("requirements", {"met": 1}, {"met"}),
        ("requirements", {"met": True}, {"checklist"}),
        ("requirements", {"met": True, "checklist": []}, {"checklist"}),
        ("requirements", {"met": True, "checklist": {"space": True}}, {"checklist.space"}),
        ("requirements", {"met": True, "checklist": {}}, {"checklist.connections"}),
        (
            "requirements",
            {"met": True, "checklist": {**CHECKLIST, "space": "no"}},
            {"checklist.space"},
        ),
        (
            "requirements",
            {"met": True, "checklist": {**CHECKLIST, "wall": "yes"}},
            {"checklist.wall"},
        ),
        (
            "requirements",
            {"met": True, "checklist": {**CHECKLIST, "space": "perhaps"}},
            {"checklist.space"},
        ),
        ("requirements", {**MET, "reason": "other"}, {"reason"}),
        ("requirements", {"met": False}, {"reason"}),
        ("requirements", {"met": False, "reason": "too_late"}, {"reason"}),
        ("appointment", {"start": tomorrow()}, {"end"}),
        ("appointment", {"start": "tomorrow", "end": tomorrow()}, {"start"}),
        ("appointment", {"start": "2026-11-02T08:00:00", "end": tomorrow()}, {"start"}),
        ("appointment", {"start": 1_800_000_000, "end": tomorrow()}, {"start"}),
        ("appointment", {"start": "9999-12-31T23:00:00-12:00", "end": tomorrow()}, {"start"}),
        ("execution", {}, {"executed"}),
        ("execution", {"executed": True, "executed_on": "yesterday"}, {"executed_on"}),
        ("execution", {"executed": True, "executed_on": 20_000}, {"executed_on"}),
        ("execution", {"executed": False, "reason": "rain"}, {"reason"}),
        ("execution", {"executed": False, "executed_on": "2026-11-02"}, {"reason", "executed_on"}),
    ],
)
async def test_a_partner_s_call_holds_what_cannot_be(
    cmi: Site, order_in_check: str, call: str, body: Any, named: set[str]
) -> None:
    answer = await cmi.post(cmi.partner, order_in_check, call, body)
    assert fields(answer.json()) == named


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def order_in_check(cmi: Site) -> str:
    """The SP-ID of an order in `check_requirements`."""
    return await begun(cmi, *ACCEPTED)


async def test_dates_that_cannot_be(cmi: Site) -> None:
    sp_id = await begun(cmi, *GOODS_THERE)
    for body, field in (
        ({"start": tomorrow(10), "end": tomorrow(8)}, "end"),
        ({"start": tomorrow(8), "end": tomorrow(8, 9)}, "end"),
        (agreed(-3), "start"),
        (agreed(500), "start"),
    ):
        answer = await cmi.post(cmi.partner, sp_id, "appointment", body)
        assert fields(answer.json()) == {field}
    await cmi.do(cmi.partner, sp_id, "appointment", agreed())
    # The same again is no move; another one needs a reason.
    await cmi.do(cmi.partner, sp_id, "appointment", agreed())
    moved = await cmi.post(cmi.partner, sp_id, "appointment", agreed(3), Accept_Language="en")
    assert fields(moved.json()) == {"reason"}
    assert moved.json()["detail"] == "Please say why the appointment is moved."
    for body, field in (
        ({"executed": True, "executed_on": tomorrow()[:10]}, "executed_on"),
        ({"executed": True, "executed_on": "2020-01-01"}, "executed_on"),
        ({"executed": False, "reason": "other"}, "note"),
    ):
        answer = await cmi.post(cmi.partner, sp_id, "execution", body)
        assert fields(answer.json()) == {field}


async def test_calls_of_other_roles_hold_what_cannot_be(cmi: Site, order_in_check: str) -> None:
    for caller, call, body, field in (
        (cmi.shop, "cancel", {}, "reason"),
        (cmi.shop, "cancel", {"reason": " "}, "reason"),
        (cmi.warehouse, "goods-shipped", {}, "tracking"),
        (cmi.warehouse, "goods-shipped", {"tracking": ""}, "tracking"),
        (cmi.warehouse, "goods-received", {"received_at": "now"}, "received_at"),
        (cmi.shop, "payment-received", {"amount": "1.00"}, "amount"),
        (cmi.operations, "review", {"decision": "wait"}, "decision"),
        (cmi.operations, "reassign", {"partner_id": "luzern-montage"}, "reason"),
        (cmi.operations, "reassign", {"partner_id": "nobody", "reason": "x"}, "partner_id"),
        (cmi.operations, "reassign", {"partner_id": "elektro-huber", "reason": "x"}, "partner_id"),
    ):
        answer = await cmi.post(caller, order_in_check, call, body)
        assert fields(answer.json()) == {field}, call


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_order(cmi: Site) -> str:
    """The SP-ID of an order that its partner has not accepted yet."""
    return await begun(cmi, *TRANSMITTED)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("requirements", MET),
        ("contacts", {"outcome": "reached"}),
        ("appointment", agreed()),
        ("execution", {"executed": True}),
        ("execution", {"executed": False, "reason": "customer_absent"}),
    ],
)
async def test_what_the_state_does_not_allow(
    cmi: Site, new_order: str, call: str, body: dict[str, Any]
) -> None:
    answer = await cmi.post(cmi.partner, new_order, call, body)
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["allowed"] == ["accept", "decline"]
    assert problem["order_status"] == "new"
    assert problem["status"] == 409
    assert "Auftrag akzeptieren" in problem["detail"]
    operations = await cmi.post(cmi.operations, new_order, call, body)
    assert operations.json()["allowed"] == ["accept", "decline", "cancel", "reassign"]


async def test_no_appointment_before_the_goods_are_on_their_way(
    cmi: Site, order_in_check: str
) -> None:
    answer = await cmi.post(cmi.partner, order_in_check, "appointment", agreed())
    assert answer.status_code == 409
    assert answer.json()["code"] == "before_goods"


async def test_a_review_is_decided_when_there_is_one(cmi: Site, order_in_check: str) -> None:
    answer = await cmi.post(cmi.operations, order_in_check, "review", {"decision": "cancel"})
    assert answer.status_code == 409


async def test_what_is_not_there(cmi: Site) -> None:
    for sp_id in ("SP-0", "x" * 300, "%00", "%F0%9F%92%A9", "..", "a%20b", "%2e%2e", "-"):
        for answer in (
            await cmi.operations.get(f"{API}/orders/{sp_id}"),
            await cmi.partner.get(f"{API}/orders/{sp_id}"),
            await cmi.post(cmi.partner, sp_id, "accept"),
            await cmi.post(cmi.warehouse, sp_id, "goods-received"),
        ):
            assert answer.status_code in (404, 405), sp_id  # `..` leads to the list
            assert answer.json()["status"] == answer.status_code
    for path in ("/api/v1/nothing", "/api/v2/orders", f"{API}/orders/SP-1/explode"):
        answer = await cmi.operations.get(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
    answer = await cmi.operations.delete(f"{API}/orders")
    assert answer.status_code == 405
    assert answer.json()["title"] == "Method Not Allowed"
    assert answer.headers["Allow"] == "GET, POST"
    for path, methods in (("/login", "GET, HEAD, POST"), ("/static/cmi.css", "GET, HEAD")):
        answer = await cmi.nobody.delete(path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, methods)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=late", "status"),
        ("overdue=maybe", "overdue"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=xyz", "cursor"),
        ("cursor=" + "A" * 600, "cursor"),
        ("q=" + "x" * 201, "q"),
        ("stauts=new", "stauts"),
        ("partner_id=" + "x" * 65, "partner_id"),
    ],
)
async def test_a_list_asked_for_wrongly(cmi: Site, query: str, field: str) -> None:
    answer = await cmi.operations.get(f"{API}/orders?{query}")
    assert fields(answer.json()) == {field}


async def test_who_may_not_is_told_nothing_of_the_rest(cmi: Site, order_in_check: str) -> None:
    # A body that nobody could read is no matter of somebody who may not call at all.
    for caller, status in ((cmi.nobody, 401), (cmi.warehouse, 403), (cmi.accounting, 403)):
        answer = await caller.post(f"{API}/orders/{order_in_check}/accept", content=b"{")
        assert answer.status_code == status
    foreign = await cmi.post(
        cmi.stranger, order_in_check, "requirements", {"met": True, "checklist": {}}
    )
    assert foreign.status_code == 404
