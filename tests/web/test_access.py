"""Who may call what: every route, as every role, without a token, and as a partner that does not have the order.

The table is written by hand. A route that is not in it fails the test: somebody has to decide who may call it.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import iter_route_contexts

from tests.support.pictures import photo
from tests.web.site import API, ROLES, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTNER = {"partner", "stranger", "operations"}
OFFICE = {"partner", "stranger"}  # technicians: tests/web/test_people.py
READERS = {"partner", "stranger", "operations", "shop", "accounting"}
SETTLEMENT_READERS = {"partner", "stranger", "operations", "accounting"}
OPERATIONS = {"operations"}
EVERYBODY = {*ROLES, "nobody"}

DECIDED: dict[str, set[str]] = {
    "POST /api/v1/orders": {"shop"},
    "GET /api/v1/orders": READERS,
    "GET /api/v1/orders/{sp_id}": READERS,
    "POST /api/v1/orders/{sp_id}/payment-received": {"shop"},
    "POST /api/v1/orders/{sp_id}/goods-shipped": {"warehouse"},
    "POST /api/v1/orders/{sp_id}/goods-received": {"warehouse", *PARTNER},
    "POST /api/v1/orders/{sp_id}/cancel": {"shop", "operations"},
    "POST /api/v1/orders/{sp_id}/accept": PARTNER,
    "POST /api/v1/orders/{sp_id}/contacts": PARTNER,
    "POST /api/v1/orders/{sp_id}/requirements": PARTNER,
    "POST /api/v1/orders/{sp_id}/appointment": PARTNER,
    "POST /api/v1/orders/{sp_id}/execution": PARTNER,
    "POST /api/v1/orders/{sp_id}/decline": PARTNER,
    "POST /api/v1/orders/{sp_id}/problem": PARTNER,
    "DELETE /api/v1/orders/{sp_id}/problem": PARTNER,
    "POST /api/v1/orders/{sp_id}/resume": PARTNER,
    "POST /api/v1/orders/{sp_id}/undo": PARTNER,
    "POST /api/v1/orders/{sp_id}/reopen": OPERATIONS,
    "POST /api/v1/orders/{sp_id}/review": OPERATIONS,
    "POST /api/v1/orders/{sp_id}/reassign": OPERATIONS,
    "GET /api/v1/orders/{sp_id}/messages": PARTNER,
    "POST /api/v1/orders/{sp_id}/messages": PARTNER,
    "POST /api/v1/orders/{sp_id}/messages/no-answer": OPERATIONS,
    "GET /api/v1/agenda": {"partner", "stranger"},
    "PUT /api/v1/orders/{sp_id}/assignment": OFFICE,
    "DELETE /api/v1/orders/{sp_id}/assignment": OFFICE,
    "GET /api/v1/people": OFFICE,
    "POST /api/v1/people": OFFICE,
    "PATCH /api/v1/people/{user_id}": OFFICE,
    "DELETE /api/v1/people/{user_id}": OFFICE,
    "POST /api/v1/people/{user_id}/invitation": OFFICE,
    "GET /api/v1/orders/{sp_id}/on-site": PARTNER,
    "POST /api/v1/orders/{sp_id}/photos": PARTNER,
    "GET /api/v1/orders/{sp_id}/photos/{photo_id}": PARTNER,
    "DELETE /api/v1/orders/{sp_id}/photos/{photo_id}": PARTNER,
    "POST /api/v1/orders/{sp_id}/protocol": PARTNER,
    "GET /api/v1/orders/{sp_id}/protocol.pdf": PARTNER,
    "POST /api/v1/orders/{sp_id}/erase": OPERATIONS,
    "POST /api/v1/customer-exports": OPERATIONS,
    "POST /api/v1/settlements": PARTNER,
    "GET /api/v1/settlements": SETTLEMENT_READERS,
    "GET /api/v1/settlements/{settlement_id}": SETTLEMENT_READERS,
    "POST /api/v1/settlements/{settlement_id}/selection": PARTNER,
    "POST /api/v1/settlements/{settlement_id}/close": PARTNER,
    "POST /api/v1/settlements/{settlement_id}/void": OPERATIONS,
    "POST /api/v1/settlements/{settlement_id}/invoice-received": {"operations", "accounting"},
    "POST /api/v1/settlements/{settlement_id}/invoice-decision": {"operations", "accounting"},
    "POST /api/v1/settlements/{settlement_id}/invoice": PARTNER,
    "POST /api/v1/settlements/{settlement_id}/make-invoice": PARTNER,
    "POST /api/v1/settlements/{settlement_id}/approve": {"accounting"},
    "POST /api/v1/settlements/{settlement_id}/return": {"accounting"},
    "POST /api/v1/settlements/{settlement_id}/paid": {"accounting"},
    "POST /api/v1/payments": {"accounting"},
    "GET /api/v1/reports/journal": {"accounting"},
    "GET /api/v1/reports/accruals": {"accounting"},
    "GET /api/v1/reports/lines": {"accounting"},
    "GET /api/v1/reports/papers": {"accounting"},
    "GET /api/v1/settlements/{settlement_id}/statement.pdf": SETTLEMENT_READERS,
    "GET /api/v1/settlements/{settlement_id}/statement.csv": SETTLEMENT_READERS,
    "GET /api/v1/settlements/{settlement_id}/draft-invoice.pdf": PARTNER,
    "GET /api/v1/settlements/{settlement_id}/invoice.pdf": SETTLEMENT_READERS,
    "GET /api/v1/settlements/{settlement_id}/invoices": SETTLEMENT_READERS,
    "GET /api/v1/settlements/{settlement_id}/invoices/{sha256}.pdf": SETTLEMENT_READERS,
    "POST /api/v1/partners/{partner_id}/corrections": OPERATIONS,
    "GET /api/v1/partners/{partner_id}/corrections": {"operations", "accounting"},
    "GET /api/v1/partners": OPERATIONS,
    "POST /api/v1/partners": OPERATIONS,
    "PATCH /api/v1/partners/{partner_id}": OPERATIONS,
    "GET /api/v1/partners/{partner_id}/iban-changes": OPERATIONS,
    "POST /api/v1/partners/{partner_id}/iban-changes/{change_id}/confirm": OPERATIONS,
    "POST /api/v1/partners/{partner_id}/iban-changes/{change_id}/refuse": OPERATIONS,
    "GET /api/v1/partners/{partner_id}/users": OPERATIONS,
    "POST /api/v1/partners/{partner_id}/users": OPERATIONS,
    "POST /api/v1/partners/{partner_id}/users/{user_id}/invitation": OPERATIONS,
    "DELETE /api/v1/partners/{partner_id}/users/{user_id}": OPERATIONS,
    "POST /api/v1/partners/{partner_id}/users/{user_id}/second-factor/reset": OPERATIONS,
    "GET /api/v1/partners/{partner_id}/tokens": OPERATIONS,
    "POST /api/v1/partners/{partner_id}/tokens": OPERATIONS,
    "DELETE /api/v1/partners/{partner_id}/tokens/{token_id}": OPERATIONS,
    "GET /api/v1/partners/{partner_id}/users/{user_id}/sessions": OPERATIONS,
    "DELETE /api/v1/partners/{partner_id}/users/{user_id}/sessions": OPERATIONS,
    "DELETE /api/v1/partners/{partner_id}/users/{user_id}/sessions/{session_id}": OPERATIONS,
    "GET /api/v1/users": OPERATIONS,
    "POST /api/v1/users": OPERATIONS,
    "POST /api/v1/users/{user_id}/invitation": OPERATIONS,
    "DELETE /api/v1/users/{user_id}": OPERATIONS,
    "POST /api/v1/users/{user_id}/second-factor/reset": OPERATIONS,
    "GET /api/v1/users/{user_id}/sessions": OPERATIONS,
    "DELETE /api/v1/users/{user_id}/sessions": OPERATIONS,
    "DELETE /api/v1/users/{user_id}/sessions/{session_id}": OPERATIONS,
    "GET /api/v1/tokens": OPERATIONS,
    "POST /api/v1/tokens": OPERATIONS,
    "DELETE /api/v1/tokens/{token_id}": OPERATIONS,
    "GET /api/v1/reports/deadlines": OPERATIONS,
    "GET /api/v1/security-events": OPERATIONS,
    "GET /api/v1/lookups": OPERATIONS,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
}
UNDOCUMENTED: dict[str, set[str]] = {
    "POST /codec/decode": OPERATIONS,
    "POST /codec/encode": OPERATIONS,
    "GET /openapi.json": EVERYBODY,
    "GET /docs": EVERYBODY,
    "GET /docs/start.js": EVERYBODY,
    "MOUNT /docs/assets": EVERYBODY,
}
# Pages take no tokens, and the login pages are for everybody: tests/web/test_login.py.
PAGES = {
    "GET /",
    "GET /settlements",
    "GET /settlements/new",
    "POST /settlements",
    "GET /settlements/{settlement_id}",
    "GET /settlements/{settlement_id}/{form_name}",
    "POST /settlements/{settlement_id}/selection",
    "POST /settlements/{settlement_id}/invoice",
    "POST /settlements/{settlement_id}/invoice-received",
    "POST /settlements/{settlement_id}/invoice-decision",
    "POST /settlements/{settlement_id}/void",
    "POST /settlements/{settlement_id}/correction",
    "POST /settlements/{settlement_id}/make-invoice",
    "POST /settlements/{settlement_id}/approve",
    "POST /settlements/{settlement_id}/return",
    "POST /settlements/{settlement_id}/paid",
    "GET /accounting",
    "GET /accounting/payments",
    "POST /accounting/payments",
    "GET /accounting/journal.csv",
    "GET /accounting/accruals.csv",
    "GET /accounting/month",
    "GET /accounting/lines.csv",
    "GET /accounting/papers.zip",
    "GET /settlements/{settlement_id}/statement.pdf",
    "GET /settlements/{settlement_id}/statement.csv",
    "GET /settlements/{settlement_id}/draft-invoice.pdf",
    "GET /settlements/{settlement_id}/invoice.pdf",
    "POST /orders/{sp_id}/assignment",
    "GET /several/assign",
    "POST /several/assign",
    "GET /people",
    "POST /people",
    "GET /people/{user_id}",
    "GET /people/{user_id}/{form_name}",
    "POST /people/{user_id}/change",
    "POST /people/{user_id}/invitation",
    "POST /people/{user_id}/removal",
    "POST /account/notifications",
    "GET /several/accept",
    "GET /several/execution",
    "GET /several/reassign",
    "GET /several/cancel",
    "GET /several/remind",
    "POST /several/cancel",
    "POST /several/remind",
    "POST /views",
    "POST /views/{view_id}/removal",
    "GET /settlements/{settlement_id}/invoices/{sha256}.pdf",
    "POST /several/accept",
    "POST /several/execution",
    "POST /several/reassign",
    "GET /orders",
    "GET /figures",
    "GET /orders.csv",
    "GET /orders/{sp_id}",
    "GET /orders/{sp_id}/appointment.ics",
    "GET /orders/{sp_id}/temporal",
    "GET /orders/{sp_id}/appointment/check",
    "GET /orders/{sp_id}/sheet",
    "GET /orders/sheets",
    "GET /sw.js",
    "GET /offline",
    "GET /offline/session",
    "POST /orders/{sp_id}/reminder",
    "POST /orders/{sp_id}/messages",
    "POST /orders/{sp_id}/notes",
    "GET /orders/{sp_id}/photos/{photo_id}",
    "POST /orders/{sp_id}/photos",
    "POST /orders/{sp_id}/photos/{photo_id}/removal",
    "GET /orders/{sp_id}/protocol",
    "POST /orders/{sp_id}/protocol",
    "GET /orders/{sp_id}/protocol.pdf",
    "GET /orders/{sp_id}/protocols/{sha256}.pdf",
    "POST /orders/{sp_id}/no-answer",
    "POST /orders/{sp_id}/another-day",
    "POST /orders/{sp_id}/customer-links",
    "GET /agenda",
    "GET /agenda/calendar",
    "POST /agenda/calendar",
    "POST /agenda/calendar/end",
    "GET /calendar/{secret}.ics",
    "GET /visit/{secret}",
    "POST /visit/{secret}",
    "GET /visit/{secret}/protocol.pdf",
    "GET /overview/version",
    "GET /orders/{sp_id}/{form_name}",
    "POST /orders/{sp_id}/reassign",
    "POST /orders/{sp_id}/review",
    "POST /orders/{sp_id}/erase",
    "POST /orders/{sp_id}/export",
    "POST /orders/{sp_id}/{form_name}",
    "GET /login",
    "POST /login",
    "POST /login/code",
    "GET /logout",
    "POST /logout",
    "GET /invitation/{secret}",
    "POST /invitation/{secret}",
    "GET /reset/{secret}",
    "POST /reset/{secret}",
    "GET /reset",
    "POST /reset",
    "GET /account",
    "POST /account/language",
    "POST /account/password",
    "POST /account/sessions/end",
    "POST /account/sessions/end-others",
    "POST /account/sessions/{session_id}/end",
    "GET /account/second-factor",
    "POST /account/second-factor",
    "POST /account/second-factor/confirm",
    "POST /account/second-factor/remove",
    "GET /staff",
    "GET /staff/unassigned",
    "GET /staff/late",
    "GET /staff/reviews",
    "GET /staff/transmissions",
    "GET /staff/mails",
    "GET /staff/questions",
    "GET /staff/findings",
    "GET /staff/security-events",
    "GET /staff/{name}.csv",
    "GET /staff/reports",
    "GET /staff/reports/{month}/deadlines.csv",
    "GET /staff/reports/{month}/late",
    "GET /staff/partners",
    "GET /staff/partners/new",
    "POST /staff/partners",
    "GET /staff/partners/{partner_id}",
    "GET /staff/partners/{partner_id}/edit",
    "POST /staff/partners/{partner_id}/edit",
    "GET /staff/partners/{partner_id}/status",
    "POST /staff/partners/{partner_id}/status",
    "POST /staff/partners/{partner_id}/iban/{change_id}/{decision}",
    "GET /staff/partners/{partner_id}/users",
    "POST /staff/partners/{partner_id}/users",
    "POST /staff/partners/{partner_id}/users/{user_id}/invitation",
    "POST /staff/partners/{partner_id}/users/{user_id}/removal",
    "POST /staff/partners/{partner_id}/users/{user_id}/second-factor-reset",
    "GET /staff/partners/{partner_id}/tokens",
    "POST /staff/partners/{partner_id}/tokens",
    "POST /staff/partners/{partner_id}/tokens/{token_id}/revocation",
    "GET /staff/users",
    "POST /staff/users",
    "POST /staff/users/{user_id}/invitation",
    "POST /staff/users/{user_id}/removal",
    "POST /staff/users/{user_id}/second-factor-reset",
    "GET /staff/tokens",
    "POST /staff/tokens",
    "POST /staff/tokens/{token_id}/revocation",
    "MOUNT /static",
}
# An order of the partner's is named wherever one can be; what else is named does not exist.
NAMED = {
    "settlement_id": "V202610-22222222",
    "sha256": "0" * 64,
    "partner_id": "nobody",
    "user_id": "usr_0",
    "token_id": "tok_0",
    "change_id": "iban_0",
    "session_id": "0",
    "photo_id": "photo_0",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sp_id(cmi: Site) -> AsyncIterator[str]:
    """An order that its partner was sent."""
    yield await cmi.new()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The calls of the OpenAPI document."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def example(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    """A body that is right by the document."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    if "examples" in content:
        return next(iter(content["examples"].values()))["value"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    return document["components"]["schemas"][name]["examples"][0]


async def called(
    client: httpx.AsyncClient, route: str, names: dict[str, str], body: Any
) -> httpx.Response:
    method, path = route.split()
    path = re.sub(r"\{(\w+)\}", lambda match: names[match[1]], path)
    if route.endswith("/photos"):
        files = {"photo": ("IMG_1.jpg", photo(), "image/jpeg")}
        return await client.request(method, path, files=files)
    return await client.request(method, path, json=body)


def by(cmi: Site, role: str) -> httpx.AsyncClient:
    caller: httpx.AsyncClient = getattr(cmi, role)
    return caller


async def test_every_route_has_a_decision(cmi: Site) -> None:
    assert set(operations(cmi.app.openapi())) == set(DECIDED)
    served = set()
    for route in iter_route_contexts(cmi.app.routes):
        methods = getattr(route, "methods", None) or {"MOUNT"}
        served |= {f"{method} {route.path}" for method in methods if method != "HEAD"}
    assert served == set(DECIDED) | set(UNDOCUMENTED) | PAGES


@pytest.mark.parametrize("route", [*DECIDED, *UNDOCUMENTED])
async def test_each_role_is_let_in_or_not(cmi: Site, sp_id: str, route: str) -> None:
    document = cmi.app.openapi()
    body = example(document, operations(document).get(route, {}))
    if route.startswith("MOUNT"):
        route = f"GET {route.split()[1]}/swagger-ui.css"
    decided = {**DECIDED, **UNDOCUMENTED}.get(route, EVERYBODY)
    # Those who may are tried on an order that does not exist: this is about the door, not about what is behind it.
    nowhere = {**NAMED, "sp_id": "SP-0"}
    there = {**NAMED, "sp_id": sp_id}
    for role in (*ROLES, "nobody"):
        caller = by(cmi, role)
        if role in decided:
            answer = await called(caller, route, nowhere, body)
            assert answer.status_code not in (401, 403, 500), (role, answer.text)
        else:
            answer = await called(caller, route, there, body)
            assert answer.status_code == (401 if role == "nobody" else 403), (role, answer.text)
            assert answer.headers["Content-Type"] == "application/problem+json"
            if role == "nobody":
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert sp_id not in answer.text


@pytest.mark.parametrize(
    "route", [route for route, who in DECIDED.items() if "{sp_id}" in route and "stranger" in who]
)
async def test_another_s_order_is_not_there(cmi: Site, sp_id: str, route: str) -> None:
    document = cmi.app.openapi()
    body = example(document, operations(document)[route])
    foreign = await called(cmi.stranger, route, {**NAMED, "sp_id": sp_id}, body)
    missing = await called(cmi.stranger, route, {**NAMED, "sp_id": "SP-0"}, body)
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == missing.json(), "nobody can tell one from the other"
    seen = (await cmi.operations.get(f"{API}/orders/{sp_id}")).json()
    assert seen["status"] == "new"


async def test_another_s_orders_are_in_no_list(cmi: Site, sp_id: str) -> None:
    order = (await cmi.operations.get(f"{API}/orders/{sp_id}")).json()
    for query in (
        {},
        {"q": sp_id},
        {"q": order["sales_order_id"]},
        {"partner_id": "elektro-huber"},
        {"status": "new"},
        {"overdue": "true"},
    ):
        page = (await cmi.stranger.get(f"{API}/orders", params=query)).json()
        assert sp_id not in {item["sp_id"] for item in page["items"]}
        assert {item["partner_id"] for item in page["items"]} <= {"luzern-montage"}
    # A cursor of another's list leads to one's own.
    cursor = (await cmi.partner.get(f"{API}/orders", params={"limit": 1})).json()["next_cursor"]
    page = (await cmi.stranger.get(f"{API}/orders", params={"cursor": cursor})).json()
    assert {item["partner_id"] for item in page["items"]} <= {"luzern-montage"}


async def test_before_it_is_sent_an_order_is_not_there_for_its_partner(cmi: Site) -> None:
    placed = await cmi.place(prepaid=True)
    for answer in (
        await cmi.partner.get(f"{API}/orders/{placed['sp_id']}"),
        await cmi.post(cmi.partner, placed["sp_id"], "accept"),
    ):
        assert answer.status_code == 404
    page = (await cmi.partner.get(f"{API}/orders", params={"q": placed["sp_id"]})).json()
    assert page["items"] == []
    assert set(page["counts"].values()) == {0}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic Y21pOmNtaQ==",
        "Bearer cmi_" + "x" * 43,
        "Bearer " + "x" * 6000,
        "Token {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer {half}",
    ],
)
async def test_tokens_that_are_none(cmi: Site, header: str) -> None:
    token = cmi.tokens["shop"]
    value = header.format(token=token, half=token[: len(token) // 2])
    answer = await cmi.nobody.get(f"{API}/orders", headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="cmi"')
    # The scheme is not case-sensitive.
    value = f"bearer {token}"
    assert (await cmi.nobody.get(f"{API}/orders", headers={"Authorization": value})).is_success


async def test_a_token_ends_at_once(cmi: Site) -> None:
    accounts = cmi.app.state.accounts
    token_id, token = await accounts.tokens.make("partner", "Old software", "elektro-huber")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await cmi.nobody.get(f"{API}/orders", headers=headers)).is_success
    revoked = await cmi.operations.delete(f"{API}/partners/elektro-huber/tokens/{token_id}")
    assert revoked.status_code == 204
    assert (await cmi.nobody.get(f"{API}/orders", headers=headers)).status_code == 401


async def test_a_token_is_shown_once_whatever_the_key(cmi: Site) -> None:
    path, key = f"{API}/partners/elektro-huber/tokens", {"Idempotency-Key": "token-1"}
    first = await cmi.operations.post(path, json={"name": "Once"}, headers=key)
    again = await cmi.operations.post(path, json={"name": "Once"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 409)
    assert first.json()["token"] not in again.text
    listed = (await cmi.operations.get(path)).json()["items"]
    assert [item["name"] for item in listed].count("Once") == 1


async def test_an_answer_of_before_is_not_given_again_after_the_order_was_reassigned(
    cmi: Site,
) -> None:
    sp_id = await cmi.new()
    calls = (
        ("accept", {}, {"Idempotency_Key": f"accept-{sp_id}"}),
        ("contacts", {"outcome": "reached"}, {"Idempotency_Key": f"contact-{sp_id}"}),
        # a refusal is kept, too, and one that was left with the server
        ("execution", {"executed": True}, {"Idempotency_Key": f"refused-{sp_id}"}),
        (
            "contacts",
            {"outcome": "not_reached"},
            {"Idempotency_Key": f"later-{sp_id}", "Prefer": "respond-async"},
        ),
    )
    first = [await cmi.post(cmi.partner, sp_id, call, body, **more) for call, body, more in calls]
    assert [answer.status_code for answer in first] == [200, 200, 409, 202]
    operations = {"Idempotency_Key": f"reassign-{sp_id}"}
    other = {"partner_id": "luzern-montage", "reason": "Nearer"}
    assert (await cmi.post(cmi.operations, sp_id, "reassign", other, **operations)).is_success
    for call, body, more in calls:
        again = await cmi.post(cmi.partner, sp_id, call, body, **more)
        assert (again.status_code, again.json()["detail"]) == (404, "There is no such order.")
        assert "Regula" not in again.text
    # Who still sees it hears the same as before.
    again = await cmi.post(cmi.operations, sp_id, "reassign", other, **operations)
    assert again.is_success
    assert again.json()["partner_id"] == "luzern-montage"
