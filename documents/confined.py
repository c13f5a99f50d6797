"""Runs one of our modules in a process of its own, with a limit for its memory and its time.

For work that may take too much of either, or that reads what strangers sent: rendering and reading PDFs. The process
gets a bare environment, its input on stdin, a folder for temporary files that is removed after it, and no file of ours
open. What it forks has the same limits and ends with it.

A module that can be run has `main(data: bytes) -> bytes`. As a command (`python -m documents.confined MODULE MEMORY
SECONDS`) this file is the inner side.

**How it is started.** The worker has threads of the Temporal SDK, which take locks of the interpreter without holding
the GIL. A child that is forked at such a moment and then runs any Python code waits for ever for a lock that nobody
will release (`PyOS_AfterFork_Child`), and uvloop's own spawn runs just that code in the child while the parent waits.
So the event loop never spawns: a thread does, with `subprocess.Popen`. Without `preexec_fn` and without a change of
user the child of Popen executes no Python code and takes no lock between its creation and `exec`; on Linux it is made
by `vfork`, which runs no fork handlers of libraries either (CPython, Modules/_posixsubprocess.c: do_fork_exec and
child_exec). Keep it so: no `preexec_fn`, `user`, `group` or `extra_groups` here.
"""

import asyncio
import ctypes
import fcntl
import importlib
import logging
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, NamedTuple

logger = logging.getLogger("cmi.confined")

_ROOT = Path(__file__).resolve().parent.parent
_OUT_OF_MEMORY = 77  # an exit code
START_SECONDS = 20.0
"""How long a process may take until it shows life. It takes a tenth of a second on an idle machine."""

_READY = b"\n"  # the first byte on stdout, before the answer
_LOOK_EVERY = 0.1  # seconds
_LARGEST_ANSWER = 256 << 20
_PREFIX = "cmi-confined-"
_NEAR = 24 << 20  # bytes below the limit, where libraries no longer load
_LARGEST_FILE = 1 << 30
_LAST_WORDS = 2000  # bytes of what a process wrote on stderr
_MOST_FILES = 256
_PR_SET_PDEATHSIG = 1

# Each runs one process from its start to its end. More wait for their turn; a worker runs two at a time.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="confined")


class Limits(NamedTuple):
    """What a process may take: bytes of address space, for it and for each that it forks, and seconds."""

    memory: int
    seconds: float


class ConfinedError(Exception):
    """The process ended without an answer.

    Attributes:
        kind: over the limit of `memory` or `time`, an error or crash of its own (`failed`), or it never came to work
            on its input (`start`): that is the machine's fault, not the input's.

    Its text is code and names of classes; nothing of what the process was given.
    """

    def __init__(self, kind: Literal["memory", "time", "failed", "start"], text: str) -> None:
        self.kind = kind
        super().__init__(text)


async def run_confined(module: str, data: bytes, limits: Limits) -> bytes:
    """What `main` of a module answers. Raises `ConfinedError`.

    A caller that is cancelled leaves no process behind.
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
    """Remove the temporary folders of processes whose worker was killed. Those of living workers stay."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, gone meanwhile, no locks on this file system
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_uid == os.geteuid() and _lock(handle):
                    shutil.rmtree(path, ignore_errors=True)
                    logger.info("removed the folder of a worker that was killed")
            finally:
                os.close(handle)


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder that exists until the end of the block, locked for as long, so that it can be told from a leftover."""
    path, handle = _locked_folder()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _locked_folder() -> tuple[str, int]:
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX)
        # Until it is locked, `remove_leftovers` of another worker may take it for one.
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
    """Run a process from its start to its end, in a thread of its own."""
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
                with suppress(ProcessLookupError, PermissionError):  # macOS says so of zombies
                    os.killpg(process.pid, signal.SIGKILL)
    except OSError as error:
        # No process, no room for a folder: an error of the machine's
        raise ConfinedError("start", f"{module}: {error.strerror}") from None
    code = process.returncode
    if not answer:
        raise ConfinedError("start", f"{module}: {_ending(code, errors)}")
    if not code:
        return answer.removeprefix(_READY)
    if code == _OUT_OF_MEMORY:
        raise ConfinedError("memory", f"{module}: over {limits.memory >> 20} MiB")
    if code == -signal.SIGXCPU:
        raise ConfinedError("time", f"{module}: over {limits.seconds:g} seconds")
    # C libraries crash when memory runs out
    raise ConfinedError("failed", f"{module} {_ending(code, errors)}")


@contextmanager
def _input(data: bytes, folder: str) -> Iterator[IO[bytes]]:
    """A file without a name: `Popen.communicate` does not go on with an input after a timeout."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(data)
        file.seek(0)
        yield file


def _end_of(file: IO[bytes]) -> bytes:
    """The last of what was written into a file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _LAST_WORDS, 0))
    return file.read()


def _start(
    module: str, limits: Limits, folder: str, given: IO[bytes], said: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            *("-E", "-s", "-B", "-m", "documents.confined"),
            *(module, str(limits.memory), str(limits.seconds)),
        ],
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=said,
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


def _listen(
    process: subprocess.Popen[bytes], module: str, limits: Limits, given_up: threading.Event
) -> bytes:
    """What the process writes on stdout until it ends.

    Its time is counted in the looks at it and not by the clock: time in which this process itself was stopped, or the
    machine asleep, is not the other's fault.
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
            raise ConfinedError("failed", f"{module}: given up")
        if not shows_life and waited > START_SECONDS:
            raise ConfinedError("start", f"{module}: no sign of life in {START_SECONDS:g} seconds")
        if waited > limits.seconds:
            raise ConfinedError("time", f"{module}: over {limits.seconds:g} seconds")
        if len(taken) > _LARGEST_ANSWER:
            raise ConfinedError("memory", f"{module}: an answer of over {_LARGEST_ANSWER} bytes")


def _ending(code: int, errors: bytes) -> str:
    """How a process ended, and the end of what it said."""
    ended = signal.Signals(-code).name if code < 0 else str(code)
    return f"ended with {ended}\n{errors.decode(errors='replace').strip()}"


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _short_of_memory(error: BaseException) -> bool:
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
    _end_with_parent()  # a worker that is killed takes it along
    logging.disable()  # what libraries say of a stranger's file is not for our logs
    os.write(1, _READY)
    _confine(int(memory), float(seconds))
    # The answer alone is on the real stdout: what libraries print goes to stderr.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        made = importlib.import_module(module).main(sys.stdin.buffer.read())
    except Exception as error:
        if _short_of_memory(error):
            return _OUT_OF_MEMORY
        print(*traceback.format_tb(error.__traceback__), sep="", end="", file=sys.stderr)
        print(type(error).__name__, file=sys.stderr)
        return 1
    with answer:
        answer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(_inner(*sys.argv[1:]))
