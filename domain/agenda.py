"""The days and weeks of an agenda in Swiss time, what is on which day, and what is at the same time."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Zurich")
_FIRST, _LAST = date(2000, 1, 3), date(2199, 12, 29)  # a Monday and a Sunday
_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ONE_DAY = timedelta(days=1)


class Timed(Protocol):
    """An entry with a time, and perhaps a person who goes there."""

    @property
    def sp_id(self) -> str:
        """The order."""

    @property
    def start(self) -> datetime:
        """Its first instant."""

    @property
    def end(self) -> datetime:
        """The instant after its last one."""

    @property
    def whole_day(self) -> bool:
        """Whether the hour is unknown."""

    @property
    def person(self) -> str | None:
        """Whose it is; None if it is nobody's yet."""


_Entry = TypeVar("_Entry", bound=Timed)


class Period(NamedTuple):
    """A day, or a week from Monday to Sunday."""

    first: date
    last: date

    @classmethod
    def week_of(cls, day: date) -> "Period":
        """The week that contains a day."""
        monday = day - day.weekday() * _ONE_DAY
        return cls(monday, monday + 6 * _ONE_DAY)

    @classmethod
    def read(cls, week: str | None, day: str | None) -> "Period | None":
        """The week "2026-W49" or the day "2026-12-01"; None if it is neither, or not between 2000 and 2199."""
        try:
            if day is not None and _DAY.fullmatch(day):
                only = date.fromisoformat(day)
                return cls(only, only) if _FIRST <= only <= _LAST else None
            if week is not None and (found := _WEEK.fullmatch(week)):
                monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
                return cls.week_of(monday) if _FIRST <= monday <= _LAST else None
        except ValueError:  # there is no such day or week
            pass
        return None

    @property
    def is_week(self) -> bool:
        """Whether it is a week."""
        return self.first != self.last

    @property
    def days(self) -> tuple[date, ...]:
        """Its days."""
        number = (self.last - self.first).days + 1
        return tuple(self.first + n * _ONE_DAY for n in range(number))

    @property
    def begin(self) -> datetime:
        """The instant at which its first day begins."""
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        """The instant at which the day after its last one begins."""
        return midnight(self.last + _ONE_DAY)

    @property
    def previous(self) -> "Period":
        """The one before it, of the same length."""
        return self._moved(-len(self.days))

    @property
    def next(self) -> "Period":
        """The one after it, of the same length."""
        return self._moved(len(self.days))

    def _moved(self, days: int) -> "Period":
        return Period(self.first + days * _ONE_DAY, self.last + days * _ONE_DAY)

    def __str__(self) -> str:
        """As in an address: "2026-W49" or "2026-12-01"."""
        if not self.is_week:
            return self.first.isoformat()
        year, week, _ = self.first.isocalendar()
        return f"{year}-W{week:02}"


def midnight(day: date) -> datetime:
    """The instant at which a day begins. A day may have 23 or 25 hours."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def by_day(entries: Iterable[_Entry], period: Period) -> Mapping[date, tuple[_Entry, ...]]:
    """The entries on each day of a period, those without an hour first, then by time. Some are on several days."""
    listed = sorted(
        entries, key=lambda each: (not each.whole_day, each.start, each.end, each.sp_id)
    )
    bounds = {day: (midnight(day), midnight(day + _ONE_DAY)) for day in period.days}
    return {
        day: tuple(each for each in listed if each.start < end and each.end > begin)
        for day, (begin, end) in bounds.items()
    }


def clashes(entries: Sequence[Timed]) -> Mapping[str, tuple[str, ...]]:
    """For each entry that overlaps others of the same person, the SP-IDs of those, by its own SP-ID.

    An unassigned entry counts as one of everybody (docs/rules.md, "People").
    """
    found: dict[str, list[str]] = {}
    listed = sorted(
        (each for each in entries if not each.whole_day), key=lambda each: (each.start, each.sp_id)
    )
    for number, one in enumerate(listed, start=1):
        for other in listed[number:]:
            if other.start >= one.end:
                break  # all later entries begin after it, too
            if one.person is None or other.person in (None, one.person):
                found.setdefault(one.sp_id, []).append(other.sp_id)
                found.setdefault(other.sp_id, []).append(one.sp_id)
    return {sp_id: tuple(others) for sp_id, others in found.items()}
