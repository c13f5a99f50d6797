"""How long transactions and connections may take."""

import time
from contextvars import ContextVar

LIMIT_SECONDS = 5.0
"""How long a transaction may take, from its request to its end, unless its caller gives another limit.

On PostgreSQL this includes connecting, waiting for locks, the statements and the commit. On SQLite it includes only the
wait for other writers, of this process and of others; the statements after that are not limited.
"""
LONG_SECONDS = 60.0
"""The limit of the few transactions that write thousands of rows."""
MIGRATION_SECONDS = 20.0
"""How long a migration waits on SQLite for one of another process. On PostgreSQL it waits as long as that one takes."""
CONNECT_SECONDS = 2.0
"""How much of `LIMIT_SECONDS` connecting to PostgreSQL may take, including the check of a pooled connection."""

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""The time (`time.monotonic`) at which the transaction that begins now must stop waiting."""


def until(limit: float | None) -> float:
    """The deadline of a transaction that begins now."""
    return time.monotonic() + (LIMIT_SECONDS if limit is None else limit)


def left(deadline: float | None) -> float:
    """The seconds until a deadline, 0 if it has passed."""
    return LIMIT_SECONDS if deadline is None else max(deadline - time.monotonic(), 0)
