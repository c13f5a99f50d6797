"""What a workflow does beside its main loop: tasks whose mistakes are seen, lanes in which things leave in order."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, RetryState, is_cancelled_exception

Item = TypeVar("Item")
UNTIL_IT_SUCCEEDS = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=5),
)

ATTEMPT_LIMIT = timedelta(seconds=45)
"""For one attempt of an activity that is quick."""
LOST_AFTER = timedelta(seconds=20)
"""An attempt without a sign of life for so long is begun again. A process that stood still for a quarter of a minute
must not find, when it wakes up, that its mail was sent by another one."""


class Outcome(Enum):
    """What came of letting a thing out. One that was called back may still be needed later."""

    OUT = "out"
    GIVEN_UP = "given up"
    CALLED_BACK = "called back"


def called_back(error: ActivityError) -> bool:
    """Whether an activity ended because it was cancelled. An attempt that fails after that is not retried."""
    return is_cancelled_exception(error) or error.retry_state is RetryState.CANCEL_REQUESTED


IDLE = timedelta(days=30)
"""How long a workflow sleeps that waits for nothing but messages."""


class Background:
    """Tasks beside the main loop. A mistake of ours in one must not stay unseen: the main loop fails with it.

    It also counts the activities that have ended (`ended`). The main loop wakes up for each of them and sets its timer
    anew, so that no workflow task ends without a command: Temporal's SDK may replay a task without one, if an update
    follows it, in another order than it ran (temporalio/sdk-rust#1146), and then the workflow is stuck. Runs that began
    before this was known (`counting` is false) do not count, since their histories have no such timers.
    """

    def __init__(self, *, counting: bool) -> None:
        self.broken: BaseException | None = None
        self.next_run_asked = False
        self._next_runs = 0
        self._counting = counting
        self._ended = 0

    def start_activity(
        self, activity: str, argument: Any, **options: Any
    ) -> workflow.ActivityHandle[Any]:
        """Start an activity whose end wakes up the main loop, whoever waits for its result."""
        handle = workflow.start_activity(activity, argument, **options)
        handle.add_done_callback(lambda _handle: self.count_end())
        return handle

    def ask_for_next_run(self) -> None:
        """Take the signal `names.NEXT_RUN`.

        A worker of before there was this signal has left it aside, and then a replay must do the same.
        """
        self._next_runs += 1
        if workflow.patched(f"next-run-{self._next_runs}"):
            self.next_run_asked = True

    def count_end(self) -> None:
        """Something has ended that may have changed nothing: an activity, a signal."""
        self._ended += 1

    async def sleep(
        self, condition: Callable[[], bool], until: datetime | None, summary: str
    ) -> None:
        """Wait until the condition holds, the instant has come, or something has ended."""
        ended = self._ended

        def must_wake() -> bool:
            return (
                condition() or self.broken is not None or (self._counting and self._ended != ended)
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
        """Wait until the condition holds; fail if a task beside the main loop did."""
        while not condition():
            await self.sleep(condition, None, summary)
            self.stop_if_broken()

    async def wait_at_most(
        self, condition: Callable[[], bool], limit: timedelta, summary: str
    ) -> None:
        """Wait until the condition holds, but for no longer than that."""
        give_up = workflow.now() + limit
        while not condition() and workflow.now() < give_up:
            await self.sleep(condition, give_up, summary)
            self.stop_if_broken()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work beside the main loop."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._look)
        return task

    def stop_if_broken(self) -> None:
        """Fail the workflow task, which is seen and tried again, with mended code if need be.

        Never the workflow itself, as a failure of Temporal's kind would if it were raised as it is.
        """
        if self.broken is not None:
            raise RuntimeError("what the workflow does in the background broke") from self.broken

    def _look(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not is_cancelled_exception(error):
            self.broken = error


class Lanes(Generic[Item]):
    """Queues by which things leave, each in its order; nobody waits for them.

    `send` says whether a thing is out or given up; if not, it stays in its lane, as all do once stopped. What `waiting`
    holds from an earlier run, lane by lane, leaves first, from `begin` on.
    """

    def __init__(
        self,
        background: Background,
        send: Callable[[Item], Awaitable[bool]],
        waiting: Iterable[tuple[str, Item]] = (),
    ) -> None:
        self._background = background
        self._send = send
        self._stopped = False
        self._queues: dict[str, list[Item]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._in_flight: list[tuple[Item, workflow.ActivityHandle[None]]] = []
        for lane, item in waiting:
            self._queues.setdefault(lane, []).append(item)

    def begin(self) -> None:
        """Let leave what waits."""
        for lane, queue in self._queues.items():
            if queue:
                self._work(lane)

    def put(self, lane: str, item: Item) -> None:
        """Let a thing leave after those that wait in its lane."""
        self._queues.setdefault(lane, []).append(item)
        self._work(lane)

    async def attempt(self, item: Item, activity: str, summary: str) -> Outcome:
        """Have an activity let a thing out, until it succeeds or says that it never will."""
        handle = self._background.start_activity(
            activity,
            item,
            start_to_close_timeout=ATTEMPT_LIMIT,
            heartbeat_timeout=LOST_AFTER,
            retry_policy=UNTIL_IT_SUCCEEDS,
            # An attempt under way is waited for, so that nothing is sent of which nobody knows.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
        flight = (item, handle)
        self._in_flight.append(flight)
        try:
            await handle
        except ActivityError as error:
            return Outcome.CALLED_BACK if called_back(error) else Outcome.GIVEN_UP
        finally:
            self._in_flight.remove(flight)
        return Outcome.OUT

    def call_back(self, lost_its_sense: Callable[[Item], bool]) -> None:
        """Stop the attempts at things that need not go out any more."""
        for item, handle in self._in_flight:
            if lost_its_sense(item):
                handle.cancel()

    def stop(self) -> None:
        """Stop all attempts, and begin none any more."""
        self._stopped = True
        self.call_back(lambda _item: True)

    @property
    def waiting(self) -> tuple[Item, ...]:
        """What has not left yet, lane by lane."""
        return tuple(item for queue in self._queues.values() for item in queue)

    @property
    def idle(self) -> bool:
        """Whether nothing is being sent."""
        return not self._senders

    def _work(self, lane: str) -> None:
        if lane not in self._senders:
            self._senders[lane] = self._background.begin(self._send_all(lane))

    async def _send_all(self, lane: str) -> None:
        queue = self._queues[lane]
        while queue and not self._stopped:
            if await self._send(queue[0]):
                queue.pop(0)
        del self._senders[lane]


class Parts:
    """The parts of a step: activities that are done again until they succeed, or are left to the next run."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._stopped = False
        self._in_flight: list[workflow.ActivityHandle[Any]] = []

    def start(self, activity: str, argument: Any, **options: Any) -> workflow.ActivityHandle[Any]:
        """Begin one. The step ends here if the run does."""
        if self._stopped:
            raise asyncio.CancelledError
        handle = self._background.start_activity(
            activity,
            argument,
            retry_policy=UNTIL_IT_SUCCEEDS,
            # What is under way is waited for, so that nothing comes of a run that is over.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **options,
        )
        self._in_flight.append(handle)
        return handle

    async def finished(self, handle: workflow.ActivityHandle[Any]) -> Any:
        """What came of it. The step ends here if it was called back."""
        try:
            return await handle
        except ActivityError as error:
            if called_back(error):
                raise asyncio.CancelledError from error
            raise
        finally:
            self._in_flight.remove(handle)

    def stop(self) -> None:
        """Begin nothing any more, and cancel what is under way."""
        self._stopped = True
        for handle in self._in_flight:
            handle.cancel()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return all(handle.done() for handle in self._in_flight)

    async def ended(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*self._in_flight, return_exceptions=True)
