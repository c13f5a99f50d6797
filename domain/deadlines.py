"""Which deadlines run, until when, and when somebody is reminded or told (DESIGN 3)."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from domain.order import Deadline, DeadlineKind, Order, Outcome, Status
from domain.policy import Span

Owner = Literal["partner", "retailer"]


class Rule(NamedTuple):
    """A deadline of DESIGN 3: whose it is, and the instant it runs from while it runs."""

    kind: DeadlineKind
    owner: Owner
    start: Callable[[Order], datetime | None]


def _while(
    status: Status, start: Callable[[Order], datetime | None]
) -> Callable[[Order], datetime | None]:
    return lambda order: start(order) if order.status is status else None


def _contact(order: Order) -> datetime | None:
    waiting = order.status in (Status.NEW, Status.CHECK_REQUIREMENTS) and order.reached_at is None
    return order.transmitted_at if waiting else None


RULES: tuple[Rule, ...] = (
    Rule("transmit", "retailer", _while(Status.IN_TRANSMISSION, lambda o: o.released_at)),
    Rule("accept", "partner", _while(Status.NEW, lambda o: o.transmitted_at)),
    Rule(
        "check_requirements",
        "partner",
        _while(Status.CHECK_REQUIREMENTS, lambda o: o.accepted_at or o.transmitted_at),
    ),
    Rule("contact_customer", "partner", _contact),
    Rule(
        "goods",
        "retailer",
        _while(Status.REQUIREMENTS_MET, lambda o: o.shipment.requested_at if o.shipment else None),
    ),
    Rule(
        "set_appointment", "partner", _while(Status.SET_APPOINTMENT, lambda o: o.appointment_from)
    ),
    Rule(
        "confirm_execution",
        "partner",
        _while(Status.CONFIRM_EXECUTION, lambda o: o.appointment.end if o.appointment else None),
    ),
    Rule("review", "retailer", _while(Status.UNDER_REVIEW, lambda o: o.reported_at)),
)
OWNER: dict[DeadlineKind, Owner] = {rule.kind: rule.owner for rule in RULES}


def span_of(order: Order, kind: DeadlineKind) -> Span | None:
    """How long the order's policy gives for a deadline; None where the policy has no such step."""
    if kind == "transmit":
        return order.policy.transmission.alarm
    span: Span | None = getattr(order.policy.deadlines, kind)
    return span


def hold_until(order: Order) -> datetime | None:
    """Until when the order is held back before it is sent; None if it is not held."""
    if order.status is not Status.IN_TRANSMISSION or order.sending_since or not order.released_at:
        return None
    return order.calendar.due(order.released_at, order.policy.transmission.hold)


def reconcile(order: Order, at: datetime, unfulfilled: bool) -> Order:
    """End what no longer runs and open what now does, after an event at `at`.

    `unfulfilled`: the event took the matter away instead of settling it (cancelled, reassigned, moved).
    """
    kept: list[Deadline] = []
    running: set[DeadlineKind] = set()
    starts = {rule.kind: rule.start(order) for rule in RULES}
    for deadline in order.deadlines:
        same = (
            deadline.started == starts[deadline.kind]
            and deadline.partner_id == order.partner.partner_id
        )
        if deadline.is_open and not same:
            deadline = deadline.model_copy(
                update={"ended": at, "outcome": _outcome(deadline, at, unfulfilled)}
            )
        elif deadline.is_open:
            running.add(deadline.kind)
        kept.append(deadline)
    for kind, start in starts.items():
        span = span_of(order, kind)
        if start is not None and span is not None and kind not in running:
            due = order.calendar.due(start, span)
            kept.append(
                Deadline(
                    kind=kind,
                    partner_id=order.partner.partner_id,
                    started=start,
                    due=due,
                    excused_until=_excused_until(order, kind, span, due),
                )
            )
    return order.model_copy(update={"deadlines": tuple(kept)})


def _excused_until(order: Order, kind: DeadlineKind, span: Span, due: datetime) -> datetime | None:
    """The partner has its whole span from when it got the ball, such as with goods whose receipt is reported late."""
    if OWNER[kind] != "partner" or order.partner_since is None:
        return None
    fair = order.calendar.due(order.partner_since, span)
    return fair if fair > due else None


def _outcome(deadline: Deadline, at: datetime, unfulfilled: bool) -> Outcome:
    if deadline.missed or at > deadline.due:
        return "missed"
    return "void" if unfulfilled else "met"


def reminder_at(order: Order, deadline: Deadline) -> datetime | None:
    """When the partner is reminded: before the deadline, in office hours; None where there is no room for it."""
    if OWNER[deadline.kind] != "partner":
        return None
    escalation = order.policy.escalation
    at = order.calendar.before(deadline.due, escalation.remind_before)
    if escalation.office_hours_only:
        at = order.calendar.next_office(at)
    return at if deadline.started < at < deadline.due else None


def escalations(order: Order, deadline: Deadline) -> Iterator[tuple[int, datetime]]:
    """(level, instant) of each mail about a missed deadline: on the deadline, then each repetition (DESIGN 3).

    All but the alarm for a failed transmission wait for office hours.
    """
    escalation = order.policy.escalation
    calendar = order.calendar
    at = deadline.due
    for level in range(1, escalation.repeats + 2):
        if level > 1:
            at = calendar.due(at, escalation.repeat_every)
        if escalation.office_hours_only and not (deadline.kind == "transmit" and level == 1):
            at = calendar.next_office(at)
        yield level, at


def next_instant(order: Order) -> datetime | None:
    """The next instant at which time alone makes something happen to the order; None if nothing ever will."""
    return min(_instants(order), default=None)


def _instants(order: Order) -> Iterator[datetime]:
    if (held := hold_until(order)) is not None:
        yield held
    for deadline in order.deadlines:
        if not deadline.is_open:
            continue
        if not deadline.missed:
            yield deadline.due
            reminder = None if deadline.reminded else reminder_at(order, deadline)
            if reminder is not None:
                yield reminder
        else:
            upcoming = [at for level, at in escalations(order, deadline) if level > deadline.level]
            yield from upcoming[:1]


def next_due(order: Order, owner: Owner | None = None) -> datetime | None:
    """When the most urgent open deadline is due (of one side only, if `owner` is given); None if none runs."""
    return min(
        (d.due for d in order.deadlines if d.is_open and owner in (None, OWNER[d.kind])),
        default=None,
    )
