"""System packages that a test needs. Without them the test is skipped, with the reason that `make setup` prints."""

import pytest

from scripts.system_packages import why_missing


def needs(part: str) -> pytest.MarkDecorator:
    """A mark for tests that need a part (a key of `scripts.system_packages.PARTS`)."""
    reason = why_missing(part)
    return pytest.mark.skipif(reason is not None, reason=str(reason))


def require(part: str) -> None:
    """Skip the running test if a part is missing: for fixtures, and for tests that find out late."""
    reason = why_missing(part)
    if reason is not None:
        pytest.skip(reason)
