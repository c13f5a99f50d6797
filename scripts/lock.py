"""Writes requirements.lock and requirements-dev.lock: every package with its version and the hashes of its files.

    python scripts/lock.py            makes both files; needs the command `uv` (`pip install uv`)
    python scripts/lock.py --behind   prints the pins of constraints.txt that the files lack or have in another version

Versions are those of constraints.txt. Hashes are those of all files of a release in the package index, so that they
hold on every platform. The files name no index. The second command runs before any Python package is installed, so the
script uses only the standard library.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = "3.11"
HEAD = (
    "# {what} Made by `make lock` from pyproject.toml and constraints.txt; pip checks the hashes.\n"
)
COMPILE = (
    *("pip", "compile", "pyproject.toml", "--quiet", "--universal", "--generate-hashes"),
    *("--python-version", OLDEST_PYTHON, "--constraint", "constraints.txt"),
    *("--no-header", "--no-annotate", "--no-emit-index-url"),
)
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)
_PACKAGE = re.compile(r"^(?=\S)", re.MULTILINE)


def pins(*files: Path) -> dict[str, str]:
    """The versions that files pin, by the normal names of packages (PEP 503)."""
    return {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for file in files
        for name, version in PIN.findall(file.read_text(encoding="utf-8"))
    }


def behind(folder: Path = ROOT) -> list[str]:
    """The pins of constraints.txt that the lock files lack, as requirements."""
    locked = pins(folder / "requirements.lock", folder / "requirements-dev.lock")
    wanted = pins(folder / "constraints.txt")
    return [f"{name}=={each}" for name, each in wanted.items() if locked.get(name) != each]


def _compiled(uv: str, *options: str) -> list[str]:
    """The packages, each with its hashes, as text."""
    done = subprocess.run(
        [uv, *COMPILE, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return [part for part in _PACKAGE.split(done.stdout) if part]


def main(arguments: Sequence[str]) -> int:
    """The command. Returns the exit code."""
    if list(arguments) == ["--behind"]:
        print(*behind())
        return 0
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        print("the command uv is missing: pip install uv", file=sys.stderr)
        return 1
    try:
        product, everything = _compiled(uv), _compiled(uv, "--extra", "dev")
    except subprocess.CalledProcessError as error:
        return error.returncode or 1
    more = [part for part in everything if part not in product]
    head = HEAD.format(what="What CMI needs to run.")
    (ROOT / "requirements.lock").write_text(head + "".join(product), encoding="utf-8")
    head = HEAD.format(what="What its tests and checks need besides.") + "-r requirements.lock\n"
    (ROOT / "requirements-dev.lock").write_text(head + "".join(more), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
