"""What a test needs of the system. Where it is missing, the test is skipped with the reason that `make setup` gives."""

import pytest

from scripts.system_packages import why_missing


def needs(part: str) -> pytest.MarkDecorator:
    """A mark for tests that need a part (a key of `scripts.system_packages.PARTS`)."""
    reason = why_missing(part)
    return pytest.mark.skipif(reason is not None, reason=str(reason))


def require(part: str) -> None:
    """The same for a fixture, or for a test that notices only when it is under way."""
    reason = why_missing(part)
    if reason is not None:
        pytest.skip(reason)
