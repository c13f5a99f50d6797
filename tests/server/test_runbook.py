"""The commands of docs/runbook.md, run as they stand there against a running instance."""

import asyncio
import os
import re
import shlex
import sys
import textwrap
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import make_url, text

from development.embedded import ROOT, temporal_binary
from domain.orders.order import Status
from scripts.system_packages import postgres_programs
from tests.server.surroundings import eventually
from tests.support.databases import as_text, postgres_server, records_copy
from tests.support.instance import Instance, instance
from tests.support.needs import needs
from tests.support.processes import run_python
from tests.support.tls import Authority

pytestmark = [needs("prometheus"), needs("postgresql"), pytest.mark.asyncio(loop_scope="module")]


OURS = re.compile(
    r'(python (scripts/figures\.py|starter\.py|-m contracts\.encryption)|alembic)( [\w-]+| "\$SP")*'
)
"""Commands that are forked, because a new Python loads the modules for a second."""


class Block(NamedTuple):
    """A block that the runbook marks as tested. `situation`: what has to be so before; empty: nothing special."""

    section: str
    situation: str
    language: str
    commands: str


def blocks() -> list[Block]:
    """All marked blocks, in the order of the page."""
    found = []
    section = ""
    pattern = re.compile(
        r"^#+ (?P<heading>[^\n]+)$"
        r"|^ *<!-- tested(?:: (?P<situation>\w+))? -->\n"
        r" *```(?P<language>\w+)\n(?P<commands>.*?)^ *```",
        re.MULTILINE | re.DOTALL,
    )
    for match in pattern.finditer((ROOT / "docs" / "runbook.md").read_text()):
        if match["heading"]:
            section = match["heading"]
        else:
            commands = textwrap.dedent(match["commands"])
            found.append(Block(section, match["situation"] or "", match["language"], commands))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Instance]:
    """An instance with three orders."""
    folder = tmp_path_factory.mktemp("runbook")
    async with instance(folder, CMI_DATABASE_URL=f"sqlite:///{folder / 'cmi.db'}") as it:
        for sp_id in ("SP-1", "SP-2", "SP-3"):
            await it.around.reaches(await it.around.place(sp_id), Status.NEW)
        await it.start_prometheus(ROOT / "ops" / "alerts.yml")
        yield it


async def shell(it: Instance, commands: str, sp_id: str, **variables: str) -> tuple[int, str]:
    """Run commands in CMI's folder until one fails, with further variables if some are named.

    Bash runs them, but for the lines that do no more than to call a command of ours, which is forked. Returns the exit
    code, and what they printed.
    """
    around = it.around
    backup = it.folder / "backup"
    backup.mkdir(exist_ok=True)
    programs = postgres_programs()
    assert programs is not None
    bin_folders = [
        *(str(Path(program).parent) for program in (sys.executable, temporal_binary())),
        str(programs),
    ]
    env = {
        **it.env,
        "PATH": ":".join([*bin_folders, os.environ["PATH"]]),
        "SP": sp_id,
        "CMI_URL": it.url,
        "PROMETHEUS_URL": it.prometheus_url,
        "BACKUP": str(backup),
        "CMI_FILE": str(around.database.url.database),
        "TEMPORAL_FILE": str(around.folder / "temporal.db"),
        **variables,
    }
    printed = ""
    for is_ours, lines in groupby(commands.splitlines(), lambda line: bool(OURS.fullmatch(line))):
        for part in lines if is_ours else ["\n".join(lines)]:
            if is_ours:
                program, *arguments = shlex.split(part.replace("$SP", sp_id))
                if program == "alembic":
                    arguments = ["-m", program, *arguments]
                done = await run_python(arguments, env)
                exit_code, output = done.returncode, done.stdout + done.stderr
            else:
                exit_code, output = await bash(part, env)
            printed += output
            if exit_code:
                return exit_code, printed
    return 0, printed


