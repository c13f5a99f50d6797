"""Replaying a kept history, and seeing what the workflow holds afterwards; workflows changed on purpose."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowRunner,
)
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


def replayer(
    *changed: type, runner: WorkflowRunner | None = None, interceptors: Iterable[Interceptor] = ()
) -> Replayer:
    """A replayer; of the workflows as they are and in the sandbox, if nothing else is said."""
    return Replayer(
        workflows=changed or [ServiceOrder, SettlementWorkflow, MonthlyBilling],
        workflow_runner=runner or SandboxedWorkflowRunner(),
        data_converter=data_converter(),
        interceptors=list(interceptors),
    )


async def timeline(history: WorkflowHistory, *changed: type) -> list[str]:
    """What a replay in the sandbox makes happen to an order or a settlement, and when: a line for each event.

    Temporal compares commands alone. A timer of another length passes, and so does all that comes of it.
    """
    return (await timelines([history], *changed))[history.workflow_id]


async def timelines(
    histories: Iterable[WorkflowHistory], *changed: type, runner: WorkflowRunner | None = None
) -> dict[str, list[str]]:
    """The timelines of several histories by the ids of their workflows, with one replayer.

    Raises an `ExceptionGroup` of the failures. Each has the id of its workflow as a note.
    """
    held, found, failures = _Held(), {}, []

    async def one_by_one() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            held.workflows.clear()
            yield history

    replaying = replayer(*changed, runner=runner, interceptors=[held])
    async with replaying.workflow_replay_iterator(one_by_one()) as replayed:
        async for result in replayed:
            if result.replay_failure:
                result.replay_failure.add_note(result.history.workflow_id)
                failures.append(result.replay_failure)
            found[result.history.workflow_id] = held.lines()
    if failures:
        raise ExceptionGroup("some histories do not replay", failures)
    return found


class _Held(Interceptor):
    """Holds the workflow that is replayed for a look at it, also if it is in the sandbox."""

    def __init__(self) -> None:
        self.workflows: list[Any] = []

    def lines(self) -> list[str]:
        """The events of an order or a settlement; the month's end has none of its own."""
        return [
            f"{e.at.isoformat()} {e.event.type} by {e.author}"
            for held in self.workflows
            if hasattr(held, "snapshot")
            for e in held.snapshot().events
        ]

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        workflows = self.workflows

        class Holding(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                workflows.append(workflow.instance())
                return await super().execute_workflow(input)

        return Holding


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
class WithASlowerClock(ServiceOrder):
    """A change that Temporal does not notice: the same commands, and another story."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> Answer:
        return await super().run(start)

    def _take(self, command: Command, actor: Actor = SYSTEM, at: datetime | None = None) -> None:
        super()._take(command, actor, (at or workflow.now()) + timedelta(milliseconds=1))
