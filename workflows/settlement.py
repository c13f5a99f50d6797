"""One settlement as a durable workflow: claims orders, has the statement made, waits for the invoice."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.messages import (
        SettlementAnswer,
        SettlementCarried,
        SettlementStart,
    )
    from domain.actors import Actor
    from domain.settlements import deadlines, lifecycle
    from domain.settlements.commands import (
        Command,
        NoteReleased,
        NoteUndelivered,
        PassTime,
        SettlementRequest,
        TakeClaims,
        TakeStatement,
        VoidSettlement,
    )
    from domain.settlements.events import SettlementRecorded
    from domain.settlements.lines import CorrectionLine
    from domain.settlements.mails import SettlementMail, is_obsolete, settlement_mails
    from domain.settlements.settlement import Settlement, SettlementStatus, Statement
    from workflows.background import ATTEMPT_LIMIT, HEARTBEAT, Outcome, StepActivities
    from workflows.order_batches import OrderBatches
    from workflows.paper_activities import DOCUMENT_LIMIT
    from workflows.settlement_display import details, search_attributes, wake_summary
    from workflows.settlement_papers import SettlementPapersWorkflow

# Runs of the first shell write a settlement with more orders by an ordinary activity: a local one would take too long.
LOCAL_WRITE_ORDERS = 300


@workflow.defn(name=names.SETTLEMENT)
class SettlementWorkflow(SettlementPapersWorkflow):
    """The life of one settlement. Its rules are in `domain/settlements/`; `entity.py` has what it shares with an order.

    Commands and invoices (`settlement_papers.py`) come as updates. A validator refuses them, which leaves no trace.
    Orders are claimed and released in steps beside the main loop. Each step is retried until it succeeds; an
    interrupted one goes on in the next run.
    """

    save_activity = activities.SAVE_SETTLEMENT
    save_limit = timedelta(minutes=2)

    @workflow.init
    def __init__(self, start: SettlementStart) -> None:
        carried = start.carried
        if carried is not None:
            unsaved = carried.unsaved
            super().__init__(start, carried.settlement, unsaved, unsaved, carried.outbox)
        else:
            assert start.opening is not None, (
                "a workflow starts from an opening or from an earlier run"
            )
            assert start.opened_at is not None, "a settlement's clock runs from its opening"
            settlement, events = lifecycle.open_settlement(
                start.opening, start.opened_by, start.opened_at
            )
            super().__init__(start, settlement, events, events, ())
        self._step: asyncio.Task[None] | None = None
        self._step_activities = StepActivities(self._background)
        self._batches = OrderBatches(self._step_activities, self._id, carried)

    @workflow.run
    async def run(self, start: SettlementStart) -> SettlementAnswer:
        """Run until the settlement is paid or void and everything that has to be sent has been sent."""
        if start.carried is not None:
            lifecycle.check_understood(start.carried.settlement)
        await self._run_until_finished()
        return self._answer()

    # --- messages ------------------------------------------------------------------------------------------------

    @workflow.update(name=names.COMMAND, description="A command of domain/settlements/commands.py.")
    def command(self, request: SettlementRequest) -> SettlementAnswer:
        """Take a command and answer with the settlement's new version and state.

        Raises:
            ApplicationError: of type `Refused` or `RequestIdReused`, with what the caller needs in its details.
        """
        self._take_once(request.command, request.actor, request.request_id)
        return self._answer()

    @command.validator
    def _check_command(self, request: SettlementRequest) -> None:
        self._check(request.command, request.actor, request.request_id)

    @workflow.query(name=names.SNAPSHOT, description="The settlement and its events.")
    def snapshot(self) -> activities.SettlementSnapshot:
        """The settlement as the records hold it once they have caught up, with the events of this run."""
        return self._snapshot(tuple(self._events))

    # --- the settlement ------------------------------------------------------------------------------------------

    def _handle(
        self, command: Command, actor: Actor, at: datetime
    ) -> tuple[Settlement, tuple[SettlementRecorded, ...]]:
        return lifecycle.handle(self._state, command, actor, at)

    def _answer(self) -> SettlementAnswer:
        now = self._state
        return SettlementAnswer(version=now.version, status=now.status, digest=now.digest)

    def _cancellation(self) -> VoidSettlement:
        return VoidSettlement(reason="Cancelled in the Temporal UI")

    def _is_finished(self) -> bool:
        return self._state.is_over

    def _after_change(self) -> None:
        if self._state.status is not SettlementStatus.ISSUED:
            self._papers.cancel()

    def _next_instant(self) -> datetime | None:
        return deadlines.next_instant(self._state)

    def _watched(self) -> int:
        return self._state.version

    def _pass_time(self) -> None:
        self._take(PassTime())

    # --- closing and releasing -----------------------------------------------------------------------------------

    def _start_work(self) -> None:
        if self._step is not None and not self._step.done():
            return
        settlement = self._state
        if settlement.status is SettlementStatus.CLOSING:
            self._step = self._background.start(self._close())
        elif settlement.status is SettlementStatus.VOID and not settlement.released:
            self._step = self._background.start(self._release())

    async def _close(self) -> None:
        """Claim the orders, take the corrections, have the statement made."""
        if not self._state.claimed:
            await self._ask_orders(activities.CLAIM_ORDERS, "claim")
            corrections = await self._do(
                activities.TAKE_CORRECTIONS,
                self._id,
                result_type=tuple[CorrectionLine, ...],
                start_to_close_timeout=ATTEMPT_LIMIT,
                summary="corrections of this settlement",
            )
            self._take(
                TakeClaims(
                    refused=tuple(self._batches.refused),
                    corrections=corrections,
                    fees=self._batches.fees,
                )
            )
            self._batches.reset()
        if self._state.status is not SettlementStatus.CLOSING:
            return
        # The statement is made from the records, so they must be up to date.
        await workflow.wait_condition(lambda: not self._records.unsaved)
        settlement = self._state
        statement = await self._do(
            activities.MAKE_STATEMENT,
            activities.StatementWanted(
                settlement=self._id,
                version=settlement.version,
                created=settlement.opening.calendar.local(workflow.now()).date(),
            ),
            result_type=Statement,
            task_queue=names.DOCUMENTS_QUEUE,
            start_to_close_timeout=DOCUMENT_LIMIT,
            heartbeat_timeout=HEARTBEAT,
            summary=f"statement of {len(settlement.picked)} orders",
        )
        self._take(TakeStatement(statement=statement))

    async def _release(self) -> None:
        """Release the orders and the corrections of a voided settlement."""
        await self._ask_orders(activities.RELEASE_ORDERS, "set free")
        await self._do(
            activities.RELEASE_CORRECTIONS,
            self._id,
            start_to_close_timeout=ATTEMPT_LIMIT,
            summary="corrections for the next settlement",
        )
        self._take(NoteReleased())

    async def _ask_orders(self, activity: str, what: str) -> None:
        await self._batches.ask(activity, what, self._state.picked, self._show)

    async def _do(self, activity: str, argument: Any, **options: Any) -> Any:
        """The result of one activity of a step."""
        return await self._step_activities.result(
            self._step_activities.start(activity, argument, **options)
        )

    # --- sending and recording -----------------------------------------------------------------------------------

    def _follow_ups(
        self, before: Settlement, events: tuple[SettlementRecorded, ...]
    ) -> Iterable[SettlementMail]:
        return settlement_mails(before, events, self._display.language)

    def _is_obsolete(self, item: SettlementMail) -> bool:
        return is_obsolete(item, self._state)

    def _sent_by(self, item: SettlementMail) -> tuple[str, str]:
        return activities.SEND_SETTLEMENT_MAIL, f"{item.kind} to {item.audience}"

    def _note_outcome(self, item: SettlementMail, outcome: Outcome) -> None:
        if outcome is Outcome.GIVEN_UP:
            self._take(NoteUndelivered(key=item.key, mail=item.kind))

    def _snapshot(self, events: tuple[SettlementRecorded, ...]) -> activities.SettlementSnapshot:
        return activities.SettlementSnapshot(
            settlement=self._state, events=events, shell=self._shell
        )

    def _tries_to_save_locally(self) -> bool:
        orders = len(self._state.picked) + len(self._state.left_out)
        return super()._tries_to_save_locally() and orders <= LOCAL_WRITE_ORDERS

    # --- the Temporal UI -----------------------------------------------------------------------------------------

    def _wake_summary(self, wake: datetime) -> str:
        return wake_summary(self._state, wake, self._display.language)

    def _details(self) -> str:
        return details(self._state, self._batches.asked, self._display)

    def _search_attributes(self, shown: TypedSearchAttributes) -> list[SearchAttributeUpdate[Any]]:
        return search_attributes(self._state, shown)

    # --- the next run --------------------------------------------------------------------------------------------

    async def _stop_work(self) -> None:
        self._papers.stop()
        await super()._stop_work()
        self._step_activities.stop()
        if self._shell < 2:
            await self._step_activities.wait_until_idle()

    def _work_has_stopped(self) -> bool:
        return super()._work_has_stopped() and self._step_activities.idle

    def _next_start(self) -> SettlementStart:
        carried = SettlementCarried(
            settlement=self._state,
            unsaved=tuple(self._records.unsaved),
            outbox=self._outgoing.pending,
            answered=self._answered,
            asked=self._batches.asked,
            refused=tuple(self._batches.refused),
            fees=self._batches.fees,
        )
        return SettlementStart(desk=self._display, shell=names.SHELL, carried=carried)
