"""What time alone does to an order: the end of a hold, reminders, missed deadlines, escalations."""

from collections.abc import Iterator
from datetime import datetime

from domain.orders import deadlines
from domain.orders.deadline import Deadline
from domain.orders.deadline_events import DeadlineMissed, Escalated, ReminderDue
from domain.orders.events import Event, HoldEnded, TransmissionStarted, Transmitted, Unassigned
from domain.orders.order import Order, Status


def pass_time(order: Order, now: datetime) -> list[Event]:
    """The events that are due by time alone at `now`.

    From version 2 of the rules on only the first of them, since it can end other deadlines: the caller asks again until
    there are none.
    """
    events: list[Event] = []
    held = deadlines.hold_until(order)
    if held is not None and held <= now:
        events.append(TransmissionStarted())
        if order.rules >= 2:
            # The order is visible now, whenever its mail goes out.
            events.append(Transmitted(partner_id=order.partner.partner_id))
    if order.status is Status.ON_HOLD and order.held_until and order.held_until <= now:
        events.append(HoldEnded())
    for deadline in order.open_deadlines:
        if events and order.rules >= 2:
            break
        events.extend(_of_deadline(order, deadline, now))
    return events


def _of_deadline(order: Order, deadline: Deadline, now: datetime) -> Iterator[Event]:
    kind, due = deadline.kind, deadline.due
    if now >= due and not deadline.missed:
        yield DeadlineMissed(kind=kind, due=due)
    elif not deadline.missed and not deadline.reminded:
        reminder = deadlines.reminder_at(order, deadline)
        if reminder is not None and reminder <= now:
            yield ReminderDue(kind=kind, due=due)
    if now >= due:
        # If no worker was up, several levels may be due; one mail covers them all.
        level = max((n for n, at in deadlines.escalations(order, deadline) if at <= now), default=0)
        if level > deadline.level:
            yield Escalated(kind=kind, due=due, level=level)
        if deadlines.ends_assignment(order, kind, max(level, deadline.level)):
            yield Unassigned(reason="not_accepted")
