"""Which deadlines run, until when, and when reminders and escalations are due (docs/rules.md, "Deadlines")."""

from collections.abc import Callable, Iterator
from datetime import datetime

from domain import rules
from domain.orders import deadline_rules
from domain.orders.deadline import Basis, Deadline, DeadlineKind, Outcome
from domain.orders.deadline_rules import Owner, kinds, owner_of
from domain.orders.order import Order, Status
from domain.policy import Span


def hold_until(order: Order) -> datetime | None:
    """Until when the order is held back before it is sent; None if it is not held."""
    if order.status is not Status.IN_TRANSMISSION or order.sending_since or not order.released_at:
        return None
    return order.calendar.due(order.released_at, order.policy.transmission.hold)


def reconcile(
    order: Order,
    at: datetime,
    is_void: Callable[[DeadlineKind], bool],
    adopted: bool = False,
    waits: bool = False,
) -> Order:
    """End the deadlines that no longer run and open those that now do, after an event at `at`.

    A deadline that runs on keeps its instant, also under newer rules. A kind that only a newer release knows is kept
    as it is.

    Args:
        order: the order after the event.
        at: when the event happened.
        is_void: whether the event ends a deadline of a kind without its having been met.
        adopted: the event adopted newer rules. The time of deadlines that they add counts from `at` at the earliest.
        waits: the event says that the notice of the order is late. The deadlines that it ends begin anew with the
            notice. They were not missed, even if the event was recorded after they were due.
    """
    kept: list[Deadline] = []
    running: set[DeadlineKind] = set()
    known = kinds()
    holding = {rule.kind: rule for rule in rules.holding(deadline_rules.RULES, order.rules)}
    starts = {kind: rule.start(order) for kind, rule in holding.items()}
    for deadline in order.deadlines:
        same = deadline.kind not in known or (
            deadline.started == starts.get(deadline.kind) and _is_whose(deadline, order)
        )
        if deadline.is_open and not same:
            put_off = waits and not deadline.missed
            outcome = "void" if put_off else _outcome(deadline, at, is_void)
            deadline = deadline.replace(ended=at, outcome=outcome)
        elif deadline.is_open:
            running.add(deadline.kind)
        kept.append(deadline)
    for kind, start in starts.items():
        if start is None or kind in running:
            continue
        span = holding[kind].span_in(order.policy)
        if span is not None:
            adopted_at = at if adopted and start < at else None
            due = order.calendar.due(adopted_at or start, span)
            kept.append(
                Deadline(
                    kind=kind,
                    partner_id=order.partner.partner_id,
                    started=start,
                    due=due,
                    adopted=adopted_at,
                    span=span,
                    basis=_basis(order, kind, start),
                    excused_until=_excused_until(order, kind, span, due),
                )
            )
    return order.replace(deadlines=tuple(kept))


def _excused_until(order: Order, kind: DeadlineKind, span: Span, due: datetime) -> datetime | None:
    """Until when missing a deadline is excused: the partner has the whole span from when it got the ball.

    None if that is not after `due`, or the deadline is not the partner's.
    """
    if owner_of(kind) != "partner" or order.partner_since is None:
        return None
    fair = order.calendar.due(order.partner_since, span)
    return fair if fair > due else None


def _outcome(deadline: Deadline, at: datetime, is_void: Callable[[DeadlineKind], bool]) -> Outcome:
    if deadline.missed or at > deadline.due:
        return "missed"
    return "void" if is_void(deadline.kind) else "met"


def _is_whose(deadline: Deadline, order: Order) -> bool:
    """Whether the deadline goes on with the order's partner; the retailer's own go on with any, from version 2 on."""
    if deadline.partner_id == order.partner.partner_id:
        return True
    return (
        order.rules >= 2 and owner_of(deadline.kind) == "retailer" and deadline.kind != "transmit"
    )


def _basis(order: Order, kind: DeadlineKind, start: datetime) -> Basis:
    """What the start of a deadline is, where it is not the event that its rule names."""
    if order.rules < 2:
        return "rule"
    if start == order.resumed_at:
        return "resumed"
    by_notice = start == order.noticed_at and start not in (order.transmitted_at, order.accepted_at)
    if by_notice and owner_of(kind) == "partner":
        return "noticed"
    if kind == "set_appointment" and start == order.accepted_at:
        return "accepted"
    if start == order.reassigned_at and kind in ("transmit", "set_appointment"):
        return "reassigned"
    return "rule"


def ends_assignment(order: Order, kind: DeadlineKind, level: int) -> bool:
    """Whether the partner loses the order with this escalation: the last one of an order that it did not accept."""
    last = order.policy.escalation.repeats + 1
    return order.rules >= 2 and kind == "accept" and level >= last


def reminder_at(order: Order, deadline: Deadline) -> datetime | None:
    """When the partner is reminded, in office hours; None if that is not between the deadline's start and its end."""
    if owner_of(deadline.kind) != "partner":
        return None
    escalation = order.policy.escalation
    at = order.calendar.before(deadline.due, escalation.remind_before)
    if escalation.office_hours_only:
        at = order.calendar.next_office(at)
    return at if deadline.runs_from < at < deadline.due else None


def escalations(order: Order, deadline: Deadline) -> Iterator[tuple[int, datetime]]:
    """(level, instant) of each mail about a missed deadline: at the deadline, then each repetition.

    All but the first alarm for a failed transmission wait for office hours (docs/rules.md, "Escalation").
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
    """The next instant at which time alone changes the order; None if there is no such instant."""
    return min(_instants(order), default=None)


def _instants(order: Order) -> Iterator[datetime]:
    if (held := hold_until(order)) is not None:
        yield held
    if order.status is Status.ON_HOLD and order.held_until is not None:
        yield order.held_until
    for deadline in order.deadlines:
        if not deadline.is_open:
            continue
        if ends_assignment(order, deadline.kind, deadline.level):
            yield deadline.due  # its escalations are over: the order adopted this rule later
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
        (d.due for d in order.deadlines if d.is_open and owner in (None, owner_of(d.kind))),
        default=None,
    )


def highest_level(order: Order, owner: Owner | None = None) -> int:
    """The highest escalation of its open deadlines (of one side only, if `owner` is given); 0 if there was none."""
    return max(
        (d.level for d in order.deadlines if d.is_open and owner in (None, owner_of(d.kind))),
        default=0,
    )
