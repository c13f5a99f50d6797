"""The command `python -m web`, before anything is up."""

import os
import subprocess
import sys

from embedded import ROOT


def test_it_says_what_is_wrong_with_its_environment() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "web"],
        cwd=ROOT,
        env={**os.environ, "CMI_TRUSTED_PROXIES": "the proxy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert process.stderr.startswith("CMI_TRUSTED_PROXIES: must be IP addresses")
    assert process.stderr.count("\n") == 1
