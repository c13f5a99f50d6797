"""Living an order from outside its workflow: by its public messages, under a clock that skips."""

import asyncio
import uuid
from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from contracts import names
from contracts.activities import Snapshot
from contracts.messages import Answer, DisplaySettings
from domain.actors import Actor
from domain.orders.commands import Command
from domain.orders.order import Order
from domain.orders.placement import Intake
from domain.orders.request import Request
from temporal import orders
from tests.support.builders import intake as an_intake
from tests.support.empty_tasks import kind
from tests.support.limits import ANSWER_LIMIT, WAIT_LIMIT
from tests.workflows.outside import Outside

ZURICH = ZoneInfo("Europe/Zurich")
SHOP = Actor(role="shop")
WAREHOUSE = Actor(role="warehouse")
OPERATIONS = Actor(role="operations", name="Anna")
SIGNALED = "WORKFLOW_EXECUTION_SIGNALED"
TASK_STARTED = "WORKFLOW_TASK_STARTED"
DESK = DisplaySettings(public_url="https://cmi.example")


def zurich(text: str) -> datetime:
    """An instant from a wall-clock time in Zürich, "2026-11-27 16:12"."""
    return datetime.fromisoformat(text).replace(tzinfo=ZURICH)


class Lives:
    """A server with a worker, and the orders on it."""

    def __init__(self, env: WorkflowEnvironment, outside: Outside) -> None:
        self.env = env
        self.client = env.client
        self.outside = outside

    async def now(self) -> datetime:
        """The server's time."""
        return await self.env.get_current_time()

    async def until(self, instant: datetime) -> None:
        """Let time pass until then."""
        await self.env.sleep(instant.astimezone(UTC) - await self.now())

    async def start(
        self, intake: Intake | None = None, at: datetime | None = None, **changes: object
    ) -> "Life":
        """Place an order (at an instant to which the clock skips first)."""
        if at is not None:
            await self.until(at)
        now = await self.now()
        intake = intake or an_intake(day=now.date(), **changes)
        await orders.start_order(self.client, intake, DESK, now)
        return Life(self, intake)


class Life:
    """One order on a server."""

    def __init__(self, lives: Lives, intake: Intake) -> None:
        self.lives = lives
        self.sp_id = intake.placement.sp_id
        self.partner = Actor(role="partner", partner_id=intake.partner.partner_id, name="Team")
        self.handle = lives.client.get_workflow_handle(names.order_id(self.sp_id))
        self._signals_may_wait = False

    async def do(
        self, command: Command, actor: Actor | None = None, request_id: str = ""
    ) -> Answer:
        """Send a command as an update and wait for its answer."""
        request = Request(
            command=command, actor=actor or self.partner, request_id=request_id or str(uuid.uuid4())
        )
        await self._until_signals_are_taken()
        return await orders.send_command(self.lives.client, self.sp_id, request, ANSWER_LIMIT)

    async def refused(
        self, command: Command, actor: Actor | None = None, request_id: str = ""
    ) -> ApplicationError:
        """Send a command that must be refused; what the refusal says."""
        with pytest.raises(WorkflowUpdateFailedError) as failure:
            await self.do(command, actor, request_id)
        assert isinstance(failure.value.cause, ApplicationError)
        return failure.value.cause

    async def tell(
        self, command: Command, actor: Actor, request_id: str = "", at: datetime | None = None
    ) -> None:
        """Send a command as a signal."""
        request = Request(
            command=command, actor=actor, request_id=request_id or str(uuid.uuid4()), at=at
        )
        await orders.send_notice(self.lives.client, self.sp_id, request)
        self._signals_may_wait = True

    async def _until_signals_are_taken(self) -> None:
        """Wait until a task with all signals has started, so that an update cannot overtake one (docs/traps.md)."""
        async with asyncio.timeout(WAIT_LIMIT):
            while self._signals_may_wait:
                events = (await self.handle.fetch_history()).events
                not_taken = takewhile(lambda type_: type_ != TASK_STARTED, map(kind, events[::-1]))
                self._signals_may_wait = SIGNALED in not_taken
                if self._signals_may_wait:
                    await asyncio.sleep(0.02)

    async def snapshot(self) -> Snapshot:
        """The order and its events, as the workflow holds them."""
        return await orders.snapshot(self.lives.client, self.sp_id)

    async def order(self) -> Order:
        """The order."""
        return (await self.snapshot()).order

    async def has_ended(self) -> bool:
        """Whether the workflow is closed."""
        history = await self.handle.fetch_history()
        return history.events[-1].HasField("workflow_execution_completed_event_attributes")

    async def events(self) -> list[str]:
        """The types of its events."""
        return [e.event.type for e in (await self.snapshot()).events]
