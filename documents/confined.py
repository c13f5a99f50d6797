"""Runs one of our modules in a separate process with limits of memory and time.

For work that may need too much of either, or that reads untrusted files: rendering and reading PDFs. The process has a
minimal environment, its input on stdin, a temporary folder that is removed afterwards, and no inherited open files.
Once it has loaded the module it is confined (`documents/confinement.py`): no network, no other processes, no other
files. Where the machine cannot do that, its own child processes have the same limits and end with it.

A module that can be run has `main(data: bytes) -> bytes`. What `main` imports and cannot be loaded from within, because
it looks for libraries of the system, is named in its `LOADS`. `documents/confined_process.py` is the side inside the
process.

**How it is started.** The worker has threads of the Temporal SDK, which take locks of the interpreter without holding
the GIL. A child that is forked at such a moment and then runs any Python code waits forever for a lock that nobody will
release (`PyOS_AfterFork_Child`), and uvloop's own spawn runs such code in the child while the parent waits. So the
event loop never starts a process: a thread does, with `subprocess.Popen`. Without `preexec_fn` and without a change of
user, Popen's child executes no Python code and takes no lock between its creation and `exec`; on Linux it is created by
`vfork`, which does not run fork handlers of libraries either (CPython, Modules/_posixsubprocess.c: do_fork_exec and
child_exec). So do not use `preexec_fn`, `user`, `group` or `extra_groups` here.
"""

import asyncio
import fcntl
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, NamedTuple

from documents.confined_process import OUT_OF_MEMORY, READY

logger = logging.getLogger("cmi.confined")

_ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 20.0
"""How long a process may take until its first byte. It takes a tenth of a second on an idle machine."""

_LOOK_EVERY = 0.1  # seconds
_LARGEST_ANSWER = 256 << 20
_PREFIX = "cmi-confined-"
_LAST_WORDS = 2000  # bytes of the end of stderr in an error

# Each thread runs one process from start to end. Further ones are queued; a worker runs two at a time.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="confined")


class Limits(NamedTuple):
    """The limits of a process: bytes of address space, for it and for each of its children, and seconds.

    `processor`: seconds of processor time, of all its threads together, rounded up; None: one more than `seconds`.
    """

    memory: int
    seconds: float
    processor: float | None = None

    @property
    def processor_seconds(self) -> int:
        """The limit of the processor time in whole seconds, which is what the kernel counts."""
        if self.processor is None:
            return math.ceil(self.seconds) + 1
        return math.ceil(self.processor)


class ConfinedError(Exception):
    """The process ended without an answer.

    Attributes:
        kind: `memory` or `time`: it exceeded that limit. `failed`: an error or crash. `start`: it did not begin to
            read its input, which is a problem of the machine and not of the input.

    The text contains code and names of classes, but nothing of the input.
    """

    def __init__(self, kind: Literal["memory", "time", "failed", "start"], text: str) -> None:
        self.kind = kind
        super().__init__(text)


async def run_confined(module: str, data: bytes, limits: Limits) -> bytes:
    """The result of `main` of a module, run in a confined process. Raises `ConfinedError`.

    If the caller is cancelled, the process is killed.
    """
    given_up = threading.Event()
    job = _threads.submit(_run, module, data, limits, given_up)
    answer = asyncio.wrap_future(job)
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        given_up.set()
        if not job.cancel():
            await asyncio.wait([answer])
        raise


def remove_leftovers() -> None:
    """Remove the temporary folders of processes whose worker was killed. Those of running workers stay."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Another user's folder, one that was removed meanwhile, or no locks on this file system.
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_uid == os.geteuid() and _lock(handle):
                    shutil.rmtree(path, ignore_errors=True)
                    logger.info("removed the folder of a worker that was killed")
            finally:
                os.close(handle)


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder that exists and is locked until the end of the block. The lock distinguishes it from a leftover."""
    path, handle = _locked_folder()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _locked_folder() -> tuple[str, int]:
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX)
        # Until it is locked, `remove_leftovers` of another worker may remove it.
        with suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            if _lock(handle) and os.path.exists(path):
                return path, handle
            os.close(handle)


