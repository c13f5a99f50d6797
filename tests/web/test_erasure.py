"""A customer's data are erased everywhere: the name is looked for in every file of an instance."""

import asyncio
import base64
import os
import random
import string
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from contracts import names
from contracts.activities import Snapshot
from contracts.keys import new_key
from contracts.messages import RetentionRun
from development.embedded import OVERWRITES_DELETED, ROOT, keep_log_short
from records.erasures import Erasures
from records.personal_data import FILES
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.pictures import photo
from tests.support.processes import Process
from tests.support.traces_of import columns_with, files_with
from tests.web.firms import firm
from tests.web.site import API, CHECKLIST, MET, POLICY, Site, agreed, site

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

CUSTOMER_MAILS = """
[customer_mails]
caller = true
appointment = true
moved = true
cancelled = true
"""

DELETES_SOON = ("--dynamic-config-value", 'history.transferProcessorUpdateAckInterval="300ms"')
"""Temporal deletes a workflow once this queue has noted its end, which it otherwise does every 30 seconds or so."""
WORKER = """
import importlib, sys, threading
import worker
from documents import confined

turn = threading.Lock()
run = confined._run

def made_here(module, data, limits, given_up):
    if module == "documents.picture_process":
        return run(module, data, limits, given_up)
    with turn:
        return importlib.import_module(module).main(data)

confined._run = made_here
sys.exit(worker.main([]))
"""
"""A worker process that makes documents itself: a new process for each loads its libraries for a second.

Pictures are still read in confined processes, so that the folders of these are searched, too.
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def _worker_process(around: Surroundings) -> AsyncIterator[None]:
    """A worker with the keys, as in production but for documents (`WORKER`); the surroundings end it."""
    around.worker_process = Process(
        [sys.executable, "-c", WORKER],
        {**around.env, "PYTHONPATH": str(ROOT)},
        around.folder / "worker.log",
    )
    await around.start_worker_process()
    yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cmi(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("erased")
    policy = folder / "web.toml"
    policy.write_text(f"{POLICY}{CUSTOMER_MAILS}")
    env = {
        "CMI_POLICY": str(policy),
        "CMI_ENCRYPTION_KEYS": new_key("k1"),
        "CMI_MAIL_DIR": str(folder / "mail"),
    }
    async with _running(folder, env, DELETES_SOON) as running:
        yield running


@asynccontextmanager
async def _running(folder: Path, env: dict[str, str], server: Sequence[str]) -> AsyncIterator[Site]:
    with mock.patch.dict(os.environ, env):
        async with (
            surroundings(folder, within=None, server=server, **env) as around,
            _worker_process(around),
            site(around) as running,
        ):
            yield running


async def cancelled(cmi: Site, **changes: object) -> str:
    """An order with notes of the customer, cancelled after its goods were requested."""
    sp_id = await cmi.new(customer=CUSTOMER, note=f"Bei {BARE} läuten", **changes)
    await cmi.do(cmi.partner, sp_id, "accept", Idempotency_Key=f"accept-{sp_id}")
    contact = {"outcome": "reached", "note": f"Frau {BARE} ist ab 8 Uhr da"}
    await cmi.do(cmi.partner, sp_id, "contacts", contact)
    met = {"met": True, "checklist": dict.fromkeys(("connections", "space", "passages"), "yes")}
    await cmi.do(cmi.partner, sp_id, "requirements", met)
    written = {"text": f"Frau {BARE} hat eine Frage"}
    for caller, more in (
        (cmi.partner, {}),
        (cmi.operations, {}),
        (cmi.operations, {"internal": True}),
    ):
        assert (await cmi.post(caller, sp_id, "messages", written | more)).status_code == 201
    await cmi.do(cmi.operations, sp_id, "cancel", {"reason": f"Frau {BARE} verzichtet"})
    return sp_id


async def erased(cmi: Site, sp_id: str) -> dict[str, object]:
    """The order, erased as soon as its last mail is out."""

    async def try_it() -> dict[str, object] | None:
        answer = await cmi.post(cmi.operations, sp_id, "erase")
        return answer.json() if answer.status_code == 200 else None

    return await eventually(try_it)


class Marked:
    """A customer each of whose values, and each text about whom, contains a word that occurs nowhere else."""

    def __init__(self) -> None:
        self.word = "zwq" + "".join(random.choices(string.ascii_lowercase, k=10))
        digits = "".join(random.choices("123456789", k=7))
        self.phone = f"+41 79 {digits[:3]} {digits[3:5]} {digits[5:]}"
        self.customer = {
            "name": f"Nora {self.word}-Name",
            "email": f"mail.{self.word}@example.net",
            "phone": self.phone,
            "street": f"{self.word}strasse 7",
            "postal_code": "8004",
            "city": "Zürich",
            "language": "de",
        }

    @property
    def marks(self) -> tuple[str, ...]:
        """What must be nowhere: the word, and the telephone as it is written, searched and dialled."""
        bare = self.phone.replace(" ", "")
        return (self.word, self.phone, bare, "0" + bare.removeprefix("+41"))

    def note(self, where: str) -> str:
        """A text that people write about the customer."""
        return f"{where}: Nora {self.word}-Name, {self.phone}"


async def found_in(cmi: Site, marked: Marked) -> list[str]:
    """Where the instance still has something of this customer: files, and columns of the records."""
    files = files_with(cmi.around.folder, *marked.marks)
    return [*files, *await columns_with(cmi.around.database, *marked.marks)]


async def gone(cmi: Site, marked: Marked) -> None:
    """Wait until nothing is left anywhere. The columns cost most, and are searched once the files have nothing."""
    left: list[str] = []

    async def is_gone() -> bool:
        left[:] = files_with(cmi.around.folder, *marked.marks)
        if not left:
            left[:] = await columns_with(cmi.around.database, *marked.marks)
        return not left

    try:
        await eventually(is_gone)
    except AssertionError:
        pytest.fail(f"still there: {left}")


async def _recorded_on_site(cmi: Site, sp_id: str, marked: Marked) -> None:
    """A photo, and a protocol with its PDF, both of which the customer's export has."""
    path = f"{API}/orders/{sp_id}"
    assert (await cmi.partner.post(f"{path}/photos", files={"photo": photo()})).status_code == 201
    now = datetime.now(ZoneInfo("Europe/Zurich")).replace(microsecond=0)
    items = (await cmi.partner.get(f"{path}/on-site")).json()["protocol_items"]
    protocol = {
        "checklist": {each["item"]: "done" for each in items},
        "begun": (now - timedelta(seconds=1)).isoformat(),
        "ended": now.isoformat(),
        "remarks": marked.note("Ausgeführt"),
        "ending": "refused",
        "reason": marked.note("Nicht unterschrieben"),
    }
    assert (await cmi.partner.post(f"{path}/protocol", json=protocol)).status_code == 201
    assert (await cmi.partner.get(f"{path}/protocol.pdf")).status_code == 200
    export = await cmi.operations.post(f"{API}/customer-exports", json={"sp_id": sp_id})
    (order,) = export.json()["orders"]
    assert base64.b64decode(order["photos"][0]["jpeg"]).startswith(b"\xff\xd8")
    assert order["protocols"][0]["protocol"]["reason"] == protocol["reason"]


