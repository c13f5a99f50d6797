"""Days, instants and durations in words. Instants are local wall-clock times (naive), as a clock shows them."""

from datetime import date, datetime
from typing import cast

from domain.policy import Span
from domain.values import Language
from domain.words.languages import VOCABULARIES
from domain.words.vocabulary import Unit


def format_day(day: date, language: Language) -> str:
    """A day: "Mo 4. Jan. 2027", "Mon 4 Jan 2027"."""
    return f"{format_short_day(day, language)} {day.year}"


def format_short_day(day: date, language: Language) -> str:
    """A day whose year is clear: "Mo 4. Jan."."""
    vocabulary = VOCABULARIES[language]
    return vocabulary.day.format(
        weekday=vocabulary.weekdays[day.weekday()],
        day=vocabulary.first if day.day == 1 else day.day,
        month=vocabulary.months[day.month - 1],
    )


def format_instant(local: datetime, language: Language) -> str:
    """A day and the time on it: "Mo 4. Jan. 2027 18:00"."""
    return f"{format_day(local, language)} {local:%H:%M}"


def format_period(start: datetime, end: datetime, language: Language) -> str:
    """An appointment: "Mo 4. Jan. 2027 08:00–10:00"; with both days if they differ."""
    if start.date() == end.date():
        return f"{format_instant(start, language)}–{end:%H:%M}"
    return f"{format_instant(start, language)} – {format_instant(end, language)}"


def format_span(span: Span, language: Language) -> str:
    """A duration in its largest unit: "1 Arbeitstag", "45 minutes"."""
    number, unit = _largest_unit(span)
    vocabulary = VOCABULARIES[language]
    if number == 0:
        return vocabulary.zero
    _, one, more = vocabulary.units[unit]
    return f"{number} {one if number == 1 else more}"


def span_in_words(span: Span, language: Language) -> str:
    """A duration as running text has it, small numbers in words: "one working day", "45 minutes"."""
    number, unit = _largest_unit(span)
    return count_in_words(number, unit, language)


def count_in_words(number: int, unit: Unit, language: Language) -> str:
    """So many of a unit, one to three in words. One weekend is just "weekend"."""
    vocabulary = VOCABULARIES[language]
    if number == 0:
        return vocabulary.zero
    in_words, _, more = vocabulary.units[unit]
    if number == 1:
        return in_words
    return f"{vocabulary.numbers[number - 2] if number <= 3 else number} {more}"


def _largest_unit(span: Span) -> tuple[int, Unit]:
    """The number and unit in which the policy writes a span."""
    number, _, unit = str(span).partition(" ")
    return int(number), cast(Unit, unit.removesuffix("s"))
