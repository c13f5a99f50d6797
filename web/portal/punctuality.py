"""Common parts of the pages about punctuality: the choice of a month, shares as text, reasons and steps in words."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from domain.months import Month
from domain.orders.cycle_times import Step
from domain.orders.miss_reasons import Lateness, MissReason
from domain.values import Language
from use_cases.reports import Punctuality
from web.portal.formats import month_name, today
from words.translations import count, mark, nmark, say

_MONTHS = 24
REASONS: dict[MissReason, str] = {
    "silent": mark("nichts festgehalten, bis die Frist um war"),
    "not_reached": mark("angerufen, Kundschaft nicht erreicht"),
    "begun": mark("begonnen, aber nicht rechtzeitig erledigt"),
}
LATENESS: dict[Lateness, str] = {
    "open": mark("noch nicht erledigt"),
    "day": mark("höchstens einen Tag zu spät"),
    "week": mark("höchstens eine Woche zu spät"),
    "longer": mark("mehr als eine Woche zu spät"),
}
STEPS: dict[Step, str] = {
    "accept": mark("von der Bestellung bis zur Annahme"),
    "check": mark("von der Annahme bis zu den bestätigten Anforderungen"),
    "deliver": mark("von den Anforderungen bis zum Eintreffen der Ware"),
    "agree": mark("vom Eintreffen der Ware bis zum vereinbarten Termin"),
    "carry_out": mark("von der Vereinbarung bis zur Ausführung"),
    "whole": mark("im Ganzen, von der Bestellung bis zur Ausführung"),
}
REPORTS: dict[str, str] = {
    "declined": mark("Auftrag abgelehnt"),
    "requirements_rejected": mark("Anforderungen nicht erfüllt"),
    "problem_reported": mark("Problem gemeldet"),
    "not_executed": mark("Nicht ausgeführt"),
}
_DAYS = nmark("%(number)s Tag", "%(number)s Tage")
_HOURS = nmark("%(number)s Stunde", "%(number)s Stunden")
_LESS = mark("unter einer Stunde")


class Choice(NamedTuple):
    """A month in the choice of months."""

    month: Month
    name: str


def on_time(counts: Punctuality) -> str:
    """The share that was on time, "97.9 %", rounded down: a partner below the target never seems to reach it."""
    if not counts.counted:
        return "–"
    return f"{Decimal(1000 * counts.met // counts.counted) / 10:.1f} %"


def read_month(text: str | None) -> Month | None:
    """The month in a query or a path, by default the current one; None if it is invalid."""
    if text is None:
        return Month.of(today())
    try:
        month = Month.parse(text)
    except ValueError:
        return None
    return month if 2000 <= month.year < 2100 else None


def month_choices(month: Month, language: Language) -> list[Choice]:
    """The months of the last two years, and the one that is shown."""
    months = [Month.of(today())]
    while len(months) < _MONTHS:
        months.append(months[-1].previous)
    if month not in months:
        months = sorted({*months, month}, reverse=True)
    return [Choice(each, month_name(each, language)) for each in months]


def duration(time: timedelta, language: Language) -> str:
    """A duration in whole hours, or in days if it is two days or more: "3 Tage"."""
    hours = round(time.total_seconds() / 3600)
    if hours < 1:
        return say(language, _LESS)
    if hours < 48:
        return count(language, _HOURS, hours)
    return count(language, _DAYS, round(hours / 24))
