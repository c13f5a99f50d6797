"""The forms of an order's page: what was typed becomes a command, or a message beside each field that is wrong.

A field is named after its form, `appointment.day`, since several forms stand on one page.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, Protocol, TypeVar, get_args

from domain import words
from domain.calendar import Calendar
from domain.orders.catalogue import checklist
from domain.orders.commands import (
    Accept,
    Cancel,
    ChecklistItem,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    Decision,
    ExternalCommand,
    LogContact,
    NotExecutedReason,
    RejectionReason,
    RejectRequirements,
    ReportNotExecuted,
    SetAppointment,
)
from domain.orders.order import Order
from domain.values import Language
from web.portal.words import mark

LONGEST_NOTE = 2000
_Choice = TypeVar("_Choice", bound=str)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_SWISS_DAY = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h]\s*(\d{2})(?::\d{2})?)?(?:\s*h)?", re.ASCII)

REJECTION_REASONS: tuple[RejectionReason, ...] = get_args(RejectionReason)
NOT_EXECUTED_REASONS: tuple[NotExecutedReason, ...] = get_args(NotExecutedReason)
DECISIONS: tuple[Decision, ...] = get_args(Decision)
REASON_OF: Mapping[ChecklistItem, RejectionReason] = {
    "connections": "no_connection",
    "space": "no_space",
    "passages": "passage_too_narrow",
    "kit": "missing_kit",
    "wall": "wall_unsuitable",
}
"""Why requirements are rejected if an item of the checklist is a no."""

MESSAGES = {
    "choose": mark("Bitte wählen Sie eine der Möglichkeiten."),
    "reason_missing": mark("Bitte geben Sie einen Grund an."),
    "too_long": mark("Der Text ist zu lang: höchstens 2000 Zeichen."),
    "day_missing": mark("Bitte geben Sie das Datum an."),
    "day_wrong": mark("Dieses Datum gibt es nicht. Schreiben Sie es so: 30.11.2026."),
    "time_missing": mark("Bitte geben Sie die Uhrzeit an."),
    "time_wrong": mark("Diese Uhrzeit gibt es nicht. Schreiben Sie sie so: 14:30."),
    "time_left_out": mark(
        "Diese Uhrzeit gibt es an diesem Tag nicht: Die Uhren werden dann auf Sommerzeit gestellt."
    ),
}
"""What may be wrong with a field before the order itself is asked; the order's own codes are in `domain.words`."""


class Typed(Protocol):
    """What a form sent."""

    def get(self, name: str, default: str = "") -> str:
        """A field's value."""


class WrongForm(Exception):
    """What was typed is no command. `codes` has what is wrong with which field, `form.field` by `form.field`."""

    def __init__(self, codes: Mapping[str, str]) -> None:
        self.codes = dict(codes)
        super().__init__(", ".join(f"{field}: {code}" for field, code in codes.items()))


class SaidNo(Exception):
    """The checklist holds a "no": that is a rejection, which has to be confirmed. `reason` is the one that fits."""

    def __init__(self, reason: RejectionReason) -> None:
        self.reason = reason
        super().__init__(reason)


class OrderForm(NamedTuple):
    """A form: how its command is read, and where the fields of the command stand in it if they are called otherwise."""

    read: Callable[[Typed, Order], ExternalCommand]
    places: Mapping[str, str] = {}


def message(code: str, language: Language, translate: Callable[[str], str]) -> str:
    """What is wrong with a field, in the reader's language."""
    own = MESSAGES.get(code)
    return translate(own) if own is not None else words.invalid_text(code, language)


# --- each form -----------------------------------------------------------------------------------------------------


def _accept(typed: Typed, order: Order) -> Accept:
    return Accept()


def _contact(typed: Typed, order: Order) -> LogContact:
    outcome, wrong = typed.get("contact.outcome"), _Wrong()
    if outcome not in ("reached", "not_reached"):
        wrong["contact.outcome"] = "choose"
    note = _note(typed, "contact.note", wrong)
    wrong.check()
    return LogContact(outcome=outcome, note=note)


def _requirements(typed: Typed, order: Order) -> ConfirmRequirements:
    wrong = _Wrong()
    items = checklist(order.intake.placement.service.code)
    answers = {item: typed.get(f"requirements.checklist.{item}") for item in items}
    for item in items:
        if answers[item] == "no":
            raise SaidNo(REASON_OF[item])
    for item, answer in answers.items():
        if not answer:
            wrong[f"requirements.checklist.{item}"] = "item_missing"
    note = _note(typed, "requirements.note", wrong)
    wrong.check()
    return ConfirmRequirements(checklist=dict(answers), note=note)


def _rejection(typed: Typed, order: Order) -> RejectRequirements:
    wrong = _Wrong()
    reason = _choice(typed, "rejection.reason", REJECTION_REASONS, wrong)
    note = _note(typed, "rejection.note", wrong)
    wrong.check()
    return RejectRequirements(reason=reason, note=note)


