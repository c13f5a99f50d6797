"""The policy: every duration and office hour that the rules use, as it is pinned into an order."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from domain.customer_policy import CustomerMailPolicy
from domain.fields import text_schema
from domain.holiday_entries import parse_holiday
from domain.protocol_policy import ProtocolPolicy
from domain.values import Value

# fmt: off
CANTONS: tuple[str, ...] = (
    "AG", "AI", "AR", "BE", "BL", "BS", "FR", "GE", "GL", "GR", "JU", "LU", "NE",
    "NW", "OW", "SG", "SH", "SO", "SZ", "TG", "TI", "UR", "VD", "VS", "ZG", "ZH",
)
# fmt: on

MAX_WORKING_DAYS = 260
MAX_DURATION = timedelta(days=400)
_SPAN = re.compile(
    r"([0-9]{1,9})\s+(?:(working)\s+day|(second|minute|hour|day))s?", re.IGNORECASE | re.ASCII
)
_UNITS = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}
_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Span:
    """How long something may take: a number of working days, or a plain duration; exactly one.

    Written as `"2 working days"` or `"45 minutes"` (seconds, minutes, hours, days), also in JSON,
    which keeps the input of every order short. A plain duration has whole seconds and
    may be zero. Raises `ValueError` for anything else, or beyond `MAX_WORKING_DAYS` and
    `MAX_DURATION`.
    """

    working_days: int | None = None
    duration: timedelta | None = None

    def __post_init__(self) -> None:
        if (self.working_days is None) == (self.duration is None):
            raise ValueError("expected either working days or a duration")
        if self.working_days is not None and not 1 <= self.working_days <= MAX_WORKING_DAYS:
            raise ValueError(f"expected 1 to {MAX_WORKING_DAYS} working days")
        if self.duration is not None and (
            self.duration % _UNITS["second"] or not timedelta() <= self.duration <= MAX_DURATION
        ):
            raise ValueError(f"expected whole seconds, from 0 seconds to {MAX_DURATION.days} days")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The span that a text such as `"1 working day"` or `"45 minutes"` means."""
        match = _SPAN.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                'expected "N working days" or "N seconds|minutes|hours|days", such as "45 minutes"'
            )
        number, working, unit = match.groups()
        if working:
            return cls(working_days=int(number))
        return cls(duration=int(number) * _UNITS[unit.lower()])

    def __str__(self) -> str:
        """The text that `parse` reads back as an equal span, in the largest unit that fits."""
        if self.duration is None:
            return _counted(self.working_days or 0, "working day")
        for name, unit in _UNITS.items():
            if self.duration and not self.duration % unit:
                return _counted(self.duration // unit, name)
        return _counted(0, "second")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return text_schema(cls, cls.parse)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _holiday_text(value: object) -> str:
    text = value if isinstance(value, str) else ""
    parse_holiday(text)
    return text


def _clock_time(value: object) -> time:
    if isinstance(value, time):
        if value.tzinfo is None and value == value.replace(second=0, microsecond=0):
            return value
    elif isinstance(value, str) and (match := _CLOCK_TIME.fullmatch(value)):
        return time(int(match[1]), int(match[2]))
    raise ValueError('expected a time of day, "HH:MM"')


def _canton(code: str) -> str:
    if code not in CANTONS:
        raise ValueError(f"expected a canton: {', '.join(CANTONS)}")
    return code


def _span_or_none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


ClockTime = Annotated[
    time,
    BeforeValidator(_clock_time),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str, when_used="json"),
]
"""A local time of day in whole minutes; `"HH:MM"` in text."""

OptionalSpan = Annotated[Span | None, BeforeValidator(_span_or_none)]
"""A span; None, written `"none"`, where a deadline does not exist."""


class TransmissionPolicy(Value):
    """How long a new order is held before it is sent, and when operations are alarmed (None: never)."""

    hold: Span = Span.parse("30 minutes")
    alarm: OptionalSpan = Field(default=Span.parse("45 minutes"), validate_default=True)

    @field_validator("alarm")
    @classmethod
    def _not_before_the_hold_ends(cls, alarm: Span | None, info: ValidationInfo) -> Span | None:
        hold: Span | None = info.data.get("hold")
        if hold is None or hold.duration is None or alarm is None or alarm.duration is None:
            return alarm
        if alarm.duration < hold.duration:
            raise ValueError(f'expected no less than transmission.hold, which is "{hold}"')
        return alarm


class DeadlinePolicy(Value):
    """The time allowed for each step (docs/rules.md, "Deadlines"). None: there is no such deadline.

    With `accept` None, the step itself is dropped.
    """

    accept: OptionalSpan = Span.parse("1 working day")
    check_requirements: OptionalSpan = Span.parse("1 working day")
    contact_customer: OptionalSpan = Span.parse("2 working days")
    set_appointment: OptionalSpan = Span.parse("1 working day")
    confirm_execution: OptionalSpan = Span.parse("1 working day")
    review: OptionalSpan = Span.parse("2 working days")
    goods: OptionalSpan = Span.parse("10 working days")
    delivery: OptionalSpan = Field(
        default=Span.parse("5 working days"), json_schema_extra={"since": 2}
    )
    assign: OptionalSpan = Field(
        default=Span.parse("1 working day"), json_schema_extra={"since": 2}
    )


class EscalationPolicy(Value):
    """When a partner is reminded before a deadline, and how often after it."""

    remind_before: Span = Span.parse("4 hours")
    repeat_every: Span = Span.parse("1 working day")
    repeats: int = Field(
        default=3, ge=0, le=20, strict=True, description="a whole number from 0 to 20"
    )
    office_hours_only: bool = Field(default=True, strict=True, description="true or false")