async def bash(commands: str, env: dict[str, str]) -> tuple[int, str]:
    """The exit code of bash, which ends at the first command that fails, and what was printed."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", commands),
        cwd=ROOT,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_commands_of_the_runbook_run(running: Instance) -> None:
    elsewhere = ("postgresql", "certificate", "stuck")
    done = [block for block in blocks() if block.situation not in elsewhere]
    assert len(done) > 20
    for block in done:
        sp_id = "SP-1"
        if block.situation == "terminated":
            sp_id = "SP-2"
            await running.around.client.get_workflow_handle(sp_id).terminate("by mistake")
        if block.language == "sql":
            async with running.around.database.reading() as connection:
                await connection.execute(text(block.commands))
            continue
        exit_code, output = await shell(running, block.commands, sp_id)
        assert exit_code == 0, f"{block.section}: {block.commands}\n{output}"
        if block.situation == "terminated":
            assert "goes on from version" in output
    for name in ("temporal.db", "cmi.db"):
        assert (running.folder / "backup" / name).stat().st_size > 100_000


async def test_the_commands_for_postgresql_run(running: Instance, tmp_path: Path) -> None:
    """They show who blocks whom, and back up a database from which the records can be restored."""
    at_postgresql = [block for block in blocks() if block.situation == "postgresql"]
    async with records_copy(tmp_path, "postgresql") as copy:
        owner = as_text(make_url(copy.owner).set(drivername="postgresql"))
        server = as_text(postgres_server().set(drivername="postgresql"))
        urls = {"OWNER_URL": owner, "TEMPORAL_DB_URL": server, "VISIBILITY_DB_URL": server}
        first, second = await asyncpg.connect(owner), await asyncpg.connect(owner)
        lock = "SELECT pg_advisory_xact_lock(21)"
        try:
            async with first.transaction():
                await first.execute(lock)
                waits = asyncio.create_task(second.execute(lock))
                blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1"

                async def is_blocked() -> bool:
                    return bool(await first.fetchval(blocked, second.get_server_pid()))

                await eventually(is_blocked)
                shown = {}
                for block in at_postgresql:
                    exit_code, output = await shell(running, block.commands, "SP-1", **urls)
                    assert exit_code == 0, f"{block.section}: {block.commands}\n{output}"
                    shown[block.section] = output
            await waits
        finally:
            await first.close()
            await second.close()
        assert re.search(r"idle in transaction", shown["CmiDatabaseAway"])
        assert re.search(r"active +\| Lock ", shown["CmiDatabaseAway"])
        by_the_first = rf"\{{{first.get_server_pid()}\}} +\| {re.escape(lock)}"
        assert re.search(by_the_first, shown["CmiDatabaseSlow"]), shown["CmiDatabaseSlow"]
    backup = running.folder / "backup"
    exit_code, listed = await shell(running, f"pg_restore --list {backup / 'cmi.dump'}", "SP-1")
    assert exit_code == 0, listed
    assert "TABLE DATA public orders" in listed


async def test_the_end_of_a_certificate_is_shown(running: Instance, tmp_path: Path) -> None:
    (block,) = (block for block in blocks() if block.situation == "certificate")
    client = Authority(tmp_path, "authority").issue("client").certificate
    exit_code, output = await shell(
        running, block.commands, "SP-1", TEMPORAL_TLS_CLIENT_CERT_PATH=str(client)
    )
    assert exit_code == 0
    assert output.startswith("notAfter=")


async def test_an_order_that_is_not_stuck_is_called_so(running: Instance) -> None:
    """`test_replay_failures.py` has one that is."""
    (block,) = (block for block in blocks() if block.situation == "stuck")
    exit_code, output = await shell(running, block.commands, "SP-1")
    assert exit_code == 2, output
    assert "SP-1: its tasks do not fail by a history that cannot be replayed" in output


async def test_a_revived_order_is_no_finding(running: Instance) -> None:
    """What the runbook starts is a pass, and it finds nothing wrong any more."""
    exit_code, output = await shell(
        running, "temporal schedule trigger --schedule-id reconciler", "SP-1"
    )
    assert exit_code == 0, output

    async def has_passed() -> bool:
        text = await running.scrape("cmi-worker")
        found = re.search(r"^cmi_reconciler_pass_timestamp_seconds (\S+)", text, re.MULTILINE)
        return found is not None and float(found[1]) > 0

    await eventually(has_passed)
    exit_code, output = await shell(running, "python scripts/figures.py findings", "SP-1")
    assert exit_code == 0
    assert output.strip() == ""
