"""The entries of [holidays] in the policy file: days that are added to a canton's holidays, or removed from them."""

import re
from datetime import date
from typing import NamedTuple

_HOLIDAY = re.compile(r"(-?)(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})")
_LEAP_YEAR = 2000


class HolidayEntry(NamedTuple):
    """One entry of [holidays]: a day that is added or removed, each year or (with `year`) once."""

    strike: bool
    year: int | None
    month: int
    day: int


def parse_holiday(text: str) -> HolidayEntry:
    """The entry that `"MM-DD"` or `"YYYY-MM-DD"` means; a leading `-` removes the day.

    Raises `ValueError` if the text has another form or there is no such day.
    """
    match = _HOLIDAY.fullmatch(text)
    if match is None:
        raise ValueError('expected "MM-DD" or "YYYY-MM-DD", with "-" before it to strike the day')
    sign, year, month, day = match.groups()
    entry = HolidayEntry(sign == "-", int(year) if year else None, int(month), int(day))
    try:
        date(_LEAP_YEAR if entry.year is None else entry.year, entry.month, entry.day)
    except ValueError:
        raise ValueError("expected a day that exists") from None
    return entry
