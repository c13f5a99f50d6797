"""Reads the forms of an order's page that cannot be read field by field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from domain import rules
from domain.orders.catalogue import checklist
from domain.orders.codes import (
    ChecklistItem,
    Decision,
    MovedBy,
    ProblemReason,
    RejectionReason,
)
from domain.orders.command_rules import COMMANDS
from domain.orders.commands import (
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    ReportProblem,
    SetAppointment,
)
from domain.orders.order import Order
from domain.orders.shipment import GoodsReceived
from web.portal.orders.fields import (
    Filled,
    Typed,
    Wrong,
    read_choice,
    read_clock,
    read_day,
    read_instant,
    read_note,
    read_optional_day,
    read_required_note,
)

REASON_OF: Mapping[ChecklistItem, RejectionReason] = {
    "connections": "no_connection",
    "space": "no_space",
    "passages": "passage_too_narrow",
    "kit": "missing_kit",
    "wall": "wall_unsuitable",
}
"""The reason for a rejection that fits a "no" to each item of the checklist."""
YES = "yes"
"""The value of a ticked checkbox."""
OWN = "own"
"""The choice of no proposed day or time: the fields have it."""


class NoInChecklist(Exception):
    """The checklist has a "no", which means a rejection that the person must confirm. `reason` is the one that fits."""

    def __init__(self, reason: RejectionReason) -> None:
        self.reason = reason
        super().__init__(reason)


def requirements(typed: Typed, order: Order, now: datetime) -> ConfirmRequirements:
    """The answered checklist. Raises `WrongForm` or `NoInChecklist`."""
    wrong = Wrong()
    items = checklist(order.intake.placement.service.code)
    answers = {item: typed.get(f"requirements.checklist.{item}") for item in items}
    for item in items:
        if answers[item] == "no":
            raise NoInChecklist(REASON_OF[item])
    for item, answer in answers.items():
        if not answer:
            wrong[f"requirements.checklist.{item}"] = "item_missing"
    note = read_note(typed, "requirements.note", wrong)
    wrong.check()
    return ConfirmRequirements(checklist=dict(answers), note=note)


def appointment(typed: Typed, order: Order, now: datetime) -> SetAppointment:
    """The appointment. A form that moves one has the hidden field `appointment.moved`, and says who wanted it."""
    wrong = Wrong()
    typed, is_proposed = _with_proposal(typed, order, wrong)
    wrong.check()
    day = read_day(typed.get("appointment.day"), "appointment.day", wrong)
    last = "" if is_proposed else typed.get("appointment.last_day").strip()
    last_day = read_day(last, "appointment.last_day", wrong) if last else day
    start_clock = read_clock(typed, "appointment.from", wrong)
    end_clock = read_clock(typed, "appointment.until", wrong)
    reason = read_note(typed, "appointment.reason", wrong)
    start = read_instant(order.calendar, day, start_clock, "appointment.from", wrong)
    end = read_instant(order.calendar, last_day, end_clock, "appointment.until", wrong, after=start)
    moved_by: MovedBy = "partner"
    if typed.get("appointment.moved") == YES:
        moved_by = read_choice(typed, "appointment.moved_by", get_args(MovedBy), wrong)
    wrong.check()
    assert start is not None, "a missing value is an error"
    assert end is not None, "a missing value is an error"
    return SetAppointment(
        start=start,
        end=end,
        reason=reason,
        moved_by=moved_by,
        unusual=typed.get("appointment.unusual") == YES,
    )


def _with_proposal(typed: Typed, order: Order, wrong: Wrong) -> tuple[Typed, bool]:
    """The input with the proposed day and window in the fields, and whether the day is a proposed one.

    A field that was filled in as well must have the same value, or that of the present appointment.
    """
    names = ("day", "from", "until", "last_day", "reason", "moved", "moved_by", "unusual")
    fields = {f"appointment.{name}": typed.get(f"appointment.{name}") for name in names}
    day, window = typed.get("appointment.day_chip"), typed.get("appointment.window")
    chosen = {}
    if day not in ("", OWN):
        chosen["appointment.day"] = (day, "%Y-%m-%d")
    if window not in ("", OWN):
        start, _, end = window.partition("-")
        chosen |= {"appointment.from": (start, "%H:%M"), "appointment.until": (end, "%H:%M")}
    standing = order.appointment
    for name, (value, pattern) in chosen.items():
        end_of = name == "appointment.until"
        stands = (standing.end if end_of else standing.start) if standing else None
        known = (value, order.calendar.local(stands).strftime(pattern) if stands else "", "")
        if fields[name] not in known:
            wrong[name] = "chip_and_own"
        fields[name] = value
    return Filled(fields), "appointment.day" in chosen


def execution(typed: Typed, order: Order, now: datetime) -> ConfirmExecution:
    """The day of execution, and whether it was before that of the appointment."""
    wrong = Wrong()
    day = read_day(typed.get("execution.executed_on"), "execution.executed_on", wrong)
    note = read_note(typed, "execution.note", wrong)
    wrong.check()
    early = typed.get("execution.early") == YES
    return ConfirmExecution(executed_on=day, note=note, early=early)


def receipt(typed: Typed, order: Order, now: datetime) -> GoodsReceived:
    """When the goods arrived. Today without a time means now; another day without a time means its closing time."""
    wrong = Wrong()
    field = "receipt.day"
    local = order.calendar.local
    day, today = read_day(typed.get(field), field, wrong), local(now).date()
    damaged = typed.get("receipt.damaged") == YES
    clock = order.calendar.closes
    has_time = bool(typed.get("receipt.time").strip())
    if has_time:
        clock = read_clock(typed, "receipt.time", wrong) or clock
    if day is not None and (
        day > today or (order.placed_at and day < local(order.placed_at).date())
    ):
        wrong[field] = "receipt_not_possible"
    received_at = read_instant(order.calendar, day, clock, field, wrong)
    wrong.check()
    if day == today and not has_time:
        received_at = None
    return GoodsReceived(received_at=received_at, damaged=damaged)


def problem(typed: Typed, order: Order, now: datetime) -> ReportProblem:
    """The problem. The form shows the day `until` with each reason, but only one has it."""
    wrong = Wrong()
    reason: ProblemReason = read_choice(typed, "problem.reason", get_args(ProblemReason), wrong)
    note = read_note(typed, "problem.note", wrong)
    until = None
    if reason == "customer_postpones" and not wrong:
        until = read_optional_day(typed, "problem.until", wrong)
    wrong.check()
    return ReportProblem(reason=reason, note=note, until=until)


def review(typed: Typed, order: Order, now: datetime) -> DecideReview:
    """The decision. The button `review.cancel` decides to cancel, whatever else is chosen."""
    wrong = Wrong()
    note = read_note(typed, "review.note", wrong)
    if typed.get("review.cancel") == YES:
        wrong.check()
        return DecideReview(decision="cancel", note=note)
    decision = read_choice(typed, "review.decision", decisions(order), wrong)
    until = None
    if decision == "wait_until" and not wrong:
        until = read_optional_day(typed, "review.until", wrong)
    wrong.check()
    return DecideReview(decision=decision, note=note, until=until)


def decisions(order: Order) -> tuple[Decision, ...]:
    """The decisions of the order's rules, whether or not they are possible now."""
    rule = next(r for r in rules.holding(COMMANDS, order.rules) if r.command is DecideReview)
    known: tuple[Decision, ...] = get_args(Decision)
    return tuple(decision for decision in known if decision in rule.choices)


def reassignment(typed: Typed, form: Literal["reassign", "review"]) -> tuple[str, str]:
    """The id of the new partner and the reason. Raises `WrongForm`."""
    wrong = Wrong()
    partner_id = typed.get(f"{form}.partner_id").strip()
    if not partner_id:
        wrong[f"{form}.partner_id"] = "choose"
    reason = read_required_note(
        typed, "review.note" if form == "review" else "reassign.reason", wrong
    )
    wrong.check()
    return partner_id, reason
