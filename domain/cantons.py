"""Makes the calendar that is pinned into an order, from the `holidays` package and tzdata.

Workflows never import this module: the sandbox refuses the package (docs/traps.md, "Time and tests"),
and an update of it may change the holidays while an order runs (docs/decisions/0002).
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from domain.calendar import Calendar
from domain.holiday_entries import parse_holiday
from domain.policy import CANTONS, Policy
from domain.values import Language

__all__ = ["CANTONS", "pin_calendar", "public_holidays"]

# A holiday without a name in a language is just called a holiday in it (words/sentences.py).
_PACKAGE_LANGUAGES: dict[Language, str] = {"de": "de", "fr": "fr", "it": "it", "en": "en_US"}
_COMPANY_HOLIDAY: dict[Language, str] = {
    "de": "Betriebsfeiertag",
    "fr": "Jour férié de l'entreprise",
    "it": "Giorno festivo aziendale",
    "en": "Company holiday",
}
_MARGIN = timedelta(days=14)  # for events reported late, dated before the order was placed
_ONE_DAY = timedelta(days=1)


def pin_calendar(canton: str, policy: Policy, start: date, months: int = 18) -> Calendar:
    """The calendar of a canton for an order placed on the local day `start`.

    Holidays are the public ones of the `holidays` package, changed by the policy's entries for the
    canton in their order, from two weeks before `start` until `months` after it. The result is cached:
    orders of one day share one calendar. Raises `ValueError` for an unknown canton.
    """
    _check_canton(canton)
    office = policy.office
    entries = policy.holidays.get(canton, ())
    return _pin(
        canton,
        entries,
        office.timezone,
        office.opens,
        office.closes,
        start,
        months,
        policy.calendar.saturday_is_working_day,
    )


def public_holidays(canton: str, policy: Policy, start: date, months: int = 18) -> tuple[date, ...]:
    """All holidays of a canton from the day `start` until `months` after it, in order, also those at weekends.

    They are those of the `holidays` package, changed by the policy's entries for the canton. They are for checking
    appointments: `Calendar.holidays` has only the days on which people otherwise work. Raises `ValueError` for an
    unknown canton.
    """
    _check_canton(canton)
    return _days(canton, policy.holidays.get(canton, ()), start, _months_later(start, months))


@lru_cache(maxsize=256)
def _days(canton: str, entries: tuple[str, ...], first: date, last: date) -> tuple[date, ...]:
    return tuple(_holidays(canton, entries, first, last))


def _check_canton(canton: str) -> None:
    if canton not in CANTONS:
        raise ValueError(f"unknown canton {canton!r}, expected one of {', '.join(CANTONS)}")


@lru_cache(maxsize=256)
def _pin(
    canton: str,
    entries: tuple[str, ...],
    timezone: str,
    opens: time,
    closes: time,
    start: date,
    months: int,
    saturdays: bool,
) -> Calendar:
    first, last = start - _MARGIN, _months_later(start, months)
    return Calendar(
        canton=canton,
        timezone=timezone,
        offsets=_offsets(ZoneInfo(timezone), first, last),
        opens=opens,
        closes=closes,
        first_day=first,
        last_day=last,
        holidays={
            day: names
            for day, names in _holidays(canton, entries, first, last).items()
            if day.weekday() < (6 if saturdays else 5)
        },
        saturday_is_working_day=saturdays,
    )


def _holidays(
    canton: str, entries: tuple[str, ...], first: date, last: date
) -> dict[date, dict[Language, str]]:
    """Names of the holidays from `first` to `last`, on any day of the week, in order of date."""
    years = range(first.year, last.year + 1)
    names: dict[date, dict[Language, str]] = {}
    for language, package_language in _PACKAGE_LANGUAGES.items():
        package = holidays.country_holidays(
            "CH", subdiv=canton, years=years, language=package_language
        )
        for day, name in package.items():
            names.setdefault(day, {})[language] = name
    for text in entries:
        entry = parse_holiday(text)
        for year in years if entry.year is None else (entry.year,):
            if (entry.month, entry.day) == (2, 29) and monthrange(year, 2)[1] == 28:
                continue
            day = date(year, entry.month, entry.day)
            if entry.strike:
                names.pop(day, None)
            else:
                names.setdefault(day, _COMPANY_HOLIDAY)
    return {day: names[day] for day in sorted(names) if first <= day <= last}


def _offsets(zone: ZoneInfo, first: date, last: date) -> tuple[tuple[datetime, int], ...]:
    """The UTC offsets in force from `first` to the end of `last`, each with its beginning."""
    at = datetime.combine(first, time(), UTC)
    end = datetime.combine(last, time(), UTC) + 2 * _ONE_DAY
    offsets = [(at, _offset(zone, at))]
    while at < end:
        following = at + _ONE_DAY
        if _offset(zone, following) != offsets[-1][1]:
            offsets.append((_change(zone, at, following), _offset(zone, following)))
        at = following
    return tuple(offsets)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which the zone's offset changes between two instants (whole seconds)."""
    old = _offset(zone, before)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, instant: datetime) -> int:
    offset = instant.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds())


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
