"""Failures as they may be read by anybody who reads Temporal: what went wrong, of what, and no contents."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from records.database import is_away
from temporal.calls import NoAnswer, TemporalAway

_TEMPORAL_AWAY = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
)


@contextmanager
def without_contents(what: str) -> Iterator[None]:
    """Let an unforeseen error out as a retryable one that names only `what` and the error's class.

    Errors of databases, HTTP and SMTP clients quote what they were given: addresses, names, passwords in URLs. The
    traceback stays, since it shows code and no values. An `ApplicationError` is somebody's choice and passes as it is.

    That somebody outside is away is expected, and becomes a failure of the category `BENIGN` (`mail.expected`).
    """
    try:
        yield
    except ApplicationError:
        raise
    except Exception as error:
        name = type(error).__name__
        failure = ApplicationError(f"{what}: {name}", type=name, category=_category(error))
        raise failure.with_traceback(error.__traceback__) from None


def _category(error: Exception) -> ApplicationErrorCategory:
    expected = (
        isinstance(error, httpx.TransportError | NoAnswer | TemporalAway)
        or (isinstance(error, RPCError) and error.status in _TEMPORAL_AWAY)
        or is_away(error)
    )
    return ApplicationErrorCategory.BENIGN if expected else ApplicationErrorCategory.UNSPECIFIED
