"""`make setup`: what it installs, what it says where it cannot, and what that means for the tests."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from development.embedded import ROOT
from scripts import system_packages
from scripts.system_packages import PARTS, Part
from tests.support.needs import require
from tests.support.processes import run_python

APT_GET = """
import json, os, sys
from pathlib import Path

folder = Path(sys.argv[1])
arguments = [each for each in sys.argv[2:] if not each.startswith("-")]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
away = folder / "away"
if away.exists() and int(away.read_text()):
    away.write_text(str(int(away.read_text()) - 1))
    sys.exit("E: Unable to locate package tea-1")
if "no-such-package" in arguments:
    print("Reading package lists...")
    print("E: Unable to locate package no-such-package")
    sys.exit(100)
if arguments[0] == "install":
    for package in arguments[1:]:
        (folder / f"{package}.installed").touch()
"""


class Machine:
    """A system that lacks what is written here, with an apt-get that notes how it is called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.parts = {
            "tea": self.part("Tea", "run", "tea-1", "tea-2"),
            "milk": self.part("Milk", "test", "milk"),
            "cake": self.part("Cake", "venv", "cake"),
        }
        fake = folder / "apt-get.py"
        fake.write_text(APT_GET)
        command = (sys.executable, "-I", str(fake), str(folder))
        monkeypatch.setattr(system_packages, "APT_GET", command)
        monkeypatch.setattr(system_packages, "PARTS", self.parts)
        monkeypatch.setattr(system_packages, "PAUSE", 0.0)
        monkeypatch.setattr(system_packages, "can_install", lambda: True)
        self._monkeypatch = monkeypatch

    def part(self, name: str, group: str, *packages: str) -> Part:
        """A part that is there once its packages are installed."""
        files = [self.folder / f"{package}.installed" for package in packages]
        return Part(
            name, f"for {group}", group, packages, name, lambda: all(map(Path.exists, files))
        )

    def may_not_install(self) -> None:
        """Somebody who is not root, or a system without apt."""
        self._monkeypatch.setattr(system_packages, "can_install", lambda: False)

    def calls(self) -> list[list[str]]:
        """How apt-get was called, without options."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


# --- installing --------------------------------------------------------------------------------------------------


def test_it_installs_what_is_missing_and_nothing_else(machine: Machine) -> None:
    (machine.folder / "milk.installed").touch()
    assert system_packages.main(["run", "test"]) == 0
    assert machine.calls() == [["update"], ["install", "tea-1", "tea-2"]]


def test_where_nothing_is_missing_apt_is_not_called(machine: Machine) -> None:
    assert system_packages.main(["run", "test"]) == 0
    before = machine.calls()
    assert system_packages.main(["run", "test"]) == 0
    assert machine.calls() == before


def test_a_registry_may_be_away_for_a_moment(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine.folder / "away").write_text("2")
    assert system_packages.main(["--must", "run"]) == 0
    assert machine.parts["tea"].found()
    assert "missing" not in capsys.readouterr().err.lower()


def test_a_registry_that_stays_away_is_named(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine.folder / "away").write_text("99")
    assert system_packages.main(["run"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("Missing on this machine: Tea (for run); to install: ")
    assert last.endswith("apt-get says: E: Unable to locate package tea-1")


def test_a_package_that_cannot_be_had_holds_up_no_other(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.parts["rare"] = machine.part("Rare", "run", "no-such-package")
    assert system_packages.main(["run", "test"]) == 0
    assert machine.parts["tea"].found()
    assert machine.parts["milk"].found()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("Missing on this machine: Rare (for run); to install: ")
    assert system_packages.main(["--must", "run", "test"]) == 1


# --- where it cannot ---------------------------------------------------------------------------------------------


def test_what_cannot_be_installed_is_named_in_one_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.may_not_install()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert system_packages.main(["run", "test"]) == 0
    assert machine.calls() == []
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Missing on this machine: Tea (for run), Milk (for test); "
        "to install: apt-get install --no-install-recommends tea-1 tea-2 milk (as root)\n"
    )
    assert system_packages.main(["--must", "venv"]) == 1


def test_only_root_with_apt_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    for user, apt, can in ((0, "/usr/bin/apt-get", True), (0, None, False), (1000, "/x", False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        monkeypatch.setattr("shutil.which", lambda _name, apt=apt: apt)
        assert system_packages.can_install() is can


def test_a_test_is_skipped_with_the_same_reason(machine: Machine) -> None:
    machine.may_not_install()
    with pytest.raises(pytest.skip.Exception) as skipped:
        require("milk")
    assert skipped.value.msg == system_packages.in_one_line([machine.parts["milk"]])
    (machine.folder / "milk.installed").touch()
    require("milk")


# --- the list ----------------------------------------------------------------------------------------------------


def test_it_runs_before_any_python_package_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "scripts" / "system_packages.py", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_is_no_second_list() -> None:
    packages = [package for part in PARTS.values() for package in part.debian]
    assert len(packages) == len(set(packages))
    for name in ("Makefile", "Dockerfile", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "apt-get" not in text, name
        assert "system_packages.py" in text, name


# --- a skipped test as an error ----------------------------------------------------------------------------------

SKIPPING = {
    "mark": """
        import pytest
        @pytest.mark.skipif(True, reason="no tea")
        def test_it(): pass
    """,
    "fixture": """
        import pytest
        @pytest.fixture(scope="session")
        def tea(): pytest.skip("no tea")
        def test_it(tea): pass
    """,
    "under_way": """
        import pytest
        def test_it(): pytest.skip("no tea")
    """,
    "module": """
        import pytest
        pytest.skip("no tea", allow_module_level=True)
    """,
    "expected": """
        import pytest
        @pytest.mark.xfail(reason="known")
        def test_it(): assert False
    """,
}


async def test_no_skips_makes_a_skipped_test_an_error(tmp_path: Path) -> None:
    for name, code in SKIPPING.items():
        (tmp_path / f"test_{name}.py").write_text(textwrap.dedent(code))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    async def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = ("-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider")
        return await run_python(
            [*command, "-c", str(tmp_path / "pytest.ini"), *options, str(tmp_path)],
            {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )

    lenient = await run()
    assert lenient.returncode == 0, lenient.stdout
    assert "4 skipped, 1 xfailed" in lenient.stdout
    strict = await run("--no-skips", "--continue-on-collection-errors")
    assert strict.returncode == 1, strict.stdout
    assert "1 failed, 1 xfailed, 3 errors" in strict.stdout
    assert strict.stdout.count("--no-skips: ") >= 4