async def test_a_cancelled_order_leaves_nothing_anywhere(cmi: Site) -> None:
    marked = Marked()
    customer = {**marked.customer, "city": f"{marked.word}stadt"}
    sp_id = await cmi.new(customer=customer, note=marked.note("Shop"), deliver_to="customer")
    await cmi.do(cmi.partner, sp_id, "accept", Idempotency_Key=f"accept-{sp_id}")
    await eventually(lambda: marked.word in str([m["To"] for m in cmi.around.inbox.mails()]))
    contact = {"outcome": "reached", "note": marked.note("Anruf")}
    await cmi.do(cmi.partner, sp_id, "contacts", contact)
    met = {"met": True, "checklist": CHECKLIST, "note": marked.note("Anforderungen")}
    await cmi.do(cmi.partner, sp_id, "requirements", met)
    await cmi.do(cmi.warehouse, sp_id, "goods-shipped", {"tracking": f"99.{marked.word}"})
    await cmi.reaches(sp_id, "set_appointment")
    message = {"text": marked.note("Frage")}
    for caller, internal in ((cmi.partner, {}), (cmi.operations, {"internal": True})):
        path = f"{API}/orders/{sp_id}/messages"
        assert (await caller.post(path, json=message | internal)).status_code == 201
    await _recorded_on_site(cmi, sp_id, marked)
    problem = {"reason": "other", "note": marked.note("Problem")}
    await cmi.do(cmi.partner, sp_id, "problem", problem)
    await cmi.do(cmi.operations, sp_id, "cancel", {"reason": marked.note("Storniert")})
    refused = {"outcome": "reached", "note": marked.note("Zu spät")}
    assert (await cmi.post(cmi.partner, sp_id, "contacts", refused)).status_code == 409
    searched = {"q": marked.word}
    assert (await cmi.operations.get(f"{API}/orders", params=searched)).json()["items"]
    await _exported(cmi, sp_id)
    before = await found_in(cmi, marked)
    assert any(each.startswith("mail/") for each in before), "the test looks in the right place"
    assert any(each.startswith("warehouse/") for each in before)
    assert "documents.document" in before
    assert "execution_protocols.document" in before
    assert not [each for each in before if each.endswith(".log") or "temporal" in each]

    answer = await erased(cmi, sp_id)
    assert answer["erased"] is True
    assert answer["customer"] == {**dict.fromkeys(CUSTOMER), "language": "de"}
    assert answer["status"] == "cancelled", "it still counts"
    await gone(cmi, marked)
    assert (await cmi.operations.get(f"{API}/orders", params=searched)).json()["items"] == []
    on_site = (await cmi.operations.get(f"{API}/orders/{sp_id}/on-site")).json()
    assert (on_site["photos"], on_site["protocols"]) == ([], [])
    late = await cmi.operations.post(f"{API}/orders/{sp_id}/photos", files={"photo": photo()})
    assert (late.status_code, late.json()["code"]) == (409, "erased")


