"""Who may read the files that CMI's processes make."""

import os

GROUP_READS = 0o640
"""Mode of a file that another program reads as a member of its group."""
GROUP_ENTERS = 0o750
"""Mode of a folder with such files."""


def keep_files_private() -> None:
    """Whatever this process and its children make from now on is for their user only.

    What others must read says so itself (`GROUP_READS`).
    """
    os.umask(0o077)
