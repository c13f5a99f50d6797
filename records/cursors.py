"""Cursors: a place in a list that is read page by page. A cursor grants no access."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Generic, NamedTuple, TypeVar

from records.database import storable

_LONGEST = 400
_Part = TypeVar("_Part", bound=str)


class Position(NamedTuple, Generic[_Part]):
    """The last row of a page: the part of the list it is in, the instant it is sorted by, and its key."""

    part: _Part
    at: datetime
    key: str


def encode_cursor(position: Position[_Part]) -> str:
    """The cursor of the page that begins after this position."""
    part, at, key = position
    packed = json.dumps([part, at.isoformat(), key], separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: Sequence[_Part]) -> Position[_Part]:
    """The position of a cursor in a list of these parts. Raises `ValueError` if it is not a cursor of this list."""
    try:
        if len(cursor) > _LONGEST:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        part, at, key = json.loads(base64.b64decode(padded, altchars="-_", validate=True))
        position = Position(
            parts[parts.index(part)], datetime.fromisoformat(at).astimezone(UTC), key
        )
        if storable(key) and encode_cursor(position) == cursor:
            return position
        raise ValueError
    except (ValueError, TypeError, OverflowError, AttributeError, binascii.Error, RecursionError):
        raise ValueError("not a cursor of this list") from None