async def test_a_paid_order_leaves_nothing_anywhere_but_its_place(cmi: Site) -> None:
    """With a correction that names the customer, and with texts about its settlement that do."""
    marked, one = Marked(), await firm(cmi)
    sp_id = await cmi.new(
        partner_id=one.partner_id, customer=marked.customer, note=marked.note("Shop")
    )
    await cmi.do(one.http, sp_id, "accept")
    contact = {"outcome": "reached", "note": marked.note("Anruf")}
    await cmi.do(one.http, sp_id, "contacts", contact)
    await cmi.do(one.http, sp_id, "requirements", MET | {"note": marked.note("Anforderungen")})
    await cmi.do(cmi.warehouse, sp_id, "goods-shipped", {"tracking": f"99.{marked.word}"})
    await cmi.reaches(sp_id, "set_appointment")
    await cmi.do(cmi.warehouse, sp_id, "goods-received")
    await cmi.has(sp_id, "goods_received")
    await cmi.do(one.http, sp_id, "appointment", agreed())
    moved = agreed(2, reason=marked.note("Verschoben"), moved_by="customer")
    await cmi.do(one.http, sp_id, "appointment", moved)
    done = {"executed": True, "early": True, "note": marked.note("Ausgeführt")}
    await cmi.do(one.http, sp_id, "execution", done)
    await cmi.reaches(sp_id, "completed")
    correction = {"sp_id": sp_id, "amount": "45.00", "reason": marked.note("Zusatzfahrt")}
    path = f"{API}/partners/{one.partner_id}/corrections"
    made = await cmi.operations.post(path, json=correction, headers={"Idempotency-Key": sp_id})
    assert made.status_code == 201, made.text
    settlement = await one.issued([sp_id])
    number = settlement["settlement_id"]
    assert settlement["corrections"][0]["reason"] == correction["reason"]
    assert (await one.http.get(f"{API}/settlements/{number}/draft-invoice.pdf")).status_code == 200
    day = datetime.now(ZoneInfo("Europe/Zurich")).date().isoformat()
    own = {"invoice_number": "R-1", "invoice_date": day}
    assert (await one.post(number, "make-invoice", own)).json()["accepted"]
    returned = {"reason": marked.note("Zurück")}
    answer = await cmi.accounting.post(f"{API}/settlements/{number}/return", json=returned)
    assert answer.status_code == 200, answer.text
    assert not (await one.post(number, "make-invoice", own)).json()["accepted"]
    assert (await one.post(number, "make-invoice", own | {"invoice_number": "R-2"})).json()[
        "accepted"
    ]
    for call, body in (
        ("approve", {}),
        ("paid", {"paid_on": day, "reference": "1"}),
    ):
        answer = await cmi.accounting.post(f"{API}/settlements/{number}/{call}", json=body)
        assert answer.status_code == 200, answer.text
    exported = await cmi.operations.post(f"{API}/customer-exports", json={"sp_id": sp_id})
    assert correction["reason"] in exported.text
    before = await found_in(cmi, marked)
    assert {"corrections.reason", "settlement_documents.document"} <= set(before)
    assert not [each for each in before if each.startswith("papers.")], "papers cannot be erased"

    answer = await erased(cmi, sp_id)
    assert answer["customer"]["city"] == "Zürich", "its place is on the statement"
    await gone(cmi, marked)
    seen = (await one.http.get(f"{API}/settlements/{number}")).json()
    assert seen["status"] == "paid"
    assert seen["corrections"][0]["amount"] == "45.00"
    after = await cmi.operations.get(path)
    assert after.json()["items"][0]["reason"] == "–"


