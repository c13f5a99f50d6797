"""Writes snapshots of a workflow's state to the records."""

from collections.abc import Callable, Iterable
from contextvars import copy_context
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.background import UNTIL_IT_SUCCEEDS, Background

LOST_AFTER = timedelta(seconds=5)
"""A write without a heartbeat for this long is made again. A repeated write changes nothing."""
SAVE_LIMIT = timedelta(seconds=10)
"""Time limit of one attempt to write an order. If a worker dies, the write is made again after this time."""

# How long a local write may hold up its workflow task, in runs that still have them.
LOCAL_WRITE_LIMIT = timedelta(seconds=2)


class Recorded(Protocol):
    """A recorded event."""

    @property
    def seq(self) -> int:
        """Its number, from 1."""


Event = TypeVar("Event", bound=Recorded)


class Recorder(Generic[Event]):
    """Writes each change of a workflow's state to the records, several changes at once, however long that takes.

    It uses an ordinary activity: the server hands it to a worker only after it has stored the workflow task that
    started it, so the records never hold what Temporal does not know. `limit` is for one attempt.

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
        self._cause = copy_context()

    def add(self, events: Iterable[Event]) -> None:
        """Write these as well. The write gets the caller's context, with the trace of the message that caused them."""
        self.unsaved.extend(events)
        self._cause = copy_context()

    def stop(self) -> None:
        """Start no more writes; `run` ends after the current one."""
        self._stopped = True

    async def run(
        self,
        snapshot: Callable[[tuple[Event, ...]], Any],
        version: Callable[[], int],
        tries_locally: Callable[[], bool],
    ) -> None:
        """Write until stopped or cancelled.

        `snapshot`: what to write, given the unsaved events; `version`: the version that it has. `tries_locally`:
        whether a local activity is tried first, as in runs that began before `names.SHELL` was 2.
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
        await self._cause.run(
            self._background.start_activity,
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
