"""By HTTP: the history of an order has an end, by all ways in, and the order can still be brought to its own."""

import asyncio
from collections import Counter

import pytest

from domain.orders import limits
from tests.web.site import API, MET, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTE = {"outcome": "not_reached", "note": "x" * 2000}
ASYNC = {"Prefer": "respond-async"}
MOST = 24  # instead of 300: more than write at once, and each entry costs more than the one before


async def test_notes_without_end_are_refused(cmi: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_EVENTS", MOST)
    sp_id = await cmi.new()
    await cmi.do(cmi.partner, sp_id, "accept")
    too_long = await cmi.post(cmi.partner, sp_id, "contacts", {**NOTE, "note": "x" * 2001})
    assert (too_long.status_code, too_long.json()["errors"][0]["field"]) == (422, "note")

    gate, statuses = asyncio.Semaphore(12), Counter[int]()

    async def write(number: int) -> None:
        caller = cmi.operations if number % 3 == 0 else cmi.partner
        async with gate:
            answer = await cmi.post(caller, sp_id, "contacts", NOTE)
        statuses[answer.status_code] += 1

    await asyncio.gather(*(write(number) for number in range(2 * MOST)))
    assert set(statuses) <= {200, 202, 409}
    order = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    assert order["version"] == MOST
    assert "log_contact" not in order["allowed"]

    for headers in ({}, ASYNC):
        refused = await cmi.post(cmi.partner, sp_id, "contacts", NOTE, **headers)
        assert refused.status_code == 409
        assert refused.json()["code"] == "too_many_entries"
        assert "Verlauf" in refused.json()["detail"]
    # a refusal that is not waited for would be an entry as well, and a mail
    for _ in range(5):
        refused = await cmi.post(cmi.partner, sp_id, "execution", {"executed": True}, **ASYNC)
        assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()["version"] == MOST

    met = await cmi.post(cmi.partner, sp_id, "requirements", MET)
    assert met.status_code == 200
    await cmi.do(cmi.operations, sp_id, "cancel", {"reason": "withdrawn"})
