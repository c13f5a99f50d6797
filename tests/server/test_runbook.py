"""The commands of docs/runbook.md, run as they stand there against a running instance."""

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from sqlalchemy import text

from development.embedded import ROOT, temporal_binary
from domain.orders.order import Status
from tests.server.surroundings import eventually
from tests.support.instance import Instance, instance
from tests.support.needs import needs
from tests.support.processes import run_python

pytestmark = [needs("prometheus"), pytest.mark.asyncio(loop_scope="module")]


OURS = re.compile(r'python (scripts/figures|starter)\.py( [\w-]+| "\$SP")*')


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
        r"|<!-- tested(?:: (?P<situation>\w+))? -->\n```(?P<language>\w+)\n(?P<commands>.*?)```",
        re.MULTILINE | re.DOTALL,
    )
    for match in pattern.finditer((ROOT / "docs" / "runbook.md").read_text()):
        if match["heading"]:
            section = match["heading"]
        else:
            given = match["situation"] or "", match["language"], match["commands"]
            found.append(Block(section, *given))
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


async def shell(it: Instance, commands: str, sp_id: str) -> tuple[int, str]:
    """Run commands in CMI's folder until one fails. Returns the exit code, and what they printed.

    Bash runs them, but for the lines that do no more than to call a command of ours, which is forked.
    """
    around = it.around
    backup = it.folder / "backup"
    backup.mkdir(exist_ok=True)
    bin_folders = [str(Path(sys.executable).parent), str(Path(temporal_binary()).parent)]
    env = {
        **it.env,
        "PATH": ":".join([*bin_folders, os.environ["PATH"]]),
        "SP": sp_id,
        "CMI_URL": it.url,
        "PROMETHEUS_URL": it.prometheus_url,
        "BACKUP": str(backup),
        "CMI_FILE": str(around.database.url.database),
        "TEMPORAL_FILE": str(around.folder / "temporal.db"),
    }
    printed = ""
    for is_ours, lines in groupby(commands.splitlines(), lambda line: bool(OURS.fullmatch(line))):
        for part in lines if is_ours else ["\n".join(lines)]:
            if is_ours:
                _, *arguments = shlex.split(part.replace("$SP", sp_id))
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
    done = blocks()
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
