"""What partners report when a service cannot go on as planned, and what operations decide."""

from datetime import date, datetime, timedelta

from domain.errors import InvalidCommand
from domain.orders.access import actions
from domain.orders.commands import (
    DecideReview,
    RejectRequirements,
    ReportNotExecuted,
    ReportProblem,
)
from domain.orders.errors import Refused
from domain.orders.events import (
    Event,
    NotExecuted,
    ProblemReported,
    RequirementsRejected,
    ReviewDecided,
)
from domain.orders.goods import with_kept_notices
from domain.orders.order import Order, Status

LONGEST_HOLD = timedelta(days=366)
_ABOUT_GOODS = ("damaged_on_receipt", "wrong_goods")


def reject_requirements(order: Order, command: RejectRequirements) -> list[Event]:
    """The event of requirements that are not met.

    Raises:
        InvalidCommand: the reason lacks its note, or the customer was not tried often enough.
    """
    if order.rules >= 2:
        _check_reason(order, command.reason, command.note)
    return [RequirementsRejected(reason=command.reason, note=command.note)]


def report_not_executed(command: ReportNotExecuted) -> list[Event]:
    """The event of a service that could not be done at its appointment.

    This is the older name of `report_problem`. Programs that use it were written for the first rules, so its reasons
    are checked as they were then.

    Raises:
        InvalidCommand: the reason lacks its note.
    """
    _check_note(command.reason, command.note)
    return [NotExecuted(reason=command.reason, note=command.note)]


def report_problem(order: Order, command: ReportProblem, now: datetime) -> list[Event]:
    """The event of a problem.

    Raises:
        InvalidCommand: the reason is not possible now, or lacks its note or its date.
    """
    _check_reason(order, command.reason, command.note)
    _check_absence(order, command.reason, now)
    underway = order.shipment and (order.shipment.shipped_at or order.shipment.received_at)
    if command.reason in _ABOUT_GOODS and not underway:
        raise InvalidCommand("reason", "reason_before_goods")
    if command.reason == "customer_postpones":
        _check_until(order, command.until, now)
    elif command.until is not None:
        raise InvalidCommand("until", "until_not_asked")
    return [ProblemReported(reason=command.reason, note=command.note, until=command.until)]


def decide_review(order: Order, command: DecideReview, now: datetime) -> list[Event]:
    """The events of a decision about an order that is reviewed.

    Raises:
        Refused: it is not reviewed.
        InvalidCommand: the date of a hold is missing or not possible.
    """
    if order.status is not Status.UNDER_REVIEW:
        # The check of the state cannot tell the decision `cancel` from the command `Cancel`, an action of this name.
        raise Refused(order, command.type, "wrong_state", actions(order))
    executed_on = held_until = None
    if command.decision == "accept_as_executed":
        ended = min(order.appointment.end, now) if order.appointment else now
        executed_on = order.calendar.local(ended).date()
        received_at = order.shipment.received_at if order.shipment else None
        if order.rules >= 2 and received_at is not None:
            executed_on = max(executed_on, order.calendar.local(received_at).date())
    if command.decision == "wait_until":
        _check_until(order, command.until, now)
        assert command.until is not None
        held_until = order.calendar.instant(command.until, order.calendar.opens)
    elif command.until is not None:
        raise InvalidCommand("until", "until_not_asked")
    decided = ReviewDecided(
        decision=command.decision,
        note=command.note,
        executed_on=executed_on,
        until=command.until,
        held_until=held_until,
    )
    if command.decision == "reship":
        return with_kept_notices(order, decided, now)
    return [decided]


def _check_reason(order: Order, reason: str, note: str) -> None:
    _check_note(reason, note)
    if reason != "customer_unreachable":
        return
    needed = order.policy.requirements
    days = {order.calendar.local(at).date() for at in order.attempts}
    if len(order.attempts) < needed.attempts or len(days) < needed.attempt_days:
        raise InvalidCommand("reason", "unreachable_needs_attempts")


def _check_note(reason: str, note: str) -> None:
    if reason == "other" and not note:
        raise InvalidCommand("note", "other_needs_note")


def _check_absence(order: Order, reason: str, now: datetime) -> None:
    """Nobody is absent before the appointment has begun."""
    begun = order.appointment is not None and order.appointment.start <= now
    if reason == "customer_absent" and not begun:
        raise InvalidCommand("reason", "absent_before_appointment")


def _check_until(order: Order, until: date | None, now: datetime) -> None:
    """Check the day until which an order waits: a later one, within a year."""
    today = order.calendar.local(now).date()
    if until is None:
        raise InvalidCommand("until", "until_missing")
    if not today < until <= today + LONGEST_HOLD:
        raise InvalidCommand("until", "until_not_possible")
