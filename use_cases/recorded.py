"""Waits until the records hold what a workflow has answered."""

import asyncio
from collections.abc import Awaitable, Callable

RECORDED_WITHIN = 0.5  # seconds
_FIRST_PAUSE = 0.004
_LONGEST_PAUSE = 0.06


async def recorded(have: Callable[[], Awaitable[bool]]) -> bool:
    """Whether the records have it within `RECORDED_WITHIN`. `have` asks them."""
    give_up = asyncio.get_running_loop().time() + RECORDED_WITHIN
    pause = _FIRST_PAUSE
    while not await have():
        if asyncio.get_running_loop().time() > give_up:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True