async def test_a_settlement_that_is_not_over_is_finished_by_a_later_night(cmi: Site) -> None:
    """What its partner still needs stays until then; what was written about the order goes at once."""
    marked, one = Marked(), await firm(cmi)
    (sp_id,) = await one.completed_by_calls("129.00")
    reason = {"sp_id": sp_id, "amount": "45.00", "reason": marked.note("Zusatzfahrt")}
    path = f"{API}/partners/{one.partner_id}/corrections"
    assert (await cmi.operations.post(path, json=reason)).status_code == 201
    number = (await one.issued([sp_id]))["settlement_id"]
    await erased(cmi, sp_id)
    await gone(cmi, marked)
    day = datetime.now(ZoneInfo("Europe/Zurich")).date().isoformat()
    own = {"invoice_number": "R-1", "invoice_date": day}
    assert (await one.post(number, "make-invoice", own)).json()["accepted"]
    returned = {"reason": marked.note("Zurück")}
    accounting = cmi.accounting
    path = f"{API}/settlements/{number}"
    assert (await accounting.post(f"{path}/return", json=returned)).status_code == 200
    seen = (await one.http.get(path)).json()
    assert seen["return_reason"] == returned["reason"]
    again = own | {"invoice_number": "R-2"}
    assert (await one.post(number, "make-invoice", again)).json()["accepted"]
    for call, body in (("approve", {}), ("paid", {"paid_on": day})):
        assert (await accounting.post(f"{path}/{call}", json=body)).status_code == 200
    erasures = Erasures(cmi.around.database)
    assert await erasures.is_undone(sp_id)

    async def is_done() -> bool:
        await cmi.around.client.execute_workflow(
            names.RETENTION,
            RetentionRun(),
            id=f"{names.RETENTION_ID}-{uuid.uuid4().hex}",
            task_queue=names.ORDERS_QUEUE,
        )
        return not await erasures.is_undone(sp_id)

    await eventually(is_done)
    await gone(cmi, marked)


