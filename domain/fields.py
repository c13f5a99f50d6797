"""Types of fields that commands, orders and settlements share: texts, identifiers, money, instants."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

CENTIME = Decimal("0.01")


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029]")


_LINE_BREAK = re.compile(r"[\r\n\t]")


def _no_control_characters(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not hold control characters")
    return text


def _one_line(text: str) -> str:
    if _LINE_BREAK.search(text):
        raise ValueError("must be one line")
    return _no_control_characters(text)


def _money_is_text(raw: Any) -> Any:
    if isinstance(raw, float | bool):
        raise ValueError('money is written as a string, "129.00"')
    return raw


def _centimes(amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount != amount.quantize(CENTIME, ROUND_HALF_UP):
        raise ValueError("money has at most two decimals")
    return abs(amount.quantize(CENTIME))  # Decimal has a minus zero


def _utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be an instant that exists in UTC") from None


_T = TypeVar("_T")


def text_schema(
    cls: type[_T], parse: Callable[[str], _T], pattern: str | None = None
) -> CoreSchema:
    """The schema of a class whose values are texts in JSON: `parse` reads what `str` writes.

    Args:
        cls: the class.
        parse: makes a value of a text. Raises `ValueError` for a wrong one, the empty text included.
        pattern: a regular expression for the JSON schema.
    """

    def validate(value: object) -> _T:
        if isinstance(value, cls):
            return value
        return parse(value if isinstance(value, str) else "")

    return core_schema.no_info_plain_validator_function(
        validate,
        json_schema_input_schema=core_schema.str_schema(pattern=pattern),
        serialization=core_schema.to_string_ser_schema(),
    )


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]


Identifier = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
]


TextLine = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_one_line),
]


Note = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2000),
    AfterValidator(_no_control_characters),
]


Reason = Annotated[Note, StringConstraints(min_length=1)]


class _FreeText:
    """Marks a field of an event that people wrote, or that leads to a customer."""


FreeText = Annotated[str, _FreeText()]
"""A text of an event that the erasure of a customer's data removes (`domain/orders/erasure.py`)."""


def free_texts(known_events: Any) -> dict[str, tuple[str, ...]]:
    """The names of the fields of type `FreeText`, by the type of their event. `known_events`: an annotated union."""
    fields = {
        event.model_fields["type"].default: tuple(
            name
            for name, field in event.model_fields.items()
            if any(isinstance(each, _FreeText) for each in field.metadata)
        )
        for event in get_args(get_args(known_events)[0])
    }
    return {kind: names for kind, names in fields.items() if names}


EmailAddress = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=254,
        pattern=r"^[^@\s<>()\[\],;:\"\\]+@[^@\s<>()\[\],;:\"\\]+$",
    ),
    AfterValidator(_one_line),
]


Money = Annotated[
    Decimal,
    BeforeValidator(_money_is_text),
    Field(ge=0, max_digits=10),
    AfterValidator(_centimes),
    PlainSerializer(str, return_type=str, when_used="json"),
]
