"""Keeps the files that CMI's processes make from other users of the machine."""

import os


def keep_files_private() -> None:
    """Let only the user of this process and its children read the files that they make from now on.

    Files that others must read get their mode explicitly (`files.atomic`).
    """
    os.umask(0o077)
