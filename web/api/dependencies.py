"""Dependencies of the API's calls that FastAPI runs in the event loop."""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_Made = TypeVar("_Made")


def made_in_loop(cls: type[_Made]) -> Callable[..., Coroutine[Any, Any, _Made]]:
    """A dependency that makes an object of this class from its parameters in the request.

    FastAPI calls a class, and any ordinary function, in another thread. That costs more than what they do here.
    """

    async def make(**parameters: Any) -> _Made:
        return cls(**parameters)

    make.__signature__ = inspect.signature(cls)  # type: ignore[attr-defined]
    return make
