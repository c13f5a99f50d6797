"""Failures without personal data, because everybody with access to Temporal can read them."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from records.failures import is_away
from temporal.calls import NoAnswer, TemporalAway

_TEMPORAL_AWAY = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
)


@contextmanager
def without_contents(what: str) -> Iterator[None]:
    """Replace an unexpected error by a retryable one that names only `what` and the error's class.

    Errors of databases, HTTP and SMTP clients quote their input: addresses, names, passwords in URLs. The traceback
    is kept, since it shows code and no values. An `ApplicationError` was raised on purpose and is not changed.

    An error that means that a server is unreachable gets the category `BENIGN` (`activities.expected_failures`).
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
