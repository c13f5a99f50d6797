"""The work of a workflow beside its main loop: tasks whose failure is noticed, and lanes that send in order."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, RetryState, is_cancelled_exception

UNTIL_IT_SUCCEEDS = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=5),
)

ATTEMPT_LIMIT = timedelta(seconds=45)
"""Time limit of one attempt of a quick activity."""
LOST_AFTER = timedelta(seconds=20)
"""An attempt without a heartbeat for this long counts as lost and is made again. A process that pauses for 15 seconds
must not lose its attempt: another one would send the same mail meanwhile."""
HEARTBEAT = timedelta(seconds=30)
"""`LOST_AFTER` of activities that take minutes."""


def was_cancelled(error: ActivityError) -> bool:
    """Whether an activity ended because it was cancelled. An attempt that fails after that is not retried."""
    return is_cancelled_exception(error) or error.retry_state is RetryState.CANCEL_REQUESTED


IDLE = timedelta(days=30)
"""How long a workflow sleeps if it waits only for messages."""


class Background:
    """Tasks beside the main loop. If one fails, the main loop fails with it, so that the bug is noticed.

    It also counts the activities that have ended. The main loop wakes up for each of them and starts a new timer, so
    that no workflow task ends without a command: Temporal's SDK may replay a task without one, if an update follows it,
    in another order than it ran (temporalio/sdk-rust#1146), and then the workflow is stuck. Runs that began before this
    was known (`counting` is false) do not count, since their histories have no such timers.
    """

    def __init__(self, *, counting: bool) -> None:
        self.next_run_requested = False
        self._failure: BaseException | None = None
        self._next_runs = 0
        self._counting = counting
        self._completions = 0

    def start_activity(
        self, activity: str, argument: Any, **options: Any
    ) -> workflow.ActivityHandle[Any]:
        """Start an activity. Its end wakes up the main loop, even if another task awaits its result."""
        handle = workflow.start_activity(activity, argument, **options)
        handle.add_done_callback(lambda _handle: self.count_completion())
        return handle

    def request_next_run(self) -> None:
        """Take the signal `names.NEXT_RUN`.

        Workers of releases that did not know this signal ignored it. The replay of such a history must ignore it, too.
        """
        self._next_runs += 1
        if workflow.patched(f"next-run-{self._next_runs}"):
            self.next_run_requested = True

    def count_completion(self) -> None:
        """Count an activity that has ended or a signal that has come, even if it changed nothing."""
        self._completions += 1

    async def sleep(
        self, condition: Callable[[], bool], until: datetime | None, summary: str
    ) -> None:
        """Wait until the condition holds, the instant has come, a task has failed, or a completion was counted."""
        completions = self._completions

        def must_wake() -> bool:
            return (
                condition()
                or self._failure is not None
                or (self._counting and self._completions != completions)
            )

        now = workflow.now()
        if until is None and not self._counting:
            await workflow.wait_condition(must_wake)
            return
        wake = now + IDLE if until is None else until
        if wake > now:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    must_wake, timeout=wake - now, timeout_summary=summary
                )

    async def wait(self, condition: Callable[[], bool], summary: str) -> None:
        """Wait until the condition holds. Raises as `raise_if_failed`."""
        while not condition():
            await self.sleep(condition, None, summary)
            self.raise_if_failed()

    async def wait_at_most(
        self, condition: Callable[[], bool], limit: timedelta, summary: str
    ) -> None:
        """Wait until the condition holds, but no longer than `limit`. Raises as `raise_if_failed`."""
        give_up = workflow.now() + limit
        while not condition() and workflow.now() < give_up:
            await self.sleep(condition, give_up, summary)
            self.raise_if_failed()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task beside the main loop."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_failure)
        return task

    def raise_if_failed(self) -> None:
        """Fail the workflow task if a task beside the main loop has failed.

        The server retries the workflow task until corrected code succeeds. The failure is wrapped in a `RuntimeError`,
        because one of Temporal's own failures would end the workflow.
        """
        if self._failure is not None:
            raise RuntimeError("a background task of the workflow failed") from self._failure

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not is_cancelled_exception(error):
            self._failure = error


class Outgoing(Protocol):
    """Something to be sent."""

    @property
    def lane(self) -> str:
        """Items of one lane are sent one after the other, in their order."""


Item = TypeVar("Item", bound=Outgoing)


class Outcome(Enum):
    """The result of sending an item. After `CANCELLED` it may have to be sent later."""

    SENT = "sent"
    GIVEN_UP = "given up"
    CANCELLED = "cancelled"


class Lanes(Generic[Item]):
    """Queues from which items are sent, each queue in its order. The main loop does not wait for them.

    `send` returns whether an item is done: sent, obsolete or given up. Otherwise it stays in its lane, as all items do
    after `stop`. `pending`: the items of an earlier run, which are sent first, once `start` is called.
    """

    def __init__(
        self,
        background: Background,
        send: Callable[[Item], Awaitable[bool]],
        pending: Iterable[Item] = (),
    ) -> None:
        self._background = background
        self._send = send
        self._stopped = False
        self._queues: dict[str, list[Item]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._in_flight: list[tuple[Item, workflow.ActivityHandle[None]]] = []
        for item in pending:
            self._queues.setdefault(item.lane, []).append(item)

    def start(self) -> None:
        """Start sending what is pending."""
        for lane, queue in self._queues.items():
            if queue:
                self._start_sender(lane)

    def put(self, item: Item) -> None:
        """Send an item after those that are pending in its lane."""
        self._queues.setdefault(item.lane, []).append(item)
        self._start_sender(item.lane)

    async def attempt(self, item: Item, activity: str, summary: str) -> Outcome:
        """Send an item by an activity, which is retried until it succeeds, gives up for good or is cancelled."""
        handle = self._background.start_activity(
            activity,
            item,
            start_to_close_timeout=ATTEMPT_LIMIT,
            heartbeat_timeout=LOST_AFTER,
            retry_policy=UNTIL_IT_SUCCEEDS,
            # Wait for a running attempt: it may have sent the item already.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
        flight = (item, handle)
        self._in_flight.append(flight)
        try:
            await handle
        except ActivityError as error:
            return Outcome.CANCELLED if was_cancelled(error) else Outcome.GIVEN_UP
        finally:
            self._in_flight.remove(flight)
        return Outcome.SENT

    def cancel_where(self, condition: Callable[[Item], bool]) -> None:
        """Cancel the attempts at these items."""
        for item, handle in self._in_flight:
            if condition(item):
                handle.cancel()

    def stop(self) -> None:
        """Cancel all attempts and make no more."""
        self._stopped = True
        self.cancel_where(lambda _item: True)

    @property
    def pending(self) -> tuple[Item, ...]:
        """The items that have not been sent yet, lane by lane."""
        return tuple(item for queue in self._queues.values() for item in queue)

    @property
    def idle(self) -> bool:
        """Whether nothing is being sent."""
        return not self._senders

    def _start_sender(self, lane: str) -> None:
        if lane not in self._senders:
            self._senders[lane] = self._background.start(self._send_all(lane))

    async def _send_all(self, lane: str) -> None:
        queue = self._queues[lane]
        while queue and not self._stopped:
            if await self._send(queue[0]):
                queue.pop(0)
        del self._senders[lane]


class StepActivities:
    """The activities of a step. They are retried until they succeed, or cancelled before the next run."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._stopped = False
        self._in_flight: list[workflow.ActivityHandle[Any]] = []

    def start(self, activity: str, argument: Any, **options: Any) -> workflow.ActivityHandle[Any]:
        """Start one. After `stop` it raises `asyncio.CancelledError`, which ends the step."""
        if self._stopped:
            raise asyncio.CancelledError
        handle = self._background.start_activity(
            activity,
            argument,
            retry_policy=UNTIL_IT_SUCCEEDS,
            # Wait for a running attempt, so that it does nothing after the run has ended.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **options,
        )
        self._in_flight.append(handle)
        return handle

    async def result(self, handle: workflow.ActivityHandle[Any]) -> Any:
        """Wait for its result. Raises `asyncio.CancelledError`, which ends the step, if it was cancelled."""
        try:
            return await handle
        except ActivityError as error:
            if was_cancelled(error):
                raise asyncio.CancelledError from error
            raise
        finally:
            self._in_flight.remove(handle)

    def stop(self) -> None:
        """Cancel all activities and start no more."""
        self._stopped = True
        for handle in self._in_flight:
            handle.cancel()

    @property
    def idle(self) -> bool:
        """Whether none is running."""
        return all(handle.done() for handle in self._in_flight)

    async def wait_until_idle(self) -> None:
        """Wait until none is running."""
        await asyncio.gather(*self._in_flight, return_exceptions=True)
