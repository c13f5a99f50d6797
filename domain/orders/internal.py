"""Commands that only the order's own workflow gives."""

from typing import Literal

from domain.actors import Actor
from domain.calendar import Calendar
from domain.values import Value


class PassTime(Value):
    """Time has passed: do what is due now."""

    type: Literal["pass_time"] = "pass_time"


class ConfirmTransmission(Value):
    """The mail about the order was sent to this partner; None from runs of an earlier release."""

    type: Literal["confirm_transmission"] = "confirm_transmission"
    partner_id: str | None = None


class NoteUndelivered(Value):
    """A mail was refused again and again, and was given up."""

    type: Literal["note_undelivered"] = "note_undelivered"
    key: str
    mail: str


class NoteRefusal(Value):
    """A command that came as a signal was not allowed; its sender is told."""

    type: Literal["note_refusal"] = "note_refusal"
    refused: str
    code: str
    sender: Actor


class RenewCalendar(Value):
    """The pinned calendar ends soon, and the order is still open."""

    type: Literal["renew_calendar"] = "renew_calendar"
    calendar: Calendar


InternalCommand = PassTime | ConfirmTransmission | NoteUndelivered | NoteRefusal | RenewCalendar
