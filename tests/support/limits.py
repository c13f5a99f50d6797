"""How long tests wait: long enough for a busy machine, and a test that hangs still ends."""

from datetime import timedelta
from typing import Final

WAIT_LIMIT: Final = 120.0
"""Seconds to wait for one condition or one answer. Nothing takes a tenth of it on an idle machine of two cores."""
ANSWER_LIMIT: Final = timedelta(seconds=WAIT_LIMIT)
"""The same, for what takes a duration: how long to wait for the answer to a command."""
TEST_LIMIT: Final = 300.0
"""Seconds for one test on real processes; then it prints what waits for what, and fails. pytest's own limit
(`timeout` in `pyproject.toml`) comes later, and prints less."""
