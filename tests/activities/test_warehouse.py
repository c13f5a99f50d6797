"""Shipping requests reach a real HTTP server, or a folder, once."""

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
from domain.orders.commands import DecideReview, ReportNotExecuted
from domain.orders.effects import effects
from domain.orders.lifecycle import begin
from domain.orders.outgoing import ShippingRequest
from settings import Settings
from tests.support.builders import AGREED, REQUIREMENTS_MET, Step, intake, lived

BODY = {
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
}


def requests_of(*steps: Step) -> list[ShippingRequest]:
    start = intake()
    _, events = lived(*steps, of=start)
    return [e for e in effects(begin(start), events) if isinstance(e, ShippingRequest)]


[REQUEST] = requests_of(*REQUIREMENTS_MET)


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
    """An HTTP server on a free port."""
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


async def ask(settings: Settings, request: ShippingRequest = REQUEST) -> None:
    await ActivityEnvironment().run(WarehouseActivities(settings).request_shipping, request)


async def test_a_request_as_it_arrives(warehouse: Warehouse) -> None:
    await ask(Settings(warehouse_url=warehouse.url, warehouse_token="t0ken"))
    [headers] = warehouse.headers
    assert headers["idempotency-key"] == "SP-1048213-1"
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["content-type"] == "application/json"
    [body] = warehouse.bodies
    assert body.pop("requested_at") == "2026-10-05T07:33:00Z"
    assert body == BODY


async def test_without_a_token(warehouse: Warehouse) -> None:
    await ask(Settings(warehouse_url=warehouse.url))
    assert "authorization" not in warehouse.headers[0]


@pytest.mark.parametrize("answer", [200, 201, 204, 409])
async def test_what_is_known_already_is_fine(warehouse: Warehouse, answer: int) -> None:
    warehouse.answer = answer
    await ask(Settings(warehouse_url=warehouse.url))


@pytest.mark.parametrize(
    ("answer", "kind", "minutes"),
    [
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
    ],
)
async def test_everything_else_is_tried_again(
    warehouse: Warehouse, answer: int, kind: str, minutes: int | None
) -> None:
    warehouse.answer = answer
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_url=warehouse.url, warehouse_token="t0ken"))
    failure = caught.value
    assert failure.type == kind
    assert not failure.non_retryable
    delay = failure.next_retry_delay
    assert (delay and delay.total_seconds() / 60) == minutes
    assert failure.message == f"shipping request SP-1048213-1: the warehouse answered {answer}"


async def test_a_warehouse_that_hangs(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.warehouse._TIMEOUT", 0.2)
    warehouse.hanging = True
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_url=warehouse.url))
    assert caught.value.type == "ReadTimeout"
    assert not caught.value.non_retryable


async def test_a_warehouse_that_is_not_there(unused_tcp_port: int) -> None:
    """Nor is what its address may hold told."""
    url = f"http://user:secret@127.0.0.1:{unused_tcp_port}/"
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_url=url))
    assert caught.value.message == "shipping request SP-1048213-1: ConnectError"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_file_where_there_is_no_address(tmp_path: Path) -> None:
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


async def test_a_second_attempt_is_another_request(tmp_path: Path) -> None:
    failed = ReportNotExecuted(reason="wrong_goods")
    first, second = requests_of(*AGREED, failed, DecideReview(decision="reship"))
    for request in (first, second):
        await ask(Settings(warehouse_dir=tmp_path), request)
    assert sorted(os.listdir(tmp_path)) == ["SP-1048213-1.json", "SP-1048213-2.json"]


async def test_a_folder_that_cannot_be_is_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ApplicationError) as caught:
        await ask(Settings(warehouse_dir=blocked / "warehouse"))
    assert caught.value.type in ("NotADirectoryError", "FileExistsError")
    assert not caught.value.non_retryable
