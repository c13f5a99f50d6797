"""What the tasks of a test wait for, when it hangs."""

import asyncio
import traceback
from typing import Any


def say_what_waits() -> None:
    """Print, for each task, what it waits for, down to the innermost `await`."""
    for task in asyncio.all_tasks():
        print(task.get_name())
        waiting: object = task.get_coro()
        while waiting is not None:
            frame = _first(waiting, "cr_frame", "ag_frame", "gi_frame")
            print("   ", *traceback.format_stack(frame, 1) if frame else [repr(waiting)])
            waiting = _first(waiting, "cr_await", "ag_await", "gi_yieldfrom")


def _first(thing: object, *names: str) -> Any:
    return next((getattr(thing, name) for name in names if hasattr(thing, name)), None)
