"""Waits until the records have what a workflow answered or is about to do."""

import asyncio
from collections.abc import Awaitable, Callable

RECORDED_WITHIN = 0.5  # seconds
_FIRST_PAUSE = 0.004
_LONGEST_PAUSE = 0.06


async def wait_for_records(have: Callable[[], Awaitable[bool]]) -> bool:
    """Poll `have` until it is true. False if that takes longer than `RECORDED_WITHIN`."""
    return await wait_until(have, RECORDED_WITHIN)


async def wait_until(have: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Poll `have` until it is true. False if that takes longer than so many seconds."""
    give_up = asyncio.get_running_loop().time() + seconds
    pause = _FIRST_PAUSE
    while not await have():
        if asyncio.get_running_loop().time() > give_up:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True
