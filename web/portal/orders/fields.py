"""Reads the fields of order forms as people type them: days, times, texts, choices; and the messages for errors."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Protocol, TypeVar

import words
from domain.calendar import Calendar
from domain.values import Language
from words.translations import mark

LONGEST_NOTE = 2000
_Choice = TypeVar("_Choice", bound=str)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_SWISS_DAY = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h]\s*(\d{2})(?::\d{2})?)?(?:\s*h)?", re.ASCII)

MESSAGES = {
    "choose": mark("Bitte wählen Sie eine der Möglichkeiten."),
    "message_missing": mark("Bitte schreiben Sie einen Text."),
    "reason_missing": mark("Bitte geben Sie einen Grund an."),
    "chip_and_own": mark(
        "Bitte wählen Sie entweder einen Vorschlag oder geben Sie eine eigene Zeit an, nicht beides."
    ),
    "reminder_not_possible": mark("Bitte wählen Sie eine Zeit in den nächsten Tagen."),
    "too_long": mark("Der Text ist zu lang: höchstens 2000 Zeichen."),
    "day_missing": mark("Bitte geben Sie das Datum an."),
    "day_wrong": mark("Dieses Datum gibt es nicht. Schreiben Sie es so: 30.11.2026."),
    "time_missing": mark("Bitte geben Sie die Uhrzeit an."),
    "time_wrong": mark("Diese Uhrzeit gibt es nicht. Schreiben Sie sie so: 14:30."),
    "receipt_not_possible": mark(
        "Die Ware kann weder vor der Bestellung noch in der Zukunft eingetroffen sein."
    ),
    "time_left_out": mark(
        "Diese Uhrzeit gibt es an diesem Tag nicht: Die Uhren werden dann auf Sommerzeit gestellt."
    ),
}
"""The errors that are found before the command is sent. The texts of the order's own codes are in `words`."""


class Typed(Protocol):
    """The input of a form."""

    def get(self, name: str, default: str = "") -> str:
        """The value of a field."""


class Filled:
    """Input whose fields were replaced. A field that is missing is empty."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The value of a field."""
        return self._fields.get(name, default)


class WrongForm(Exception):
    """The input is not a valid command. `codes` has the error of each field by its name on the page, `form.field`."""

    def __init__(self, codes: Mapping[str, str]) -> None:
        self.codes = dict(codes)
        super().__init__(", ".join(f"{field}: {code}" for field, code in codes.items()))


def message(code: str, language: Language, translate: Callable[[str], str]) -> str:
    """The text of a field's error in the reader's language."""
    own = MESSAGES.get(code)
    return translate(own) if own is not None else words.invalid_text(code, language)


class Wrong(dict[str, str]):
    """The codes of the errors found so far, by field."""

    def check(self) -> None:
        """Raise `WrongForm` if there are any."""
        if self:
            raise WrongForm(self)


def read_day(text: str, field: str, wrong: dict[str, str]) -> date | None:
    """A day as browsers send it (2026-11-30) or as people write it (30.11.2026)."""
    text = text.strip()
    if not text:
        wrong[field] = "day_missing"
        return None
    iso, swiss = _ISO_DAY.fullmatch(text), _SWISS_DAY.fullmatch(text)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if swiss:
            return date(int(swiss[3]), int(swiss[2]), int(swiss[1]))
    except ValueError:
        pass
    wrong[field] = "day_wrong"
    return None


def read_optional_day(typed: Typed, field: str, wrong: dict[str, str]) -> date | None:
    """A day as `read_day` reads it, or None if none was given."""
    text = typed.get(field)
    return read_day(text, field, wrong) if text.strip() else None


def read_required_note(typed: Typed, field: str, wrong: dict[str, str]) -> str:
    """A text that must not be empty."""
    text = read_note(typed, field, wrong)
    if not text:
        wrong.setdefault(field, "reason_missing")
    return text


def read_note(typed: Typed, field: str, wrong: dict[str, str]) -> str:
    """A free text without control characters, which pasted text may contain."""
    text = typed.get(field).replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = _CONTROL.sub("", text).strip()
    if len(text) > LONGEST_NOTE:
        wrong[field] = "too_long"
    return text


def read_choice(
    typed: Typed, field: str, choices: tuple[_Choice, ...], wrong: dict[str, str]
) -> _Choice:
    chosen = typed.get(field)
    for choice in choices:
        if choice == chosen:
            return choice
    wrong[field] = "choose"
    return choices[0]


def read_clock(typed: Typed, field: str, wrong: dict[str, str]) -> time | None:
    """A time of day as browsers send it (14:30) or as people write it (14.30, 14h30, 8)."""
    text = typed.get(field).strip().lower().removesuffix("uhr").strip()
    if not text:
        wrong[field] = "time_missing"
        return None
    match = _CLOCK.fullmatch(text)
    try:
        if match:
            return time(int(match[1]), int(match[2] or 0))
    except ValueError:
        pass
    wrong[field] = "time_wrong"
    return None


def read_instant(
    calendar: Calendar,
    day: date | None,
    clock: time | None,
    field: str,
    wrong: dict[str, str],
    after: datetime | None = None,
) -> datetime | None:
    """The instant of a wall-clock time. If it occurs twice on that day, the first one that is later than `after`."""
    if day is None or clock is None:
        return None
    wall = datetime.combine(day, clock)
    try:
        instant = calendar.instant(day, clock)
        if calendar.local(instant) != wall:
            wrong[field] = "time_left_out"
            return None
        again = instant + timedelta(hours=1)
        occurs_twice = calendar.local(again) == wall
    except OverflowError:  # at the limits of `datetime`
        wrong[field] = "day_wrong"
        return None
    return again if occurs_twice and after is not None and instant <= after else instant
