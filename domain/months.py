"""A calendar month: the period of a settlement or a report."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from domain.calendar import Calendar
from domain.fields import text_schema

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in Europe/Zurich, written "2026-10", also in JSON.

    Raises `ValueError` for a month that does not exist.
    """

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.year <= 9998 and 1 <= self.month <= 12):
            raise ValueError('expected a month, such as "2026-10"')

    @classmethod
    def parse(cls, text: str) -> Self:
        """The month that a text such as "2026-10" names. Raises `ValueError` for another text."""
        match = _MONTH.fullmatch(text)
        if match is None:
            raise ValueError('expected a month, such as "2026-10"')
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Self:
        """The month of a local day."""
        return cls(day.year, day.month)

    @classmethod
    def at(cls, instant: datetime, calendar: Calendar) -> Self:
        """The month of the calendar's local day at an instant."""
        return cls.of(calendar.local(instant).date())

    @property
    def next(self) -> "Month":
        """The month after."""
        return Month.of(self.last_day + timedelta(days=1))

    @property
    def previous(self) -> "Month":
        """The month before. A run on the first of a month settles it."""
        return Month.of(self.first_day - timedelta(days=1))

    @property
    def first_day(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """Its last day."""
        year, month = divmod(self.year * 12 + self.month, 12)
        return date(year, month + 1, 1) - timedelta(days=1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return text_schema(cls, cls.parse, f"^{_MONTH.pattern}$")
