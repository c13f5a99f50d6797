"""The shell that the workflows of an order and of a settlement share: one run of an entity's life.

An entity workflow holds one value for its whole life. Commands and time change it through events (`domain/`); what
follows from the events is sent, and the records are kept up to date.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.messages import (
    REFUSALS,
    SettlementStart,
    Start,
    fingerprint,
    refusal,
    remember,
)
from domain.actors import SYSTEM, Actor
from domain.values import Value
from workflows.background import Background, Lanes, Outcome, Outgoing
from workflows.saving import SAVE_LIMIT, Recorded, Recorder


class State(Protocol):
    """The value that an entity workflow holds."""

    @property
    def version(self) -> int:
        """The number of its last event."""

    @property
    def status(self) -> str:
        """Its state."""


StateT = TypeVar("StateT", bound=State)
CommandT = TypeVar("CommandT", bound=Value)
EventT = TypeVar("EventT", bound=Recorded)
ItemT = TypeVar("ItemT", bound=Outgoing)


class EntityWorkflow(ABC, Generic[StateT, CommandT, EventT, ItemT]):
    """Takes commands, keeps deadlines, sends, records, shows its state, and continues as new.

    Commands and deadlines do not wait for sending or recording: lanes send the items, and a separate loop writes the
    records. A subclass implements what differs between entities.

    Class attributes:
        save_activity: the activity that writes the records.
        save_limit: how long one attempt at it may take.
    """

    save_activity: str
    save_limit = SAVE_LIMIT

    def __init__(
        self,
        start: Start | SettlementStart,
        state: StateT,
        events: Iterable[EventT],
        unsaved: Iterable[EventT],
        outbox: Iterable[ItemT],
    ) -> None:
        """Begin a run with this state.

        `events`: those that the `snapshot` query returns. `unsaved`: those that the records may lack. `outbox`: the
        items that have not been sent, lane by lane.
        """
        self._display = start.desk
        self._shell = start.shell
        self._state = state
        self._events = list(events)
        self._answered = dict(start.carried.answered) if start.carried is not None else {}
        self._background = Background(counting=start.shell >= 2)
        self._outgoing = Lanes(self._background, self._send, outbox)
        self._records = Recorder(
            self._background, self.save_activity, unsaved, limit=self.save_limit
        )
        self._shown = workflow.info().typed_search_attributes

    async def _run_until_finished(self) -> None:
        """Run until the entity is finished and everything has been sent and recorded."""
        recorder = self._background.start(self._keep_records())
        self._outgoing.start()
        self._show()
        while not self._is_over():
            try:
                if self._must_continue_as_new():
                    if self._shell >= 2:  # wait only briefly: the database may be away
                        self._records.stop()
                        summary = "Records before the next run"
                        await self._background.wait_at_most(recorder.done, SAVE_LIMIT, summary)
                    recorder.cancel()
                    await self._continue_as_new()
                self._start_work()
                await self._sleep()
            except asyncio.CancelledError:
                self._take_cancellation()
            self._background.raise_if_failed()
        recorder.cancel()

    # --- commands ------------------------------------------------------------------------------------------------

    def _check(self, command: CommandT, actor: Actor, request_id: str) -> None:
        """Validate an update. The same request may come again. A refused update leaves no trace in the history.

        Raises:
            ApplicationError: of type `Refused`, `Invalid` or `RequestIdReused`.
        """
        known = self._answered.get(request_id)
        if known:
            if known != fingerprint(command):
                raise ApplicationError(
                    "the same request id came with another command", type=names.ID_REUSED
                )
            return
        try:
            self._handle(command, actor, workflow.now())
        except REFUSALS as error:
            raise refusal(error) from error

    def _take_once(self, command: CommandT, actor: Actor, request_id: str) -> None:
        """Take the command of an update, unless the same request has been answered before.

        Raises:
            ApplicationError: of type `Refused` or `Invalid`.
        """
        if self._answered.get(request_id):
            return
        try:
            self._take(command, actor)
        except REFUSALS as error:
            raise refusal(error) from error
        remember(self._answered, request_id, fingerprint(command))

    def _take(self, command: CommandT, actor: Actor = SYSTEM, at: datetime | None = None) -> None:
        """Apply a command as of `at` (by default now): change the state, record the events, send what follows."""
        before = self._state
        self._state, events = self._handle(command, actor, at or workflow.now())
        if not events:
            return
        self._events.extend(events)
        self._records.add(events)
        for item in self._follow_ups(before, events):
            self._outgoing.put(item)
        self._after_change()
        self._outgoing.cancel_where(self._is_obsolete)
        self._show()

    def _take_cancellation(self) -> None:
        """Treat a cancellation of the workflow in Temporal as a command of operations, which may be refused."""
        try:
            self._take(self._cancellation(), Actor(role="operations", name="Temporal"))
        except REFUSALS:
            workflow.logger.warning("cancellation refused in state %s", self._state.status)

    @workflow.signal(name=names.NEXT_RUN, description="Go on in a new run, with today's shell.")
    def next_run(self) -> None:
        """Go on in a new run, which works as today's release does."""
        self._background.count_completion()
        self._background.request_next_run()

    # --- time ----------------------------------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return (
            self._is_finished()
            and not self._outgoing.pending
            and self._outgoing.idle
            and not self._records.unsaved
            and workflow.all_handlers_finished()
        )

    def _must_continue_as_new(self) -> bool:
        return self._background.next_run_requested or workflow.info().is_continue_as_new_suggested()

    async def _sleep(self) -> None:
        """Wait for the next instant at which something is due, or for a change that the main loop has to see."""
        watched, wake = self._watched(), self._next_instant()
        await self._background.sleep(
            lambda: self._watched() != watched or self._is_over() or self._must_continue_as_new(),
            wake,
            self._wake_summary(wake) if wake is not None else "Waits for messages",
        )
        wake = self._next_instant()
        if wake is not None and wake <= workflow.now():
            self._pass_time()

    # --- sending, recording, showing -----------------------------------------------------------------------------

    async def _send(self, item: ItemT) -> bool:
        """Send an item. Returns False if the attempt was cancelled and the next run may have to repeat it."""
        if self._is_obsolete(item):
            return True
        activity, summary = self._sent_by(item)
        outcome = await self._outgoing.attempt(item, activity, summary)
        self._note_outcome(item, outcome)
        return outcome is not Outcome.CANCELLED

    async def _keep_records(self) -> None:
        await self._records.run(
            self._snapshot, lambda: self._state.version, self._tries_to_save_locally
        )

    def _tries_to_save_locally(self) -> bool:
        """Whether the records are written by a local activity first, as in runs of the first shell."""
        return self._shell < 2

    def _show(self) -> None:
        """Show operations the state; search attributes only when they change (docs/traps.md, "Costs")."""
        workflow.set_current_details(self._details())
        changes = self._search_attributes(self._shown)
        if changes:
            workflow.upsert_search_attributes(changes)
            self._shown = workflow.info().typed_search_attributes

    # --- the next run --------------------------------------------------------------------------------------------

    async def _continue_as_new(self) -> None:
        """Go on in a new run. Unfinished work is done there; no new work is started here."""
        await self._stop_work()
        await self._background.wait(
            lambda: self._work_has_stopped() and workflow.all_handlers_finished(),
            "Goes on in a new run",
        )
        workflow.continue_as_new(self._next_start())

    async def _stop_work(self) -> None:
        """Cancel the activities under way and start no more."""
        self._outgoing.stop()

    def _work_has_stopped(self) -> bool:
        return self._outgoing.idle

    # --- what a subclass implements ------------------------------------------------------------------------------

    @abstractmethod
    def _handle(
        self, command: CommandT, actor: Actor, at: datetime
    ) -> tuple[StateT, tuple[EventT, ...]]:
        """The state after a command, and its events: `handle` of the entity's `lifecycle`."""

    @abstractmethod
    def _cancellation(self) -> CommandT:
        """The command that a cancellation in Temporal stands for."""

    @abstractmethod
    def _is_finished(self) -> bool:
        """Whether nothing can change the state any more."""

    @abstractmethod
    def _next_instant(self) -> datetime | None:
        """The next instant at which something is due; None if nothing is."""

    @abstractmethod
    def _watched(self) -> object:
        """A value that wakes up the main loop when it changes."""

    @abstractmethod
    def _pass_time(self) -> None:
        """Do what is due now."""

    def _start_work(self) -> None:
        """Start the work that the state asks for, if any. The main loop calls this each time it wakes up."""

    def _after_change(self) -> None:
        """Adapt to a changed state."""

    @abstractmethod
    def _follow_ups(self, before: StateT, events: tuple[EventT, ...]) -> Iterable[ItemT]:
        """The items to send because of these events."""

    @abstractmethod
    def _is_obsolete(self, item: ItemT) -> bool:
        """Whether an item that has not been sent is no longer needed."""

    @abstractmethod
    def _sent_by(self, item: ItemT) -> tuple[str, str]:
        """The activity that sends an item, and its summary."""

    @abstractmethod
    def _note_outcome(self, item: ItemT, outcome: Outcome) -> None:
        """Take note of the result of sending an item."""

    @abstractmethod
    def _snapshot(self, events: tuple[EventT, ...]) -> Value:
        """What is written to the records: the state, with these events."""

    @abstractmethod
    def _wake_summary(self, wake: datetime) -> str:
        """What a timer waits for, in one line."""

    @abstractmethod
    def _details(self) -> str:
        """The state as operations read it in the Temporal UI (Markdown)."""

    @abstractmethod
    def _search_attributes(self, shown: TypedSearchAttributes) -> list[SearchAttributeUpdate[Any]]:
        """The updates that bring the lists of the Temporal UI up to date; empty if they are."""

    @abstractmethod
    def _next_start(self) -> Value:
        """What the next run starts with."""
