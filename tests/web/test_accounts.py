"""The API's calls about partners, logins and tokens, over the application without Temporal."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from records.idempotency import Answers
from records.partners import Partners
from settings import Settings
from tests.activities.conftest import partner
from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from web.app import API, create_app

NEW = {
    "partner_id": "luzern-montage", "name": "Luzern Montage GmbH", "canton": "LU", "language": "de",
    "email": "auftraege@luzern.example", "phone": "+41 41 555 00 00", "street": "Pilatusstrasse 1",
    "postal_code": "6003", "city": "Luzern", "vat_number": None, "iban": None,
    "escalation_email": None, "status": "active", "policy": None,
}  # fmt: skip
PENDING = {"pending_iban": None, "pending_iban_change": None}
SHOWN = {**NEW, "vat_liable_from": None, **PENDING}
VAT = "CHE-109.322.551 MWST"
USER = {"email": EMAIL, "name": "Petra Huber"}
CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/partners", NEW),
    ("GET", "/partners", None),
    ("PATCH", "/partners/elektro-huber", {"phone": "+41 44 555 99 99"}),
    ("POST", "/partners/elektro-huber/users", USER),
    ("GET", "/partners/elektro-huber/users", None),
    ("POST", "/partners/elektro-huber/users/{user}/invitation", {}),
    ("DELETE", "/partners/elektro-huber/users/{user}", None),
    ("POST", "/partners/elektro-huber/tokens", {"name": "Plan"}),
    ("GET", "/partners/elektro-huber/tokens", None),
    ("DELETE", "/partners/elektro-huber/tokens/{token}", None),
    ("GET", "/partners/elektro-huber/users/{user}/sessions", None),
    ("DELETE", "/partners/elektro-huber/users/{user}/sessions", None),
    ("DELETE", "/partners/elektro-huber/users/{user}/sessions/4f1c0a9be27d3356", None),
    ("GET", "/users/{user}/sessions", None),
    ("DELETE", "/users/{user}/sessions", None),
    ("DELETE", "/users/{user}/sessions/4f1c0a9be27d3356", None),
    ("POST", "/users", {"email": "a@shop.example", "name": "Anna", "role": "operations"}),
    ("GET", "/users", None),
    ("POST", "/users/{user}/invitation", {}),
    ("DELETE", "/users/{user}", None),
    ("POST", "/tokens", {"name": "shop", "role": "shop"}),
    ("GET", "/tokens", None),
    ("DELETE", "/tokens/{token}", None),
]


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """The application; `http` gives it what it works with in each test."""
    return create_app(Settings())


@pytest.fixture
async def http(app: FastAPI, env: AccountsEnv) -> AsyncIterator[httpx.AsyncClient]:
    """The API, called by operations unless headers say otherwise."""
    app.state.settings = env.settings
    app.state.database = env.database
    app.state.accounts = env.accounts
    app.state.answers = Answers(env.database)
    _, token = await env.accounts.tokens.make("operations", "Anna")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url=f"http://test{API}",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client


async def say(
    http: httpx.AsyncClient, method: str, path: str, body: Any, token: str | None = None
) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await http.request(method, path, json=body, headers=headers)


def fields(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return [error["field"] for error in answer.json()["errors"]]


async def test_partners(http: httpx.AsyncClient, env: AccountsEnv) -> None:
    made = await http.post("/partners", json=NEW)
    assert (made.status_code, made.json()) == (201, SHOWN)
    again = await http.post("/partners", json=NEW)
    assert (again.status_code, again.json()) == (200, SHOWN)
    other = await http.post("/partners", json={**NEW, "name": "Another"})
    assert other.status_code == 409
    assert other.json()["allowed"] == []
    listed = (await http.get("/partners")).json()["items"]
    assert [each["partner_id"] for each in listed] == [
        "elektro-huber", "luzern-montage", "sanitaer-rossi",
    ]  # fmt: skip
    assert listed[1] == SHOWN
    changed = await http.patch(
        "/partners/luzern-montage", json={"phone": "+41 41 555 11 11", "vat_number": VAT}
    )
    expected = {**SHOWN, "phone": "+41 41 555 11 11", "vat_number": VAT}
    assert (changed.status_code, changed.json()) == (200, expected)
    emptied = await http.patch("/partners/luzern-montage", json={"vat_number": None})
    assert emptied.json() == {**expected, "vat_number": None}
    kept = await Partners(env.database).get("luzern-montage")
    assert kept is not None
    assert kept.model_dump(mode="json") | PENDING == emptied.json()
    assert (await http.patch("/partners/luzern-montage", json={})).json() == emptied.json()


async def test_two_changes_at_once_both_count(env: AccountsEnv) -> None:
    await asyncio.gather(
        env.accounts.partners.change("elektro-huber", {"phone": "+41 44 555 77 77"}),
        env.accounts.partners.change("elektro-huber", {"city": "Winterthur"}),
    )
    kept = await Partners(env.database).get("elektro-huber")
    assert kept == partner("elektro-huber", phone="+41 44 555 77 77", city="Winterthur")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["partner_id", "name", "canton", "language", "email", "phone", "street", "postal_code", "city"]),
        ({**NEW, "canton": "XX"}, ["canton"]),
        ({**NEW, "language": "rm", "email": "none"}, ["language", "email"]),
        ({**NEW, "partner_id": "a b"}, ["partner_id"]),
        ({**NEW, "nmae": "x"}, ["nmae"]),
        ({**NEW, "name": "a\u0000b"}, ["name"]),
        ([], ["body"]),
    ],
)  # fmt: skip
async def test_partners_that_cannot_be(
    http: httpx.AsyncClient, body: Any, wrong: list[str]
) -> None:
    assert fields(await http.post("/partners", json=body)) == wrong


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"canton": "XX"}, ["canton"]),
        ({"name": None, "phone": None}, ["name", "phone"]),
        ({"partner_id": "another"}, ["partner_id"]),
        ({"nmae": "x"}, ["nmae"]),
        ({"email": "none", "city": ""}, ["email", "city"]),
    ],
)
async def test_changes_that_cannot_be(http: httpx.AsyncClient, body: Any, wrong: list[str]) -> None:
    before = (await http.get("/partners")).json()
    assert fields(await http.patch("/partners/elektro-huber", json=body)) == wrong
    assert (await http.get("/partners")).json() == before


async def test_a_partners_login(http: httpx.AsyncClient, env: AccountsEnv) -> None:
    made = await http.post("/partners/sanitaer-rossi/users", json=USER)
    assert made.status_code == 201
    user = made.json()
    assert user == {
        "user_id": user["user_id"], "role": "partner", "partner_id": "sanitaer-rossi",
        "email": EMAIL, "name": "Petra Huber", "language": "it", "invitation": "sent",
        "second_factor": False, "created_at": "2026-10-05T07:00:00Z", "last_login_at": None,
    }  # fmt: skip
    path = f"/partners/sanitaer-rossi/users/{user['user_id']}"
    assert (await http.get("/partners/sanitaer-rossi/users")).json() == {"items": [user]}
    assert (await http.get("/partners/elektro-huber/users")).json() == {"items": []}
    assert (await http.post("/partners/elektro-huber/users", json=USER)).status_code == 409
    assert (await http.post(f"{path}/invitation", json={})).status_code == 200
    assert len(env.mails()) == 2
    await env.accounts.accept_invitation(env.secret(), PASSWORD)
    assert (await http.post(f"{path}/invitation", json={})).status_code == 409
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    assert (await http.delete(path.replace("sanitaer-rossi", "elektro-huber"))).status_code == 404
    assert (await http.delete(f"/users/{user['user_id']}")).status_code == 404
    gone = await http.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert await env.accounts.callers.of_session(session.secret) is None
    assert (await http.delete(path)).status_code == 404


async def test_a_login_while_the_mail_server_is_away(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    env.server.mail = "451 not now"
    made = await http.post("/partners/elektro-huber/users", json=USER)
    assert (made.status_code, made.json()["invitation"]) == (201, "waiting")
    env.server.mail = "250 OK"
    env.clock.forward(minutes=1)
    await env.accounts.send_due_mails()
    (user,) = (await http.get("/partners/elektro-huber/users")).json()["items"]
    assert user["invitation"] == "sent"


async def test_the_staffs_logins(http: httpx.AsyncClient, env: AccountsEnv) -> None:
    body = {"email": "bea@shop.example", "name": "Bea", "role": "accounting", "language": "fr"}
    made = await http.post("/users", json=body)
    assert made.status_code == 201
    assert (made.json()["role"], made.json()["partner_id"]) == ("accounting", None)
    assert (await http.get("/users")).json()["items"] == [made.json()]
    path = f"/users/{made.json()['user_id']}"
    assert (await http.post(f"{path}/invitation", json={})).status_code == 200
    assert env.mails()[-1]["Subject"] == "Votre accès au CMI"
    for role in ("partner", "shop", None):
        assert fields(await http.post("/users", json={**body, "role": role})) == ["role"]
    assert (await http.delete(path)).status_code == 204


async def test_tokens(http: httpx.AsyncClient) -> None:
    made = await http.post("/partners/elektro-huber/tokens", json={"name": "Plan"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert sorted(made.json()) == ["token", "token_id"]
    token, token_id = made.json()["token"], made.json()["token_id"]
    listed = await http.get("/partners/elektro-huber/tokens")
    assert token not in listed.text
    assert listed.json() == {
        "items": [
            {
                "token_id": token_id, "role": "partner", "partner_id": "elektro-huber",
                "name": "Plan", "created_at": "2026-10-05T07:00:00Z", "last_used_at": None,
                "expires_at": "2027-10-05T07:00:00Z", "revoked_at": None,
                "created_by": None, "created_by_name": None, "ended_because": None,
            }
        ]
    }  # fmt: skip
    assert (await say(http, "GET", "/partners", None, token)).status_code == 403
    path = f"/partners/elektro-huber/tokens/{token_id}"
    assert (await http.delete(path.replace("elektro-huber", "sanitaer-rossi"))).status_code == 404
    assert (await http.delete(f"/tokens/{token_id}")).status_code == 404
    assert (await http.delete(path)).status_code == 204
    assert (await http.delete(path)).status_code == 204
    assert (await say(http, "GET", "/partners", None, token)).status_code == 401
    (listed_token,) = (await http.get("/partners/elektro-huber/tokens")).json()["items"]
    assert listed_token["revoked_at"] == "2026-10-05T07:00:00Z"


async def test_tokens_of_the_retailers_systems(http: httpx.AsyncClient, env: AccountsEnv) -> None:
    made = await http.post(
        "/tokens",
        json={"name": "Wohlen", "role": "warehouse", "expires_at": "2026-10-06T09:00:00+02:00"},
    )
    principal = await env.accounts.callers.of_token(made.json()["token"])
    assert principal is not None
    assert (principal.role, principal.name) == ("warehouse", "Wohlen")
    listed = sorted((await http.get("/tokens")).json()["items"], key=lambda each: each["name"])
    assert [each["name"] for each in listed] == ["Anna", "Wohlen"]
    assert listed[1]["expires_at"] == "2026-10-06T07:00:00Z"
    env.clock.forward(days=1)
    assert await env.accounts.callers.of_token(made.json()["token"]) is None


async def test_a_token_ends_with_the_login_that_made_it(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    anna = await env.add_user("anna@retailer.example", None, "operations")
    _, of_anna = await env.accounts.tokens.make("operations", "Excel", made_by=anna)
    made = await say(http, "POST", "/tokens", {"name": "Shop", "role": "shop"}, of_anna)
    await say(http, "POST", "/partners/elektro-huber/tokens", {"name": "Plan"}, of_anna)
    for path, name in (("/tokens", "Shop"), ("/partners/elektro-huber/tokens", "Plan")):
        items = (await http.get(path)).json()["items"]
        listed = next(each for each in items if each["name"] == name)
        assert (listed["created_by"], listed["created_by_name"]) == (anna, "Petra Huber")
    assert (await http.delete(f"/users/{anna}")).status_code == 204
    assert await env.accounts.callers.of_token(made.json()["token"]) is None
    for path, name in (("/tokens", "Shop"), ("/partners/elektro-huber/tokens", "Plan")):
        items = (await http.get(path)).json()["items"]
        listed = next(each for each in items if each["name"] == name)
        assert (listed["created_by"], listed["created_by_name"]) == (anna, None)
        assert (listed["ended_because"], listed["revoked_at"]) == (
            "maker_left",
            "2026-10-05T07:00:00Z",
        )


async def test_operations_see_and_end_the_sessions_of_a_login(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    user_id = await env.add_user()
    first, second, third = [
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, user_agent=agent)
        for agent in ("Mozilla/5.0 (Android 15; Mobile) Firefox/140.0", "curl", "")
    ]
    path = f"/partners/elektro-huber/users/{user_id}/sessions"
    listed = (await http.get(path)).json()["items"]
    assert len(listed) == 3
    assert {each["browser"] for each in listed} == {"Firefox, Android", None}
    (phone,) = [each for each in listed if each["browser"]]
    assert phone == {
        "session_id": phone["session_id"], "began_at": "2026-10-05T07:00:00Z",
        "last_used_at": "2026-10-05T07:00:00Z", "expires_at": "2026-11-04T07:00:00Z",
        "browser": "Firefox, Android", "network": "192.0.2.x",
    }  # fmt: skip
    assert first.secret not in (await http.get(path)).text
    for elsewhere in (
        f"/users/{user_id}/sessions",
        path.replace("elektro-huber", "sanitaer-rossi"),
    ):
        assert (await http.get(elsewhere)).status_code == 404
        assert (await http.delete(elsewhere)).status_code == 404
        assert (await http.delete(f"{elsewhere}/{phone['session_id']}")).status_code == 404
    assert (await http.delete(f"{path}/unknown")).status_code == 204
    assert (await http.delete(f"{path}/{phone['session_id']}")).status_code == 204
    assert await env.accounts.callers.of_session(first.secret) is None
    assert await env.accounts.callers.of_session(second.secret) is not None
    assert (await http.delete(path)).status_code == 204
    assert await env.accounts.callers.of_session(third.secret) is None
    assert (await http.get(path)).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "expires_at": "2026-10-05T07:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "2026-10-06T07:00:00"}, "expires_at"),
        ({"name": "x", "expires_at": "2027-10-05T07:00:01Z"}, "expires_at"),
        ({"name": "x", "expires_at": "9999-12-31T23:59:59-01:00"}, "expires_at"),
        ({"name": "x", "expires_at": "0001-01-01T00:00:00+01:00"}, "expires_at"),
        ({"name": "x", "role": "operations"}, "role"),
    ],
)
async def test_tokens_that_cannot_be(http: httpx.AsyncClient, body: Any, wrong: str) -> None:
    assert fields(await http.post("/partners/elektro-huber/tokens", json=body)) == [wrong]


async def test_a_token_is_shown_once_also_to_the_same_idempotency_key(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    body = {"name": "Plan"}
    made = await http.post("/partners/elektro-huber/tokens", json=body, headers=headers)
    assert made.status_code == 201
    again = await http.post("/partners/elektro-huber/tokens", json=body, headers=headers)
    assert again.status_code == 409
    assert made.json()["token"] not in again.text
    assert len(await env.accounts.tokens.list("elektro-huber")) == 1
    other = await http.post("/partners/elektro-huber/tokens", json={"name": "B"}, headers=headers)
    assert other.status_code == 422


async def test_who_is_refused_has_changed_nothing(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    """Each role at each call: tests/web/test_access.py."""
    user = await env.accounts.invite("elektro-huber", "partner", "p@x.example", "P")
    token_id, own = await env.accounts.tokens.make("partner", "Plan", "elektro-huber")
    _, accounting = await env.accounts.tokens.make("accounting", "Ledger")
    before = await everything(http)
    for method, path, body in CALLS:
        path = path.format(user=user.user_id, token=token_id)
        for token, status in ((accounting, 403), (own, 403), ("cmi_unknown", 401), ("", 401)):
            answer = await say(http, method, path, body, token)
            assert answer.status_code == status, (method, path)
    assert await everything(http) == before


async def everything(http: httpx.AsyncClient) -> dict[str, Any]:
    """What can be looked at, but for when tokens were used."""
    firm = "/partners/elektro-huber"
    paths = ("/partners", f"{firm}/users", f"{firm}/tokens", "/users", "/tokens")
    found = {path: (await http.get(path)).json() for path in paths}
    for path in paths:
        for each in found[path]["items"]:
            each.pop("last_used_at", None)
    return found


@pytest.mark.parametrize("partner_id", ["nobody", "a%00b", "%F0%9F%A7%BA", "x" * 64, "..%2f"])
async def test_what_does_not_exist_is_not_found(http: httpx.AsyncClient, partner_id: str) -> None:
    for method, path, body in CALLS:
        if "elektro-huber" in path:
            filled = path.format(user="usr_x", token="tok_x").replace("elektro-huber", partner_id)
            answer = await say(http, method, filled, body)
            assert answer.status_code == 404, (method, filled, answer.text)
    for thing in ("users", "tokens"):
        for name in ("nobody", "a%00b"):
            for path in (f"/{thing}/{name}", f"/partners/elektro-huber/{thing}/{name}"):
                assert (await http.delete(path)).status_code == 404


async def test_every_call_has_an_example(http: httpx.AsyncClient) -> None:
    app = http._transport.app  # type: ignore[attr-defined]
    document = app.openapi()
    schemas = document["components"]["schemas"]
    bodies = 0
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if operation.get("tags") != ["accounts"]:
                continue
            content = operation.get("requestBody", {}).get("content", {})
            for body in content.values():
                bodies += 1
                name = body["schema"]["$ref"].rpartition("/")[2]
                assert schemas[name]["examples"], (path, name)
    assert bodies >= 6
    assert "argon2" not in json.dumps(document)
