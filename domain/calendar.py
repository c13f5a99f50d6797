"""The working-day calendar of one canton, pinned into each order as plain data."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from pydantic import Field

from domain.policy import ClockTime, Span
from domain.values import Language, Value

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


class Skipped(Value):
    """A weekend, a Sunday or a holiday that did not count towards a deadline.

    `kind`: "sunday" where Saturdays are working days. `day`: the holiday, the Sunday, or the first day of the weekend
    (Sunday, if the deadline started on the Saturday). `names`: those of the holiday; empty for the others.
    """

    kind: Literal["weekend", "sunday", "holiday"]
    day: date
    names: dict[Language, str] = Field(default_factory=dict)


class Calendar(Value):
    """Working days, office hours and local time of one place, pinned into an order.

    Pure data: it consults neither a time-zone database nor the `holidays` package, so no update of
    these moves a running order. `offsets` are the UTC offsets in seconds, each with the instant
    from which it is in force (the first also applies before that, the last has no end); `holidays`
    are those from `first_day` to `last_day` that fall on a day of the week on which people work.
    Outside these days only weekends are free. `timezone` is only a name for display. Made by
    `domain.cantons.pin_calendar`.
    """

    canton: str
    timezone: str
    offsets: tuple[tuple[datetime, int], ...] = Field(min_length=1)
    opens: ClockTime
    closes: ClockTime
    first_day: date
    last_day: date
    holidays: dict[date, dict[Language, str]]
    saturday_is_working_day: bool = False

    def local(self, instant: datetime) -> datetime:
        """The wall-clock time (naive) at an aware instant."""
        offset = self.offsets[0][1]
        for since, seconds in self.offsets:
            if since <= instant:
                offset = seconds
        return instant.astimezone(UTC).replace(tzinfo=None) + timedelta(seconds=offset)

    def instant(self, day: date, clock: time) -> datetime:
        """The instant (UTC) of a wall-clock time.

        When the clocks go back, a time that occurs twice means its first occurrence. When they go
        forward, a time that does not occur is read with the offset before the change, as in Python
        (PEP 495, fold 0).
        """
        wall = datetime.combine(day, clock, UTC)
        offset = self.offsets[0][1]
        for since, seconds in self.offsets[1:]:
            if wall >= since + timedelta(seconds=max(offset, seconds)):
                offset = seconds
        return wall - timedelta(seconds=offset)

    def is_working_day(self, day: date) -> bool:
        """Monday to Friday, Saturday where it is one (`[calendar]` of the policy), and no holiday of the canton."""
        return not self._is_weekend(day) and day not in self.holidays

    def closing(self, start: datetime, n: int) -> datetime:
        """Closing time of the n-th working day (n >= 1) after the local day of `start`.

        The day of `start` itself never counts (docs/rules.md, "Deadlines").
        Raises `ValueError` for n < 1.
        """
        return self.instant(self._working_day(start, n, _ONE_DAY), self.closes)

    def due(self, start: datetime, span: Span) -> datetime:
        """The instant at which a span that runs from `start` ends."""
        if span.working_days is not None:
            return self.closing(start, span.working_days)
        return start + (span.duration or timedelta())

    def before(self, instant: datetime, span: Span) -> datetime:
        """The instant that is a span before another one: that of a reminder before its deadline.

        For a span in working days it is closing time of the n-th working day before the local day.
        """
        if span.working_days is not None:
            day = self._working_day(instant, span.working_days, -_ONE_DAY)
            return self.instant(day, self.closes)
        return instant - (span.duration or timedelta())

    def in_office(self, instant: datetime) -> bool:
        """Whether it is within office hours. Both ends count, so that a mail about a deadline at
        closing time is sent at that instant."""
        local = self.local(instant)
        return self.is_working_day(local.date()) and self.opens <= local.time() <= self.closes

    def next_office(self, instant: datetime) -> datetime:
        """The instant itself if it is within office hours, otherwise the next opening time."""
        if self.in_office(instant):
            return instant
        local = self.local(instant)
        if self.is_working_day(local.date()) and local.time() < self.opens:
            return self.instant(local.date(), self.opens)
        return self.instant(self._working_day(instant, 1, _ONE_DAY), self.opens)

    def office_time(self, begin: datetime, end: datetime) -> timedelta:
        """The time within office hours between two instants; zero if `end` is not after `begin`."""
        total = timedelta()
        at = self.next_office(begin)
        while at < end:
            closing = self.instant(self.local(at).date(), self.closes)
            total += min(end, closing) - at
            at = self.next_office(closing + timedelta(microseconds=1))
        return total

    def after_office_time(self, start: datetime, time: timedelta) -> datetime:
        """The instant at which so much time within office hours has passed since `start`."""
        at = self.next_office(start)
        while time:
            left = self.instant(self.local(at).date(), self.closes) - at
            if time <= left:
                return at + time
            time -= left
            at = self.next_office(at + left + timedelta(microseconds=1))
        return start

    def skipped(self, start: datetime, due: datetime) -> tuple[Skipped, ...]:
        """The days strictly between the local days of `start` and `due` that do not count, in order.

        A weekend is one entry; where Saturdays are working days, a Sunday is one. A holiday on a day of the week on
        which people work is one entry for each day.
        """
        free: Literal["weekend", "sunday"] = "sunday" if self.saturday_is_working_day else "weekend"
        found: list[Skipped] = []
        day, last = self.local(start).date() + _ONE_DAY, self.local(due).date()
        while day < last:
            if self._is_weekend(day):
                found.append(Skipped(kind=free, day=day))
                day += (7 - day.weekday()) * _ONE_DAY
                continue
            if day in self.holidays:
                found.append(Skipped(kind="holiday", day=day, names=self.holidays[day]))
            day += _ONE_DAY
        return tuple(found)

    def _is_weekend(self, day: date) -> bool:
        return day.weekday() > (_SATURDAY if self.saturday_is_working_day else _SATURDAY - 1)

    def _working_day(self, instant: datetime, n: int, step: timedelta) -> date:
        """The n-th working day after (or, with a negative step, before) the instant's local day."""
        if n < 1:
            raise ValueError(f"expected one working day or more, not {n}")
        day = self.local(instant).date()
        while n:
            day += step
            n -= self.is_working_day(day)
        return day
