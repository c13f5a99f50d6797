"""Why a deadline is when it is: the facts of the explanation; `domain/words.py` puts them into words."""

from datetime import datetime

from domain.calendar import Skipped
from domain.deadlines import span_of
from domain.order import Deadline, DeadlineKind, Order
from domain.policy import Span
from domain.values import Value


class Explanation(Value):
    """A deadline's reckoning. `due` and `started` are local wall-clock times of the order's calendar.

    `skipped` are the days between that did not count; empty for a plain duration.
    """

    kind: DeadlineKind
    due: datetime
    started: datetime
    span: Span
    canton: str
    skipped: tuple[Skipped, ...] = ()


def explain(order: Order, deadline: Deadline) -> Explanation:
    """The reckoning of one deadline of this order."""
    span = span_of(order, deadline.kind)
    assert span is not None, "a deadline that the policy does not know was never opened"
    calendar = order.calendar
    return Explanation(
        kind=deadline.kind,
        due=calendar.local(deadline.due),
        started=calendar.local(deadline.started),
        span=span,
        canton=calendar.canton,
        skipped=()
        if span.working_days is None
        else calendar.skipped(deadline.started, deadline.due),
    )
