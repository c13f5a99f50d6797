"""A PostgreSQL server for tests: that of `CMI_TEST_POSTGRES_URL`, or a temporary cluster of the installed binaries."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.system_packages import postgres_programs, why_missing
from settings import Settings


class NoPostgres(Exception):
    """There is no PostgreSQL server to test with; the text says why."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL (SQLAlchemy's, asyncpg) of an empty database while the context lasts. Raises `NoPostgres`."""
    given = os.environ.get("CMI_TEST_POSTGRES_URL", "").strip()
    if given:
        yield Settings.from_env({"CMI_DATABASE_URL": given}).database_url
        return
    binaries = postgres_programs()
    if binaries is None:
        raise NoPostgres(str(why_missing("postgresql")))
    folder = Path(tempfile.mkdtemp(prefix="cmi-postgres-", dir=_in_memory()))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = next((name for name in ("postgres", "nobody") if _exists(name)), None)
        if user is None or shutil.which("runuser") is None:
            raise NoPostgres("running as root, and there is no user postgres or no runuser")
        shutil.chown(folder, user)
        as_user = ["runuser", "-u", user, "--"]
    data, port = folder / "data", _free_port()

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user, str(binaries / program), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            log = folder / "log"
            said = (done.stdout or b"").decode() + (log.read_text() if log.exists() else "")
            raise RuntimeError(f"{program} failed: {said[-2000:]}")

    try:
        run("initdb", "-D", str(data), "-U", "cmi", "-A", "trust", "-E", "UTF8", "--no-sync")
        # "-k ''": no unix socket, whose path would be too long on some machines
        options = (
            f"-h 127.0.0.1 -p {port} -k '' -c fsync=off -c synchronous_commit=off -c full_page_writes=off "
            "-c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off -c max_connections=200 "
            "-c dynamic_shared_memory_type=mmap"  # in the folder, which is deleted; else a kill leaves it
        )
        run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-o", options, "-w", "start")
        try:
            yield f"postgresql+asyncpg://cmi@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_memory() -> str | None:
    """A folder in memory with a gigabyte left, if there is one: a database is copied there in a tenth of the time."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
        return str(memory)
    return None


def _exists(user: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
