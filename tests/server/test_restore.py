"""An instance is destroyed and restored as docs/runbook.md says, with the records in SQLite and in PostgreSQL."""

import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy.engine import URL, make_url

from domain.orders.commands import Accept
from domain.orders.order import Status
from records.database import Database
from records.orders import Orders
from records.partners import Partners
from scripts.system_packages import postgres_programs
from tests.records.conftest import execute
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.server.test_reconciler import one_pass, standing, starter
from tests.workflows.life import Life

# The reconciler compares again after 0.3 seconds, as in tests/server/test_reconciler.py.
WORKER = """
from activities import reconcile
import worker
reconcile.COMPARE_AGAIN_AFTER = 0.3
worker.main([])
"""


class Store(NamedTuple):
    """Where the records are, and how they are backed up, destroyed and restored (given a file)."""

    url: str
    back_up: Callable[[Path], None]
    restore: Callable[[Path], None]


def _copy(file: Path, to: Path) -> None:
    """Copy an SQLite file while it is in use, as the command of the runbook does."""
    with closing(sqlite3.connect(file)) as source:
        source.execute("VACUUM INTO ?", (str(to),))


def _replace(file: Path, by: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    shutil.copy(by, file)


def _postgres(program: str, url: URL, *arguments: str) -> None:
    programs = postgres_programs()
    assert programs is not None
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run(
        [programs / program, *arguments, "--dbname", plain],
        check=True,
        timeout=60,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """The records in each of the two databases."""
    if request.param == "sqlite":
        file = tmp_path / "cmi.db"
        yield Store(
            f"sqlite:///{file}", lambda to: _copy(file, to), lambda backup: _replace(file, backup)
        )
        return
    server = make_url(request.getfixturevalue("postgres_url"))
    name = f"cmi_restore_{uuid.uuid4().hex}"
    url = server.set(database=name)
    await execute(server, f"CREATE DATABASE {name}")

    def back_up(to: Path) -> None:
        _postgres("pg_dump", url, "--format", "custom", "--file", str(to))

    def restore(backup: Path) -> None:
        _postgres("psql", server, "--quiet", "-c", f"DROP DATABASE {name} WITH (FORCE)")
        _postgres("psql", server, "--quiet", "-c", f"CREATE DATABASE {name}")
        _postgres("pg_restore", url, "--no-owner", "--exit-on-error", str(backup))

    yield Store(
        url.set(drivername="postgresql").render_as_string(hide_password=False), back_up, restore
    )
    await execute(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _life(around: Surroundings, sp_id: str) -> Life:
    """An order that the records have."""
    stored = await around.orders.get(sp_id)
    assert stored is not None
    return Life(around, stored.order.intake)


def _open_records(around: Surroundings) -> None:
    """Connect to the restored database."""
    around.database = Database(around.settings.database_url)
    around.orders = Orders(around.database)
    around.partners = Partners(around.database)


async def test_destroyed_and_restored(store: Store, tmp_path: Path) -> None:
    async with surroundings(tmp_path, CMI_DATABASE_URL=store.url) as around:
        around.run_as_worker(WORKER)
        await around.start_worker_process()
        life = await around.place("SP-1")
        await around.reaches(life, Status.NEW)

        # Temporal first, then the records
        temporal, backup = tmp_path / "temporal.backup", tmp_path / "records.backup"
        _copy(tmp_path / "temporal.db", temporal)
        await life.do(Accept())
        await around.reaches(life, Status.CHECK_REQUIREMENTS)
        await around.reaches(await around.place("SP-2"), Status.NEW)
        store.back_up(backup)
        await around.reaches(await around.place("SP-3"), Status.NEW)

        around.worker_process.kill()
        around.server.kill()
        await around.database.close()
        _replace(tmp_path / "temporal.db", temporal)
        store.restore(backup)
        _open_records(around)
        around.server.start()
        await around.connect()
        await around.start_worker_process()

        # The records knew more than the workflow: what it does not know has not happened.
        await one_pass(around)
        life = await _life(around, "SP-1")
        await around.reaches(life, Status.NEW)
        await around.check_records(life)
        assert await standing(around) == [("SP-2", "missing")]
        assert await around.orders.get("SP-3") is None

        # What only the records have is revived from them, and what nobody has is placed again.
        done = await starter(around, "revive", "--from-records", "SP-2")
        assert done.returncode == 0, done.stderr
        await around.reaches(await around.place("SP-3"), Status.NEW)
        for sp_id in ("SP-1", "SP-2", "SP-3"):
            life = await _life(around, sp_id)
            await life.do(Accept())
            await around.reaches(life, Status.CHECK_REQUIREMENTS)
            await around.check_records(life)

        async def nothing_stands() -> bool:
            await one_pass(around)
            return await standing(around) == []

        await eventually(nothing_stands)
