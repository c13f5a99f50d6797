"""How large the address, the headers and the body of a request may be, and the answers to larger ones."""

import re

from starlette.datastructures import Headers

from web.problems import Problem

API = "/api/v1"
"""The prefix of the JSON API."""
HEADER_LIMIT = 16 * 1024
"""The limit for all headers of a request together, in bytes."""
ADDRESS_LIMIT = 16 * 1024
"""The limit for path and query together, in bytes. Each route would be compared with a longer path, too."""
_BODY = 1024 * 1024
_REST_OF_FORM = 64 * 1024
_FILES = (
    (re.compile(rf"(?:{API})?/settlements/[^/]+/invoice"), 20 * 1024 * 1024),
    (re.compile(rf"(?:{API})?/orders/[^/]+/photos"), 10 * 1024 * 1024),
)
"""The paths that take a file, and the largest file."""


def body_limit(path: str) -> int:
    """The most bytes of a body that is sent to a path."""
    for pattern, largest in _FILES:
        if pattern.fullmatch(path):
            return largest + _REST_OF_FORM
    return _BODY


def announced_length(headers: Headers) -> int | None:
    """The length of the body that a request announces, in bytes; None: it announces none, or no number."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None


def too_large() -> Problem:
    """The answer to a body that is too large."""
    return _last(413, "Content Too Large", "The body is larger than this call takes.")


def headers_too_large() -> Problem:
    """The answer to headers that are too large."""
    return _last(
        431,
        "Request Header Fields Too Large",
        "The headers are larger than this application takes.",
    )


def address_too_long() -> Problem:
    """The answer to an address that is too long."""
    return _last(414, "URI Too Long", "The address is longer than this application takes.")


def _last(status: int, title: str, detail: str) -> Problem:
    """An answer after which the connection is closed, because the rest of the request is not read."""
    return Problem(status, title, detail, headers={"Connection": "close"})