class OfficePolicy(Value):
    """Where and when the office is open; `closes` is also when a working-day deadline ends."""

    timezone: str = Field(
        default="Europe/Zurich", description='an IANA time zone, such as "Europe/Zurich"'
    )
    opens: ClockTime = time(8)
    closes: ClockTime = Field(default=time(18), validate_default=True)

    @field_validator("closes")
    @classmethod
    def _after_opening(cls, closes: time, info: ValidationInfo) -> time:
        opens: time | None = info.data.get("opens")
        if opens is not None and opens >= closes:
            raise ValueError(f'expected later than office.opens, which is "{opens:%H:%M}"')
        return closes


class AppointmentPolicy(Value):
    """When appointments usually are: how far ahead, and between which local times of day."""

    farthest: Span = Field(default=Span.parse("60 days"), json_schema_extra={"since": 2})
    earliest: ClockTime = Field(default=time(7), json_schema_extra={"since": 2})
    latest: ClockTime = Field(
        default=time(20), validate_default=True, json_schema_extra={"since": 2}
    )

    @field_validator("latest")
    @classmethod
    def _after_earliest(cls, latest: time, info: ValidationInfo) -> time:
        earliest: time | None = info.data.get("earliest")
        if earliest is not None and earliest >= latest:
            raise ValueError(
                f'expected later than appointment.earliest, which is "{earliest:%H:%M}"'
            )
        return latest


class RequirementsPolicy(Value):
    """How often, and on how many days, a partner tries to reach a customer before it may report it as unreachable."""

    attempts: int = Field(
        default=3,
        ge=0,
        le=20,
        strict=True,
        description="a whole number from 0 to 20",
        json_schema_extra={"since": 2},
    )
    attempt_days: int = Field(
        default=2,
        ge=0,
        le=20,
        strict=True,
        description="a whole number from 0 to 20",
        json_schema_extra={"since": 2},
    )


class CalendarPolicy(Value):
    """Which days are working days, beside Monday to Friday."""

    saturday_is_working_day: bool = Field(
        default=False,
        strict=True,
        description="true or false",
        json_schema_extra={"since": 2},
    )


class BillingPolicy(Value):
    """How long a partner may take back its own confirmation of the execution."""

    undo: Span = Field(default=Span.parse("1 hour"), json_schema_extra={"since": 2})


class MessagePolicy(Value):
    """The time for operations to answer a partner's message (None: no deadline)."""

    answer: OptionalSpan = Span.parse("1 working day")


class SettlementPolicy(Value):
    """The time to change the selection that the month's end made, and to send the invoice (None: no deadline)."""

    select_within: Span = Span.parse("3 working days")
    invoice_within: OptionalSpan = Span.parse("10 working days")


class Policy(Value):
    """Everything that the business can set: the sections of the policy file, pinned into each order.

    `holidays` maps a canton to its entries (`parse_holiday`), applied in their order to those of
    the `holidays` package. Every key has a standard value, and all are written to JSON, so that a
    new standard never changes a running order. A key that came with a later version of the rules
    is marked: `Field(default=..., json_schema_extra={"since": 2})`.
    """

    transmission: TransmissionPolicy = Field(
        default_factory=TransmissionPolicy, description="the table [transmission]"
    )
    deadlines: DeadlinePolicy = Field(DeadlinePolicy(), description="the table [deadlines]")
    escalation: EscalationPolicy = Field(EscalationPolicy(), description="the table [escalation]")
    office: OfficePolicy = Field(default_factory=OfficePolicy, description="the table [office]")
    holidays: dict[
        Annotated[str, AfterValidator(_canton)],
        tuple[Annotated[str, BeforeValidator(_holiday_text)], ...],
    ] = Field(
        default_factory=dict,
        description='a list of days for each canton in [holidays], such as ZH = ["01-02"]',
    )
    settlement: SettlementPolicy = Field(SettlementPolicy(), description="the table [settlement]")
    appointment: AppointmentPolicy = Field(
        AppointmentPolicy(), description="the table [appointment]"
    )
    requirements: RequirementsPolicy = Field(
        RequirementsPolicy(), description="the table [requirements]"
    )
    calendar: CalendarPolicy = Field(CalendarPolicy(), description="the table [calendar]")
    billing: BillingPolicy = Field(default_factory=BillingPolicy, description="the table [billing]")
    messages: MessagePolicy = Field(MessagePolicy(), description="the table [messages]")
    customer_mails: CustomerMailPolicy = Field(
        CustomerMailPolicy(), description="the table [customer_mails]"
    )
    protocol: ProtocolPolicy = Field(ProtocolPolicy(), description="the table [protocol]")

    def with_later_keys(self, other: "Policy", rules: int) -> Self:
        """This policy with the values of another one for all keys that came after a version of the rules.

        An order that adopts newer rules pins their durations as well, and keeps all of its own.
        """
        sections: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            mine, theirs = getattr(self, name), getattr(other, name)
            if _since(field) > rules:
                sections[name] = theirs
            elif isinstance(mine, Value):
                later = {
                    key: getattr(theirs, key)
                    for key, part in type(mine).model_fields.items()
                    if _since(part) > rules
                }
                sections[name] = mine.model_copy(update=later) if later else mine
        return self.model_copy(update=sections)


def _since(field: FieldInfo) -> int:
    """The version of the rules that a key came with."""
    extra = field.json_schema_extra
    since = extra.get("since", 1) if isinstance(extra, dict) else 1
    assert isinstance(since, int)
    return since
