"""Runs schemathesis in a process that several tests share: to load it, and its alphabet, takes seconds."""

import asyncio
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Schemathesis:
    """A process that has schemathesis loaded."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    async def run(self, arguments: Sequence[str], folder: Path) -> tuple[int, str]:
        """The exit code and the output of `schemathesis run`, in this folder."""
        work = asyncio.get_running_loop().run_in_executor(self._pool, _run, arguments, folder)
        return await work


@contextmanager
def schemathesis() -> Iterator[Schemathesis]:
    """The process, until the block ends."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield Schemathesis(pool)


def _run(arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    # Imported here: the tests' own process is to stay without it.
    import schemathesis
    from click.testing import CliRunner
    from schemathesis.cli import schemathesis as command

    os.environ.clear()  # it is searched for proxies before each request
    os.chdir(folder)
    schemathesis.hook("filter_case")(_without_repetition())
    try:
        result = CliRunner().invoke(command, ["run", *arguments])
    finally:
        schemathesis.hooks.unregister_all()
    return int(result.exit_code), result.output  # plain, so that nothing is imported to read it


def _without_repetition() -> Callable[[Any, Any], bool]:
    """Keeps a call unless the same lines answer another one that is kept, or that other tests make.

    - Of the about five wrong types that each field is sent: the first, which is a number; and one of the others in turn
      for the fields of one name. There would be a thousand of these calls.
    - Not what is shorter by a character, or smaller by one, than it may be: what is as long as it may be, and what is
      too long.
    - A malformed and an unknown type of the content: to one call of each type of body, and to one without a body.
    - Not each call without a token: tests/web/test_access.py makes these.
    """
    tried: dict[tuple[str, ...], Iterator[int]] = {}
    kept: dict[str, tuple[str, int]] = {}
    first: dict[tuple[str, ...], str] = {}

    def keep(context: Any, case: Any) -> bool:
        operation, data = context.operation, case.meta and case.meta.phase.data
        match getattr(data, "scenario", None):
            case "incorrect_type":
                field = (operation.label, str(data.parameter), data.description)
                number = next(tried.setdefault(field, itertools.count()))
                other = kept.setdefault(data.description, (operation.label, 1 + len(kept) % 4))
                return number == 0 or (operation.label, number) == other
            case "malformed_content_type" | "unsupported_content_type" as wrong:
                kind = (wrong, *(body.media_type for body in operation.body))
                return first.setdefault(kind, operation.label) == operation.label
            case "missing_parameter":
                return data.parameter != "Authorization"
        # Of an object, the description ends with that of the value in it.
        return "near-boundary" not in str(getattr(data, "description", "")).lower()

    return keep
