"""How large the body of a request may be: a form with a file more than any other."""

import re

_BODY = 1024 * 1024
_REST_OF_FORM = 64 * 1024
_FILES = (
    (re.compile(r"(?:/api/v1)?/settlements/[^/]+/invoice"), 20 * 1024 * 1024),
    (re.compile(r"(?:/api/v1)?/orders/[^/]+/photos"), 10 * 1024 * 1024),
)
"""The paths that take a file, and the largest file."""


def body_limit(path: str) -> int:
    """The most bytes of a body that is sent to a path."""
    for pattern, largest in _FILES:
        if pattern.fullmatch(path):
            return largest + _REST_OF_FORM
    return _BODY
