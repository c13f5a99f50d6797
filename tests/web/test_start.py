"""The commands `python -m web` and `worker.py`, before anything is up."""

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from development.embedded import ROOT, free_port
from tests.server.surroundings import eventually
from tests.support.processes import Process, run_python
from tests.web.site import NO_AUTHORITIES

# As the commands, but a migration waits for 0.2 seconds and not for twenty until it says that the database is away.
# The process that is forked has loaded the module already, which runpy warns of.
IMPATIENT = """
import runpy
import warnings
from records import limits

limits.MIGRATION_SECONDS = 0.2
warnings.simplefilter("ignore", RuntimeWarning)
"""
WEB = (sys.executable, "-c", IMPATIENT + "runpy.run_module('web', run_name='__main__')")
WORKER = (sys.executable, "-c", IMPATIENT + "runpy.run_path('worker.py', run_name='__main__')")
AWAY = "the database is away, trying again"


async def test_it_says_what_is_wrong_with_its_environment() -> None:
    ended = await run_python(WEB[1:], {**os.environ, "CMI_TRUSTED_PROXIES": "the proxy"})
    assert ended.returncode == 2
    assert ended.stderr.startswith("CMI_TRUSTED_PROXIES: must be IP addresses")
    assert ended.stderr.count("\n") == 1


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
                return (await http.get(f"http://127.0.0.1:{port}/healthz")).is_success
            except httpx.TransportError:
                return False

        async with httpx.AsyncClient(verify=NO_AUTHORITIES) as http:
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
