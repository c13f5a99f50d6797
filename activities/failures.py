"""Failures as they may be read by anybody who reads Temporal: what went wrong, of what, and no contents."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError


@contextmanager
def without_contents(what: str) -> Iterator[None]:
    """Let an unforeseen error out as a retryable one that names only `what` and the error's class.

    Errors of databases, HTTP and SMTP clients quote what they were given: addresses, names, passwords in URLs. The
    traceback stays, since it shows code and no values. An `ApplicationError` is somebody's choice and passes as it is.
    """
    try:
        yield
    except ApplicationError:
        raise
    except Exception as error:
        name = type(error).__name__
        failure = ApplicationError(f"{what}: {name}", type=name)
        raise failure.with_traceback(error.__traceback__) from None
