"""Real surroundings: Temporal, mail server, records, worker processes to be killed."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from contracts.activities import Snapshot
from contracts.messages import EVENTS_CARRIED, Carried
from development.embedded import ROOT, free_port, temporal_command, temporal_is_up
from domain import rules
from domain.orders.events import Recorded
from domain.orders.lifecycle import fold
from domain.orders.order import Order, Status
from records.database import Database
from records.migrate import migrate
from records.orders import Orders, StoredOrder
from records.partners import Partner, Partners
from records.tables import orders
from settings import Settings
from temporal.connection import data_converter
from temporal.orders import revive_order
from tests.server.inbox import Inbox
from tests.support.builders import Step, intake, lived, placement
from tests.support.databases import records_copy
from tests.support.empty_tasks import assert_none_has_empty_tasks
from tests.support.limits import ANSWER_LIMIT, TEST_LIMIT, WAIT_LIMIT
from tests.support.processes import Process
from tests.support.shared_server import Namespace, unused_namespace
from tests.support.waiting import say_what_waits
from tests.support.workers import BoundedRun
from tests.workflows.life import DESK, Life
from use_cases.input_files import read_items
from use_cases.orders import OrderUseCases
from worker import document_worker, invoice_worker, order_worker

POLICY = """
[transmission]
hold = "{hold}"
alarm = "1 hour"
[deadlines]
accept = "{accept}"
check_requirements = "1 hour"
contact_customer = "1 hour"
set_appointment = "1 hour"
confirm_execution = "1 hour"
review = "1 hour"
goods = "1 hour"
[escalation]
remind_before = "1 second"
repeat_every = "1 hour"
office_hours_only = false
"""


async def eventually(condition: Callable[[], Any]) -> Any:
    """What a condition (plain or awaitable) gives, once it gives something true; fails if it never does.

    It looks often at first, and less often the longer it waits, because a look costs processor time.
    """
    begin = time.monotonic()
    while True:
        given = condition()
        found = await given if isinstance(given, Awaitable) else given
        if found:
            return found
        waited = time.monotonic() - begin
        assert waited < WAIT_LIMIT, f"waited {WAIT_LIMIT:g} s in vain"
        await asyncio.sleep(min(0.2, 0.03 + waited / 10))


async def rests(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether nothing of a workflow is under way: no activity, no workflow task."""
    about = (await handle.describe()).raw_description
    return not about.pending_activities and not about.HasField("pending_workflow_task")


async def details(life: Life) -> str:
    """The current details, as the Temporal UI asks for them."""
    metadata: WorkflowMetadata = await life.handle.query(
        "__temporal_workflow_metadata", result_type=WorkflowMetadata
    )
    return metadata.current_details


