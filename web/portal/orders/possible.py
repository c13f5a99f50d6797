"""The reasons that an order accepts now. The rules themselves decide, so that a page offers only what they accept."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import get_args

from domain.errors import InvalidCommand
from domain.orders.codes import ProblemReason, RejectionReason
from domain.orders.commands import RejectRequirements, ReportProblem
from domain.orders.order import Order
from domain.orders.problems import reject_requirements, report_problem

_ANY_NOTE = "-"


def problem_reasons(order: Order, now: datetime) -> tuple[str, ...]:
    """The reasons for which a problem can be reported now."""
    day = order.calendar.local(now).date() + timedelta(days=1)

    def report(reason: ProblemReason) -> None:
        until = day if reason == "customer_postpones" else None
        report_problem(order, ReportProblem(reason=reason, note=_ANY_NOTE, until=until), now)

    return tuple(reason for reason in get_args(ProblemReason) if _taken(report, reason))


def rejection_reasons(order: Order, now: datetime) -> tuple[str, ...]:
    """The reasons for which the requirements can be rejected now."""

    def reject(reason: RejectionReason) -> None:
        reject_requirements(order, RejectRequirements(reason=reason, note=_ANY_NOTE))

    return tuple(reason for reason in get_args(RejectionReason) if _taken(reject, reason))


def _taken(give: Callable[..., None], reason: str) -> bool:
    try:
        give(reason)
    except InvalidCommand:
        return False
    return True
