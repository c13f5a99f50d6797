"""Writes files atomically: a file is either complete or not there."""

import os
from pathlib import Path
from uuid import uuid4

from settings.files import GROUP_ENTERS, GROUP_READS


def write_atomically(path: Path, data: bytes, *, for_group: bool = False) -> None:
    """Write `data` to `path` completely or not at all, also if a reader opens it meanwhile or the power is cut.

    A missing folder is created, an existing file is replaced. With `for_group` the file, and a folder that is created,
    are readable for their group, whatever the umask of the process. Raises the `OSError` of the file system.
    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        if for_group:
            path.parent.chmod(GROUP_ENTERS)
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:
            if for_group:
                os.fchmod(file.fileno(), GROUP_READS)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # so that the name survives a power cut, too
    finally:
        os.close(folder)
