"""How deadlines that ran while CMI was down are put off (docs/rules.md, "Deadlines")."""

from datetime import datetime

from domain.orders.deadline import Deadline
from domain.orders.deadline_rules import owner_of
from domain.orders.order import Order


def is_stretched(order: Order, begin: datetime, end: datetime) -> bool:
    """Whether an outage of CMI puts off any deadline of the partner."""
    return stretch(order, begin, end, end).deadlines != order.deadlines


def stretch(order: Order, begin: datetime, end: datetime, at: datetime) -> Order:
    """Put off the partner's deadlines that ran while CMI was down, by the office time of the outage in which they ran.

    A deadline that would not have been missed with the new instant was not missed.

    Args:
        begin, end: the outage.
        at: now; a deadline that is still open and due after it is not missed.
    """
    return order.replace(
        deadlines=tuple(_stretched(order, d, begin, end, at) for d in order.deadlines)
    )


def _stretched(
    order: Order, deadline: Deadline, begin: datetime, end: datetime, at: datetime
) -> Deadline:
    ran_until = min(end, deadline.ended or end, deadline.due)
    lost = order.calendar.office_time(max(begin, deadline.runs_from), ran_until)
    if owner_of(deadline.kind) != "partner" or deadline.outcome in ("met", "void") or not lost:
        return deadline
    due = order.calendar.after_office_time(deadline.due, lost)
    excused = deadline.excused_until
    put_off = deadline.replace(
        due=due,
        stretched=deadline.stretched + lost,
        excused_until=order.calendar.after_office_time(excused, lost) if excused else None,
    )
    if deadline.ended is not None:
        return put_off.replace(missed=False, outcome="met") if deadline.ended <= due else put_off
    return put_off.replace(missed=False, reminded=False, level=0) if due > at else put_off
