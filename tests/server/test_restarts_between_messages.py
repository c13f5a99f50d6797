"""The worker is restarted between every two messages of every ending: all orders and settlements go on, and agree."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowHistory

from activities.names import SettlementOf
from domain.cantons import pin_calendar
from domain.commands import (
    SYSTEM,
    Accept,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    DecideReview,
    LogContact,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    ReportNotExecuted,
)
from domain.order import GoodsReceived, GoodsShipped, Status
from domain.settlement import SettlementStatus
from domain.settlement_id import settlement_id
from domain.settling_commands import (
    Close,
    ExternalCommand,
    NoteInvoice,
    Select,
    SettlementRequest,
    VoidSettlement,
)
from tests.builders import partner_actor
from tests.empty_tasks import kind
from tests.server.settling import HUBER, NOVEMBER, OCTOBER, Settling, settling
from tests.server.surroundings import Surroundings, eventually
from tests.server.test_restarts import CHECKED, appointment
from tests.workflows.life import OPERATIONS, SHOP, WAREHOUSE, Life
from tests.workflows.replaying import replayer
from workflows import names, settlement_client

PATIENCE = timedelta(seconds=20)
WITHIN = 400.0
Message = Callable[[Life], Awaitable[Any]]
Asked = Callable[[Settling, SettlementOf], Awaitable[Any]]


# --- the messages of orders ------------------------------------------------------------------------------------------


def do(command: Command, actor: Any = None) -> Message:
    """A command whose sender waits."""
    return lambda life: life.do(command, actor)


def tell(command: Command, actor: Any = None, request_id: str = "") -> Message:
    """A command whose sender does not wait."""
    return lambda life: life.tell(command, actor or life.partner, request_id)


def refused(command: Command) -> Message:
    """A command that is refused at once."""
    return lambda life: life.refused(command)


def until(status: Status) -> Message:
    """No message, but a state that has to come first."""
    return lambda life: life.lives.reaches(life, status)  # type: ignore[attr-defined]


async def agree_on_a_date(life: Life) -> None:
    """A visit that begins now."""
    await life.do(appointment())


async def cancel_in_temporal(life: Life) -> None:
    """What the button in the Temporal UI does."""
    await life.handle.cancel()


async def unreadable(life: Life) -> None:
    """A signal that nobody can read."""
    await life.handle.signal("accept", {"nonsense": 1})


def reassign(partner_id: str) -> Message:
    """To another partner, with its calendar."""

    async def message(life: Life) -> None:
        around: Surroundings = life.lives  # type: ignore[assignment]
        partner = await around.partners.get(partner_id)
        assert partner is not None
        calendar = pin_calendar(partner.canton, around.policy, datetime.now(UTC).date())
        command = Reassign(
            partner=around.partners.assignee(partner), calendar=calendar, reason="Ferien"
        )
        await life.do(command, OPERATIONS)

    return message


SHIPPED, RECEIVED = (
    tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE),
    tell(GoodsReceived(), WAREHOUSE),
)
IS_NEW = until(Status.NEW)
CANCEL = do(Cancel(reason="doch nicht"), SHOP)
BILL = do(Bill(settlement_id="V-1"), SYSTEM)
NOT_EXECUTED = (
    IS_NEW,
    do(Accept()),
    do(CHECKED),
    SHIPPED,
    agree_on_a_date,
    do(ReportNotExecuted(reason="other")),
)


@dataclass(frozen=True)
class Ending:
    """How an order comes to its end: what is said to it, one after the other."""

    status: Status
    messages: Sequence[Message]
    changes: Mapping[str, Any] = field(default_factory=dict)


ENDINGS = {
    "executed": Ending(
        Status.BILLED,
        (
            IS_NEW,
            do(Accept()),
            do(LogContact(outcome="reached")),
            do(CHECKED),
            SHIPPED,
            RECEIVED,
            agree_on_a_date,
            do(ConfirmExecution()),
            cancel_in_temporal,  # too late: refused
            BILL,
        ),
    ),
    "requirements-not-met": Ending(
        Status.CANCELLED, (IS_NEW, do(Accept()), do(RejectRequirements(reason="no_space")))
    ),
    "reshipped": Ending(
        Status.BILLED,
        (
            *NOT_EXECUTED,
            do(DecideReview(decision="reship"), OPERATIONS),
            tell(GoodsShipped(tracking="99.00.2"), WAREHOUSE),
            RECEIVED,
            agree_on_a_date,
            do(ConfirmExecution()),
            BILL,
        ),
    ),
    "accepted-as-executed": Ending(
        Status.BILLED,
        (*NOT_EXECUTED, do(DecideReview(decision="accept_as_executed"), OPERATIONS), BILL),
    ),
    "review-cancelled": Ending(
        Status.CANCELLED, (*NOT_EXECUTED, do(DecideReview(decision="cancel"), OPERATIONS))
    ),
    "new-appointment": Ending(
        Status.BILLED,
        (
            *NOT_EXECUTED,
            do(DecideReview(decision="new_appointment"), OPERATIONS),
            agree_on_a_date,
            do(ConfirmExecution()),
            BILL,
        ),
    ),
    "cancelled-early": Ending(Status.CANCELLED, (CANCEL,)),
    "cancelled-late": Ending(
        Status.CANCELLED, (IS_NEW, do(Accept()), do(CHECKED), SHIPPED, CANCEL)
    ),
    "cancelled-in-temporal": Ending(Status.CANCELLED, (IS_NEW, do(Accept()), cancel_in_temporal)),
    "prepaid": Ending(
        Status.CANCELLED,
        (
            tell(PaymentReceived(), SHOP, "payment-1"),
            tell(PaymentReceived(), SHOP, "payment-1"),
            IS_NEW,
            do(Accept()),
            CANCEL,
        ),
        {"prepaid": True},
    ),
    "reassigned": Ending(
        Status.CANCELLED,
        (
            IS_NEW,
            reassign("geneve-pose"),
            reassign("luzern-montage"),
            reassign("geneve-pose"),
            reassign(HUBER),
            do(Accept()),
            CANCEL,
        ),
    ),
    "misunderstood": Ending(
        Status.CANCELLED,
        (
            IS_NEW,
            refused(ConfirmExecution()),
            unreadable,
            tell(ConfirmExecution(), request_id="too-early"),
            tell(ConfirmExecution(), request_id="too-early"),
            do(Accept()),
            refused(ConfirmExecution()),
            refused(ConfirmExecution()),
            do(LogContact(outcome="reached")),
            CANCEL,
        ),
    ),
}


# --- the messages of settlements -------------------------------------------------------------------------------------


def ask(command: ExternalCommand, actor: Any = None) -> Asked:
    """A command to a settlement."""

    async def message(office: Settling, of: SettlementOf) -> None:
        request = SettlementRequest(
            command=command,
            actor=actor or partner_actor(),
            request_id=f"{command.type}-{datetime.now(UTC).isoformat()}",
        )
        await settlement_client.send_settlement_command(office.around.client, of, request, PATIENCE)

    return message


def stands(status: SettlementStatus) -> Asked:
    """No message, but a state that has to come first."""
    return lambda office, of: office.reaches(settlement_id(of.partner_id, of.month), status)


async def draft(office: Settling, of: SettlementOf) -> None:
    """A draft of the invoice."""
    await settlement_client.make_draft(office.around.client, of, PATIENCE)


SETTLEMENTS: Mapping[Any, tuple[SettlementStatus, Sequence[Asked]]] = {
    OCTOBER: (
        SettlementStatus.INVOICED,
        (
            ask(Select(sp_ids=("SP-oct-1",))),
            ask(Select(sp_ids=("SP-oct-1", "SP-oct-2"))),
            ask(Close()),
            stands(SettlementStatus.ISSUED),
            draft,
            draft,
            ask(NoteInvoice(note="per Post"), OPERATIONS),
        ),
    ),
    NOVEMBER: (
        SettlementStatus.VOID,
        (
            ask(Select(sp_ids=("SP-nov-1", "SP-nov-2"))),
            ask(Close()),
            stands(SettlementStatus.ISSUED),
            ask(VoidSettlement(reason="Falscher Monat"), OPERATIONS),
        ),
    ),
}


# --- the test --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """What is said to one workflow, and from which round on."""

    handle: WorkflowHandle[Any, Any]
    begins: int
    messages: Sequence[Callable[[], Awaitable[Any]]]

    async def go_on(self, turn: int) -> None:
        """Say what is to be said in this round, if anything is."""
        number = turn - self.begins
        if 0 <= number < len(self.messages):
            try:
                await self.messages[number]()
            except Exception as error:
                error.add_note(f"message {number} to {self.handle.id}: {error.__cause__}")
                raise

    async def rests(self) -> bool:
        """Whether nothing of it is under way."""
        about = (await self.handle.describe()).raw_description
        return not about.pending_activities and not about.HasField("pending_workflow_task")

    async def history(self) -> WorkflowHistory:
        """Its history."""
        return await self.handle.fetch_history()


async def restart(around: Surroundings) -> None:
    """Stop the worker as an update of the software does, and start another one."""
    around.worker_process.terminate()
    await around.worker_process.exit_code()
    await around.start_worker_process()


async def check_that_no_task_failed(courses: Sequence[Course]) -> None:
    """No worker met a history that it could not go on with."""
    for course in courses:
        failed = [
            event.workflow_task_failed_event_attributes.failure.message
            for event in (await course.history()).events
            if kind(event) == "WORKFLOW_TASK_FAILED"
        ]
        assert not failed, f"{course.handle.id}: {failed}"


async def converse(around: Surroundings, courses: Sequence[Course]) -> None:
    """All that is to be said, a message to each in a round, and a restart after each round.

    In every other round the worker stops while things are under way, in the others when all is done.
    """
    for turn in range(max(course.begins + len(course.messages) for course in courses)):
        try:
            await asyncio.gather(*(course.go_on(turn) for course in courses))
        finally:
            await check_that_no_task_failed(courses)
        if turn % 2:
            for course in courses:
                await eventually(course.rests, 60)
        await restart(around)


async def orders_of(around: Surroundings) -> dict[Life, tuple[Ending, int]]:
    """Two orders for each ending. The second one begins a round later, so that each restart comes in both ways."""
    placed = {}
    for name, ending in ENDINGS.items():
        for begins in (0, 1):
            life = await around.place(f"SP-{name}-{begins}", **ending.changes)
            placed[life] = ending, begins
    return placed


async def test_a_restart_between_every_two_messages_of_every_ending(tmp_path: Path) -> None:
    async with settling(tmp_path, accept="3 seconds", within=WITHIN) as office:
        around = office.around
        for month in ("oct", "nov"):
            await office.complete(f"SP-{month}-{number}" for number in (1, 2))
        await around.start_worker_process()
        placed = await orders_of(around)
        courses = [
            Course(life.handle, begins, [_to(message, life) for message in ending.messages])
            for life, (ending, begins) in placed.items()
        ]
        for month, (_, messages) in SETTLEMENTS.items():
            await office.open(
                "SP-oct-1" if month is OCTOBER else "SP-nov-1", month=month, automatic=True
            )
            of = SettlementOf(partner_id=HUBER, month=month)
            handle = around.client.get_workflow_handle(names.settlement_workflow_id(HUBER, month))
            courses.append(Course(handle, 0, [_about(message, office, of) for message in messages]))
        await converse(around, courses)

        for life, (ending, _) in placed.items():
            result = await asyncio.wait_for(life.handle.result(), 60)
            assert result["status"] == ending.status, life.sp_id
            await around.check_records(life)
        for month, (status, _) in SETTLEMENTS.items():
            number = settlement_id(HUBER, month)
            handle = around.client.get_workflow_handle(names.settlement_workflow_id(HUBER, month))
            assert (await asyncio.wait_for(handle.result(), 60))["status"] == status
            held = await settlement_client.settlement_snapshot(
                around.client, SettlementOf(partner_id=HUBER, month=month)
            )
            stored = await office.settlements.get(number)
            assert stored is not None
            assert stored.settling == held.settling
            assert stored.events == held.events
        await check_that_no_task_failed(courses)
        for course in courses:
            await replayer().replay_workflow(await course.history())
        doubled = [each for each, times in Counter(around.inbox.ids()).items() if times > 1]
        assert not doubled, "no worker was killed"


def _to(message: Message, life: Life) -> Callable[[], Awaitable[Any]]:
    return lambda: message(life)


def _about(message: Asked, office: Settling, of: SettlementOf) -> Callable[[], Awaitable[Any]]:
    return lambda: message(office, of)
