"""Somebody is away: workers when signals come, the mail server, the warehouse. What was meant happens afterwards."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.update.v1 import UpdateRef
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.keys import new_key
from development.embedded import free_port
from domain.orders.commands import (
    Accept,
    Cancel,
    ConfirmRequirements,
    PaymentReceived,
    SetAppointment,
)
from domain.orders.order import Status
from domain.orders.request import Request
from domain.orders.shipment import GoodsReceived, GoodsShipped
from records.database import Database
from temporal.connection import data_converter
from temporal.keys_away import KeysAwayFilter
from temporal.orders import send_command
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.builders import REQUIREMENTS_MET
from tests.support.limits import ANSWER_LIMIT
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON
from tests.workflows.life import SHOP, WAREHOUSE, Life
from worker import order_worker

CHECKED = ConfirmRequirements(
    checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
)


@contextmanager
def warehouse(port: int) -> Iterator[list[str]]:
    """A warehouse on a port: the idempotency keys of what was asked of it."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield keys
        finally:
            server.shutdown()
            thread.join()


async def test_signals_that_come_before_any_worker(tmp_path: Path) -> None:
    async with surroundings(tmp_path, accept="3 seconds", hold="1 second", shared=True) as around:
        paid = await around.place("SP-1", prepaid=True)
        accepted = await around.place("SP-2")
        await paid.handle.signal("payment_received", "nobody can read this")
        for _ in range(2):
            await paid.tell(PaymentReceived(), SHOP, request_id="payment-1")
        await paid.tell(GoodsShipped(tracking="1"), WAREHOUSE)
        placed_at = (await around.orders.get("SP-1")).order.placed_at
        before = datetime.now(UTC)
        # From here on no worker was ever there, for longer than the hold lasts.
        await eventually(lambda: (datetime.now(UTC) - before).total_seconds() > 1.5)
        async with around.worker():
            await around.reaches(paid, Status.NEW)
            await around.reaches(accepted, Status.NEW)
        order = (await around.orders.get("SP-1")).order
        assert order.placed_at == placed_at, "its clock began when it was placed"
        timeline = [e.event.type for e in (await around.orders.get("SP-1")).events]
        assert timeline[:3] == ["placed", "paid", "notice_kept"]
        assert timeline.count("paid") == 1

        # Accepted in time, while no worker was there to see it.
        due = next(d.due for d in order.open_deadlines if d.kind == "accept")
        at = datetime.now(UTC)
        assert at < due
        await paid.tell(Accept(), paid.partner, at=at)
        await eventually(lambda: datetime.now(UTC) > due)
        async with around.worker():
            await around.reaches(paid, Status.CHECK_REQUIREMENTS)
            await eventually(lambda: missed(around, "SP-2"))
        stored = (await around.orders.get("SP-1")).order
        accept = next(d for d in stored.deadlines if d.kind == "accept")
        assert (accept.outcome, accept.ended) == ("met", at)


async def test_an_update_is_taken_after_the_signals_that_were_sent_before_it(
    tmp_path: Path,
) -> None:
    """Also after one that comes between the scheduling of a task and its start, as the update does.

    The time-skipping server hands the update over first then (docs/traps.md, "Messages").
    """
    async with surroundings(tmp_path, shared=True) as around:
        life = await around.begin("SP-1", *REQUIREMENTS_MET)
        await life.tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE)
        await life.tell(GoodsReceived(), WAREHOUSE)
        start = datetime.now(UTC) + timedelta(days=3)
        request = Request(
            command=SetAppointment(start=start, end=start + timedelta(hours=2), unusual=True),
            actor=life.partner,
            request_id="appointment-1",
        )
        answer = asyncio.create_task(send_command(around.client, "SP-1", request, ANSWER_LIMIT))
        await eventually(lambda: knows_update(around, life, request.request_id))
        async with around.worker():
            assert (await answer).status == "confirm_execution"


async def knows_update(around: Surroundings, life: Life, update_id: str) -> bool:
    """Whether the server has an update, which is not in the history before a worker takes it."""
    of = WorkflowExecution(workflow_id=life.handle.id)
    question = PollWorkflowExecutionUpdateRequest(
        namespace=around.client.namespace,
        update_ref=UpdateRef(workflow_execution=of, update_id=update_id),
    )
    try:
        await around.client.workflow_service.poll_workflow_execution_update(question)
    except RPCError:
        return False
    return True


