"""Is this machine fit for CMI? `python` checks the interpreter (fatal), `libraries` WeasyPrint's (a warning).

Runs before anything is installed, and on a Python that may be too old: standard library and old syntax only.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys

# Debian's package, and what WeasyPrint opens by name on Linux and on macOS
LIBRARIES = [
    ("libpango-1.0-0", ["libpango-1.0.so.0", "libpango-1.0.dylib"]),
    ("libpangoft2-1.0-0", ["libpangoft2-1.0.so.0", "libpangoft2-1.0.dylib"]),
    ("libharfbuzz-subset0", ["libharfbuzz-subset.so.0", "libharfbuzz-subset.dylib"]),
]


def python_problem() -> str | None:
    """What is wrong with the interpreter that runs this, in one line; None if nothing is."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells
        found = ".".join(str(part) for part in sys.version_info[:3])
        return f"CMI needs Python 3.11 or newer, this is {found}. Name another one: make PYTHON=python3.12 …"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return (
            "This Python cannot make a virtual environment. On Debian: apt-get install python3-venv"
        )
    return None


def missing_libraries() -> list[str]:
    """Debian's names of the packages whose library is not here."""
    return [package for package, names in LIBRARIES if not any(_opens(name) for name in names)]


def _opens(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def main(what: str) -> int:
    """Run the check called `what`; 0 if nothing stops CMI from being set up."""
    if what == "python":
        problem = python_problem()
        if problem is None:
            return 0
        print(problem, file=sys.stderr)
        return 2
    missing = missing_libraries()
    if missing:
        install = (
            "brew install pango"
            if sys.platform == "darwin"
            else "apt-get install " + " ".join(missing)
        )
        print(
            f"Warning: PDF documents need system libraries that are missing: {install}",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["python"], ["libraries"]):
        sys.exit("usage: system_check.py python|libraries")
    sys.exit(main(sys.argv[1]))
