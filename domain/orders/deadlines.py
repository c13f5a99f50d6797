"""Which deadlines run, until when, and when reminders and escalations are due (docs/rules.md, "Deadlines")."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from domain import rules
from domain.orders.order import Deadline, DeadlineKind, Order, Outcome, Status
from domain.policy import Policy, Span
from domain.values import Meaning, mark, pmark

Owner = Literal["partner", "retailer"]


class DeadlineWords(NamedTuple):
    """All that is said of a deadline.

    `label`: what has to be done by it. `start`: what it runs from, before the instant. `task`: what it is for, after
    "the deadline for". `please`: asks the partner for it, with `due` in it; empty of a deadline of the retailer.
    """

    label: str
    start: str | Meaning
    task: str
    please: str = ""


class Rule(NamedTuple):
    """A kind of deadline: whose it is, when it starts to run, and in which versions of the rules it exists.

    `span` is its duration: the key of its name in the policy's `[deadlines]`, if nothing else is said. Its words are on
    the first row of its kind.

    A rule that changes ends with `until`, and a row of the same kind and owner has the new one `since` the next
    version.
    """

    kind: DeadlineKind
    owner: Owner
    start: Callable[[Order], datetime | None]
    span: Callable[[Policy], Span | None] | None = None
    words: DeadlineWords | None = None
    since: int = 1
    until: int | None = None

    def span_in(self, policy: Policy) -> Span | None:
        """The duration in a policy; None if the policy does not have this step."""
        if self.span is not None:
            return self.span(policy)
        span: Span | None = getattr(policy.deadlines, self.kind)
        return span


def _while(
    status: Status, start: Callable[[Order], datetime | None]
) -> Callable[[Order], datetime | None]:
    return lambda order: start(order) if order.status is status else None


def _contact(order: Order) -> datetime | None:
    waiting = order.status in (Status.NEW, Status.CHECK_REQUIREMENTS) and order.reached_at is None
    return order.transmitted_at if waiting else None


RULES: tuple[Rule, ...] = (
    Rule(
        "transmit",
        "retailer",
        _while(Status.IN_TRANSMISSION, lambda o: o.released_at),
        span=lambda policy: policy.transmission.alarm,
        words=DeadlineWords(
            label=mark("Auftrag übermitteln"),
            start=mark("bestellt oder bezahlt"),
            task=mark("die Übermittlung an den Partner"),
        ),
    ),
    Rule(
        "accept",
        "partner",
        _while(Status.NEW, lambda o: o.transmitted_at),
        words=DeadlineWords(
            label=mark("Auftrag akzeptieren"),
            start=mark("übermittelt"),
            task=mark("die Annahme des Auftrags"),
            please=mark("Bitte akzeptieren Sie den Auftrag bis %(due)s."),
        ),
    ),
    Rule(
        "check_requirements",
        "partner",
        _while(Status.CHECK_REQUIREMENTS, lambda o: o.accepted_at or o.transmitted_at),
        words=DeadlineWords(
            label=mark("Anforderungen prüfen"),
            start=mark("übernommen"),
            task=mark("die Prüfung der Anforderungen"),
            please=mark(
                "Bitte klären Sie bis %(due)s mit der Kundschaft, ob die Anforderungen erfüllt sind, und "
                "halten Sie das Ergebnis fest."
            ),
        ),
    ),
    Rule(
        "contact_customer",
        "partner",
        _contact,
        words=DeadlineWords(
            label=mark("Kundschaft kontaktieren"),
            start=mark("übermittelt"),
            task=mark("den ersten Kontakt mit der Kundschaft"),
            please=mark(
                "Bitte rufen Sie die Kundschaft bis %(due)s an und halten Sie den Kontakt fest."
            ),
        ),
    ),
    Rule(
        "goods",
        "retailer",
        _while(Status.REQUIREMENTS_MET, lambda o: o.shipment.requested_at if o.shipment else None),
        words=DeadlineWords(
            label=mark("Ware versenden"),
            start=pmark("Beginn einer Frist", "Anforderungen erfüllt"),
            task=mark("den Versand der Ware"),
        ),
    ),
    Rule(
        "set_appointment",
        "partner",
        _while(Status.SET_APPOINTMENT, lambda o: o.appointment_from),
        words=DeadlineWords(
            label=mark("Kundentermin setzen"),
            start=mark("Ware eingetroffen oder neuer Termin verlangt"),
            task=mark("die Terminvereinbarung mit der Kundschaft"),
            please=mark(
                "Bitte vereinbaren Sie bis %(due)s mit der Kundschaft einen Termin und tragen Sie ihn ein."
            ),
        ),
    ),
    Rule(
        "confirm_execution",
        "partner",
        _while(Status.CONFIRM_EXECUTION, lambda o: o.appointment.end if o.appointment else None),
        words=DeadlineWords(
            label=mark("Ausführung bestätigen"),
            start=mark("Ende des Termins"),
            task=mark("die Bestätigung der Ausführung"),
            please=mark(
                "Bitte bestätigen Sie bis %(due)s die Ausführung, oder melden Sie uns, was nicht geklappt hat."
            ),
        ),
    ),
    Rule(
        "review",
        "retailer",
        _while(Status.UNDER_REVIEW, lambda o: o.reported_at),
        words=DeadlineWords(
            label=mark("Abklärung entscheiden"),
            start=mark("gemeldet"),
            task=mark("Ihren Entscheid"),
        ),
    ),
)
"""All deadlines. The authority for their kinds and owners: nothing else lists them."""


def owner_of(kind: DeadlineKind) -> Owner:
    """The owner of a kind. One that only a newer release knows counts as the retailer's: no partner is blamed."""
    return next((rule.owner for rule in RULES if rule.kind == kind), "retailer")


