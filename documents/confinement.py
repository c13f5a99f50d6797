"""Takes from this process what it does not need to read a file or to make a document. Linux only, and for good.

`confine` is called by `documents/confined_process.py` in the new process, before it reads its input. The kernel then
refuses everything else, whatever code an input makes the process run:

- **files** (Landlock): it reads the interpreter, the libraries, our code and templates, and writes only its own
  temporary folder, from which it removes nothing, so that its parent sees all that it wrote. It sees nothing of /proc.
- **system calls** (seccomp, through libseccomp): those of a program that computes and uses files. All others do not
  exist for it: sockets, new processes and programs, sessions, signals to others, tracing, other owners and modes of
  files, keys, namespaces.
- **network and System V memory**: where the kernel allows it, the process has namespaces of its own, which are empty.

The library for Landlock knows neither signals nor sockets yet, so its three system calls are made by ctypes.
`missing` says what this machine
cannot do; the process then works without it.
"""

import ctypes
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

Means = Literal["landlock", "seccomp", "dumpable"]
"""What a machine may lack: the limits of files, of system calls, and the protection of this process's memory."""

ROOT = Path(__file__).resolve().parent.parent
_CODE = (
    *("domain", "files", "words", "contracts", "settings", "records", "documents", "statements"),
    *("invoices", "templates", "locale"),
)
_SYSTEM = (
    *("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo"),
    *("/usr/share/fontconfig", "/usr/share/xml", "/etc/fonts", "/etc/ld.so.cache"),
    *("/dev/null", "/dev/urandom"),
)
_PROBE_SECONDS = 20

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
_O_TMPFILE = 0o20000000
_CLONE_THREAD = 0x10000
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)  # duplicate, flags, locks


def protect_memory() -> bool:
    """Keep other processes of the same user from reading this one's memory and environment. False if that failed.

    It also writes no core dumps. A program that is executed later begins without this protection.
    """
    if sys.platform != "linux":
        return False
    done: int = ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return done == 0


