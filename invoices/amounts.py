"""Finds an amount in a text, in all Swiss notations."""

import re
from decimal import Decimal

_SEPARATOR = "['’‘`´ʼ \u00a0\u202f\u2009.,]"
_DASH = "[-–—―−‐‑]"
_CURRENCY = r"(?:CHF|SFr\.?|Fr\.?|Franken|francs?|franchi)"
# Not in the middle of another number, a date or an identifier.
_BEFORE = r"(?<![0-9])(?<![0-9]['’‘`´ʼ.,])(?:(?<![A-Za-z])|(?<=(?i:chf))|(?<=(?i:fr)))"
_AFTER = r"(?![0-9A-Za-z])(?!['’‘`´ʼ.,][0-9])"
_ANY = re.compile(
    rf"{_BEFORE}(\d{{1,3}}(?:(['’‘`´ʼ \u00a0\u202f\u2009])\d{{3}})(?:\2\d{{3}})*|\d{{1,3}}(?:,\d{{3}})+(?=\.)"
    rf"|\d{{1,3}}(?:\.\d{{3}})+(?=,)|\d+)"
    rf"(?:[.,](\d{{2}}){_AFTER}|\.({_DASH}{{1,2}}))"
)


def pattern(amount: Decimal) -> re.Pattern[str]:
    """Finds an amount in a text: "1'234.50", "1’234.50", "1 234.50", "1234.5", "1.234,50", "CHF 80.–", "–.50".

    A whole number without decimals counts only beside the currency, because it could be any number.
    """
    francs, centimes = divmod(int(abs(amount) * 100), 100)
    digits = str(francs)
    head = len(digits) % 3 or 3
    groups = [digits[:head], *(digits[at : at + 3] for at in range(head, len(digits), 3))]
    whole = f"{_SEPARATOR}?".join(groups)
    minus = rf"{_DASH}\s?" if amount < 0 else ""
    if centimes:
        fraction = f"{centimes:02}" if centimes % 10 else f"{centimes // 10}0?"
        start = whole if francs else rf"(?:0|{_DASH})?"
        body = rf"{start}[.,]{fraction}{_AFTER}"
        return re.compile(rf"{_BEFORE}{minus}{body}")
    zeros = rf"[.,](?:00?{_AFTER}|{_DASH}{{1,2}})"
    bare = (
        rf"{_CURRENCY}\s{{0,3}}{minus}{whole}{_AFTER}|{_BEFORE}{minus}{whole}\s{{0,3}}{_CURRENCY}"
    )
    return re.compile(rf"{_BEFORE}{minus}{whole}{zeros}|{bare}", re.IGNORECASE)


def amounts(text: str) -> list[Decimal]:
    """All amounts in a text with two decimals or ".–", from left to right."""
    found = []
    for match in _ANY.finditer(text):
        francs = re.sub(r"\D", "", match[1])
        found.append(Decimal(f"{francs}.{match[3] or '00'}"))
    return found
