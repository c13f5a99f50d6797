"""Stand-ins for the images that the Compose files and the Dockerfile name, made from Debian's packages."""

import re
import shutil
import sys
from pathlib import Path

from development.compose_check.engine import CheckFailed, Engine, base_system

HERE = Path(__file__).parent / "images"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BASES = ("bookworm", "trixie")
BUILT_FROM = {
    "python": ("python", ""),
    "postgres": ("postgres", ""),
    "temporalio/server": ("temporal", "temporal-server"),
    "temporalio/admin-tools": ("temporal", "sh"),
    "temporalio/ui": ("temporal", "temporal-ui"),
    "axllent/mailpit": ("mail", ""),
}
"""By the name of an image: the folder of its stand-in, and its default command."""


def make_bases(folder: Path) -> None:
    """Make the base systems of all stand-ins, as tar files, unless they are there already."""
    for release in BASES:
        base_system(folder, f"{release}.tar", release, "ca-certificates")


def build(engine: Engine, folder: Path, images: list[str]) -> None:
    """Build a stand-in for each of these images, with their names.

    Raises:
        CheckFailed: there is none for one of them, or one cannot be built.
    """
    for release in BASES:
        name = f"stand-in/debian:{release}"
        if engine.docker("image", "inspect", name, ok=False).returncode:
            engine.docker("import", str(folder / f"{release}.tar"), name, patience=300)
    for image in sorted(images):
        name = image.partition(":")[0]
        if name not in BUILT_FROM:
            raise CheckFailed(f"there is no stand-in for the image {image}")
        source, command = BUILT_FROM[name]
        context = _context(folder / "contexts", source)
        arguments = ["--build-arg", f"COMMAND={command}"] if command else []
        engine.docker("build", "--quiet", "--tag", image, *arguments, str(context), patience=600)


def _context(folder: Path, source: str) -> Path:
    """A copy of the folder of a stand-in, with the files that come from this machine."""
    context = folder / source
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(HERE / source, context)
    if source == "python":
        shutil.copyfile(CERTIFICATES, context / "certificates.crt")
    if source == "temporal":
        shutil.copy(Path(sys.executable).parent / "temporal", context / "temporal")
    return context


def base_of(dockerfile: Path) -> str:
    """The image that the Dockerfile begins from.

    Raises:
        CheckFailed: its first stages begin from something else.
    """
    text = dockerfile.read_text(encoding="utf-8")
    tag = re.search(r"^ARG PYTHON=(\S+)$", text, re.MULTILINE)
    froms = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    if tag is None or froms != {"python:${PYTHON}"}:
        raise CheckFailed(
            f"the Dockerfile begins from {sorted(froms)}, not from python:${{PYTHON}}"
        )
    return f"python:{tag.group(1)}"