async def test_without_keys_the_embedded_server_forgets_as_well(tmp_path: Path) -> None:
    """As `dev.py` runs it: what is deleted from its file is overwritten there."""
    (tmp_path / "web.toml").write_text(POLICY)
    env = {
        "CMI_POLICY": str(tmp_path / "web.toml"),
        "CMI_MAIL_DIR": str(tmp_path / "mail"),
        "CMI_DATABASE_URL": f"sqlite:///{tmp_path / 'cmi.db'}",
    }
    marked = Marked()
    async with _running(tmp_path, env, (*OVERWRITES_DELETED, *DELETES_SOON)) as cmi:
        sp_id = await cmi.new(customer=marked.customer, note=marked.note("Shop"))
        await cmi.do(cmi.partner, sp_id, "accept")
        await cmi.do(cmi.operations, sp_id, "cancel", {"reason": marked.note("Storniert")})
        assert "temporal.db" in "".join(await found_in(cmi, marked))
        await erased(cmi, sp_id)
        shortening = asyncio.create_task(keep_log_short(tmp_path / "temporal.db", every=0.3))
        await gone(cmi, marked)
        shortening.cancel()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(cmi: Site) -> str:
    """The SP-ID of a cancelled order that no test erases."""
    return await cancelled(cmi)


@pytest.mark.usefixtures("kept")
async def test_every_file_of_an_instance_is_declared(cmi: Site) -> None:
    folder = cmi.around.folder
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.name.startswith("."):  # those are being written
            assert any(PurePosixPath(name).match(each.pattern) for each in FILES), name


async def _exported(cmi: Site, sp_id: str) -> None:
    answer = await cmi.operations.post(f"{API}/customer-exports", json={"sp_id": sp_id})
    assert answer.status_code == 200, answer.text


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


async def test_accounting_sees_no_customer_and_finds_none(cmi: Site, kept: str) -> None:
    seen = await cmi.accounting.get(f"{API}/orders/{kept}")
    assert BARE not in seen.text
    assert CUSTOMER["phone"] not in seen.text
    assert seen.json()["customer"]["city"] == "Zürich"
    for text, number in ((BARE, 0), (kept, 1)):
        listed = await cmi.accounting.get(f"{API}/orders", params={"q": text})
        assert len(listed.json()["items"]) == number
        assert BARE not in listed.text


async def test_an_export_has_everything_of_the_customer(cmi: Site, kept: str) -> None:
    other = await cancelled(cmi)
    for query in (
        {"sp_id": kept},
        {"email": CUSTOMER["email"], "phone": "079 912 34 98"},
        {"email": CUSTOMER["email"], "name": CUSTOMER["name"]},
    ):
        answer = await cmi.operations.post(f"{API}/customer-exports", json=query)
        assert answer.status_code == 200, answer.text
        got = {each["order"]["intake"]["placement"]["sp_id"] for each in answer.json()["orders"]}
        assert {kept, other} <= got
        assert "ist ab 8 Uhr da" in answer.text
        assert f"Frau {BARE} hat eine Frage" in answer.text
    nobody = {"email": CUSTOMER["email"], "name": "Somebody Else"}
    answer = await cmi.operations.post(f"{API}/customer-exports", json=nobody)
    assert answer.json()["orders"] == []
    asked = await cmi.new()
    await cmi.brought(asked, "confirm_execution")
    desk = cmi.app.state.customer_links
    order = await desk.open(await desk.issue(asked))
    assert await desk.ask(order, "Lieber am Freitag")
    answer = await cmi.operations.post(f"{API}/customer-exports", json={"sp_id": asked})
    notes = {each["wish"]["note"] for each in answer.json()["orders"] if each["wish"]}
    assert notes == {"Lieber am Freitag"}
    refused = await cmi.operations.post(f"{API}/customer-exports", json={"email": "a@b.ch"})
    assert refused.status_code == 422
