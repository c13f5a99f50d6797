"""The month that a settlement is of, and the number it has: short enough to be typed, fit for a payment reference."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from domain.calendar import Calendar

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
# No vowels (no words), and nothing that looks or sounds like something else: 0 O, 1 I L, U V.
_ALPHABET = "23456789BCDFGHJKMNPQRSTWXYZ"
_CODE_LENGTH = 8
_SETTLEMENT_ID = re.compile(
    rf"V([0-9]{{4}})(0[1-9]|1[0-2])-?([{_ALPHABET}]{{{_CODE_LENGTH}}})", re.ASCII
)
_REFERENCE = re.compile(r"RF[0-9]{2}[0-9A-Z]{1,21}", re.ASCII)


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
        """The month that "2026-10" means."""
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
        """The month that the calendar's clock shows at an instant."""
        return cls.of(calendar.local(instant).date())

    @property
    def next(self) -> "Month":
        """The month after."""
        return Month.of(self.last_day + timedelta(days=1))

    @property
    def previous(self) -> "Month":
        """The month before: what a run on the first of the month settles."""
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
    def _validate(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        return cls.parse(value if isinstance(value, str) else "")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            json_schema_input_schema=core_schema.str_schema(pattern=f"^{_MONTH.pattern}$"),
            serialization=core_schema.to_string_ser_schema(),
        )


# --- the number -----------------------------------------------------------------------------------


def settlement_id(partner_id: str, month: Month) -> str:
    """The Verrechnungs-ID of a partner's settlement of a month: "V202610-7KQ4MXBP".

    It can be typed, read out, and is, without the hyphen, the payload of a creditor reference. The code is taken from
    a hash of the partner's identifier (38 bits): the same in each month, and of 5000 partners no two share one but
    with a probability of 0.005 %.
    """
    digest = hashlib.sha256(b"settlement of " + partner_id.encode()).digest()
    number = int.from_bytes(digest, "big")
    code = ""
    for _ in range(_CODE_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        code += _ALPHABET[digit]
    return f"V{month.year:04}{month.month:02}-{code}"


def is_settlement_id(text: str) -> bool:
    """Whether a text is a settlement id."""
    return _SETTLEMENT_ID.fullmatch(text) is not None


def creditor_reference(settlement: str) -> str:
    """A settlement id as ISO 11649 creditor reference, without blanks: "RF" + two check digits + payload.

    Raises `ValueError` if it is no settlement id.
    """
    match = _SETTLEMENT_ID.fullmatch(settlement.upper())
    if match is None:
        raise ValueError(f"expected a settlement id, not {settlement!r}")
    payload = "V" + "".join(match.groups())
    return f"RF{98 - _remainder(f'{payload}RF00'):02}{payload}"


def is_creditor_reference(text: str) -> bool:
    """Whether a text, with or without blanks, is a creditor reference whose check digits are right (ISO 11649)."""
    compact = "".join(text.split()).upper()
    return bool(_REFERENCE.fullmatch(compact)) and _remainder(compact[4:] + compact[:4]) == 1


def _remainder(text: str) -> int:
    """ISO 7064 MOD 97-10: letters count from A = 10."""
    return int("".join(str(int(character, 36)) for character in text)) % 97
