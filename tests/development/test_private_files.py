"""The real processes make files for their own user only, whatever umask they are started with."""

import contextlib
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from development.embedded import free_port
from files.atomic import write_atomically
from tests.support.processes import Process, run_python


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


@pytest.mark.parametrize(
    "command",
    [
        ["starter.py", "partner", "examples/partners/elektro-huber.json"],
        ["-m", "alembic", "upgrade", "head"],
    ],
    ids=["starter", "alembic"],
)
async def test_commands(tmp_path: Path, command: list[str]) -> None:
    folder = tmp_path / "made"
    done = await run_python(command, environment(folder))
    assert done.returncode == 0, done.stderr
    with contextlib.closing(sqlite3.connect(folder / "records" / "cmi.db")) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert others_may(folder) == {}


@pytest.mark.parametrize("command", [["-m", "web"], ["worker.py"]], ids=["web", "worker"])
def test_processes_by_themselves(tmp_path: Path, command: list[str]) -> None:
    folder = tmp_path / "made"
    env = {
        **environment(folder),
        "CMI_HTTP_PORT": str(free_port()),
        "TEMPORAL_ADDRESS": "127.0.0.1:1",  # they make the tables before they need it
    }
    process = Process([sys.executable, *command], env, tmp_path / "log")
    process.start()
    file = folder / "records" / "cmi.db"
    try:
        end = time.monotonic() + 60
        while not has_tables(file):
            assert process.is_running, process.text
            assert time.monotonic() < end
            time.sleep(0.05)
        assert (folder / "records" / "cmi.db-wal").exists()
        assert others_may(folder) == {}
    finally:
        process.kill()


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
