"""Shipping requests and stops reach a real HTTP server, or a folder, once."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.warehouse import WarehouseActivities
from contracts.activities import Snapshot
from domain.orders.commands import Cancel, DecideReview, ReportNotExecuted
from domain.orders.effects import effects
from domain.orders.lifecycle import begin
from domain.orders.outgoing import ShippingRequest, ShippingStop
from records.database import Database
from records.line_requests import LineRequests
from records.orders import Orders
from records.partners import Partners
from settings import Settings
from tests.activities.conftest import partner
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    GOODS_THERE,
    MONDAY,
    REQUIREMENTS_MET,
    Step,
    intake,
    lived,
)

BODY = {
    "action": "ship",
    "key": "SP-1048213-1",
    "sp_id": "SP-1048213",
    "attempt": 1,
    "sales_order_id": "48392011",
    "sku": "6010203",
    "product": "V-ZUG AdoraWaschen V4000",
    "quantity": 1,
    "recipient": "Regula Müller",
    "street": "Langstrasse 12",
    "postal_code": "8004",
    "city": "Zürich",
    "phone": "+41 44 555 01 02",
    "deliver_to": "customer",
    "partner_id": "elektro-huber",
    "sales_order_line": None,
}
HUBER = {
    "recipient": "Elektro-Huber AG",
    "street": "Hohlstrasse 1",
    "postal_code": "8004",
    "city": "Zürich",
    "phone": "+41 44 555 00 00",
}


def effects_of(*steps: Step, rules: int = 2, **changes: Any) -> list[Any]:
    start = intake(**changes).model_copy(update={"rules": rules})
    _, events = lived(*steps, of=start)
    return [
        e for e in effects(begin(start), events) if isinstance(e, ShippingRequest | ShippingStop)
    ]


[REQUEST] = effects_of(*REQUIREMENTS_MET, rules=1)
[TO_PARTNER] = effects_of(*REQUIREMENTS_MET)
LINE = {"sales_order_line": "10"}
CANCEL = Cancel(reason="Returned")


class Warehouse:
    """What came in, and what is answered."""

    def __init__(self) -> None:
        self.answer = 202
        self.headers: list[dict[str, str]] = []
        self.bodies: list[Any] = []
        self.url = ""
        self.hang = threading.Event()
        self.hanging = False


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    """The warehouse's HTTP server."""
    yield from warehouse_server()


def warehouse_server() -> Iterator[Warehouse]:
    """An HTTP server on a free port, until the generator goes on."""
    state = Warehouse()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            state.bodies.append(json.loads(body))
            if state.hanging:
                state.hang.wait(10)
            self.send_response(state.answer)
            self.end_headers()
            self.wfile.write(b"Regula Mueller is unknown")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/requests"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield state
    state.hang.set()
    server.shutdown()
    thread.join()
    server.server_close()


class Asking:
    """The activities over real records."""

    def __init__(self, database: Database, partners: Partners) -> None:
        self.orders = Orders(database)
        self.lines = LineRequests(database)
        self.partners = partners

    async def __call__(
        self, settings: Settings, effect: ShippingRequest | ShippingStop = REQUEST
    ) -> None:
        """One attempt to send this."""
        activities = WarehouseActivities(settings, self.partners, self.lines)
        if isinstance(effect, ShippingRequest):
            await ActivityEnvironment().run(activities.request_shipping, effect)
        else:
            await ActivityEnvironment().run(activities.stop_shipping, effect)

    async def record(self, *steps: Step, **changes: Any) -> None:
        """An order that lived through this, in the records."""
        order, events = lived(*steps, of=intake(**changes).model_copy(update={"rules": 2}))
        await self.orders.save(Snapshot(order=order, events=events))


@pytest.fixture
def ask(database: Database, partners: Partners) -> Asking:
    return Asking(database, partners)


def files(folder: Path) -> dict[str, Any]:
    """What the warehouse finds in its folder."""
    return {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())
    }


async def test_a_request_as_it_arrives(ask: Asking, warehouse: Warehouse) -> None:
    await ask(Settings(warehouse_url=warehouse.url, warehouse_token="t0ken"))
    [headers] = warehouse.headers
    assert headers["idempotency-key"] == "SP-1048213-1"
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["content-type"] == "application/json"
    [body] = warehouse.bodies
    assert body.pop("requested_at") == "2026-10-05T07:33:00Z"
    assert body == BODY


async def test_without_a_token(ask: Asking, warehouse: Warehouse) -> None:
    await ask(Settings(warehouse_url=warehouse.url))
    assert "authorization" not in warehouse.headers[0]


@pytest.mark.parametrize("answer", [200, 201, 204, 409])
async def test_what_is_known_already_is_fine(
    ask: Asking, warehouse: Warehouse, answer: int
) -> None:
    warehouse.answer = answer
    await ask(Settings(warehouse_url=warehouse.url))


