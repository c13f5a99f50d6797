"""How deadlines that ran while CMI was down are put off (docs/rules.md, "Deadlines")."""

from collections.abc import Iterator
from datetime import datetime

from domain.orders.deadline import Deadline
from domain.orders.deadline_events import DeadlinesStretched
from domain.orders.deadline_rules import owner_of
from domain.orders.order import Order


def stretches(order: Order, begin: datetime, end: datetime) -> list[DeadlinesStretched]:
    """The events of an outage of CMI: one for each part of it that is new and puts off a deadline of the partner."""
    events = []
    for since, until in _new_parts(order, begin, end):
        stretched = stretch(order, since, until, until)
        if stretched.deadlines != order.deadlines:
            order = stretched
            events.append(DeadlinesStretched(begin=since, end=until))
    return events


def stretch(order: Order, begin: datetime, end: datetime, at: datetime) -> Order:
    """Put off the partner's deadlines that ran when CMI was down, by the office time of the outage.

    What was left of a deadline when the outage began is left when it ends. A deadline that would not have been missed
    with the new instant was not missed.

    Args:
        begin, end: the outage.
        at: now; a deadline that is still open and due after it is not missed.
    """
    return order.replace(
        deadlines=tuple(_stretched(order, d, begin, end, at) for d in order.deadlines),
        outages=(*order.outages, (begin, end)),
    )


def _new_parts(order: Order, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The parts of an outage that are not in the order's `outages` yet."""
    for since, until in sorted(order.outages):
        if until <= begin or end <= since:
            continue
        if begin < since:
            yield begin, since
        begin = until
    if begin < end:
        yield begin, end


def _stretched(
    order: Order, deadline: Deadline, begin: datetime, end: datetime, at: datetime
) -> Deadline:
    if owner_of(deadline.kind) != "partner" or deadline.outcome in ("met", "void"):
        return deadline
    ran_until = min(end, deadline.ended or end)
    lost = order.calendar.office_time(max(begin, deadline.runs_from), ran_until)
    if deadline.due <= begin or not lost:
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