class Surroundings:
    """All that is around an order, on a free port each. What a test wants to be down is not started, or stopped."""

    client: Client

    def __init__(
        self,
        folder: Path,
        policy: str,
        server: Sequence[str],
        env: dict[str, str],
        shared: Namespace | None = None,
    ) -> None:
        self.folder = folder
        self.shared = shared
        port, smtp = free_port(), free_port()
        self.address = shared.address if shared else f"127.0.0.1:{port}"
        self.namespace = shared.name if shared else "default"
        self.alive = folder / "alive"
        (folder / "policy.toml").write_text(policy)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CMI_")},
            "TEMPORAL_ADDRESS": self.address,
            **({"TEMPORAL_NAMESPACE": shared.name} if shared else {}),
            "CMI_SMTP_URL": f"smtp://127.0.0.1:{smtp}",
            "CMI_WAREHOUSE_DIR": str(folder / "warehouse"),
            "CMI_POLICY": str(folder / "policy.toml"),
            "CMI_WORKER_LIVENESS_FILE": str(self.alive),
            "CMI_DRAIN_SECONDS": "10",
            **env,
        }
        self.settings = Settings.from_env(self.env)
        self.policies = self.settings.load_policies()
        self.policy = self.policies.standard
        command = temporal_command(
            port=port, ui_port=None, file=folder / "temporal.db", extra=server
        )
        self.server = Process(command, self.env, folder / "temporal.log")
        self.worker_process = Process(
            [sys.executable, str(ROOT / "worker.py")], self.env, folder / "worker.log"
        )
        self.inbox = Inbox(folder / "mail", smtp)
        self.database = Database(self.settings.database_url)
        self.orders = Orders(self.database)
        self.partners = Partners(self.database)

    async def connect(self) -> None:
        """Wait until the server is up."""
        if self.shared:
            self.client = await self.shared.connect(data_converter())
        else:
            self.client = await temporal_is_up(self.address, WAIT_LIMIT)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        """The workers of all queues within the test's process, without the sandbox, as in production."""
        settings = self.settings.model_copy(update={"drain_seconds": 0})
        async with (
            BoundedRun(order_worker(self.client, settings, self.database)) as running,
            BoundedRun(document_worker(self.client, settings, self.database)),
            BoundedRun(invoice_worker(self.client, settings, self.database)),
        ):
            yield running

    async def start_worker_process(self) -> None:
        """A worker as it is in production, up and working."""
        self.alive.unlink(missing_ok=True)
        # The first one takes seconds, in which the event loop must not stand still.
        await asyncio.to_thread(self.worker_process.start)
        await eventually(self.alive.exists)

    def run_as_worker(self, code: str, *arguments: str) -> None:
        """Have the worker process run this code, which shortens how long a worker waits, and calls `worker.main`."""
        self.worker_process = Process(
            [sys.executable, "-c", code, *arguments],
            {**self.env, "PYTHONPATH": str(ROOT)},
            self.folder / "worker.log",
        )

    async def place(self, sp_id: str, **changes: Any) -> Life:
        """Place an order as the shop does, with more patience than the shop."""
        desk = OrderUseCases(
            self.client, self.orders, self.partners, self.policies, DESK, patience=ANSWER_LIMIT
        )
        placed = await desk.place(placement(sp_id=sp_id, **changes))
        return Life(self, placed.snapshot.order.intake)

    async def begin_with(self, order: Order, events: tuple[Recorded, ...]) -> None:
        """Start the workflow of an order that has lived these events, as if an earlier run had; the records have it.

        Not for a worker with encryption keys, which refuses what `client` sends.
        """
        carried = Carried(
            order=order, events=events[-EVENTS_CARRIED:], unsaved=(), outbox=(), answered={}
        )
        await revive_order(self.client, carried, DESK)
        await self.orders.save(Snapshot(order=order, events=events))

    async def begin(self, sp_id: str, *steps: Step) -> Life:
        """An order that was placed 40 minutes ago and has taken these steps (tests/support/builders.py).

        Its workflow starts afterwards, which costs a fifth of the whole life. No mail about it was sent.
        """
        placed_at = datetime.now(UTC) - timedelta(minutes=40)
        of = intake(sp_id=sp_id, policy=self.policy, day=placed_at.date(), rules=rules.CURRENT)
        await self.begin_with(*lived(*steps, of=of, at=placed_at))
        return Life(self, of)

    async def reaches(self, life: Life, status: Status) -> None:
        """Wait until the records show an order in a state."""
        await self.all_reach([life.sp_id], status)

    async def all_reach(self, sp_ids: Sequence[str], status: str) -> None:
        """Wait until the records show each of these orders in a state."""
        there = select(func.count()).where(orders.c.sp_id.in_(sp_ids), orders.c.status == status)

        async def are_there() -> bool:
            count = await self.database.read(lambda c: c.execute(there).scalar_one())
            return bool(count == len(sp_ids))

        await eventually(are_there)

    async def notified(self, life: Life) -> None:
        """Wait until the records show that the order's partner was notified."""

        async def there() -> bool:
            stored = await self.orders.get(life.sp_id)
            return stored is not None and stored.order.notified_at is not None

        await eventually(there)

    async def check_records(self, life: Life) -> Snapshot:
        """The records hold an order whole, as its workflow has it: state, and an event for each version.

        Returns what the workflow has.
        """
        held = await life.snapshot()
        order = held.order

        async def caught_up() -> StoredOrder | None:
            stored = await self.orders.get(life.sp_id)
            return stored if stored and stored.order.version == order.version else None

        stored: StoredOrder = await eventually(caught_up)
        assert stored.order == order
        assert [e.seq for e in stored.events] == list(range(1, order.version + 1))
        assert fold(order.intake, stored.events) == order
        return held

    def requests(self) -> list[str]:
        """The keys of the shipping requests that the warehouse has."""
        return sorted(path.stem for path in (self.folder / "warehouse").glob("*.json"))


@asynccontextmanager
async def surroundings(
    folder: Path,
    *,
    accept: str = "1 hour",
    hold: str = "0 seconds",
    server: Sequence[str] = (),
    up: bool = True,
    shared: bool = False,
    within: float | None = TEST_LIMIT,
    **env: str,
) -> AsyncIterator[Surroundings]:
    """Server (if `up`), mail server, records with the example partners; no worker yet. All ends with the block.

    The records are on the database that is chosen for the tests, unless `env` has a CMI_DATABASE_URL.

    `shared`: a namespace of a server that tests share, in place of a server. Such a test neither stops its server nor
    reads its file, and whatever it connects by itself must be in `Surroundings.namespace`.

    At the end, if the server still runs, no order and no settlement has an empty task.

    If the block takes longer than `within` seconds, it prints what waits for what and raises `TimeoutError`; None for
    one that many tests share.
    """
    async with AsyncExitStack() as stack:
        if "CMI_DATABASE_URL" in env:
            await migrate(Settings.from_env(env).database_url)
        else:
            env["CMI_DATABASE_URL"] = (await stack.enter_async_context(records_copy(folder))).url
        namespace = stack.enter_context(unused_namespace(server)) if shared else None
        around = Surroundings(
            folder, POLICY.format(accept=accept, hold=hold), server, env, namespace
        )
        yield await stack.enter_async_context(_running(around, up, within))


@asynccontextmanager
async def _running(
    around: Surroundings, up: bool, within: float | None
) -> AsyncIterator[Surroundings]:
    watch = within and asyncio.get_running_loop().call_later(within - 1, say_what_waits)
    try:
        async with asyncio.timeout(within):
            if up and not around.shared:
                around.server.start()
            for path in sorted((ROOT / "examples" / "partners").glob("*.json")):
                for partner in read_items(path, Partner):
                    await around.partners.put(partner, datetime.now(UTC))
            await around.inbox.start()
            if up:
                await around.connect()
            yield around
            if around.shared or around.server.is_running:
                await assert_none_has_empty_tasks(around.client)
    finally:
        around.worker_process.kill()
        around.server.kill()
        with suppress(OSError):
            await around.inbox.stop()
        await around.database.close()
        if watch:
            watch.cancel()
