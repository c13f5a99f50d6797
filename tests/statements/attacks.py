"""What a hostile PDF would try once it runs code in the process that reads it (`documents/confinement.py`)."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: int) -> None:
    """A system call by its number. Raises `OSError` if it fails."""
    if _libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _raw_clone() -> None:
    if (pid := _libc.syscall(56, signal.SIGCHLD, 0, 0, 0, 0)) < 0:  # clone
        raise OSError(ctypes.get_errno(), "refused")
    if pid == 0:
        os._exit(0)


def _own(parent: int) -> None:
    fcntl.fcntl(0, fcntl.F_SETOWN, parent)


def _attacks(secret: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Names and ways. `secret` is a file of the worker's user that is none of ours."""
    parent = os.getppid()
    tmp = Path(os.environ["TMPDIR"]).parent
    yield "read the parent's environment", Path(f"/proc/{parent}/environ").read_bytes
    yield "read the parent's memory", lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY)
    yield "read the parent's open files", lambda: os.listdir(f"/proc/{parent}/fd")
    yield "trace the parent", lambda: _call(101, 16, parent, 0, 0)
    yield "copy the parent's memory", lambda: _call(310, parent, 0, 0, 0, 0, 0)
    yield "take a file of the parent", lambda: _call(434, parent, 0)
    yield "kill the parent", lambda: os.kill(parent, 0)
    yield "have signals sent to the parent", lambda: _own(parent)
    yield "limit the parent", lambda: _call(302, parent, 7, 0, 0)
    yield "slow the parent down", lambda: os.setpriority(os.PRIO_PROCESS, parent, 19)
    yield "open an internet socket", lambda: socket.socket(socket.AF_INET)
    yield "open an IPv6 socket", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    yield "open a local socket", lambda: socket.socket(socket.AF_UNIX)
    yield "open a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    yield "open a netlink socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
    yield "connect two sockets", socket.socketpair
    yield "fork", _fork
    yield "clone", _raw_clone
    yield "run a program", lambda: subprocess.run(["/bin/true"], check=True)
    yield "become a program", lambda: os.execv("/bin/true", ["true"])
    yield "begin a session", os.setsid
    yield "leave the group", lambda: os.setpgid(0, 0)
    yield "make a namespace", lambda: _call(272, 0x10000000)
    yield "read a secret file", Path(secret).read_bytes
    yield "read the accounts", Path("/etc/passwd").read_bytes
    yield "read the keys of the host", lambda: os.listdir("/etc/ssl/private")
    yield "list the home", lambda: os.listdir("/root")
    yield "list the root", lambda: os.listdir("/")
    yield "list the source folder", lambda: os.listdir(ROOT)
    yield "read the tests", Path(__file__).read_bytes
    yield "write into the source folder", lambda: (ROOT / "planted.py").write_bytes(b"")
    yield "change the code", lambda: os.open(ROOT / "documents/pdf.py", os.O_RDWR)
    yield "make the code writable", lambda: os.chmod(ROOT / "documents/pdf.py", 0o666)
    yield "change times of the code", lambda: os.utime(ROOT / "documents/pdf.py")
    yield "write beside its folder", lambda: (tmp / "planted").write_bytes(b"")
    yield "list the folder of all", lambda: os.listdir(tmp)
    yield "write into shared memory", lambda: Path("/dev/shm/planted").write_bytes(b"")
    yield "link a secret into its folder", lambda: os.link(secret, Path(os.environ["TMPDIR"], "l"))
    yield "make a device", lambda: os.mknod(Path(os.environ["TMPDIR"], "d"), 0o20600, 0x103)
    yield "mount", lambda: _call(165, 0, 0, 0, 0, 0)
    yield "change the root", lambda: os.chroot("/")
    yield "share memory", lambda: _call(29, 0, 4096, 0o1666)
    yield "queue work for the kernel", lambda: _call(425, 1, 0)


def succeeded(secret: str, *names: str) -> list[str]:
    """Try these (all, if none is named), from the main thread and from another one. Returns what could be done."""
    done: list[str] = []

    def attempt() -> None:
        for name, way in _attacks(secret):
            if names and name not in names:
                continue
            try:
                way()
            except (OSError, subprocess.SubprocessError):
                continue
            done.append(name)

    other = threading.Thread(target=attempt)
    other.start()
    other.join()
    attempt()
    return done


if __name__ == "__main__":
    sys.stdout.write("\n".join(succeeded(*sys.argv[1:])))
