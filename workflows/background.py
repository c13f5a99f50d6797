"""What a workflow does beside its main loop: tasks whose mistakes are seen, lanes in which things leave in order."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from temporalio.exceptions import is_cancelled_exception

Item = TypeVar("Item")


class Background:
    """Tasks beside the main loop. A mistake of ours in one must not stay unseen: the main loop fails with it."""

    def __init__(self) -> None:
        self.broken: BaseException | None = None

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

    `send` says whether a thing is out or given up; if not, it stays in its lane, as all do once `stopped`.
    """

    def __init__(self, background: Background, send: Callable[[Item], Awaitable[bool]]) -> None:
        self.stopped = False
        self._background = background
        self._send = send
        self._queues: dict[str, list[Item]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}

    def put(self, lane: str, item: Item) -> None:
        """Let a thing leave after those that wait in its lane."""
        self._queues.setdefault(lane, []).append(item)
        if lane not in self._senders:
            self._senders[lane] = self._background.begin(self._send_all(lane))

    @property
    def waiting(self) -> tuple[Item, ...]:
        """What has not left yet, lane by lane."""
        return tuple(item for queue in self._queues.values() for item in queue)

    @property
    def idle(self) -> bool:
        """Whether nothing is being sent."""
        return not self._senders

    async def _send_all(self, lane: str) -> None:
        queue = self._queues[lane]
        while queue and not self.stopped:
            if await self._send(queue[0]):
                queue.pop(0)
        del self._senders[lane]