FAILURES: list[tuple[int, str, int | None]] = [
    (400, "WarehouseRefused", 10),
    (401, "WarehouseRefused", 10),
    (404, "WarehouseRefused", 10),
    (422, "WarehouseRefused", 10),
    (408, "WarehouseUnavailable", None),
    (425, "WarehouseUnavailable", None),
    (429, "WarehouseUnavailable", None),
    (302, "WarehouseUnavailable", None),
    (500, "WarehouseUnavailable", None),
    (503, "WarehouseUnavailable", None),
]


async def test_everything_else_is_tried_again(ask: Asking, warehouse: Warehouse) -> None:
    for answer, kind, minutes in FAILURES:
        warehouse.answer = answer
        with pytest.raises(ApplicationError) as caught:
            await ask(Settings(warehouse_url=warehouse.url, warehouse_token="t0ken"))
        failure = caught.value
        assert failure.message == f"shipping request SP-1048213-1: the warehouse answered {answer}"
        assert failure.type == kind, answer
        assert not failure.non_retryable, answer
        delay = failure.next_retry_delay
        assert (delay and delay.total_seconds() / 60) == minutes, answer


async def test_a_warehouse_that_hangs(
    ask: Asking, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.http_receiver._TIMEOUT", 0.2)
    warehouse.hanging = True
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_url=warehouse.url))
    assert caught.value.type == "ReadTimeout"
    assert not caught.value.non_retryable


async def test_a_warehouse_that_is_not_there(ask: Asking, unused_tcp_port: int) -> None:
    """Nor is what its address may hold told."""
    url = f"http://user:secret@127.0.0.1:{unused_tcp_port}/"
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_url=url))
    assert caught.value.message == "shipping request SP-1048213-1: ConnectError"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_file_where_there_is_no_address(ask: Asking, tmp_path: Path) -> None:
    settings = Settings(warehouse_dir=tmp_path / "warehouse")
    await ask(settings)
    [path] = (tmp_path / "warehouse").iterdir()
    assert path.name == "SP-1048213-1.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written.pop("requested_at") == "2026-10-05T07:33:00Z"
    assert written == BODY
    before = path.stat()
    await ask(settings)
    assert path.stat() == before


async def test_a_second_attempt_is_another_request(ask: Asking, tmp_path: Path) -> None:
    failed = ReportNotExecuted(reason="wrong_goods")
    first, second = effects_of(*AGREED, failed, DecideReview(decision="reship"), rules=1)
    for request in (first, second):
        await ask(Settings(warehouse_dir=tmp_path / "in"), request)
    assert sorted(os.listdir(tmp_path / "in")) == ["SP-1048213-1.json", "SP-1048213-2.json"]


async def test_a_folder_that_cannot_be_is_tried_again(ask: Asking, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_dir=blocked / "warehouse"))
    assert caught.value.type in ("NotADirectoryError", "FileExistsError")
    assert not caught.value.non_retryable


# --- to the partner ----------------------------------------------------------------------------------------------


async def test_goods_for_the_partner_go_to_its_present_address(
    ask: Asking, partners: Partners, tmp_path: Path
) -> None:
    settings = Settings(warehouse_dir=tmp_path / "in")
    await ask(settings, TO_PARTNER)
    [written] = files(tmp_path / "in").values()
    assert {name: written[name] for name in HUBER} == HUBER
    assert written["deliver_to"] == "partner"
    assert written.keys() == BODY.keys() | {"requested_at"}
    await partners.put(partner("elektro-huber", street="Neugasse 7"), MONDAY)
    [later] = effects_of(*REQUIREMENTS_MET, sp_id="SP-2")
    await ask(settings, later)
    assert files(tmp_path / "in")["SP-2-1.json"]["street"] == "Neugasse 7"


async def test_goods_for_the_customer(ask: Asking, tmp_path: Path) -> None:
    [request] = effects_of(*REQUIREMENTS_MET, deliver_to="customer")
    await ask(Settings(warehouse_dir=tmp_path / "in"), request)
    [written] = files(tmp_path / "in").values()
    assert (written["deliver_to"], written["recipient"]) == ("customer", "Regula Müller")