def _lock(handle: int) -> bool:
    """Lock an open folder, until it is closed or this process ends. False if another one has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run(module: str, data: bytes, limits: Limits, given_up: threading.Event) -> bytes:
    """Run a process from start to end, in the current thread."""
    try:
        with (
            _temporary_folder() as folder,
            _input(data, folder) as given,
            tempfile.TemporaryFile(dir=folder) as said,
            _start(module, limits, folder, given, said) as process,
        ):
            try:
                answer = _listen(process, module, limits, given_up)
                errors = _end_of(said)
            finally:
                with suppress(ProcessLookupError, PermissionError):  # macOS raises this for zombies
                    os.killpg(process.pid, signal.SIGKILL)
    except OSError as error:
        # no free process, or no disk space: a problem of the machine
        raise ConfinedError("start", f"{module}: {error.strerror}") from None
    code = process.returncode
    if not answer:
        raise ConfinedError("start", f"{module}: {_ending(code, errors)}")
    if not code:
        return answer.removeprefix(READY)
    if code == OUT_OF_MEMORY:
        raise ConfinedError("memory", f"{module}: over {limits.memory >> 20} MiB")
    if code == -signal.SIGXCPU:
        raise ConfinedError(
            "time", f"{module}: over {limits.processor_seconds} seconds of a processor"
        )
    # C libraries crash when memory runs out
    raise ConfinedError("failed", f"{module} {_ending(code, errors)}")


@contextmanager
def _input(data: bytes, folder: str) -> Iterator[IO[bytes]]:
    """The input as a file without a name, because `Popen.communicate` cannot continue an input after a timeout."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(data)
        file.seek(0)
        yield file


def _end_of(file: IO[bytes]) -> bytes:
    """The end of what was written to a file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _LAST_WORDS, 0))
    return file.read()


def _start(
    module: str, limits: Limits, folder: str, given: IO[bytes], said: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            *("-E", "-s", "-B", "-m", "documents.confined_process"),
            *(module, str(limits.memory), str(limits.processor_seconds)),
        ],
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=said,
        cwd=_ROOT,
        env={
            # No programs: ctypes would start gcc and ld for each name by which WeasyPrint looks for a library.
            "PATH": folder,
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": folder,
            "HOME": folder,
        },
        start_new_session=True,
    )


def _listen(
    process: subprocess.Popen[bytes], module: str, limits: Limits, given_up: threading.Event
) -> bytes:
    """The output of the process on stdout, until it ends.

    Its time is counted in polls and not by the clock, so that time in which this process was stopped or the machine
    was asleep does not count.
    """
    looks, shows_life = 0, False
    while True:
        try:
            return process.communicate(timeout=_LOOK_EVERY)[0]
        except subprocess.TimeoutExpired as so_far:
            taken = so_far.output or b""
        looks += 1
        shows_life = shows_life or bool(taken)
        waited = looks * _LOOK_EVERY
        if given_up.is_set():
            raise ConfinedError("failed", f"{module}: cancelled")
        if not shows_life and waited > START_SECONDS:
            raise ConfinedError("start", f"{module}: no sign of life in {START_SECONDS:g} seconds")
        if waited > limits.seconds:
            raise ConfinedError("time", f"{module}: over {limits.seconds:g} seconds")
        if len(taken) > _LARGEST_ANSWER:
            raise ConfinedError("memory", f"{module}: an answer of over {_LARGEST_ANSWER} bytes")


def _ending(code: int, errors: bytes) -> str:
    """How a process ended, and the end of its stderr."""
    ended = signal.Signals(-code).name if code < 0 else str(code)
    return f"ended with {ended}\n{errors.decode(errors='replace').strip()}"
