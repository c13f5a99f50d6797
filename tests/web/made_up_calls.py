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
    schemathesis.hook("filter_case")(_two_wrong_types())
    try:
        result = CliRunner().invoke(command, ["run", *arguments])
    finally:
        schemathesis.hooks.unregister_all()
    return int(result.exit_code), result.output  # plain, so that nothing is imported to read it


def _two_wrong_types() -> Callable[[Any, Any], bool]:
    """Keeps two of the about five wrong types that each field of a body is sent: the first, and others in turn.

    The same line refuses a wrong type of any kind, and there would be a thousand of these calls.
    """
    tried: dict[tuple[str, str], Iterator[int]] = {}
    kept: dict[tuple[str, str], int] = {}

    def keep(context: Any, case: Any) -> bool:
        data = case.meta and case.meta.phase.data
        if getattr(data, "scenario", None) != "incorrect_type" or data.parameter_location != "body":
            return True
        field = (context.operation.label, data.description)
        number = next(tried.setdefault(field, itertools.count()))
        return number in (0, kept.setdefault(field, 1 + len(kept) % 4))

    return keep
