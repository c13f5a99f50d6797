"""Sends the pending mails of a table in the records: each attempt is leased to one process, and retried later."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

logger = logging.getLogger("cmi.desk")

LEASE = timedelta(minutes=2)
"""How long a process leases a mail that it tries. Longer than any attempt."""
AGAIN = timedelta(minutes=5)
"""When a mail is tried again that could not be sent."""
_MOST_DUE = 100
_PAUSE_SECONDS = 15.0


class Waiting(Protocol):
    """The row of a pending mail: a named tuple with the instant of its next attempt."""

    def _replace(self, *, next_attempt_at: datetime) -> Self: ...


W = TypeVar("W", bound=Waiting)


async def send_leased(
    due: Callable[[datetime, int], Awaitable[Sequence[W]]],
    try_next: Callable[[W, datetime], Awaitable[bool]],
    send: Callable[[W], Awaitable[int]],
    clock: Callable[[], datetime],
    is_stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Make one attempt at each mail that is due. Returns how many were sent.

    Args:
        due: returns the rows whose next attempt is due at an instant, up to a number.
        try_next: sets when a row is tried next; False if another process has done so meanwhile.
        send: the attempt at a leased row. If the process dies in it, the row is due again after `LEASE`.
        clock: gives the instant.
        is_stopped: whether to start no more attempts.
    """
    sent = 0
    for row in await due(clock(), _MOST_DUE):
        if is_stopped():
            break
        leased_until = clock() + LEASE
        if await try_next(row, leased_until):
            sent += await send(row._replace(next_attempt_at=leased_until))
    return sent


async def send_quietly(send_due: Callable[[], Awaitable[int]], what: str) -> int:
    """Await `send_due` in the background. A failure is only logged, because the mails are tried again.

    Args:
        what: names the mails in the log.
    """
    try:
        return await send_due()
    except Exception as error:  # its text may contain personal data
        logger.warning("%s not sent", what, extra={"why": type(error).__name__})
        return 0


async def keep_sending(
    spawn: Callable[[Coroutine[Any, Any, int]], "asyncio.Task[int]"],
    send_due: Callable[[], Awaitable[int]],
    what: str,
) -> None:
    """Run forever: send the mails that are due, including those that another process left behind.

    Each round is a task of its own (`spawn`), so that nothing cancels a conversation by SMTP. `what`: as for
    `send_quietly`.
    """
    while True:
        await asyncio.shield(spawn(send_quietly(send_due, what)))
        await asyncio.sleep(_PAUSE_SECONDS)
