"""The real processes make files for their own user only, whatever umask they are started with."""

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from development.embedded import ROOT, free_port
from files.atomic import write_atomically


@pytest.fixture(autouse=True)
def _everybody_reads() -> Iterator[None]:
    """Processes start with the usual umask, under which everybody reads files."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def others_may(folder: Path) -> dict[str, str]:
    """The files and folders below this one that are not for their user alone, with their modes."""
    return {
        str(path.relative_to(folder)): stat.filemode(path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.stat().st_mode & 0o077
    }


def environment(folder: Path) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CMI_")}
    return {**plain, "CMI_DATABASE_URL": f"sqlite:///{folder / 'records' / 'cmi.db'}"}


def test_everything_on_one_machine(tmp_path: Path) -> None:
    folder = tmp_path / "dev"
    ports = [f"--{name}-port={free_port()}" for name in ("http", "temporal", "ui", "smtp")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CMI_")}
    with (tmp_path / "errors").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "dev.py", "--no-sample-data", "--data-dir", str(folder), *ports],
            cwd=ROOT,
            env=plain,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            said = _until_ready(process)
            errors.seek(0)
            assert said[-1:] == ["ready\n"], errors.read()
            made = {str(path.relative_to(folder)) for path in folder.rglob("*")}
            assert others_may(folder) == {}
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()
    assert {
        *("cmi.db", "cmi.db-wal", "cmi.db-shm", "temporal.db", "temporal.db-wal"),
        *("logs/web.log", "logs/worker.log", "logs/temporal.log"),
        *("credentials.json", "worker.alive"),
    } <= made
    assert [name for name in made if name.startswith("mail/") and name.endswith(".eml")]


def _until_ready(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line == "ready\n":
            break
    return said


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "starter.py", "partner", "examples/partners/elektro-huber.json"],
        [sys.executable, "-m", "alembic", "upgrade", "head"],
    ],
    ids=["starter", "alembic"],
)
def test_commands(tmp_path: Path, command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, env=environment(tmp_path), check=True, capture_output=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "records" / "cmi.db")) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert others_may(tmp_path) == {}


@pytest.mark.parametrize("command", [["-m", "web"], ["worker.py"]], ids=["web", "worker"])
def test_processes_by_themselves(tmp_path: Path, command: list[str]) -> None:
    env = {
        **environment(tmp_path),
        "CMI_HTTP_PORT": str(free_port()),
        "TEMPORAL_ADDRESS": "127.0.0.1:1",  # they make the tables before they need it
    }
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    )
    file = tmp_path / "records" / "cmi.db"
    try:
        end = time.monotonic() + 60
        while not has_tables(file):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        assert (tmp_path / "records" / "cmi.db-wal").exists()
        assert others_may(tmp_path) == {}
    finally:
        process.kill()
        process.wait()


def has_tables(file: Path) -> bool:
    if not file.exists():
        return False
    with (
        contextlib.suppress(sqlite3.OperationalError),  # it is being made
        contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection,
    ):
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        return found.fetchone() is not None
    return False


def test_what_the_warehouse_reads_is_for_its_group(tmp_path: Path) -> None:
    os.umask(0o077)
    write_atomically(tmp_path / "inner" / "drop" / "SP-1-1.json", b"{}", readable_by="group")
    write_atomically(tmp_path / "private" / "credentials.json", b"{}")
    assert others_may(tmp_path) == {
        "inner/drop": "drwxr-x---",
        "inner/drop/SP-1-1.json": "-rw-r-----",
    }
    given = tmp_path / "given"
    given.mkdir()
    given.chmod(0o2770)
    write_atomically(given / "SP-1-1.json", b"{}", readable_by="group")
    assert stat.S_IMODE(given.stat().st_mode) == 0o2770
    assert stat.S_IMODE((given / "SP-1-1.json").stat().st_mode) == 0o640


def test_a_file_for_all_has_its_mode_and_its_time(tmp_path: Path) -> None:
    os.umask(0o077)
    write_atomically(tmp_path / "cmi.mo", b"texts", readable_by="all", modified_ns=10**18)
    assert others_may(tmp_path) == {"cmi.mo": "-rw-r--r--"}
    assert (tmp_path / "cmi.mo").stat().st_mtime_ns == 10**18
