"""The API's security events, and what is recorded by calls."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.server.surroundings import eventually
from tests.support.builders import TRANSMITTED
from tests.web.begun import begun
from tests.web.site import API, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def events(cmi: Site, **query: Any) -> list[dict[str, Any]]:
    await cmi.app.state.accounts.recorder.written()
    answer = await cmi.operations.get(f"{API}/security-events", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_another_s_order_and_a_wrong_role_leave_a_trace(cmi: Site) -> None:
    sp_id = await begun(cmi, *TRANSMITTED)
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
    sp_id = await begun(cmi, *TRANSMITTED)
    for _ in range(2):
        assert (await cmi.partner.get(f"{API}/orders/{sp_id}")).status_code == 200
    accounts = cmi.app.state.accounts
    await accounts.recorder.written()
    found = await accounts.traces._lookups.of(sp_id)
    by = {look.login_id: (look.how, times.times) for look, times in found}
    names = {each.login_id: each.name for each in await accounts.traces._events.names()}
    assert ("partner's software", ("api", 2)) in [(names[who], what) for who, what in by.items()]


async def looks(cmi: Site, account: str, **query: str) -> dict[str, int]:
    """How often an account was shown which orders."""
    await cmi.app.state.accounts.recorder.written()
    answer = await cmi.operations.get(f"{API}/lookups", params={"account": account, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, int] = {}
    for each in answer.json()["items"]:
        assert each["name"] == account
        found[each["sp_id"]] = found.get(each["sp_id"], 0) + each["times"]
    return found


async def test_a_look_is_what_shows_a_name(cmi: Site) -> None:
    """An order, the answer to a command, a list, a search; not for accounting, which sees no name."""
    sp_id = await cmi.new()  # the first one in the list
    partner, accounting = "partner's software", "accounting's software"
    before = (await looks(cmi, partner)).get(sp_id, 0)
    await cmi.do(cmi.partner, sp_id, "accept")
    assert (await looks(cmi, partner))[sp_id] == before + 1
    for call in (f"{API}/orders/{sp_id}", f"{API}/orders?q={sp_id}", f"{API}/orders?limit=20"):
        assert (await cmi.partner.get(call)).status_code == 200
        assert (await cmi.accounting.get(call)).status_code == 200
    assert (await looks(cmi, partner))[sp_id] == before + 4
    assert await looks(cmi, accounting) == {}
    today = datetime.now(ZoneInfo("Europe/Zurich")).date()
    assert sp_id in await looks(cmi, partner, first_day=str(today), last_day=str(today))
    assert await looks(cmi, partner, last_day=str(today - timedelta(days=1))) == {}
    exported = await cmi.operations.post(f"{API}/customer-exports", json={"sp_id": sp_id})
    assert exported.status_code == 200
    assert sp_id in await looks(cmi, "operations's software")


async def test_lookups_are_for_operations(cmi: Site) -> None:
    for caller in (cmi.partner, cmi.accounting, cmi.shop):
        answer = await caller.get(f"{API}/lookups", params={"account": "x"})
        assert answer.status_code == 403
    assert (await cmi.operations.get(f"{API}/lookups")).status_code == 422
    wrong = {"account": "x", "first_day": "yesterday"}
    assert (await cmi.operations.get(f"{API}/lookups", params=wrong)).status_code == 422
    nobody = await cmi.operations.get(f"{API}/lookups", params={"account": "x\0"})
    assert nobody.json() == {"items": [], "more": False}


async def test_what_is_done_with_data_and_access_leaves_a_trace(cmi: Site) -> None:
    sp_id = await begun(cmi, *TRANSMITTED)
    refused = await cmi.post(cmi.operations, sp_id, "erase")
    assert refused.status_code == 409
    (event,) = [each for each in await events(cmi, kind="erasure") if each["about"] == sp_id]
    assert (event["outcome"], event["name"]) == ("refused", "operations's software")
    await cmi.do(cmi.operations, sp_id, "cancel", {"reason": "withdrawn"})

    async def is_erased() -> bool:
        return (await cmi.post(cmi.operations, sp_id, "erase")).status_code == 200

    await eventually(is_erased)
    assert (await events(cmi, kind="erasure"))[0]["outcome"] == "succeeded"
    for query in ({"sp_id": sp_id}, {"email": "nobody@example.ch", "name": "Nobody"}):
        answer = await cmi.operations.post(f"{API}/customer-exports", json=query)
        assert answer.status_code == 200, answer.text
    by_person, by_order = (await events(cmi, kind="export"))[:2]
    assert by_order["about"] == sp_id
    assert by_person["about"], "the id of the export, not the person's name"
    assert "nobody" not in str(by_person).lower()
    token = await cmi.operations.post(f"{API}/tokens", json={"name": "till", "role": "shop"})
    assert token.status_code == 201, token.text
    token_id = token.json()["token_id"]
    assert (await cmi.operations.delete(f"{API}/tokens/{token_id}")).status_code == 204
    ended, made = (await events(cmi, kind="token"))[:2]
    assert (made["about"], made["outcome"]) == (token_id, "made")
    assert (ended["about"], ended["outcome"]) == (token_id, "ended")
    changed = await cmi.operations.patch(
        f"{API}/partners/luzern-montage", json={"status": "paused"}
    )
    assert changed.status_code == 200, changed.text
    await cmi.operations.patch(f"{API}/partners/luzern-montage", json={"status": "active"})
    about_partner = (await events(cmi, kind="partner"))[0]
    assert (about_partner["about"], about_partner["outcome"]) == ("luzern-montage", "changed")


@pytest.mark.parametrize("query", [{"kind": "x"}, {"limit": "0"}, {"cursor": "x"}, {"since": "1"}])
async def test_what_is_malformed_is_named(cmi: Site, query: dict[str, str]) -> None:
    answer = await cmi.operations.get(f"{API}/security-events", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in query