async def test_a_partner_that_is_not_recorded_is_awaited(ask: Asking, tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as caught:
        await ask(
            Settings(warehouse_dir=tmp_path / "in"),
            TO_PARTNER.model_copy(update={"partner_id": "x"}),
        )
    assert caught.value.type == "PartnerUnknown"
    assert not caught.value.non_retryable
    assert not (tmp_path / "in").exists()


# --- the line of a sales order -----------------------------------------------------------------------------------


async def test_two_services_of_one_line_ship_it_once(ask: Asking, warehouse: Warehouse) -> None:
    settings = Settings(warehouse_url=warehouse.url)
    [first] = effects_of(*REQUIREMENTS_MET, sp_id="SP-1", **LINE)
    [second] = effects_of(*REQUIREMENTS_MET, sp_id="SP-2", **LINE)
    [other] = effects_of(*REQUIREMENTS_MET, sp_id="SP-3", sales_order_line="20")
    warehouse.answer = 503
    with pytest.raises(ApplicationError):
        await ask(settings, first)
    warehouse.answer = 202
    for request in (second, first, second, other):
        await ask(settings, request)
    keys = [headers["idempotency-key"] for headers in warehouse.headers]
    assert keys == ["48392011-10-1", "48392011-10-1", "48392011-20-1"]
    assert [body["key"] for body in warehouse.bodies] == keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1-2", "3"), ("1", "2-3")),
        (("../1", "3"), ("..", "1-3")),
        (("ä" * 200, "1"), ("ä" * 200, "2")),
    ],
)
async def test_lines_are_told_apart_and_their_files_stay_in_the_folder(
    ask: Asking, tmp_path: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    for number, (sales_order, line) in enumerate((one, other)):
        placed = {"sp_id": f"SP-{number}", "sales_order_id": sales_order, "sales_order_line": line}
        [request] = effects_of(*REQUIREMENTS_MET, **placed)
        await ask(Settings(warehouse_dir=tmp_path / "in"), request)
    found = files(tmp_path / "in")
    assert len(found) == 2
    assert all(name.isascii() and name == f"{body['key']}.json" for name, body in found.items())


# --- stops -------------------------------------------------------------------------------------------------------


async def test_a_stop_as_it_arrives(ask: Asking, warehouse: Warehouse) -> None:
    _, stop = effects_of(*REQUIREMENTS_MET, CANCEL)
    await ask(Settings(warehouse_url=warehouse.url), stop)
    [headers], [body] = warehouse.headers, warehouse.bodies
    assert headers["idempotency-key"] == "SP-1048213-1-stop"
    assert body.pop("at") == "2026-10-05T07:34:00Z"
    assert body == {
        "action": "stop",
        "key": "SP-1048213-1-stop",
        "request_key": "SP-1048213-1",
        "sp_id": "SP-1048213",
        "attempt": 1,
        "sales_order_id": "48392011",
        "sales_order_line": None,
    }


async def test_a_stop_in_the_folder(ask: Asking, tmp_path: Path) -> None:
    request, stop = effects_of(*REQUIREMENTS_MET, CANCEL)
    for effect in (request, stop, stop):
        await ask(Settings(warehouse_dir=tmp_path / "in"), effect)
    assert {name: body["action"] for name, body in files(tmp_path / "in").items()} == {
        "SP-1048213-1-stop.json": "stop",
        "SP-1048213-1.json": "ship",
    }


async def test_a_refused_stop_is_tried_again(ask: Asking, warehouse: Warehouse) -> None:
    warehouse.answer = 422
    _, stop = effects_of(*REQUIREMENTS_MET, CANCEL)
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_url=warehouse.url), stop)
    assert caught.value.message == "shipping stop SP-1048213-1-stop: the warehouse answered 422"
    assert caught.value.type == "WarehouseRefused"


@pytest.mark.parametrize("life", [ACCEPTED, REQUIREMENTS_MET], ids=["before", "after"])
async def test_goods_that_another_order_needs_are_not_stopped(
    ask: Asking, tmp_path: Path, life: tuple[Step, ...]
) -> None:
    """The stop goes out with the last order that needs them, whether it had asked for them itself or not."""
    settings = Settings(warehouse_dir=tmp_path / "in")
    request, stop = effects_of(*REQUIREMENTS_MET, CANCEL, sp_id="SP-1", **LINE)
    *_, last_stop = effects_of(*life, CANCEL, sp_id="SP-2", **LINE)
    await ask.record(*life, sp_id="SP-2", **LINE)
    await ask(settings, request)
    await ask(settings, stop)
    assert files(tmp_path / "in").keys() == {"48392011-10-1.json"}
    # The records of the first order are behind: its stop was not.
    await ask.record(*REQUIREMENTS_MET, sp_id="SP-1", **LINE)
    for _ in range(2):
        await ask(settings, last_stop)
    assert files(tmp_path / "in")[f"{last_stop.key}.json"]["request_key"] == "48392011-10-1"
    await ask(settings, stop)
    assert len(files(tmp_path / "in")) == 2


async def test_after_a_stop_the_line_can_be_shipped_again(ask: Asking, tmp_path: Path) -> None:
    settings = Settings(warehouse_dir=tmp_path / "in")
    request, stop = effects_of(*REQUIREMENTS_MET, CANCEL, sp_id="SP-1", **LINE)
    again, stop_again = effects_of(*REQUIREMENTS_MET, CANCEL, sp_id="SP-2", **LINE)
    for effect in (request, stop, again, again, stop_again):
        await ask(settings, effect)
    found = files(tmp_path / "in")
    assert found.keys() == {
        "48392011-10-1.json",
        "SP-1-1-stop.json",
        "48392011-10-1.2.json",
        "SP-2-1-stop.json",
    }
    assert found["SP-2-1-stop.json"]["request_key"] == "48392011-10-1.2"


async def test_an_order_without_requested_goods_stops_nothing(ask: Asking, tmp_path: Path) -> None:
    [stop] = effects_of(*ACCEPTED, CANCEL, **LINE)
    await ask(Settings(warehouse_dir=tmp_path / "in"), stop)
    assert not (tmp_path / "in").exists()
    assert effects_of(*ACCEPTED, CANCEL) == []
    assert [type(e) for e in effects_of(*GOODS_THERE, CANCEL)] == [ShippingRequest]
