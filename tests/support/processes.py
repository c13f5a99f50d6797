"""Processes of their own, which tests kill. Those of Python are forked from one that has loaded the product's modules.

To load them takes two seconds of processor time, which is four fifths of the start of a worker.
"""

import asyncio
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from tests.support.limits import WAIT_LIMIT


class Running(Protocol):
    """What `subprocess.Popen` and `Forked` have in common."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """How it ended; None if it has not."""

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has. Raises `subprocess.TimeoutExpired`."""

    def send_signal(self, sig: int) -> None:
        """A signal, if it has not ended."""


class Forked:
    """A command of this Python, such as `python worker.py`, `-m web` or `-c CODE`, in a process that was forked.

    It starts with the usual umask, under which everybody reads files.
    """

    def __init__(
        self, command: Sequence[str], env: dict[str, str], log: Path, errors: Path | None = None
    ) -> None:
        arguments = (list(command[1:]), env, str(log), str(errors or log))
        self._process: BaseProcess = _loaded().Process(target=_become, args=arguments, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """How it ended; None if it has not."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        """A signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)


@cache
def _loaded() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.loaded"])
    return context


async def run_python(
    arguments: Sequence[str], env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command of this Python, such as `starter.py roles`, to its end."""
    with tempfile.TemporaryDirectory(prefix="cmi-command-") as folder:
        printed, errors = Path(folder) / "printed", Path(folder) / "errors"
        command = [sys.executable, *arguments]
        running = await asyncio.to_thread(Forked, command, env, printed, errors)
        code = await asyncio.to_thread(running.wait, WAIT_LIMIT)
        return subprocess.CompletedProcess(arguments, code, printed.read_text(), errors.read_text())


def _become(arguments: list[str], env: dict[str, str], log: str, errors: str) -> None:
    """Within the new process: be what Python would be with these arguments."""
    os.umask(0o022)  # loading the product may have changed it
    os.environ.clear()
    os.environ.update(env)
    to_file = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, log, to_file),
        (2, errors, to_file),
    ):
        opened = os.open(path, flags, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    match arguments:
        case ["-c", code, *rest]:
            sys.argv = ["-c", *rest]
            exec(code, {"__name__": "__main__"})
        case ["-m", module, *rest]:
            sys.modules.pop(f"{module}.__main__", None)  # runpy warns of a module that is loaded
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case _:
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")


class Process:
    """A process of its own. What it prints is in `text`, over all its starts.

    `anew`: a command of Python loads everything itself, as in production.
    """

    def __init__(
        self, command: Sequence[str], env: dict[str, str], log: Path, *, anew: bool = False
    ) -> None:
        self._command = list(command)
        self._env = env
        self._log = log
        self._is_forked = command[0] == sys.executable and not anew
        self._running: Running | None = None

    @property
    def text(self) -> str:
        """What it has printed."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """Its process id. It was started."""
        assert self._running is not None
        return self._running.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        """Start it (again)."""
        if self._is_forked:
            self._running = Forked(self._command, self._env, self._log)
            return
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._running is not None:
            self._running.send_signal(signal.SIGKILL)
            self._running.wait(10)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send(signal.SIGTERM)

    def send(self, number: int) -> None:
        """A signal."""
        assert self._running is not None
        self._running.send_signal(number)

    async def exit_code(self) -> int:
        """How it ended, once it has."""
        assert self._running is not None
        return await asyncio.to_thread(self._running.wait, WAIT_LIMIT)
