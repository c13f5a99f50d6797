"""Cursors: a place in a list that is read page by page. A cursor gives no right to anything."""

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
    """The last row of a page: in which part of the list, the instant it is sorted by, and its key."""

    part: _Part
    at: datetime
    key: str


def encode_cursor(position: Position[_Part]) -> str:
    """The cursor that the next page begins with."""
    part, at, key = position
    packed = json.dumps([part, at.isoformat(), key], separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: Sequence[_Part]) -> Position[_Part]:
    """The place that a cursor means, in a list of these parts. Raises `ValueError` if no page of it gave the cursor."""
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
