"""The language of an answer, from the caller's `Accept-Language` (RFC 9110)."""

import re
from typing import cast

from domain.values import LANGUAGES, Language

DEFAULT: Language = "de"
_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?"
)
_LONGEST = 500


def negotiate(accept_language: str | None, default: Language = DEFAULT) -> Language:
    """The supported language with the highest weight, the first of equals. `de-CH` is German, `*` the default."""
    best, weight = default, 0.0
    for part in (accept_language or "")[:_LONGEST].split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            continue
        tag = match[1].lower()
        quality = float(match[2]) if match[2] else 1.0
        if quality > weight and (tag == "*" or tag in LANGUAGES):
            best, weight = default if tag == "*" else cast(Language, tag), quality
    return best
