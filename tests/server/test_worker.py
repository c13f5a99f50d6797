"""The worker process: waits for Temporal, says what it runs, shows that it is alive, drains when told to stop."""

import sys
from pathlib import Path

from development.embedded import ROOT
from domain.orders.order import Status
from tests.server.surroundings import eventually, surroundings
from tests.support.processes import Process


async def test_a_worker_waits_for_a_server_that_is_not_up_yet_and_shows_that_it_lives(
    tmp_path: Path,
) -> None:
    async with surroundings(tmp_path, up=False) as around:
        around.worker_process = Process(
            [sys.executable, str(ROOT / "worker.py")],
            around.env,
            tmp_path / "worker.log",
            anew=True,  # as in production
        )
        around.worker_process.start()
        await eventually(lambda: "Temporal is not up yet" in around.worker_process.text)
        assert not around.alive.exists()
        around.server.start()
        await around.connect()
        await eventually(around.alive.exists)
        first = around.alive.stat().st_mtime
        await around.reaches(await around.place("SP-1"), Status.NEW)
        await eventually(lambda: around.alive.stat().st_mtime > first)


async def test_sigterm_lets_a_running_activity_finish(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        await around.start_worker_process()
        around.inbox.answering.clear()
        life = await around.place("SP-1")
        await eventually(lambda: around.inbox.held)
        around.worker_process.terminate()
        await eventually(lambda: "told to stop" in around.worker_process.text)
        around.inbox.answering.set()
        assert await around.worker_process.exit_code() == 0

        log = around.worker_process.text
        assert "working queues=['orders'" in log
        assert "workflows=['ServiceOrder'" in log
        assert "stopped" in log.splitlines()[-1]
        # Its outcome reached the server: another worker does not send the mail again.
        async with around.worker():
            await around.reaches(life, Status.NEW)
        assert len(around.inbox.ids("SP-1")) == 1