def leave_namespaces() -> None:
    """Enter empty namespaces of network and System V objects, where the kernel allows it. Before any thread starts.

    It clears what the process gets when its parent ends (PR_SET_PDEATHSIG), so that has to be set afterwards.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)


def confine(folder: str, modules: tuple[Path, ...] = ()) -> tuple[Means, ...]:
    """Confine this process to `folder` and to what it reads. Returns what this machine cannot do.

    `modules`: further folders with code that it may read.
    """
    done: dict[Means, bool] = {"dumpable": protect_memory(), "landlock": False, "seccomp": False}
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        calls = _filter_of_calls()  # loads a library, which is out of reach afterwards
        done["landlock"] = _restrict_files(folder, modules)
        done["seccomp"] = calls is not None and _loaded(calls)
    return tuple(means for means in get_args(Means) if not done[means])


@cache
def missing() -> tuple[Means, ...]:
    """What this machine lacks to confine a process, found out by confining one. Takes a moment, and blocks."""
    try:
        done = subprocess.run(
            [sys.executable, "-E", "-s", "-B", "-m", "documents.confinement"],
            cwd=ROOT,
            # No programs, as in the process that is confined: they would find libraries that it does not find.
            env={"PATH": os.devnull},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return get_args(Means)
    named = done.stdout.decode().split()
    return tuple(means for means in get_args(Means) if means in named)


# --- Landlock -----------------------------------------------------------------------------------------------------

# The numbers of system calls since Linux 5.0 are those of all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_READ_FILE, _READ_DIR, _WRITE_FILE, _MAKE_DIR, _MAKE_REG, _TRUNCATE = (
    *(1 << 2, 1 << 3, 1 << 1),
    *(1 << 7, 1 << 8, 1 << 14),
)
_ACCESS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_BIND_AND_CONNECT = 3  # from ABI 4
_ABSTRACT_SOCKETS_AND_SIGNALS = 3  # from ABI 6


class _Ruleset(ctypes.Structure):
    """`struct landlock_ruleset_attr`: what is refused unless a rule allows it."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`: what is allowed in a folder, or for a file."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _restrict_files(folder: str, modules: tuple[Path, ...]) -> bool:
    call = ctypes.CDLL(None, use_errno=True).syscall
    abi = call(_CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return False
    handled = max(bits for since, bits in _ACCESS_OF_ABI.items() if since <= abi)
    rules = _Ruleset(
        handled,
        _TCP_BIND_AND_CONNECT if abi >= 4 else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= 6 else 0,
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    handle = call(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    if handle < 0:
        return False
    try:
        for path in _readable(modules):
            _allow(handle, path, handled & (_READ_FILE | _READ_DIR))
        own = _READ_FILE | _READ_DIR | _WRITE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
        _allow(handle, Path(folder), handled & own)
        return bool(call(_RESTRICT_SELF, handle, 0) == 0)
    finally:
        os.close(handle)


def _readable(modules: tuple[Path, ...]) -> Iterator[Path]:
    """What the process reads: the interpreter with its packages, the system's libraries, our code. Not `var`."""
    library = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for prefix in dict.fromkeys((sys.prefix, sys.base_prefix)):
        yield from (Path(prefix, "lib", library), Path(prefix, "lib64", library))
        yield Path(prefix, "pyvenv.cfg")
    yield from (ROOT / name for name in _CODE)
    yield from modules
    yield from map(Path, _SYSTEM)


def _allow(ruleset: int, path: Path, access: int) -> None:
    with suppress(OSError):  # not every system has all of them
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            allowed = access if path.is_dir() else access & ~(_READ_DIR | _MAKE_DIR | _MAKE_REG)
            rule = _PathBeneath(allowed, handle)
            call = ctypes.CDLL(None, use_errno=True).syscall
            call(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
        finally:
            os.close(handle)


# --- seccomp ------------------------------------------------------------------------------------------------------

_ALLOWED = """
read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek close close_range dup dup2 dup3
pipe pipe2 flock fsync fdatasync ftruncate ftruncate64 truncate truncate64 fallocate fadvise64 readahead
sendfile sendfile64 copy_file_range splice
stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx access faccessat faccessat2 readlink readlinkat
getdents getdents64 getcwd chdir fchdir mkdir mkdirat statfs statfs64 fstatfs fstatfs64 umask
mmap mmap2 munmap mremap mprotect madvise brk msync mincore membarrier get_mempolicy
futex futex_time64 futex_wait futex_wake futex_waitv set_robust_list get_robust_list rseq set_tid_address gettid
arch_prctl set_thread_area get_thread_area sched_yield sched_getaffinity sched_getparam sched_getscheduler
sched_get_priority_max sched_get_priority_min getcpu
rt_sigaction rt_sigprocmask rt_sigreturn sigreturn rt_sigpending rt_sigtimedwait sigaltstack restart_syscall
getpid getppid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32 getpgrp
getpgid getsid getresuid getresuid32 getresgid getresgid32 capget
clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64 nanosleep
gettimeofday time times getrusage getrlimit ugetrlimit sysinfo uname getrandom
poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_wait
epoll_pwait epoll_pwait2 eventfd eventfd2 exit exit_group wait4 waitid pause
""".split()  # noqa: SIM905
"""Compute, use memory, use files that are open or that Landlock lets it open, wait, and end."""


def _filter_of_calls() -> Any:
    """The filter, not yet loaded; None without libseccomp."""
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError):
        return None
    # "No such system call" is what the C library expects of an old kernel; it then does without.
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))

    def allow(name: str, *arguments: Any) -> None:
        with suppress(
            ValueError, OSError
        ):  # this architecture, or this libseccomp, does not know it
            rules.add_rule(seccomp.ALLOW, name, *arguments)

    argument, equal = seccomp.Arg, seccomp.MASKED_EQ
    for name in _ALLOWED:
        allow(name)
    # Not F_SETOWN, which would have the kernel send signals to others.
    for command in _FCNTL:
        for name in ("fcntl", "fcntl64"):
            allow(name, argument(1, seccomp.EQ, command))
    # A file without a name would be one that the parent does not see.
    allow("open", argument(1, equal, _O_TMPFILE, 0))
    allow("openat", argument(2, equal, _O_TMPFILE, 0))
    # New threads. `clone3` has its flags in memory, where no filter sees them.
    allow("clone", argument(0, equal, _CLONE_THREAD, _CLONE_THREAD))
    # The end of this process by itself (`abort`).
    allow("tgkill", argument(0, seccomp.EQ, os.getpid()))
    # Its own limits can be read and not changed.
    allow("prlimit64", argument(0, seccomp.EQ, 0), argument(2, seccomp.EQ, 0))
    # Names of threads. Not what happens when the parent ends.
    allow("prctl", argument(0, seccomp.EQ, 15))
    return rules


def _loaded(rules: Any) -> bool:
    try:
        rules.load()
    except OSError:
        return False
    return True


def main() -> None:
    """Print what this machine lacks. Threads must still work, since libraries start some."""
    lacking = confine(os.devnull)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    print(*lacking)


if __name__ == "__main__":
    main()
