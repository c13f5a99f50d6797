"""Child processes of `dev.py`: started again when they end or freeze, and ended with their parent."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from development.embedded import Child
from tests.server.surroundings import eventually
from tests.support.processes import Process

BEATS = "while :; do touch {}; sleep 0.1; done"


def child(folder: Path, script: str, alive: Path | None = None, stale_after: float = 1) -> Child:
    log = folder / "log"
    return Child("it", ["sh", "-c", script], os.environ, log, alive=alive, stale_after=stale_after)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_one_that_ends_is_started_again(tmp_path: Path) -> None:
    one = child(tmp_path, "echo here; read nothing")
    await one.start()
    await eventually(lambda: (tmp_path / "log").read_text().count("here") > 1)
    await one.stop()


async def test_it_has_the_process_id_and_the_group_that_are_told(tmp_path: Path) -> None:
    one = child(tmp_path, "echo $$; sleep 600")
    await one.start()
    told = await eventually((tmp_path / "log").read_text)
    assert int(told) == one.pid
    assert os.getpgid(int(told)) == one.pid
    await one.stop()
    assert not runs(int(told))


async def test_one_that_freezes_is_killed_and_started_again(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    one = child(tmp_path, BEATS.format(alive), alive, stale_after=2)
    await one.start()
    await eventually(alive.exists)
    first = one.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    await eventually(lambda: one.pid != first)
    assert not runs(first)
    alive.unlink()
    await eventually(alive.exists)
    await one.stop()


async def test_one_that_has_shown_no_life_yet_is_waited_for(tmp_path: Path) -> None:
    """It may wait for a database, however long; the file is one that an earlier one has left."""
    alive = tmp_path / "alive"
    alive.touch()
    one = child(tmp_path, "sleep 2; echo done; sleep 600", alive, stale_after=0.5)
    await one.start()
    first = one.pid
    await eventually(lambda: "done" in (tmp_path / "log").read_text())
    assert one.pid == first
    await one.stop()


async def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    code = f"""
import asyncio, os, pathlib
from development.embedded import Child

async def main():
    await Child("it", ["sh", "-c", "echo $$; sleep 600"], os.environ, pathlib.Path({str(tmp_path / "log")!r})).start()
    await asyncio.sleep(600)

asyncio.run(main())
"""
    command = [sys.executable, "-c", code]
    parent = Process(command, dict(os.environ), tmp_path / "parent.log")
    await asyncio.to_thread(parent.start)
    log = tmp_path / "log"
    pid = int(await eventually(lambda: log.exists() and log.read_text()))
    parent.kill()
    await eventually(lambda: not runs(pid))
