"""Keeps the log short while the database with the keys of the orders is away: one warning every few minutes.

Without this filter the SDK logs an error with a traceback for each task whose payloads it cannot decrypt or encrypt.
"""

import logging
import time
from collections.abc import Callable

from records.data_keys import DataKeysAway
from records.failures import causes

LOG_AGAIN = 300.0  # seconds


class KeysAwayFilter(logging.Filter):
    """A filter for a log handler: turns failures by `DataKeysAway` into one warning every `LOG_AGAIN` seconds.

    The warning has no traceback; `attempts` is the number of failed tasks since the last warning. The other records
    get the level debug.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged_at: float | None = None
        self._unlogged = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record. May change the record."""
        failure = record.exc_info[1] if record.exc_info else None
        away = next((each for each in causes(failure) if isinstance(each, DataKeysAway)), None)
        if away is None:
            return True
        now = self._clock()
        if self._logged_at is not None and now - self._logged_at < LOG_AGAIN:
            self._unlogged += 1
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
            return logging.getLogger().isEnabledFor(logging.DEBUG)
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg = "tasks of orders fail and are tried again, for example: %s"
        record.args = (str(away),)
        record.exc_info = record.exc_text = None
        record.attempts = 1 + self._unlogged
        self._logged_at, self._unlogged = now, 0
        return True
