"""A customer's data are erased everywhere: the name is looked for in every file of an instance."""

import base64
import gzip
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

import pytest
import pytest_asyncio

from contracts.activities import Snapshot
from contracts.keys import new_key
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.web.site import API, POLICY, Site, site

NAME = "Žwyssigovič-Unverwechselbar"
BARE = "Unverwechselbar"
CUSTOMER = {
    "name": f"Zora {NAME}",
    "email": "zora.unverwechselbar@example.net",
    "phone": "+41 79 912 34 98",
    "street": "Unverwechselbarstrasse 77",
    "postal_code": "8004",
    "city": "Zürich",
    "language": "de",
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def _worker_process(around: Surroundings) -> AsyncIterator[None]:
    """A worker with the keys, as in production; the surroundings end it."""
    await around.start_worker_process()
    yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cmi(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("erased")
    policy = folder / "web.toml"
    policy.write_text(POLICY)
    env = {"CMI_POLICY": str(policy), "CMI_ENCRYPTION_KEYS": new_key("k1")}
    with mock.patch.dict(os.environ, env):
        async with (
            surroundings(folder, within=None, **env) as around,
            _worker_process(around),
            site(around) as running,
        ):
            yield running


def forms(text: str) -> set[bytes]:
    """How a text may stand in a file."""
    raw = text.encode()
    return {
        raw,
        raw.lower(),
        raw.upper(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        raw.hex().encode(),
        *(base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)),
    }


def files_with(folder: Path, text: str) -> list[str]:
    """The files below the folder that contain a text in some form. Partners' mailboxes do not count."""
    wanted = forms(text)
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and "mail" not in path.relative_to(folder).parts:
            data = path.read_bytes()
            data += gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""
            if any(form in data for form in wanted):
                found.append(str(path.relative_to(folder)))
    return found


async def cancelled(cmi: Site, **changes: object) -> str:
    """An order with notes of the customer, cancelled after its goods were requested."""
    sp_id = await cmi.new(customer=CUSTOMER, note=f"Bei {BARE} läuten", **changes)
    await cmi.do(cmi.partner, sp_id, "accept", Idempotency_Key=f"accept-{sp_id}")
    contact = {"outcome": "reached", "note": f"Frau {BARE} ist ab 8 Uhr da"}
    await cmi.do(cmi.partner, sp_id, "contacts", contact)
    met = {"met": True, "checklist": dict.fromkeys(("connections", "space", "passages"), "yes")}
    await cmi.do(cmi.partner, sp_id, "requirements", met)
    await cmi.do(cmi.operations, sp_id, "cancel", {"reason": f"Frau {BARE} verzichtet"})
    return sp_id


async def erased(cmi: Site, sp_id: str) -> dict[str, object]:
    """The order, erased as soon as its last mail is out."""

    async def try_it() -> dict[str, object] | None:
        answer = await cmi.post(cmi.operations, sp_id, "erase")
        return answer.json() if answer.status_code == 200 else None

    return await eventually(try_it)


async def test_the_name_is_in_no_file_afterwards(cmi: Site) -> None:
    folder = Path(cmi.around.settings.database_url.split("///", 1)[1]).parent
    sp_id = await cancelled(cmi, deliver_to="customer")
    assert files_with(folder, BARE), "the test looks in the right place"

    answer = await erased(cmi, sp_id)
    assert answer["erased"] is True
    assert answer["customer"] == {**dict.fromkeys(CUSTOMER), "language": "de"}
    assert BARE not in str(answer)
    assert answer["status"] == "cancelled", "it still counts"

    await eventually(lambda: not files_with(folder, BARE))
    for value in ("Unverwechselbarstrasse", CUSTOMER["phone"], CUSTOMER["email"], NAME):
        assert files_with(folder, value) == []
    found = (await cmi.operations.get(f"{API}/orders", params={"q": BARE})).json()
    assert found["items"] == []


async def test_a_late_write_brings_nothing_back(cmi: Site) -> None:
    sp_id = await cancelled(cmi)
    late = await cmi.around.orders.get(sp_id)
    assert late is not None
    await erased(cmi, sp_id)
    head = await cmi.around.orders.head(sp_id)
    snapshot = Snapshot(order=late.order, events=late.events)
    await cmi.around.orders.save(snapshot)
    await cmi.around.orders.save(snapshot, replaces=head)
    after = await cmi.around.orders.get(sp_id)
    assert after is not None
    assert BARE not in str(after)


async def test_an_order_that_runs_is_not_erased(cmi: Site) -> None:
    sp_id = await cmi.new(customer=CUSTOMER)
    refused = await cmi.post(cmi.operations, sp_id, "erase")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_ended")
    assert (await cmi.post(cmi.partner, sp_id, "erase")).status_code == 403


async def test_accounting_sees_no_customer_and_finds_none(cmi: Site) -> None:
    sp_id = await cancelled(cmi)
    seen = await cmi.accounting.get(f"{API}/orders/{sp_id}")
    assert BARE not in seen.text
    assert CUSTOMER["phone"] not in seen.text
    assert seen.json()["customer"]["city"] == "Zürich"
    for text, number in ((BARE, 0), (sp_id, 1)):
        listed = await cmi.accounting.get(f"{API}/orders", params={"q": text})
        assert len(listed.json()["items"]) == number
        assert BARE not in listed.text


async def test_an_export_has_everything_of_the_customer(cmi: Site) -> None:
    sp_id = await cancelled(cmi)
    other = await cancelled(cmi)
    for query in (
        {"sp_id": sp_id},
        {"email": CUSTOMER["email"], "phone": "079 912 34 98"},
        {"email": CUSTOMER["email"], "name": CUSTOMER["name"]},
    ):
        answer = await cmi.operations.post(f"{API}/customer-exports", json=query)
        assert answer.status_code == 200, answer.text
        got = {each["order"]["intake"]["placement"]["sp_id"] for each in answer.json()["orders"]}
        assert {sp_id, other} <= got
        assert "ist ab 8 Uhr da" in answer.text
    nobody = {"email": CUSTOMER["email"], "name": "Somebody Else"}
    answer = await cmi.operations.post(f"{API}/customer-exports", json=nobody)
    assert answer.json()["orders"] == []
    asked = await cmi.new()
    await cmi.brought(asked, "confirm_execution")
    desk = cmi.app.state.customer_desk
    order = await desk.open(await desk.issue(asked))
    assert await desk.ask(order, "Lieber am Freitag")
    answer = await cmi.operations.post(f"{API}/customer-exports", json={"sp_id": asked})
    notes = {each["wish"]["note"] for each in answer.json()["orders"] if each["wish"]}
    assert notes == {"Lieber am Freitag"}
    refused = await cmi.operations.post(f"{API}/customer-exports", json={"email": "a@b.ch"})
    assert refused.status_code == 422