def _appointment(typed: Typed, order: Order) -> SetAppointment:
    wrong = _Wrong()
    day = read_day(typed.get("appointment.day"), "appointment.day", wrong)
    last = typed.get("appointment.last_day").strip()
    last_day = read_day(last, "appointment.last_day", wrong) if last else day
    start_clock = _read_clock(typed, "appointment.from", wrong)
    end_clock = _read_clock(typed, "appointment.until", wrong)
    reason = _note(typed, "appointment.reason", wrong)
    start = _instant(order.calendar, day, start_clock, "appointment.from", wrong)
    end = _instant(order.calendar, last_day, end_clock, "appointment.until", wrong, after=start)
    wrong.check()
    assert start is not None, "what is missing is wrong"
    assert end is not None, "what is missing is wrong"
    return SetAppointment(start=start, end=end, reason=reason)


def _execution(typed: Typed, order: Order) -> ConfirmExecution:
    wrong = _Wrong()
    day = read_day(typed.get("execution.executed_on"), "execution.executed_on", wrong)
    note = _note(typed, "execution.note", wrong)
    wrong.check()
    return ConfirmExecution(executed_on=day, note=note)


def _not_executed(typed: Typed, order: Order) -> ReportNotExecuted:
    wrong = _Wrong()
    reason = _choice(typed, "not-executed.reason", NOT_EXECUTED_REASONS, wrong)
    note = _note(typed, "not-executed.note", wrong)
    wrong.check()
    return ReportNotExecuted(reason=reason, note=note)


def _review(typed: Typed, order: Order) -> DecideReview:
    wrong = _Wrong()
    decision = _choice(typed, "review.decision", DECISIONS, wrong)
    note = _note(typed, "review.note", wrong)
    wrong.check()
    return DecideReview(decision=decision, note=note)


def _cancel(typed: Typed, order: Order) -> Cancel:
    wrong = _Wrong()
    reason = _required_note(typed, "cancel.reason", wrong)
    wrong.check()
    return Cancel(reason=reason)


def read_reassignment(typed: Typed) -> tuple[str, str]:
    """To which partner an order is handed, and why. Raises `WrongForm`."""
    wrong = _Wrong()
    partner_id = typed.get("reassign.partner_id").strip()
    if not partner_id:
        wrong["reassign.partner_id"] = "choose"
    reason = _required_note(typed, "reassign.reason", wrong)
    wrong.check()
    return partner_id, reason


FORMS: Mapping[str, OrderForm] = {
    "accept": OrderForm(_accept),
    "contact": OrderForm(_contact),
    "requirements": OrderForm(_requirements),
    "rejection": OrderForm(_rejection),
    "appointment": OrderForm(_appointment, {"start": "day", "end": "until"}),
    "execution": OrderForm(_execution),
    "not-executed": OrderForm(_not_executed),
    "review": OrderForm(_review),
    "cancel": OrderForm(_cancel),
}
"""The forms by their names, which are also the last part of the address that they are sent to."""


# --- fields --------------------------------------------------------------------------------------------------------


class _Wrong(dict[str, str]):
    """The codes of what is wrong so far."""

    def check(self) -> None:
        """Raise `WrongForm` if anything is."""
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


def _required_note(typed: Typed, field: str, wrong: dict[str, str]) -> str:
    """A text that has to be given."""
    text = _note(typed, field, wrong)
    if not text:
        wrong.setdefault(field, "reason_missing")
    return text


def _note(typed: Typed, field: str, wrong: dict[str, str]) -> str:
    """A free text; what no text holds (control characters that came with a copy) is left out."""
    text = typed.get(field).replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = _CONTROL.sub("", text).strip()
    if len(text) > LONGEST_NOTE:
        wrong[field] = "too_long"
    return text


def _choice(
    typed: Typed, field: str, choices: tuple[_Choice, ...], wrong: dict[str, str]
) -> _Choice:
    chosen = typed.get(field)
    for choice in choices:
        if choice == chosen:
            return choice
    wrong[field] = "choose"
    return choices[0]


def _read_clock(typed: Typed, field: str, wrong: dict[str, str]) -> time | None:
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


def _instant(
    calendar: Calendar,
    day: date | None,
    clock: time | None,
    field: str,
    wrong: dict[str, str],
    after: datetime | None = None,
) -> datetime | None:
    """The instant of a wall-clock time. Of a time that comes twice it is the first that is after `after`."""
    if day is None or clock is None:
        return None
    wall = datetime.combine(day, clock)
    try:
        instant = calendar.instant(day, clock)
        if calendar.local(instant) != wall:
            wrong[field] = "time_left_out"
            return None
        again = instant + timedelta(hours=1)
        comes_twice = calendar.local(again) == wall
    except OverflowError:  # at the very ends of what a date can be
        wrong[field] = "day_wrong"
        return None
    return again if comes_twice and after is not None and instant <= after else instant
