"""Runs one of our modules in a process of its own, with a limit for its memory and its time.

For work that may take too much of either, or that reads what strangers sent: rendering and reading PDFs. The process
gets a bare environment, its input on stdin, a folder for temporary files that is removed after it, and no file of ours
open. What it forks has the same limits and ends with it.

A module that can be run has `main(data: bytes) -> bytes`. As a command (`python -m documents.confined MODULE MEMORY
SECONDS`) this file is the inner side.
"""

import asyncio
import importlib
import math
import os
import resource
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

_ROOT = Path(__file__).resolve().parent.parent
OUT_OF_MEMORY = 77
"""The exit code that says so."""

_NEAR = 24 << 20  # bytes below the limit, where libraries no longer load
_LARGEST_FILE = 1 << 30
_MOST_FILES = 256


class Limits(NamedTuple):
    """What a process may take: bytes of address space, for it and for each that it forks, and seconds."""

    memory: int
    seconds: float


class ConfinedError(Exception):
    """The process ended without an answer.

    Attributes:
        kind: over the limit of `memory` or `time`, or an error or crash of its own (`failed`).

    Its text is code and names of classes; nothing of what the process was given.
    """

    def __init__(self, kind: Literal["memory", "time", "failed"], text: str) -> None:
        self.kind = kind
        super().__init__(text)


async def run_confined(module: str, data: bytes, limits: Limits) -> bytes:
    """What `main` of a module answers. Raises `ConfinedError`."""
    with tempfile.TemporaryDirectory(prefix="cmi-confined-") as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-E", "-s", "-B", "-m", "documents.confined"),
            *(module, str(limits.memory), str(limits.seconds)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            env={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "TZ": "UTC",
                "TMPDIR": folder,
                "HOME": folder,
            },
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(limits.seconds):
                answer, errors = await process.communicate(data)
        except TimeoutError:
            raise ConfinedError("time", f"{module}: over {limits.seconds:g} seconds") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    code = process.returncode or 0
    if not code:
        return answer
    if code == OUT_OF_MEMORY:
        raise ConfinedError("memory", f"{module}: over {limits.memory >> 20} MiB")
    if code == -signal.SIGXCPU:
        raise ConfinedError("time", f"{module}: over {limits.seconds:g} seconds")
    ended = signal.Signals(-code).name if code < 0 else str(code)
    said = errors.decode(errors="replace").strip()[-2000:]
    # C libraries crash when memory runs out
    raise ConfinedError("failed", f"{module} ended with {ended}\n{said}")


def short_of_memory(error: BaseException) -> bool:
    """Whether an error in this process comes of its limit of memory: libraries have many names for it."""
    if isinstance(error, MemoryError):
        return True
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return False
    peak = int(status.partition("VmPeak:")[2].split()[0]) << 10
    return limit != resource.RLIM_INFINITY and peak > limit - _NEAR


def _confine(memory: int, seconds: float) -> None:
    """Lower this process's limits, for good."""
    processor = math.ceil(seconds) + 1
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS knows no limit of the address space
            resource.setrlimit(kind, (limit, limit))


def _inner(module: str, memory: str, seconds: str) -> int:
    _confine(int(memory), float(seconds))
    # The answer alone is on the real stdout: what libraries print goes to stderr.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        made = importlib.import_module(module).main(sys.stdin.buffer.read())
    except Exception as error:
        if short_of_memory(error):
            return OUT_OF_MEMORY
        print(*traceback.format_tb(error.__traceback__), sep="", end="", file=sys.stderr)
        print(type(error).__name__, file=sys.stderr)
        return 1
    with answer:
        answer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(_inner(*sys.argv[1:]))
