"""What a benchmark runs on: the real server on its file, the real mail server, worker processes, the records."""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from bench.report import console
from development.embedded import ROOT, Child, free_port, temporal_command, temporal_is_up
from domain.orders.order import Assignee
from records.database import Database
from records.migrate import migrate
from records.orders import Orders
from records.partners import Partner, Partners
from settings import Settings
from starter import parse
from temporal.connection import connect

_UP_WITHIN = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Stage:
    """One server, one mail server, one database, and the workers that a benchmark asks for."""

    def __init__(self, folder: Path, client: Client, database: Database, env: dict[str, str]):
        self.folder = folder
        self.client = client
        self.orders = Orders(database)
        self.env = env
        self.partners: dict[str, Assignee] = {}
        self.processes: dict[str, Child] = {}
        self._starts = 0

    @contextlib.asynccontextmanager
    async def worker(self, name: str, arguments: Sequence[str], **env: str) -> AsyncIterator[Child]:
        """A worker process, up and polling; `arguments` are Python's. `{alive}` in them is the liveness file."""
        self._starts += 1
        alive = self.folder / f"{name}-{self._starts}.alive"
        child = Child(
            name,
            [sys.executable, *(a.replace("{alive}", str(alive)) for a in arguments)],
            {**self.env, "CMI_WORKER_LIVENESS_FILE": str(alive), **env},
            self.folder / "logs" / f"{name}.log",
        )
        await child.start()
        try:
            async with asyncio.timeout(_UP_WITHIN):
                while not alive.exists():
                    await asyncio.sleep(0.05)
            self.processes[name] = child
            yield child
        finally:
            self.processes.pop(name, None)
            await child.stop()

    def product(self, *, sandbox: bool = False) -> contextlib.AbstractAsyncContextManager[Child]:
        """The product's worker, as production runs it."""
        setting = "on" if sandbox else "off"
        return self.worker("product", [str(ROOT / "worker.py")], CMI_SANDBOX=setting)

    def floor(self) -> contextlib.AbstractAsyncContextManager[Child]:
        """The floor's worker."""
        return self.worker("floor", ["-m", "bench.floor", "{alive}"])

    def cpu(self) -> dict[str, float]:
        """CPU seconds that each process has used so far, this one included."""
        used = {
            name: cpu_seconds(child.pid)
            for name, child in self.processes.items()
            if child.pid is not None
        }
        return {**used, "driver": time.process_time()}


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """Memory that a process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Set everything up in a temporary folder but the workers; all of it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="cmi-bench-") as name:
        folder = Path(name)
        temporal, smtp = free_port(), free_port()
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("CMI_")},
            "PYTHONPATH": str(ROOT),
            "TEMPORAL_ADDRESS": f"127.0.0.1:{temporal}",
            "CMI_DATABASE_URL": f"sqlite:///{folder / 'cmi.db'}",
            "CMI_SMTP_URL": f"smtp://127.0.0.1:{smtp}",
            "CMI_WAREHOUSE_DIR": str(folder / "warehouse"),
            "CMI_LOG_LEVEL": "warning",
        }
        settings = Settings.from_env(env)
        async with contextlib.AsyncExitStack() as stack:

            async def start(what: str, command: Sequence[str]) -> Child:
                child = Child(what, command, env, folder / "logs" / f"{what}.log")
                stack.push_async_callback(child.stop)
                await child.start()
                return child

            server = await start(
                "server",
                temporal_command(port=temporal, ui_port=None, file=folder / "temporal.db"),
            )
            python = [sys.executable, "-m", "bench.inbox"]
            inbox = await start("inbox", [*python, str(folder / "mail"), str(smtp)])
            await migrate(settings.database_url)
            database = Database(settings.database_url)
            stack.push_async_callback(database.close)
            await temporal_is_up(env["TEMPORAL_ADDRESS"])
            os.environ["TEMPORAL_ADDRESS"] = env["TEMPORAL_ADDRESS"]
            made = Stage(folder, await connect(), database, env)
            made.processes |= {"server": server, "inbox": inbox}
            await _keep_partners(made, Partners(database))
            try:
                yield made
            except BaseException:
                for log in sorted((folder / "logs").glob("*.log")):
                    console.rule(log.name)
                    console.print(log.read_text(errors="replace")[-3000:], markup=False)
                raise


async def _keep_partners(made: Stage, partners: Partners) -> None:
    now = datetime.now(UTC)
    for path in sorted((ROOT / "examples" / "partners").glob("*.json")):
        partner: Partner
        for partner in parse(path, Partner):
            await partners.put(partner, now)
            made.partners[partner.partner_id] = partners.assignee(partner)
