"""The lock files have each package of constraints.txt with hashes, and pip refuses what has another hash."""

import base64
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lock import behind, pins

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
PRODUCT, MORE = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?: \\)?$")


def test_the_files_have_what_constraints_txt_has() -> None:
    """To mend it: `make lock`."""
    assert behind() == []
    known = pins(CONSTRAINTS)
    for file in (PRODUCT, MORE):
        for line in file.read_text(encoding="utf-8").splitlines():
            for name in pins_of(line):
                assert name in known or ";" in line, f"{name} is not in constraints.txt"


def pins_of(line: str) -> list[str]:
    found = re.match(r"([A-Za-z0-9._-]+)==", line)
    return [canonicalize_name(found[1])] if found else []


@pytest.mark.parametrize("file", [PRODUCT, MORE], ids=lambda file: file.name)
def test_each_package_has_hashes_and_nothing_names_an_index(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "://" not in text
    assert " @ " not in text
    packages = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)[1:]
    assert packages
    for package in packages:
        first, *hashes = package.rstrip().splitlines()
        assert hashes, first
        assert all(HASH.search(line) for line in hashes), first


def test_what_the_product_needs_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    product, everything = pins(PRODUCT), pins(PRODUCT, MORE)
    for locked, texts in (
        (product, project["dependencies"]),
        (everything, project["optional-dependencies"]["dev"]),
    ):
        for text in texts:
            wanted = Requirement(text)
            version = locked.get(canonicalize_name(wanted.name))
            assert version, f"{wanted.name} is not in the lock files: make lock"
            assert wanted.specifier.contains(version), text


@pytest.mark.parametrize("files", [(PRODUCT,), (PRODUCT, MORE)], ids=["product", "all"])
def test_what_packages_need_is_locked_as_well(files: tuple[Path, ...]) -> None:
    """pip is told not to look for it (`--no-deps`)."""
    locked = pins(*files)
    for line in "\n".join(file.read_text(encoding="utf-8") for file in files).splitlines():
        if not (names := pins_of(line)):
            continue
        marker = Requirement(line.removesuffix("\\").strip()).marker
        if marker is not None and not marker.evaluate():
            continue
        for text in requires(names[0]) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in locked, f"{names[0]}: {needed}"


def test_what_is_behind_is_named(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("Known_One==1.0\nolder==2.1\nnew.one==3\n")
    (tmp_path / "requirements.lock").write_text("known-one==1.0 ; x == 'y' \\\n  --hash=…\n")
    (tmp_path / "requirements-dev.lock").write_text("-r requirements.lock\nolder[all]==2.0\n")
    assert behind(tmp_path) == ["older==2.1", "new-one==3"]


def test_set_up_and_image_demand_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--require-hashes --requirement requirements-dev.lock" in makefile
    assert "--require-hashes" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_pip_refuses_a_file_with_another_hash(tmp_path: Path) -> None:
    wheel = tmp_path / "cmi_sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("cmi_sample.py", "")
        info = "cmi_sample-1.0.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: cmi-sample\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        empty = base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).rstrip(b"=").decode()
        archive.writestr(f"{info}/RECORD", f"cmi_sample.py,sha256={empty},0\n")
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for digest, code in ((right, 0), ("0" * 64, 1)):
        lock = tmp_path / "requirements.lock"
        lock.write_text(f"cmi-sample==1.0 \\\n    --hash=sha256:{digest}\n")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--isolated", "install", "--no-index"),
                *("--find-links", str(tmp_path), "--target", str(tmp_path / digest)),
                *("--no-deps", "--require-hashes", "--requirement", str(lock)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
