"""Replaying a kept history, and seeing what the workflow holds afterwards; workflows changed on purpose."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.messages import Answer, SettlementAnswer, SettlementStart, Start
    from domain.actors import SYSTEM, Actor
    from domain.orders.commands import Command
    from domain.orders.outgoing import Effect
    from temporal.connection import data_converter
from workflows.monthly_billing import MonthlyBilling
from workflows.service_order import ServiceOrder
from workflows.settlement import SettlementWorkflow

_held: list[ServiceOrder | SettlementWorkflow] = []


def replayer(*changed: type, runner: WorkflowRunner | None = None) -> Replayer:
    """A replayer; of the workflows as they are and in the sandbox, if nothing else is said."""
    return Replayer(
        workflows=changed or [ServiceOrder, SettlementWorkflow, MonthlyBilling],
        workflow_runner=runner or SandboxedWorkflowRunner(),
        data_converter=data_converter(),
    )


async def timeline(history: WorkflowHistory, changed: type | None = None) -> list[str]:
    """What a replay makes happen to an order or a settlement, and when: a line for each event of this run.

    Temporal compares commands alone. A timer of another length passes, and so does all that comes of it.
    """
    _held.clear()
    held_ones = (changed,) if changed else (Held, HeldSettlement, MonthlyBilling)
    await replayer(*held_ones, runner=UnsandboxedWorkflowRunner()).replay_workflow(history)
    if not _held:
        return []  # of the month's end, which has no events of its own
    (held,) = _held
    return [f"{e.at.isoformat()} {e.event.type} by {e.author}" for e in held.snapshot().events]


@workflow.defn(name=names.SERVICE_ORDER)
class Held(ServiceOrder):
    """The workflow as it is, kept for a look at it."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)
        _held.append(self)

    @workflow.run
    async def run(self, start: Start) -> Answer:
        return await super().run(start)


@workflow.defn(name=names.SETTLEMENT)
class HeldSettlement(SettlementWorkflow):
    """The settlement as it is, kept for a look at it."""

    @workflow.init
    def __init__(self, start: SettlementStart) -> None:
        super().__init__(start)
        _held.append(self)

    @workflow.run
    async def run(self, start: SettlementStart) -> SettlementAnswer:
        return await super().run(start)


@workflow.defn(name=names.SETTLEMENT)
class WithoutTheStatement(SettlementWorkflow):
    """A change that running settlements would not survive."""

    @workflow.init
    def __init__(self, start: SettlementStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: SettlementStart) -> SettlementAnswer:
        return await super().run(start)

    async def _close(self) -> None:
        return


@workflow.defn(name=names.SERVICE_ORDER)
class WithOneTimerMore(ServiceOrder):
    """A change that running orders would not survive."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> Answer:
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(start)


@workflow.defn(name=names.SERVICE_ORDER)
class WithOneActivityLess(ServiceOrder):
    """Another one: its mails are not sent."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> Answer:
        return await super().run(start)

    async def _send(self, effect: Effect) -> bool:
        return True


@workflow.defn(name=names.SERVICE_ORDER)
class WithASlowerClock(Held):
    """A change that Temporal does not notice: the same commands, and another story."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> Answer:
        return await super().run(start)

    def _take(self, command: Command, actor: Actor = SYSTEM, at: datetime | None = None) -> None:
        super()._take(command, actor, (at or workflow.now()) + timedelta(milliseconds=1))
