"""Worker and server killed in the middle of lives: everything goes on, nothing is lost, nothing is done twice."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import WorkflowHandle

from contracts import activities
from contracts import names as workflow_names
from domain.actors import SYSTEM
from domain.orders.commands import (
    Accept,
    Bill,
    ConfirmExecution,
    ConfirmRequirements,
    LogContact,
    PaymentReceived,
    SetAppointment,
)
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from domain.orders.shipment import GoodsReceived, GoodsShipped
from records.orders import StoredOrder
from tests.activities.mails import mails_of, one
from tests.server.surroundings import Surroundings, eventually, rests, surroundings
from tests.support.builders import TRANSMITTED
from tests.support.limits import ANSWER_LIMIT
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON
from tests.support.workers import bounded_worker
from tests.workflows.life import DESK, SHOP, WAREHOUSE, Life
from use_cases.orders import PATIENCE, OrderUseCases
from use_cases.principal import Principal
from worker import STICKY_LIMIT
from workflows.background import ATTEMPT_LIMIT

CHECKED = ConfirmRequirements(
    checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
)
SHIPPED = GoodsShipped(tracking="99.00.1")
# An attempt that died with its worker is tried again after 45 seconds, which no test waits for.
IMPATIENT = """
import sys
from datetime import timedelta
from workflows import background, service_order
import worker
background.ATTEMPT_LIMIT = service_order.ATTEMPT_LIMIT = timedelta(seconds=4)
sys.exit(worker.main([]))
"""
HEARTBEAT = timedelta(seconds=5)
STATES = (
    Status.AWAITING_PAYMENT,
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.REQUIREMENTS_MET,
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
)


def appointment() -> SetAppointment:
    """A visit that soon begins, at whatever hour."""
    start = datetime.now(UTC) + timedelta(minutes=5)
    return SetAppointment(start=start, end=start + timedelta(seconds=1), unusual=True)


async def live(
    around: Surroundings, life: Life, since: Status | None, until: Status | None
) -> None:
    """Live an order from one state to another; None is before the first and after the last."""
    begin = -1 if since is None else STATES.index(since)
    end = len(STATES) if until is None else STATES.index(until)
    for state in range(begin + 1, end + 1):
        match state:
            case 1:
                if since is Status.AWAITING_PAYMENT:
                    await life.tell(PaymentReceived(), SHOP)
                await around.reaches(life, Status.NEW)
            case 2:
                await life.do(Accept())
                await life.do(LogContact(outcome="reached"))
            case 3:
                await life.do(CHECKED)
            case 4:
                await life.tell(SHIPPED, WAREHOUSE)
                await life.tell(GoodsReceived(), WAREHOUSE)
            case 5:
                await life.do(appointment())
            case 6:
                await life.do(ConfirmExecution(early=True))
                await life.do(Bill(settlement_id="V-1"), SYSTEM)
    if until is not None:
        await around.reaches(life, until)


async def one_in_each_state(around: Surroundings) -> dict[Life, Status]:
    """Orders in the states that are not a matter of seconds."""
    lives = {
        await around.place(f"SP-{number}", prepaid=number == 0): state
        for number, state in enumerate(STATES)
    }
    await asyncio.gather(*(live(around, life, None, state) for life, state in lives.items()))
    return lives


async def live_to_the_end(around: Surroundings, lives: dict[Life, Status]) -> None:
    """Bring these orders from the states that they are in to their ends, and look back."""
    await asyncio.gather(*(live(around, life, state, None) for life, state in lives.items()))
    for life in lives:
        assert (await life.handle.result())["status"] == "billed"
        await around.check_records(life)
        # The new order, then one that asks for the appointment; two where shipping and receipt were seen apart.
        assert 2 <= len(set(around.inbox.ids(life.sp_id))) <= 3
    assert around.requests() == sorted(f"{life.sp_id}-1" for life in lives)


async def test_the_worker_is_killed_in_the_middle_of_lives(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True, server=OFFERS_LOST_TASKS_SOON) as around:
        around.run_as_worker(IMPATIENT)
        await around.start_worker_process()
        lives = await one_in_each_state(around)
        _, new, checking, *_ = lives

        # Killed while a mail is handed in, and others have work to do that was left as signals.
        around.inbox.keeping.clear()
        late = await around.place("SP-late")
        lives[late] = Status.NEW
        await eventually(lambda: around.inbox.held)
        await checking.tell(CHECKED, checking.partner)
        around.worker_process.kill()
        await eventually(lambda: not around.inbox.held)  # the mail server has seen it go
        around.inbox.keeping.set()
        await new.tell(Accept(), new.partner)
        await around.start_worker_process()
        lives |= {new: Status.CHECK_REQUIREMENTS, checking: Status.REQUIREMENTS_MET}
        for life, state in lives.items():
            await around.reaches(life, state)
        assert Counter(around.inbox.ids()).most_common(1)[0][1] == 1

        # Killed when the mail server has a mail and has not said so: it is sent again, and recognised by its id.
        around.inbox.answering.clear()
        before = len(around.inbox.ids())
        await checking.tell(SHIPPED, WAREHOUSE)
        await eventually(lambda: len(around.inbox.ids()) > before)
        twice = around.inbox.ids()[-1]
        around.worker_process.kill()
        around.inbox.answering.set()
        await around.start_worker_process()
        await checking.tell(GoodsReceived(), WAREHOUSE)
        lives[checking] = Status.SET_APPOINTMENT
        await around.reaches(checking, Status.SET_APPOINTMENT)
        await live_to_the_end(around, lives)
        assert [m for m, times in Counter(around.inbox.ids()).items() if times > 1] == [twice]


async def test_a_command_after_a_kill_is_answered_and_not_only_left_with_the_server(
    tmp_path: Path,
) -> None:
    """The server offers its task to the killed worker first, which had the order in memory, but not for long."""
    async with surroundings(tmp_path, shared=True) as around:
        await around.start_worker_process()
        life = await around.place("SP-1")
        await around.reaches(life, Status.NEW)
        # A task that is under way at a kill is lost for ten seconds, which is not the subject here.
        await eventually(lambda: rests(life.handle))
        around.worker_process.kill()
        desk = OrderUseCases(
            around.client,
            around.orders,
            around.partners,
            around.policies,
            DESK,
            patience=ANSWER_LIMIT,  # how long a new worker takes to start is not the subject either
        )
        partner = Principal(
            role="partner", login_id="1", name="Team", partner_id=life.partner.partner_id
        )
        asked = asyncio.create_task(desk.command(partner, life.sp_id, Accept(), "accept-1"))
        await around.start_worker_process()
        done = await asked
        assert isinstance(done, StoredOrder), "a 200; a 202 has nothing but the order's number"
        assert done.order.status is Status.CHECK_REQUIREMENTS
        # By the server's clock: from the offer to the killed worker until any worker may take the task.
        assert STICKY_LIMIT <= PATIENCE / 2, "as long again is left for the answer"
        (lost,) = await offers_in_vain(life.handle)
        assert STICKY_LIMIT <= lost < timedelta(seconds=5), "the SDK's own limit is ten seconds"


async def offers_in_vain(handle: WorkflowHandle[Any, Any]) -> list[timedelta]:
    """How long each workflow task that no worker took in time was kept for one worker."""
    at: dict[int, datetime] = {}
    waited = []
    for event in (await handle.fetch_history()).events:
        at[event.event_id] = event.event_time.ToDatetime()
        if event.HasField("workflow_task_timed_out_event_attributes"):
            scheduled = event.workflow_task_timed_out_event_attributes.scheduled_event_id
            waited.append(at[event.event_id] - at[scheduled])
    return waited


@workflow.defn(sandboxed=False)
class OneMail:
    """Sends a mail by a worker that must show every few seconds that it lives."""

    @workflow.run
    async def run(self, mail: Mail) -> None:
        """Done when the mail is out."""
        await workflow.execute_activity(
            activities.SEND_MAIL,
            mail,
            task_queue=workflow_names.ORDERS_QUEUE,
            start_to_close_timeout=ATTEMPT_LIMIT,
            heartbeat_timeout=HEARTBEAT,
        )


async def test_a_mail_that_was_under_way_at_a_kill_is_soon_tried_again(tmp_path: Path) -> None:
    async with (
        surroundings(tmp_path, shared=True) as around,
        bounded_worker(around.client, task_queue="test", workflows=[OneMail]),
    ):
        await around.start_worker_process()
        around.inbox.keeping.clear()
        handle = await around.client.start_workflow(
            OneMail.run, one("new_order", mails_of(*TRANSMITTED)), id="one-mail", task_queue="test"
        )
        await eventually(lambda: around.inbox.held)
        # However long the mail server takes: its worker lives.
        await eventually(lambda: is_beating(handle))
        around.worker_process.kill()
        await eventually(lambda: not around.inbox.held)
        around.inbox.keeping.set()
        await around.start_worker_process()
        async with asyncio.timeout(ATTEMPT_LIMIT.total_seconds() / 2):
            await handle.result()
        assert len(around.inbox.ids()) == 1


async def is_beating(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether the first attempt at an activity has shown life after the time within which it must."""
    (pending,) = (await handle.describe()).raw_description.pending_activities
    assert pending.attempt == 1
    since = pending.last_started_time.ToDatetime()
    return pending.last_heartbeat_time.ToDatetime() > since + HEARTBEAT


async def test_the_server_is_killed_and_started_on_its_file(tmp_path: Path) -> None:
    async with surroundings(tmp_path) as around:
        await around.start_worker_process()
        lives = await one_in_each_state(around)
        around.server.kill()
        around.server.start()
        await around.connect()
        assert {life: (await life.order()).status for life in lives} == lives
        await live_to_the_end(around, lives)
        assert set(Counter(around.inbox.ids()).values()) == {1}
