"""The environment of a benchmark: the surroundings of the server tests, with processes as in production."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from bench.report import console
from development.embedded import ROOT, free_port
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.processes import Process

_POLICY = '[transmission]\nhold = "0 seconds"\n'
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def running_product(server: Sequence[str] = ()) -> AsyncIterator[Surroundings]:
    """Temporal on its file, a mail server, SQLite records with the example partners, and a running worker.

    The policy is the standard one, except that orders are sent at once. `server` has further options of the server.
    Everything ends with the block; if the block fails, the ends of the logs are printed.
    """
    with tempfile.TemporaryDirectory(prefix="cmi-bench-") as name:
        folder = Path(name)
        policy = folder / "send-at-once.toml"
        policy.write_text(_POLICY)
        async with surroundings(
            folder,
            within=None,
            server=server,
            CMI_POLICY=str(policy),
            CMI_LOG_LEVEL="warning",
            CMI_DATABASE_URL=f"sqlite:///{folder / 'cmi.db'}",
        ) as around:
            around.worker_process = Process(
                [sys.executable, str(ROOT / "worker.py")],
                around.env,
                folder / "worker.log",
                anew=True,
            )
            try:
                await around.start_worker_process()
                yield around
            except BaseException:
                for log in sorted(folder.glob("*.log")):
                    console.rule(log.name)
                    console.print(log.read_text(errors="replace")[-3000:], markup=False)
                raise
            finally:
                # Stopping the server here also skips the check of all histories at the end of a test.
                around.server.kill()


@asynccontextmanager
async def running_web(around: Surroundings) -> AsyncIterator[httpx.AsyncClient]:
    """The web application in a separate process, and a client for its address."""
    port = free_port()
    env = {**around.env, "CMI_HTTP_PORT": str(port)}
    web = Process([sys.executable, "-m", "web"], env, around.folder / "web.log", anew=True)
    web.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:

            async def answers() -> bool:
                try:
                    return (await http.get("/readyz")).is_success
                except httpx.TransportError:
                    return False

            await eventually(answers)
            yield http
    finally:
        web.kill()


def cpu_seconds(process: Process) -> float:
    """Processor time that a running process has used so far, user and system, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
