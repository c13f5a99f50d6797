"""A process with limits keeps to them, and starts safely beside the threads of the Temporal SDK."""

import ast
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from development.embedded import ROOT
from documents import confined, confinement
from documents.confined import ConfinedError, Limits, remove_leftovers, run_confined
from tests.support.temporal_servers import dev_server

GREEDY = "tests.statements.greedy"
ROOMY = Limits(memory=512 << 20, seconds=30)
HARMLESS = ("open an internet socket", "fork", "read a secret file", "run a program")


async def gone(pid: int) -> bool:
    """Whether a process ends in these seconds (a zombie has ended)."""
    for _ in range(100):
        if not _runs(pid):
            return True
        await asyncio.sleep(0.05)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def told_pid(folder: Path) -> int:
    """The confined process that wrote its number into its own folder, which is in this one."""
    for _ in range(200):
        for path in folder.glob("cmi-confined-*/pid"):
            if text := _written(path):
                return int(text)
        await asyncio.sleep(0.05)
    raise AssertionError("nothing has begun")


async def test_its_answer_is_what_it_returns_and_nothing_else() -> None:
    answer = "Zürich ".encode() * 100_000
    assert await run_confined(GREEDY, b"echo " + answer, ROOMY) == answer


async def test_one_that_takes_its_time_gets_all_and_gives_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confined, "_LOOK_EVERY", 0.002)
    answer = "Zürich ".encode() * 2_000_000
    assert (
        await run_confined(GREEDY, b"echo " + answer, Limits(memory=512 << 20, seconds=5)) == answer
    )


async def test_it_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMI_ENCRYPTION_KEYS", "a secret")
    monkeypatch.setenv("PYTHONPATH", "/tmp/elsewhere")
    answer = await run_confined(GREEDY, b"environment", ROOMY)
    names, _, files = ast.literal_eval(answer.decode())
    assert set(names) <= {"PATH", "LANG", "LC_CTYPE", "TZ", "TMPDIR", "HOME"}
    assert len(files) <= 5


@pytest.mark.parametrize("how", [b"memory", b"hoard"])
async def test_memory_has_an_end(how: bytes) -> None:
    with pytest.raises(ConfinedError) as error:
        await run_confined(GREEDY, how, Limits(memory=200 << 20, seconds=30))
    assert error.value.kind == "memory"


async def test_time_has_an_end() -> None:
    start = time.monotonic()
    with pytest.raises(ConfinedError) as error:
        await run_confined(GREEDY, b"spin", Limits(memory=200 << 20, seconds=1))
    assert error.value.kind == "time"
    assert time.monotonic() - start < 10


async def test_a_hostile_program_can_do_nothing(tmp_path: Path) -> None:
    """What was tried is in `attacks.py`."""
    if confinement.missing():
        pytest.skip(f"this kernel lacks {confinement.missing()}")
    secret = tmp_path / "secret"
    secret.write_text("key")
    assert (await run_confined(GREEDY, f"attack {secret}".encode(), ROOMY)).decode() == ""


async def test_the_same_program_can_do_a_lot_where_it_is_not_confined(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    secret = tmp_path / "secret"
    secret.write_text("key")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.statements.attacks", str(secret), *HARMLESS],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(done.stdout.splitlines()) == set(HARMLESS)


async def test_it_ends_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = asyncio.create_task(
        run_confined(GREEDY, b"sleep", Limits(memory=200 << 20, seconds=2))
    )
    pid = await told_pid(tmp_path)
    with pytest.raises(ConfinedError, match="over 2 seconds"):
        await running
    assert await gone(pid)


async def test_a_caller_that_gives_up_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = asyncio.create_task(run_confined(GREEDY, b"sleep", ROOMY))
    pid = await told_pid(tmp_path)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await gone(pid)
    assert list(tmp_path.glob("cmi-confined-*")) == []


async def test_an_error_tells_where_and_not_what() -> None:
    with pytest.raises(ConfinedError, match="ValueError") as error:
        await run_confined(GREEDY, b"fail on the customer's name", ROOMY)
    assert error.value.kind == "failed"
    assert "greedy.py" in str(error.value)
    assert "customer's name" not in str(error.value)


async def test_its_temporary_files_go() -> None:
    folder = (await run_confined(GREEDY, b"file", ROOMY)).decode()
    assert folder.startswith(tempfile.gettempdir())
    assert not os.path.exists(folder)


# --- how it starts ------------------------------------------------------------------------------------------------


def instead_of_python(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started is this shell script."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


async def test_one_that_shows_no_life_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "cmi-confined-no-life" / "pid"
    told.parent.mkdir()
    instead_of_python(tmp_path, f"/bin/sleep 600 & echo $! >{told}; wait", monkeypatch)
    monkeypatch.setattr(confined, "START_SECONDS", 0.5)
    with pytest.raises(ConfinedError, match="no sign of life") as error:
        await run_confined(GREEDY, b"echo", ROOMY)
    assert error.value.kind == "start"
    assert await gone(await told_pid(tmp_path))


@pytest.mark.parametrize("script", ["kill -9 $$", "echo no such module >&2; exit 3"])
async def test_one_that_ends_before_it_begins_is_not_its_inputs_fault(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead_of_python(tmp_path, script, monkeypatch)
    with pytest.raises(ConfinedError) as error:
        await run_confined(GREEDY, b"echo", ROOMY)
    assert error.value.kind == "start"


async def test_a_machine_that_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConfinedError, match="No such file") as error:
        await run_confined(GREEDY, b"echo", ROOMY)
    assert error.value.kind == "start"


async def test_it_starts_beside_the_busy_threads_of_the_sdk_under_uvloop() -> None:
    async with dev_server() as server:
        target = server.client.service_client.config.target_host
        # A process of its own: it runs uvloop, and on the old code it would hang and take this one with it.
        process = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tests.statements.spawning", "20", "60", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert process.returncode == 0, process.stderr
    assert "20 spawned" in process.stdout
    assert "0 children ran Python before exec" in process.stdout


# --- what a killed worker leaves ----------------------------------------------------------------------------------


async def test_what_a_killed_worker_leaves_is_removed_and_what_a_living_one_uses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import asyncio; from documents.confined import *;"
        f"asyncio.run(run_confined({GREEDY!r}, b'sleep', Limits(512 << 20, 60)))"
    )
    other = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    leader = await told_pid(tmp_path)
    (folder,) = tmp_path.glob("cmi-confined-*")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "cmi-confined-link").symlink_to(elsewhere)

    remove_leftovers()
    assert folder.exists()

    other.kill()
    other.wait()
    assert await gone(leader)
    remove_leftovers()
    assert not folder.exists()
    assert elsewhere.exists()


async def test_a_folder_that_is_taken_for_a_leftover_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker looks for leftovers between the making of a folder and its locking."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make, made = tempfile.mkdtemp, []

    def and_looked_at(prefix: str) -> str:
        made.append(make(prefix=prefix))
        if len(made) == 1:
            remove_leftovers()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", and_looked_at)
    assert await run_confined(GREEDY, b"file", ROOMY) == made[1].encode()
    assert len(made) == 2
    assert not any(os.path.exists(folder) for folder in made)


async def test_processor_time_is_limited_by_itself() -> None:
    limits = Limits(memory=200 << 20, seconds=60, processor=1)
    with pytest.raises(ConfinedError, match="over 1 seconds of a processor") as caught:
        await run_confined(GREEDY, b"spin", limits)
    assert caught.value.kind == "time"
