"""Signs of life of an activity that has long to wait."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from temporalio import activity

BEAT = 5.0  # seconds

_Result = TypeVar("_Result")


async def beating(work: Awaitable[_Result]) -> _Result:
    """What comes of the work, with heartbeats meanwhile; it ends with the activity."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([task], timeout=BEAT))[0]:
            activity.heartbeat()
        return task.result()
    finally:
        task.cancel()
