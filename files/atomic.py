"""Writes files atomically: a file is either complete or not there."""

import os
from pathlib import Path
from typing import Literal
from uuid import uuid4

_MODES = {"group": (0o640, 0o750), "all": (0o644, 0o755)}
"""Who else reads a file -> the mode of the file, and of a folder that is created for it."""


def write_atomically(
    path: Path,
    data: bytes,
    *,
    readable_by: Literal["group", "all"] | None = None,
    modified_ns: int | None = None,
) -> None:
    """Write `data` to `path` completely or not at all, also if a reader opens it meanwhile or the power is cut.

    A missing folder is created, an existing file is replaced. Raises the `OSError` of the file system.

    Args:
        path: where the file is to be.
        data: its content.
        readable_by: who can read the file, and a folder that is created, whatever the umask of the process; None: the
            umask decides.
        modified_ns: the time of modification that the file gets, in nanoseconds; None: now.
    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        if readable_by:
            path.parent.chmod(_MODES[readable_by][1])
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:
            if readable_by:
                os.fchmod(file.fileno(), _MODES[readable_by][0])
            file.write(data)
            file.flush()
            if modified_ns is not None:
                os.utime(file.fileno(), ns=(modified_ns, modified_ns))
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # so that the name survives a power cut, too
    finally:
        os.close(folder)
