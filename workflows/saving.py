"""Writing a snapshot to the records from a workflow: after Temporal has kept it, however long the database is away."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.background import UNTIL_IT_SUCCEEDS, Background

LOST_AFTER = timedelta(seconds=5)
"""A write without a sign of life for so long is begun again: twice is once."""
SAVE_LIMIT = timedelta(seconds=10)
"""For one attempt to write an order. What a dead worker has begun is begun again after it."""

# How long a local write, of runs that still have them, may hold up its workflow task.
LOCAL_WRITE_LIMIT = timedelta(seconds=2)


class Recorded(Protocol):
    """An event in its place."""

    @property
    def seq(self) -> int:
        """Its number, from 1."""


Event = TypeVar("Event", bound=Recorded)


class Recorder(Generic[Event]):
    """Has the records hold each change of a workflow's state, several in one go.

    By an ordinary activity: the server hands it to a worker only once it has kept the workflow task that asks for it,
    so nothing is written that Temporal does not know. `limit` is for one attempt.

    Attributes:
        unsaved: events that the records may lack.
    """

    def __init__(
        self, background: Background, activity: str, unsaved: Iterable[Event], *, limit: timedelta
    ) -> None:
        self.unsaved = list(unsaved)
        self._background = background
        self._activity = activity
        self._limit = limit
        self._stopped = False

    def stop(self) -> None:
        """Begin no write any more; `run` ends with the one under way."""
        self._stopped = True

    async def run(
        self,
        snapshot: Callable[[tuple[Event, ...]], Any],
        version: Callable[[], int],
        tries_locally: Callable[[], bool],
    ) -> None:
        """Write until stopped or cancelled: the snapshot with these events, of this version.

        `tries_locally`: whether a local activity is tried first, as in runs that began before `names.SHELL` was 2.
        """
        while True:
            await workflow.wait_condition(lambda: bool(self.unsaved) or self._stopped)
            if self._stopped:
                return
            held, written = snapshot(tuple(self.unsaved)), version()
            if not (tries_locally() and await self._save_locally(held, written)):
                await self._save(held, written)
            self.unsaved = [event for event in self.unsaved if event.seq > written]

    async def _save(self, snapshot: Any, version: int) -> None:
        await self._background.start_activity(
            self._activity,
            snapshot,
            start_to_close_timeout=self._limit,
            heartbeat_timeout=LOST_AFTER,
            retry_policy=UNTIL_IT_SUCCEEDS,
            summary=f"version {version}",
        )

    async def _save_locally(self, snapshot: Any, version: int) -> bool:
        try:
            await workflow.execute_local_activity(
                self._activity,
                snapshot,
                schedule_to_close_timeout=LOCAL_WRITE_LIMIT,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"version {version}",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return False
        return True
