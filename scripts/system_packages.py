"""The list of system packages that CMI needs. Installs those that are missing, where it can.

    python3 scripts/system_packages.py run          what `make run` needs
    python3 scripts/system_packages.py run test     what `make run` and the tests need
    python3 scripts/system_packages.py --must venv  exit code 1 if something is missing in the end

It installs as root on Debian and its derivatives. Elsewhere it prints one line: what is missing and how to install it.
Tests that need it are then skipped with that line as the reason (tests/support/needs.py). The script runs before any
Python package is installed, so it uses only the standard library.
"""

import argparse
import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ATTEMPTS = 3
"""How often apt is tried: a package server may be away for a moment."""
PAUSE = 5.0
"""Seconds before the second attempt; twice as many before the third."""
APT_GET = ("apt-get", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")


class Part(NamedTuple):
    """Something that a machine has or lacks.

    Attributes:
        name: what people call it.
        use: what it is for.
        group: who needs it: every command that runs the product (`run`), only the tests (`test`), making the virtual
            environment (`venv`), running make itself (`make`), drawing the pictures of the docs (`pictures`), or
            running the Compose files (`compose`). The tests run without `faster`, and take longer.
        debian: Debian's packages.
        brew: the formula of Homebrew, for macOS; empty if macOS includes it.
        found: whether this machine has it.
    """

    name: str
    use: str
    group: str
    debian: tuple[str, ...]
    brew: str
    found: Callable[[], bool]


def chromium() -> Path | None:
    """The browser for the tests of the pages: `CMI_CHROMIUM`, or Debian's."""
    return _program(os.environ.get("CMI_CHROMIUM") or "chromium")


def headless_shell() -> Path | None:
    """Chromium without windows and menus, which cost more than the pages in them."""
    return _program("chromium-headless-shell")


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's `initdb` and `pg_ctl`, of the newest version installed."""
    on_path = _program("initdb")
    if on_path:
        return on_path.resolve().parent
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: int(re.sub(r"\D", "", path.parts[4]) or 0), default=None)
    return newest.parent if newest else None


def _program(name: str) -> Path | None:
    path = shutil.which(name)
    return Path(path) if path else None


def _loads(*files: str) -> bool:
    """Whether all of these libraries can be loaded. Their names are those on Linux."""
    return all(_opens(file) or _opens(re.sub(r"\.so\.\d+$", ".dylib", file)) for file in files)


def _opens(file: str) -> bool:
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True


PARTS = {
    "make": Part(
        "make", "every command", "make", ("make",), "make", lambda: bool(_program("make"))
    ),
    "venv": Part(
        "Python's venv",
        "the virtual environment",
        "venv",
        (f"python{sys.version_info[0]}.{sys.version_info[1]}-venv",),
        "python",
        lambda: all(importlib.util.find_spec(name) for name in ("ensurepip", "venv")),
    ),
    # WeasyPrint loads the libraries of the next two by name.
    "pango": Part(
        "Pango",
        "PDF documents",
        "run",
        ("libpango-1.0-0", "libpangoft2-1.0-0"),
        "pango",
        lambda: _loads("libpango-1.0.so.0", "libpangoft2-1.0.so.0"),
    ),
    "harfbuzz": Part(
        "HarfBuzz's subsetter",
        "small documents five times faster",
        "run",
        ("libharfbuzz-subset0",),
        "harfbuzz",
        lambda: _loads("libharfbuzz-subset.so.0"),
    ),
    "libseccomp": Part(
        "libseccomp",
        "confining the process that reads foreign files",
        "run",
        ("libseccomp2",),
        "",
        lambda: sys.platform == "darwin" or _loads("libseccomp.so.2"),
    ),
    "pdftotext": Part(
        "pdftotext",
        "tests of documents",
        "test",
        ("poppler-utils",),
        "poppler",
        lambda: bool(_program("pdftotext")),
    ),
    "postgresql": Part(
        "PostgreSQL",
        "tests of the records",
        "test",
        ("postgresql",),
        "postgresql",
        lambda: bool(os.environ.get("CMI_TEST_POSTGRES_URL", "").strip() or postgres_programs()),
    ),
    "chromium": Part(
        "Chromium",
        "tests of the pages",
        "test",
        ("chromium", "fonts-dejavu-core"),
        "chromium",
        lambda: bool(chromium()),
    ),
    "headless-shell": Part(
        "Chromium's headless shell",
        "tests of the pages in half the processor time",
        "faster",
        ("chromium-headless-shell",),
        "",
        lambda: sys.platform == "darwin" or bool(headless_shell()),
    ),
    "libatomic": Part(
        "libatomic",
        "Playwright, which drives Chromium",
        "test",
        ("libatomic1",),
        "",
        lambda: sys.platform == "darwin" or _loads("libatomic.so.1"),
    ),
    # It installs axe-core, which checks that the pages are accessible.
    "npm": Part(
        "npm", "tests of the pages", "test", ("npm",), "node", lambda: bool(_program("npm"))
    ),
    "prometheus": Part(
        "Prometheus with promtool",
        "tests of metrics, alerts and dashboards",
        "test",
        ("prometheus",),
        "prometheus",
        lambda: bool(_program("prometheus") and _program("promtool")),
    ),
    "curl": Part(
        "curl", "test of the API's guide", "test", ("curl",), "", lambda: bool(_program("curl"))
    ),
    "graphviz": Part(
        "Graphviz",
        "the pictures of the docs",
        "pictures",
        ("graphviz",),
        "graphviz",
        lambda: bool(_program("dot")),
    ),
    "mmdebstrap": Part(
        "mmdebstrap",
        "the images that stand in for others",
        "compose",
        ("mmdebstrap",),
        "",
        lambda: bool(_program("mmdebstrap")),
    ),
    "slirp4netns": Part(
        "slirp4netns",
        "the network of Docker apart from this machine's",
        "compose",
        ("slirp4netns",),
        "",
        lambda: bool(_program("slirp4netns")),
    ),
}


