"""A process with limits keeps to them."""

import ast
import asyncio
import os
import tempfile
import time
from pathlib import Path

import pytest

from documents.confined import ConfinedError, Limits, run_confined

GREEDY = "tests.statements.greedy"
ROOMY = Limits(memory=512 << 20, seconds=30)


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


async def told_pid(path: Path) -> int:
    """The process that a forked one wrote down."""
    for _ in range(200):
        if text := _written(path):
            return int(text)
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was forked")


async def test_its_answer_is_what_it_returns_and_nothing_else() -> None:
    answer = "Zürich ".encode() * 100_000
    assert await run_confined(GREEDY, b"echo " + answer, ROOMY) == answer


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


async def test_what_it_forked_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with pytest.raises(ConfinedError):
        await run_confined(GREEDY, f"fork {told}".encode(), Limits(memory=200 << 20, seconds=2))
    assert await gone(await told_pid(told))


async def test_a_caller_that_gives_up_leaves_nothing_behind(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    running = asyncio.create_task(run_confined(GREEDY, f"fork {told}".encode(), ROOMY))
    pid = await told_pid(told)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await gone(pid)


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
