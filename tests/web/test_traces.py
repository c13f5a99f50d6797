"""The API's security events, and what is recorded by calls."""

from typing import Any

import pytest

from tests.web.site import API, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def events(cmi: Site, **query: Any) -> list[dict[str, Any]]:
    await cmi.app.state.accounts.recorder.written()
    answer = await cmi.operations.get(f"{API}/security-events", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_another_s_order_and_a_wrong_role_leave_a_trace(cmi: Site) -> None:
    sp_id = await cmi.new()
    assert (await cmi.stranger.get(f"{API}/orders/{sp_id}")).status_code == 404
    refused = await cmi.warehouse.get(f"{API}/partners")
    assert refused.status_code == 403
    role, order = (await events(cmi, kind="access_refused"))[:2]
    assert (order["about"], order["outcome"]) == (sp_id, "refused")
    assert order["name"] == "stranger's software"
    assert role["name"] == "warehouse's software"
    assert role["request_id"] == refused.headers["X-Request-Id"]
    assert "127.0.0.1" not in str(role)
    by_name = await events(cmi, account="STRANGER's software", kind="access_refused")
    assert {each["name"] for each in by_name} == {"stranger's software"}
    assert await events(cmi, account="nobody@example.ch") == []


async def test_who_looked_at_an_order_is_counted(cmi: Site) -> None:
    sp_id = await cmi.new()
    for _ in range(2):
        assert (await cmi.partner.get(f"{API}/orders/{sp_id}")).status_code == 200
    accounts = cmi.app.state.accounts
    await accounts.recorder.written()
    found = await accounts.traces._lookups.of(sp_id)
    by = {look.login_id: (look.how, times.times) for look, times in found}
    names = {each.login_id: each.name for each in await accounts.traces._events.names()}
    assert ("partner's software", ("api", 2)) in [(names[who], what) for who, what in by.items()]


@pytest.mark.parametrize("query", [{"kind": "x"}, {"limit": "0"}, {"cursor": "x"}, {"since": "1"}])
async def test_what_is_malformed_is_named(cmi: Site, query: dict[str, str]) -> None:
    answer = await cmi.operations.get(f"{API}/security-events", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in query