def missing(groups: Iterable[str]) -> list[Part]:
    """The parts of these groups that this machine lacks."""
    wanted = set(groups)
    return [part for part in PARTS.values() if part.group in wanted and not part.found()]


def why_missing(key: str) -> str | None:
    """One line that says that this part of `PARTS` is missing and how to install it; None if it is installed."""
    part = PARTS[key]
    return None if part.found() else in_one_line([part])


def in_one_line(parts: Sequence[Part]) -> str:
    """One line: what is missing, what it is for, and the command that installs it."""
    names = ", ".join(f"{part.name} ({part.use})" for part in parts)
    return f"missing on this machine: {names}; to install: {_command(parts)}"


def _command(parts: Sequence[Part]) -> str:
    if sys.platform == "darwin":
        return " ".join(["brew install", *dict.fromkeys(part.brew for part in parts if part.brew)])
    packages = " ".join(_packages(parts))
    if shutil.which("apt-get"):
        return f"apt-get install --no-install-recommends {packages} (as root)"
    return f"what Debian calls {packages}"


def _packages(parts: Iterable[Part]) -> list[str]:
    return [package for part in parts for package in part.debian]


def can_install() -> bool:
    """Whether this process can install packages: as root, with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(parts: Sequence[Part], groups: Iterable[str]) -> str:
    """Install the packages of these parts with apt. Returns the last complaint of apt; "" if all were installed.

    If one cannot be installed (the archive lacks it, or it conflicts with another package), the others still are.
    """
    complaint = ""
    for attempt in range(1, ATTEMPTS + 1):
        complaint = _apt_get("update") or _apt_get("install", *_packages(parts))
        if not complaint:
            return ""
        if attempt < ATTEMPTS:
            print(f"apt-get failed, trying again: {complaint}", file=sys.stderr, flush=True)
            time.sleep(PAUSE * attempt)
    for part in missing(groups):
        _apt_get("install", *part.debian)
    return complaint


def _apt_get(*arguments: str) -> str:
    """Run apt-get. Returns its last error line; "" if it succeeded."""
    done = subprocess.run(
        [*APT_GET, *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if not done.returncode:
        return ""
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or [f"exit code {done.returncode}"])[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    groups = sorted({part.group for part in PARTS.values()})
    parser.add_argument("groups", nargs="+", choices=groups, help="whose packages")
    parser.add_argument("--must", action="store_true", help="fail if something stays missing")
    options = parser.parse_args(arguments)
    lacking = missing(options.groups)
    complaint = ""
    if lacking and can_install():
        print("Installing", *_packages(lacking), "…", flush=True)
        complaint = install(lacking, options.groups)
        lacking = missing(options.groups)
    if not lacking:
        return 0
    line = in_one_line(lacking) + (f"; apt-get says: {complaint}" if complaint else "")
    print(line[0].upper() + line[1:], file=sys.stderr)
    return 1 if options.must else 0


if __name__ == "__main__":
    sys.exit(main())
