"""Who may read the files that CMI's processes make."""

import os

GROUP_READS = 0o640
"""Mode of a file that another program reads as a member of its group."""
GROUP_ENTERS = 0o750
"""Mode of a folder with such files."""


def keep_files_private() -> None:
    """Let only the user of this process and its children read the files that they make from now on.

    Files that others must read get their mode explicitly (`GROUP_READS`).
    """
    os.umask(0o077)
