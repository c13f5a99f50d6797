"""The side inside a confined process: limits this process, runs `main` of a module on its stdin, writes the answer.

The command is `python -m documents.confined_process MODULE MEMORY PROCESSOR_SECONDS` (`documents/confined.py`). Each
process loads this file first, so it imports little: a photo takes a tenth of a second of processor time.
"""

import ctypes
import importlib
import logging
import os
import resource
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from typing import IO

from documents.confinement import confine, leave_namespaces

OUT_OF_MEMORY = 77
"""The exit code of a process that exceeded its limit of memory."""
READY = b"\n"
"""The first byte on stdout, before the answer."""
_NEAR = 24 << 20  # bytes below the limit, where libraries no longer load
_LARGEST_FILE = 64 << 20
_MOST_FILES = 256
_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _short_of_memory(error: BaseException, status: IO[str] | None) -> bool:
    """Whether the memory limit of this process caused an error. Libraries raise it under many names."""
    if isinstance(error, MemoryError):
        return True
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if status is None:
        return False
    peak = int(status.read().partition("VmPeak:")[2].split()[0]) << 10
    return limit != resource.RLIM_INFINITY and peak > limit - _NEAR


def _confine(memory: int, processor: int) -> None:
    """Lower the limits of this process permanently."""
    for kind, limit, most in (
        (resource.RLIMIT_AS, memory, memory),
        # At the first limit the kernel sends SIGXCPU, which tells the cause; at the second one SIGKILL, which does not.
        (resource.RLIMIT_CPU, processor, processor + 1),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE, _LARGEST_FILE),
        (resource.RLIMIT_NOFILE, _MOST_FILES, _MOST_FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with suppress(ValueError, OSError):  # macOS has no limit of the address space
            resource.setrlimit(kind, (limit, most))


def _inner(module: str, memory: str, processor: str) -> int:
    leave_namespaces()
    _end_with_parent()  # so that a killed worker leaves no process
    logging.disable()  # libraries may log the content of an untrusted file
    os.write(1, READY)
    _confine(int(memory), int(processor))
    # Only the answer is written to the real stdout; output of libraries is redirected to stderr.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    status = None
    with suppress(OSError):  # opened before it is out of reach
        status = open("/proc/self/status")  # noqa: SIM115 (as long as the process)
    try:
        work = importlib.import_module(module)
        for library in getattr(work, "LOADS", ()):
            importlib.import_module(library)
        confine(tempfile.gettempdir())
        made = work.main(sys.stdin.buffer.read())
    except Exception as error:
        if _short_of_memory(error, status):
            return OUT_OF_MEMORY
        print(*traceback.format_tb(error.__traceback__), sep="", end="", file=sys.stderr)
        print(type(error).__name__, file=sys.stderr)
        return 1
    with answer:
        answer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(_inner(*sys.argv[1:]))