def kinds(owner: Owner | None = None) -> tuple[DeadlineKind, ...]:
    """The kinds of all versions of the rules, in the order of an order's life; only the owner's, if given."""
    return tuple(dict.fromkeys(rule.kind for rule in RULES if owner in (None, rule.owner)))


def hold_until(order: Order) -> datetime | None:
    """Until when the order is held back before it is sent; None if it is not held."""
    if order.status is not Status.IN_TRANSMISSION or order.sending_since or not order.released_at:
        return None
    return order.calendar.due(order.released_at, order.policy.transmission.hold)


def reconcile(order: Order, at: datetime, unfulfilled: bool, adopted: bool = False) -> Order:
    """End the deadlines that no longer run and open those that now do, after an event at `at`.

    A deadline that runs on keeps its instant, also under newer rules. A kind that only a newer release knows is kept
    as it is.

    Args:
        order: the order after the event.
        at: when the event happened.
        unfulfilled: the event ends deadlines without their having been met (cancelled, reassigned, moved, newer rules).
        adopted: the event adopted newer rules. The time of deadlines that they add counts from `at` at the earliest.
    """
    kept: list[Deadline] = []
    running: set[DeadlineKind] = set()
    known = kinds()
    holding = {rule.kind: rule for rule in rules.holding(RULES, order.rules)}
    starts = {kind: rule.start(order) for kind, rule in holding.items()}
    for deadline in order.deadlines:
        same = deadline.kind not in known or (
            deadline.started == starts.get(deadline.kind)
            and deadline.partner_id == order.partner.partner_id
        )
        if deadline.is_open and not same:
            deadline = deadline.replace(ended=at, outcome=_outcome(deadline, at, unfulfilled))
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


def _outcome(deadline: Deadline, at: datetime, unfulfilled: bool) -> Outcome:
    if deadline.missed or at > deadline.due:
        return "missed"
    return "void" if unfulfilled else "met"


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
        (d.due for d in order.deadlines if d.is_open and owner in (None, owner_of(d.kind))),
        default=None,
    )
