"""Looks into failures: what caused them, and whether the database is away so that a retry may help."""

from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_SQLITE_AWAY = {
    5,  # SQLITE_BUSY: another process writes for too long
    6,  # SQLITE_LOCKED
    10,  # SQLITE_IOERR
    13,  # SQLITE_FULL
    14,  # SQLITE_CANTOPEN
}
_POSTGRES_AWAY = {
    "25006",  # read only: a standby that is not the primary (yet)
    "25P03",  # a transaction in which nothing was sent for too long
    "40001",  # transactions that cannot run at the same time
    "40P01",  # a deadlock
    "53100",  # the disk is full
    "53300",  # too many connections
    "55P03",  # a lock that is held for too long
    "57014",  # a statement that takes too long
    "57P01",  # shut down
    "57P02",
    "57P03",  # starting up
}


def is_away(error: BaseException) -> bool:
    """Whether an error of the records means that the database cannot be reached or used now, so that a retry may help.

    True for refused and lost connections, timeouts, a PostgreSQL that starts or stops, an SQLite file that is locked or
    unreadable, and a full disk. False for errors that a retry would repeat.
    """
    return any(_is_away(each) for each in causes(error, with_context=False))


def causes(error: BaseException | None, *, with_context: bool = True) -> Iterator[BaseException]:
    """The error, then its cause, then the cause of that, and so on. None has none.

    `with_context`: an error without a cause goes on with the error that was being handled when it was raised.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # `raise error from error` makes a circle
        seen.add(id(error))
        yield error
        error = error.__cause__ or (error.__context__ if with_context else None)


def _is_away(error: BaseException) -> bool:
    if isinstance(error, OSError | TimeoutError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and (state.startswith("08") or state in _POSTGRES_AWAY):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _SQLITE_AWAY
