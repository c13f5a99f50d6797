"""Runs schemathesis in a process that several tests share: to load it, and its alphabet, takes seconds."""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path


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
    from click.testing import CliRunner
    from schemathesis.cli import schemathesis as command

    os.environ.clear()  # it is searched for proxies before each request
    os.chdir(folder)
    result = CliRunner().invoke(command, ["run", *arguments])
    return result.exit_code, result.output
