"""Waits until the records have the version that a workflow answered."""

import asyncio
from collections.abc import Awaitable, Callable

RECORDED_WITHIN = 0.5  # seconds
_FIRST_PAUSE = 0.004
_LONGEST_PAUSE = 0.06


async def wait_for_records(have: Callable[[], Awaitable[bool]]) -> bool:
    """Poll `have` until it is true. False if that takes longer than `RECORDED_WITHIN`."""
    give_up = asyncio.get_running_loop().time() + RECORDED_WITHIN
    pause = _FIRST_PAUSE
    while not await have():
        if asyncio.get_running_loop().time() > give_up:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True
