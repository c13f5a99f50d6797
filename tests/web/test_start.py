"""The commands `python -m web` and `worker.py`, before anything is up."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from development.embedded import ROOT, free_port
from tests.server.surroundings import eventually
from tests.support.processes import Process


def test_it_says_what_is_wrong_with_its_environment() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "web"],
        cwd=ROOT,
        env={**os.environ, "CMI_TRUSTED_PROXIES": "the proxy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert process.stderr.startswith("CMI_TRUSTED_PROXIES: must be IP addresses")
    assert process.stderr.count("\n") == 1


WEB, WORKER = (sys.executable, "-m", "web"), (sys.executable, "worker.py")
AWAY = "the database is away, trying again"


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """A database that another process writes to, for the whole block."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


def process(command: Sequence[str], folder: Path, http_port: int = 0) -> Process:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CMI_")},
        "PYTHONPATH": str(ROOT),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
        "CMI_DATABASE_URL": f"sqlite:///{folder / 'cmi.db'}",
        "CMI_HTTP_PORT": str(http_port),
    }
    return Process(command, env, folder / "log")


async def test_the_web_application_waits_for_a_locked_database(tmp_path: Path) -> None:
    port = free_port()
    web = process(WEB, tmp_path, port)
    try:
        with locked(tmp_path / "cmi.db"):
            web.start()
            await eventually(lambda: AWAY in web.text)

        async def answers() -> bool:
            try:
                async with httpx.AsyncClient() as http:
                    return (await http.get(f"http://127.0.0.1:{port}/healthz")).is_success
            except httpx.TransportError:
                return False

        await eventually(answers)
        assert "Traceback" not in web.text
    finally:
        web.kill()


async def test_a_worker_waits_for_a_locked_database(tmp_path: Path) -> None:
    worker = process(WORKER, tmp_path)
    try:
        with locked(tmp_path / "cmi.db"):
            worker.start()
            await eventually(lambda: AWAY in worker.text)
        await eventually(lambda: "Temporal is not up yet" in worker.text)
        assert "Traceback" not in worker.text
    finally:
        worker.kill()


@pytest.mark.parametrize(("command", "number"), [(WEB, signal.SIGTERM), (WORKER, signal.SIGINT)])
async def test_one_that_waits_for_its_database_can_be_stopped(
    command: Sequence[str], number: int, tmp_path: Path
) -> None:
    waiting = process(command, tmp_path)
    try:
        with locked(tmp_path / "cmi.db"):
            waiting.start()
            await eventually(lambda: AWAY in waiting.text)
            waiting.send(number)
            assert await waiting.exit_code() != 0
        assert "Traceback" not in waiting.text
    finally:
        waiting.kill()
