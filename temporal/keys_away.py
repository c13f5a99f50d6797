"""What the SDK logs while the database with the orders' keys is away: a warning every few minutes that says so.

By itself the SDK logs each task whose payloads it cannot decrypt or encrypt as an error of its own, with a traceback.
"""

import logging
import time
from collections.abc import Callable, Iterator

from records.data_keys import DataKeysAway

LOG_AGAIN = 300.0  # seconds


class KeysAwayFilter(logging.Filter):
    """For a handler: of the records whose failure is `DataKeysAway` only one in `LOG_AGAIN` seconds is a warning.

    It has no traceback, and the number of tasks since the last one (`attempts`). The others are at the level debug.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged_at: float | None = None
        self._unlogged = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged, which may be changed."""
        failure = record.exc_info[1] if record.exc_info else None
        away = next((each for each in _chain(failure) if isinstance(each, DataKeysAway)), None)
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


def _chain(failure: BaseException | None) -> Iterator[BaseException]:
    """A failure, and what caused it. `raise error from error` makes a circle."""
    seen: set[int] = set()
    while failure is not None and id(failure) not in seen:
        seen.add(id(failure))
        yield failure
        failure = failure.__cause__ or failure.__context__
