"""The limits of waiting in tests: long enough for a busy machine, and a test that hangs still ends."""

from datetime import timedelta
from typing import Final

WAIT_LIMIT: Final = 120.0
"""Seconds to wait for a condition or an answer. On an idle machine of two cores all take less than a tenth of it."""
ANSWER_LIMIT: Final = timedelta(seconds=WAIT_LIMIT)
"""`WAIT_LIMIT` as a duration: how long to wait for the answer to a command."""
TEST_LIMIT: Final = 300.0
"""Seconds for one test on real processes; after that it prints what each task waits for, and fails. pytest's own limit
(`timeout` in `pyproject.toml`) is longer, and prints less."""
