"""Days, instants and durations in words. Instants are local wall-clock times (naive), as a clock shows them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple, cast

from domain.policy import Span
from domain.values import Language
from words.translations import Counted, count, mark, nmark, pmark, say

Unit = Literal["working day", "day", "hour", "minute", "second", "weekend", "sunday"]


class _UnitWords(NamedTuple):
    """A unit in words: one of it, and a number of it."""

    one: str
    counted: Counted


WEEKDAYS = (
    mark("Mo"),
    mark("Di"),
    mark("Mi"),
    mark("Do"),
    mark("Fr"),
    mark("Sa"),
    mark("So"),
)
"""Monday first."""
MONTHS = (
    mark("Jan."),
    mark("Feb."),
    mark("März"),
    mark("April"),
    mark("Mai"),
    mark("Juni"),
    mark("Juli"),
    mark("Aug."),
    mark("Sept."),
    mark("Okt."),
    mark("Nov."),
    mark("Dez."),
)
_FIRST = pmark("der Erste eines Monats", "1")
UNITS: Mapping[Unit, _UnitWords] = {
    "working day": _UnitWords(
        mark("ein Arbeitstag"), nmark("%(number)s Arbeitstag", "%(number)s Arbeitstage")
    ),
    "day": _UnitWords(mark("ein Tag"), nmark("%(number)s Tag", "%(number)s Tage")),
    "hour": _UnitWords(mark("eine Stunde"), nmark("%(number)s Stunde", "%(number)s Stunden")),
    "minute": _UnitWords(mark("eine Minute"), nmark("%(number)s Minute", "%(number)s Minuten")),
    "second": _UnitWords(mark("eine Sekunde"), nmark("%(number)s Sekunde", "%(number)s Sekunden")),
    "weekend": _UnitWords(
        mark("Wochenende"), nmark("%(number)s Wochenende", "%(number)s Wochenenden")
    ),
    "sunday": _UnitWords(mark("Sonntag"), nmark("%(number)s Sonntag", "%(number)s Sonntage")),
}
_IN_WORDS = {2: mark("zwei"), 3: mark("drei")}
_ZERO = mark("0 Sekunden")


def format_day(day: date, language: Language) -> str:
    """A day: "Mo 4. Jan. 2027", "Mon 4 Jan 2027"."""
    return f"{format_short_day(day, language)} {day.year}"


def format_short_day(day: date, language: Language) -> str:
    """A day without its year: "Mo 4. Jan."."""
    return say(
        language,
        "%(weekday)s %(day)s. %(month)s",
        weekday=say(language, WEEKDAYS[day.weekday()]),
        day=say(language, _FIRST) if day.day == 1 else day.day,
        month=say(language, MONTHS[day.month - 1]),
    )


def format_instant(local: datetime, language: Language) -> str:
    """A day and the time on it: "Mo 4. Jan. 2027 18:00"."""
    return f"{format_day(local, language)} {local:%H:%M}"


def format_near(local: datetime, today: date, language: Language, *, past: bool = False) -> str:
    """An instant in short form: "Mi 18:00" within a week from today, otherwise "Mi 14. Okt. 18:00".

    `past`: the week is the one before today.
    """
    days = (today - local.date() if past else local.date() - today).days
    if 0 <= days < len(WEEKDAYS):
        return f"{say(language, WEEKDAYS[local.weekday()])} {local:%H:%M}"
    return f"{format_short_day(local, language)} {local:%H:%M}"


def format_period(start: datetime, end: datetime, language: Language) -> str:
    """An appointment: "Mo 4. Jan. 2027 08:00–10:00"; with both days if they differ."""
    if start.date() == end.date():
        return f"{format_instant(start, language)}–{end:%H:%M}"
    return f"{format_instant(start, language)} – {format_instant(end, language)}"


def format_span(span: Span, language: Language) -> str:
    """A duration in its largest unit: "1 Arbeitstag", "45 minutes"."""
    number, unit = _largest_unit(span)
    if number == 0:
        return say(language, _ZERO)
    return count(language, UNITS[unit].counted, number)


def duration_text(duration: timedelta, language: Language) -> str:
    """A time in whole hours or, rounded up, in minutes: "2 Stunden", "95 minutes"."""
    minutes = -(-duration // timedelta(minutes=1))
    hours, rest = divmod(minutes, 60)
    if hours and not rest:
        return count(language, UNITS["hour"].counted, hours)
    return count(language, UNITS["minute"].counted, minutes)


def span_in_words(span: Span, language: Language) -> str:
    """A duration for running text, with small numbers in words: "one working day", "45 minutes"."""
    number, unit = _largest_unit(span)
    return count_in_words(number, unit, language)


def count_in_words(number: int, unit: Unit, language: Language) -> str:
    """A number of units, one to three in words. One weekend is just "weekend"."""
    if number == 0:
        return say(language, _ZERO)
    if number == 1:
        return say(language, UNITS[unit].one)
    shown = say(language, _IN_WORDS[number]) if number in _IN_WORDS else number
    return count(language, UNITS[unit].counted, number, number=shown)


def _largest_unit(span: Span) -> tuple[int, Unit]:
    """The number and unit in which the policy writes a span."""
    number, _, unit = str(span).partition(" ")
    return int(number), cast(Unit, unit.removesuffix("s"))
