"""Checks which settlement a text names: its id, alone or in a payment reference, and no other."""

import re
from collections.abc import Iterator

from domain.settlements.ids import creditor_reference
from domain.settlements.invoicing import Problem

# An id may be broken by blanks, line ends or hyphens. That of a further settlement of the month ends in "-2", "/2", or
# in a reference in "2".
_GAP = r"[\s-]*+"
_CODE = "[2-9B-DF-HJKMNP-TW-Z]"
_NUMBER = re.compile(
    rf"V{_GAP}2{_GAP}0(?:{_GAP}\d){{2}}{_GAP}(?:0{_GAP}[1-9]|1{_GAP}[0-2])(?:{_GAP}{_CODE}){{8}}"
    r"(?:(?:[-/]\s?)?[2-9](?![0-9A-Z]))?",
    re.IGNORECASE | re.ASCII,
)


def settlement_problems(text: str, settlement_id: str) -> Iterator[Problem]:
    """Check that a text names this settlement and no other. Its dashes are hyphens."""
    wanted = _compact(settlement_id)
    named = {_compact(match[0]) for match in _NUMBER.finditer(text)}
    if wanted not in named:
        yield Problem(code="no_settlement_id", detail=settlement_id)
    for other in sorted(named - {wanted}):
        further = f"-{other[15:]}" if other[15:] else ""
        yield Problem(code="other_settlement", detail=f"{other[:7]}-{other[7:15]}{further}")
    right = creditor_reference(settlement_id)
    references = set(re.findall(rf"RF\d\d{wanted}", _compact(text)))
    for reference in sorted(references - {right}):
        yield Problem(code="bad_reference", detail=reference)


def _compact(text: str) -> str:
    return re.sub(r"[\s/-]", "", text).upper()
