"""`dev.py` starts everything on one machine, here on one without Pango, and makes files for its own user only."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from development.embedded import ROOT, free_port
from tests.development.test_private_files import others_may

WITHOUT_PANGO = """
import sys
from development import api_client
from scripts import system_packages
api_client.PATIENCE = 600.0  # a busy machine is no failure
system_packages.PARTS["pango"] = system_packages.PARTS["pango"]._replace(found=lambda: False)
import dev
from temporal.connection import leave
leave(dev.main(sys.argv[1:]))
"""


class Run(NamedTuple):
    """What was seen of one run, which SIGTERM ended when everything was up.

    `printed` are the lines up to `ready`, `files` those of its folder, `open_files` those that not only their user
    may read, with their modes.
    """

    printed: list[str]
    errors: str
    code: int
    files: set[str]
    open_files: dict[str, str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with the sample data, under the usual umask, with which everybody reads files."""
    folder = tmp_path_factory.mktemp("one-machine")
    data = folder / "dev"
    ports = [f"--{name}-port={free_port()}" for name in ("http", "temporal", "ui", "smtp")]
    env = {key: value for key, value in os.environ.items() if not key.startswith("CMI_")}
    with (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", WITHOUT_PANGO, "--data-dir", str(data), *ports],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            umask=0o022,
        )
        try:
            printed = _until_ready(process)
            files = {str(path.relative_to(data)) for path in data.rglob("*")}
            open_files = others_may(data)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()
        errors.seek(0)
        yield Run(printed, errors.read(), process.returncode, files, open_files)


def _until_ready(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line == "ready\n":
            break
    return printed


def test_everything_starts_without_pango_and_says_what_waits(run: Run) -> None:
    assert run.code == 0, run.errors
    assert run.printed[-1] == "ready\n", run.errors
    last = run.printed[-2]
    assert last.startswith("No document can be made, and settlements wait for theirs; missing")


def test_all_files_are_for_their_user_only_but_what_the_warehouse_reads(run: Run) -> None:
    of_the_warehouse = {name for name in run.open_files if Path(name).is_relative_to("warehouse")}
    assert of_the_warehouse
    assert {run.open_files[name] for name in of_the_warehouse} == {"drwxr-x---", "-rw-r-----"}
    assert set(run.open_files) == of_the_warehouse
    assert {
        *("cmi.db", "cmi.db-wal", "cmi.db-shm", "temporal.db", "temporal.db-wal"),
        *("logs/web.log", "logs/worker.log", "logs/temporal.log"),
        *("credentials.json", "worker.alive"),
    } <= run.files
    assert [name for name in run.files if name.startswith("mail/") and name.endswith(".eml")]
