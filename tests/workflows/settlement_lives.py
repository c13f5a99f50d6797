"""Living a settlement from outside its workflow: by its public messages, under a clock that skips."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts import names
from contracts.activities import SettlementOf, SettlementSnapshot
from contracts.messages import Checked, InvoiceWanted, SettlementAnswer, Upload
from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.months import Month
from domain.policy import Policy
from domain.settlements.commands import ExternalCommand, SettlementRequest
from domain.settlements.invoicing import OwnInvoice
from domain.settlements.settlement import Opening, Settlement
from temporal import settlements
from tests.support.builders import partner_actor
from tests.support.limits import ANSWER_LIMIT, WAIT_LIMIT
from tests.support.settlements import opening as an_opening
from tests.workflows.life import DESK, zurich
from tests.workflows.settlement_outside import SettlementOutside
from workflows.monthly_billing import MonthlyBilling
from workflows.settlement import SettlementWorkflow

FEBRUARY = Month(2028, 2)
"""Of a leap year; the invoice is awaited across the change to summer time."""
FIRST = zurich("2028-03-01 06:00")
CALENDAR = pin_calendar("ZH", Policy(), FIRST.date())


@asynccontextmanager
async def settlement_lives(
    env: WorkflowEnvironment, policy: Policy | None = None, **options: Any
) -> AsyncIterator["SettlementLives"]:
    """Settlements on a server, with workers of all queues, whose policy is the standard one or this.

    `options` are of the worker that has the workflows.
    """
    outside = SettlementOutside()
    outside.policy = policy or Policy()
    async with (
        Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[SettlementWorkflow, MonthlyBilling],
            activities=outside.activities,
            **options,
        ),
        Worker(env.client, task_queue=names.DOCUMENTS_QUEUE, activities=outside.documents),
        Worker(env.client, task_queue=names.INVOICES_QUEUE, activities=outside.invoices),
    ):
        yield SettlementLives(env, outside)


class SettlementLives:
    """A server with workers, and the settlements on it."""

    def __init__(self, env: WorkflowEnvironment, outside: SettlementOutside) -> None:
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
        self, *sp_ids: str, at: datetime | None = None, **changes: object
    ) -> "SettlementLife":
        """Open a settlement with these orders (at an instant to which the clock skips first)."""
        if at is not None:
            await self.until(at)
        of = an_opening(*sp_ids, **{"month": FEBRUARY, "calendar": CALENDAR, **changes})
        actor = SYSTEM if of.automatic else partner_actor(of.partner.partner_id)
        await settlements.start_settlement(self.client, of, actor, DESK, await self.now())
        return SettlementLife(self, of)


class SettlementLife:
    """One settlement on a server."""

    def __init__(self, settlement_lives: SettlementLives, opening: Opening) -> None:
        self.settlement_lives = settlement_lives
        self.of = SettlementOf(partner_id=opening.partner.partner_id, month=opening.month)
        self.partner = partner_actor(opening.partner.partner_id)
        self.settlement_id = opening.settlement_id
        self.handle = settlement_lives.client.get_workflow_handle(
            names.settlement_workflow_id(self.of.partner_id, self.of.month)
        )

    async def do(
        self, command: ExternalCommand, actor: Actor | None = None, request_id: str = ""
    ) -> SettlementAnswer:
        """Send a command and wait for its answer."""
        request = SettlementRequest(
            command=command, actor=actor or self.partner, request_id=request_id or str(uuid.uuid4())
        )
        return await settlements.send_settlement_command(
            self.settlement_lives.client, self.of, request, ANSWER_LIMIT
        )

    async def refused(
        self, command: ExternalCommand, actor: Actor | None = None, request_id: str = ""
    ) -> ApplicationError:
        """Send a command that must be refused; what the refusal says."""
        with pytest.raises(WorkflowUpdateFailedError) as failure:
            await self.do(command, actor, request_id)
        assert isinstance(failure.value.cause, ApplicationError)
        return failure.value.cause

    async def upload(
        self,
        paper_id: str,
        actor: Actor | None = None,
        patience: timedelta = ANSWER_LIMIT,
        returns: int = 0,
    ) -> Checked:
        """Upload an invoice."""
        return await settlements.check_invoice(
            self.settlement_lives.client,
            self.of,
            Upload(paper_id=paper_id, actor=actor or self.partner),
            patience,
            returns,
        )

    async def make(self, number: str, day: date, actor: Actor | None = None) -> Checked:
        """Have an invoice made and handed in."""
        invoice = OwnInvoice(number=number, date=day)
        return await settlements.make_invoice(
            self.settlement_lives.client,
            self.of,
            InvoiceWanted(invoice=invoice, actor=actor or self.partner),
            str(uuid.uuid4()),
            ANSWER_LIMIT,
        )

    async def draft(self) -> str:
        """Have a draft made."""
        request_id = str(uuid.uuid4())
        return await settlements.make_draft(
            self.settlement_lives.client, self.of, request_id, ANSWER_LIMIT
        )

    async def snapshot(self) -> SettlementSnapshot:
        """The settlement and its events, as the workflow holds them."""
        return await settlements.settlement_snapshot(self.settlement_lives.client, self.of)

    async def now(self) -> Settlement:
        """The settlement."""
        return (await self.snapshot()).settlement

    async def events(self) -> list[str]:
        """The types of its events."""
        return [e.event.type for e in (await self.snapshot()).events]

    async def reaches(self, status: str) -> Settlement:
        """Wait until it is in a state."""
        async with asyncio.timeout(WAIT_LIMIT):
            while (settlement := await self.now()).status != status:
                await asyncio.sleep(0.02)
        return settlement

    async def has_accepted(self, updates: int) -> None:
        """Wait until so many updates (papers and commands) are in the history of its present run."""
        accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
        async with asyncio.timeout(WAIT_LIMIT):
            while True:
                history = await self.handle.fetch_history()
                if sum(event.event_type == accepted for event in history.events) >= updates:
                    return
                await asyncio.sleep(0.02)
