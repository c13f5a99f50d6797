"""PostgreSQL comes back to a moment before a mistake, from a base backup and its archived log (docs/runbook.md)."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from development.embedded import free_port
from scripts.system_packages import postgres_programs
from tests.support.needs import needs

pytestmark = needs("postgresql")


class Cluster:
    """A PostgreSQL server of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        programs = postgres_programs()
        assert programs is not None
        self._programs = programs
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder = folder
        self.data = folder / "data"
        self.wal = folder / "wal"
        self.port = free_port()

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs. Returns what it printed; fails if it fails."""
        log = self.folder / "output"
        with log.open("w") as output:  # a server that stays must not hold a pipe
            done = subprocess.run(
                [*self._as_user, str(self._programs / program), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
        assert done.returncode == 0, (program, log.read_text())
        return log.read_text().strip()

    def sql(self, statement: str) -> str:
        """The result of a statement."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "cmi", "-d", "postgres")
        return self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *where, "-c", statement)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = f"-h 127.0.0.1 -p {self.port} -k ''"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.data), "-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop it, as if the machine had lost its power."""
        self.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def configure(self, *lines: str) -> None:
        """Add lines to its configuration."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server that archives its log."""
    folder = Path(tempfile.mkdtemp(prefix="cmi-pitr-"))
    made = Cluster(folder)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    made.run("initdb", "-D", str(made.data), "-U", "cmi", "-A", "trust", "--no-sync")
    made.wal.mkdir()
    if os.geteuid() == 0:
        shutil.chown(made.wal, "postgres")
    made.configure(
        "archive_mode = on",
        f"archive_command = 'test ! -f {made.wal}/%f && cp %p {made.wal}/%f'",
    )
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_back_to_the_moment_before_a_wrong_delete(cluster: Cluster) -> None:
    cluster.sql("CREATE TABLE orders (sp_id text PRIMARY KEY)")
    cluster.sql("INSERT INTO orders VALUES ('SP-1')")
    base = cluster.folder / "base"
    server = ("-h", "127.0.0.1", "-p", str(cluster.port), "-U", "cmi")
    cluster.run("pg_basebackup", *server, "--pgdata", str(base), "--checkpoint", "fast")
    cluster.sql("INSERT INTO orders VALUES ('SP-2')")
    before = cluster.sql("SELECT clock_timestamp()")
    cluster.sql("DELETE FROM orders")
    cluster.sql("INSERT INTO orders VALUES ('SP-3')")
    # The last piece of the log is archived when it is full, or now. Then the disk is lost.
    last = cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")
    cluster.sql("CHECKPOINT")
    cluster.run("pg_ctl", "-D", str(cluster.data), "-m", "fast", "-w", "stop")
    assert (cluster.wal / last).exists()
    shutil.rmtree(cluster.data)

    base.rename(cluster.data)
    (cluster.data / "recovery.signal").touch()
    if os.geteuid() == 0:
        shutil.chown(cluster.data / "recovery.signal", "postgres")
    cluster.configure(
        f"restore_command = 'cp {cluster.wal}/%f %p'",
        f"recovery_target_time = '{before}'",
        "recovery_target_action = 'promote'",
        "archive_mode = off",
    )
    cluster.start()
    assert cluster.sql("SELECT sp_id FROM orders ORDER BY 1").split() == ["SP-1", "SP-2"]
