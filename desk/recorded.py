"""Waits until the records hold what a workflow has answered."""

import asyncio
from collections.abc import Awaitable, Callable

RECORDED_WITHIN = 0.5  # seconds
_FIRST_PAUSE = 0.004
_LONGEST_PAUSE = 0.06


async def recorded(held: Callable[[], Awaitable[int | None]], version: int) -> bool:
    """Whether the records hold this version or a newer one within `RECORDED_WITHIN`. `held` asks them for theirs."""
    give_up = asyncio.get_running_loop().time() + RECORDED_WITHIN
    pause = _FIRST_PAUSE
    while (await held() or 0) < version:
        if asyncio.get_running_loop().time() > give_up:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True