async def missed(around, sp_id: str) -> bool:
    """Whether an order's records know of a missed deadline."""
    return any(d.missed for d in (await around.orders.get(sp_id)).order.deadlines)


async def test_mail_server_and_warehouse_are_down_and_come_back(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/requests"
    async with (
        surroundings(tmp_path, shared=True, CMI_WAREHOUSE_URL=url) as around,
        around.worker(),
    ):
        life, ending = await around.place("SP-1"), await around.place("SP-2", prepaid=True)
        await around.reaches(life, Status.NEW)
        await eventually(lambda: len(around.inbox.ids()) == 1)
        await around.inbox.stop()
        late = await around.place("SP-3")
        await life.do(Accept())
        await life.do(CHECKED)
        await life.tell(GoodsShipped(tracking="1"), WAREHOUSE)
        await around.reaches(life, Status.SET_APPOINTMENT)
        await ending.do(Cancel(reason="withdrawn"), SHOP)
        assert (await ending.handle.result())["status"] == "cancelled", "it owes nobody a mail"
        await eventually(lambda: retried(life, "request_shipping", 2))
        await eventually(lambda: retried(life, "send_mail", 2))
        unnoticed = await late.order()
        assert (unnoticed.status, unnoticed.notified_at) == (Status.NEW, None)
        assert len(around.inbox.ids()) == 1

        await around.inbox.start()
        with warehouse(port) as keys:
            await eventually(lambda: keys and len(around.inbox.ids()) == 3)
            await around.reaches(late, Status.NEW)
            await eventually(lambda: settled(life))
        assert keys == ["SP-1-1"]
        assert len(set(around.inbox.ids())) == 3


async def test_a_mail_server_that_is_away_is_told_once_and_not_at_each_attempt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        await around.inbox.stop()
        async with around.worker():
            lives = [await around.place(f"SP-{number}") for number in range(5)]
            for life in lives:
                await eventually(lambda life=life: retried(life, "send_mail", 2))
            await around.inbox.start()
            for life in lives:
                await around.reaches(life, Status.NEW)
        told = [each for each in caplog.records if each.levelno >= logging.WARNING]
        assert [each.getMessage().partition(": ")[0] for each in told] == [
            "send_mail fails and is tried again, for example"
        ]
        assert "the mail server is away" in told[0].getMessage()
        assert told[0].exc_info is None


async def test_orders_whose_keys_nobody_can_read_are_told_once_and_go_on_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Database(f"postgresql+asyncpg://cmi@127.0.0.1:{free_port()}/cmi")
    caplog.handler.addFilter(seen := KeysAwayFilter())
    try:
        async with surroundings(
            tmp_path, shared=True, server=OFFERS_LOST_TASKS_SOON, CMI_ENCRYPTION_KEYS=new_key("k")
        ) as around:
            blind = await encrypted(around, nowhere)
            around.client = await encrypted(around, around.database)
            lives = [await around.place(f"SP-{number}") for number in range(3)]
            settings = around.settings.model_copy(update={"drain_seconds": 0})
            async with order_worker(blind, settings, nowhere):
                for life in lives:
                    await eventually(lambda life=life: attempted(life, 2))
            told = [each for each in caplog.records if each.levelno >= logging.WARNING]
            assert len(told) == 1, [each.getMessage() for each in told]
            assert "the database is away" in told[0].getMessage()
            async with around.worker():
                for life in lives:
                    await around.reaches(life, Status.NEW)
    finally:
        caplog.handler.removeFilter(seen)
        await nowhere.close()


async def encrypted(around: Surroundings, keys: Database) -> Client:
    """A client that encrypts, with the orders' keys in this database."""
    return await Client.connect(
        around.address,
        namespace=around.namespace,
        data_converter=data_converter(around.settings, keys),
    )


async def attempted(life: Life, times: int) -> bool:
    """Whether a workflow task of an order was tried so often."""
    about = (await life.handle.describe()).raw_description
    return about.pending_workflow_task.attempt >= times


async def retried(life, name: str, times: int) -> bool:
    """Whether an activity of an order has failed so often."""
    description = await life.handle.describe()
    return any(
        pending.activity_type.name == name and pending.attempt > times
        for pending in description.raw_description.pending_activities
    )


async def settled(life) -> bool:
    """Whether nothing of an order is under way."""
    return not (await life.handle.describe()).raw_description.pending_activities
