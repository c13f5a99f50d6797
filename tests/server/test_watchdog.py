"""A worker that hangs ends and tells where; a busy one is left alone. `tests/development/` has one that is frozen."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

import worker
from development.embedded import ROOT
from tests.server.surroundings import eventually
from tests.support.processes import Process


def process(folder: Path, start: str, hangs_after: float) -> Process:
    """A worker with a short watchdog that does this instead of connecting."""
    code = f"""
import asyncio, ctypes, os, time, worker

async def start(settings, database):
    {start}

worker.ALIVE_EVERY, worker.HANGS_AFTER = 0.2, {hangs_after}
worker.connect_patiently = start
worker.main([])
"""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CMI_")},
        "PYTHONPATH": str(ROOT),
        "CMI_DATABASE_URL": f"sqlite:///{folder / 'cmi.db'}",
    }
    return Process([sys.executable, "-c", code], env, folder / "log")


async def test_a_worker_that_hangs_ends_with_the_traceback_of_each_thread(tmp_path: Path) -> None:
    """Also while it holds the GIL, as it did in libuv's read of a child that never came to its exec."""
    hanging = process(tmp_path, "ctypes.PyDLL(None).sleep(600)", hangs_after=4)
    hanging.start()
    try:
        assert await hanging.exit_code() == 1
    finally:
        hanging.kill()
    assert "Timeout (0:00:04)!" in hanging.text
    assert "in start" in hanging.text
    assert hanging.text.count("Thread 0x") > 1


async def test_a_worker_whose_loop_turns_late_is_left_alone(tmp_path: Path) -> None:
    start = "for _ in range(5): time.sleep(1); await asyncio.sleep(0.01)\n    os._exit(7)"
    busy = process(tmp_path, start, hangs_after=4)
    busy.start()
    try:
        assert await busy.exit_code() == 7
    finally:
        busy.kill()


async def test_a_sign_of_life_that_cannot_be_given_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "ALIVE_EVERY", 0.01)
    folder = tmp_path / "folder"
    folder.write_text("no folder")
    showing = asyncio.create_task(worker._touch(folder / "alive"))
    await eventually(lambda: "no sign of life" in caplog.text)
    folder.unlink()
    await eventually((folder / "alive").exists)
    showing.cancel()
