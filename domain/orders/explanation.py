"""The facts that explain when a deadline is due. `words/sentences.py` puts them into words."""

from datetime import datetime, timedelta
from typing import Annotated

from domain import rules
from domain.calendar import Skipped
from domain.orders.deadline import Basis, Deadline, DeadlineKind
from domain.orders.deadline_rules import RULES
from domain.orders.order import Order
from domain.policy import Span
from domain.values import OPEN, Value


class Explanation(Value):
    """How a deadline was calculated. `due` and `started` are local wall-clock times of the order's calendar.

    `skipped`: the days between them that did not count; empty for a plain duration. `adopted`: whether `started` is
    when newer rules added the deadline. `basis`: what `started` is otherwise. `stretched`: the office time that was
    added because CMI was down.
    """

    kind: DeadlineKind
    due: datetime
    started: datetime
    adopted: bool = False
    basis: Annotated[Basis, OPEN] = "rule"
    stretched: timedelta = timedelta()
    span: Span
    canton: str
    skipped: tuple[Skipped, ...] = ()


def explain(order: Order, deadline: Deadline) -> Explanation:
    """How one deadline of this order was calculated."""
    span = deadline.span
    if span is None:  # one of the first releases opened it, under the first rules
        rule = next(rule for rule in rules.holding(RULES, 1) if rule.kind == deadline.kind)
        span = rule.span_in(order.intake.policy)
    assert span is not None, "a deadline that the policy does not know was never opened"
    calendar = order.calendar
    return Explanation(
        kind=deadline.kind,
        due=calendar.local(deadline.due),
        started=calendar.local(deadline.runs_from),
        adopted=deadline.adopted is not None,
        basis=deadline.basis,
        stretched=deadline.stretched,
        span=span,
        canton=calendar.canton,
        skipped=()
        if span.working_days is None
        else calendar.skipped(deadline.runs_from, deadline.due),
    )
