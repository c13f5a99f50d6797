"""The kinds of deadlines: whose each is, from when it runs, how long, and its words (docs/rules.md, "Deadlines")."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple

from domain.orders.deadline import DeadlineKind
from domain.orders.order import Order, Status
from domain.policy import Policy, Span
from domain.values import Meaning, mark, pmark

Owner = Literal["partner", "retailer"]


class DeadlineWords(NamedTuple):
    """The texts about a deadline.

    `label`: what has to be done by it. `start`: what it runs from, before the instant. `task`: what it is for, after
    "the deadline for". `please`: asks the partner for it, with `due` in it; empty for a deadline of the retailer.
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


def _later(order: Order, start: datetime | None) -> datetime | None:
    """`start`, or the end of a review or a hold, or the reassignment to this partner, if that was later."""
    if start is None:
        return None
    taken_over = order.accepted_at or _transmission(order) if order.reassigned_at else start
    if taken_over is None:
        return None
    return max(at for at in (start, order.resumed_at, taken_over) if at)


def _resumable(
    status: Status, start: Callable[[Order], datetime | None]
) -> Callable[[Order], datetime | None]:
    return lambda order: _later(order, start(order)) if order.status is status else None


def _notice_awaited(order: Order) -> datetime | None:
    """From when the partner's notice of the order is, or was, awaited."""
    return max((at for at in (order.reassigned_at, order.released_at) if at), default=None)


def _unnoticed(order: Order) -> datetime | None:
    """From when a notice of the order that is still to come is awaited."""
    waiting = order.status in (
        Status.IN_TRANSMISSION,
        Status.NEW,
        Status.CHECK_REQUIREMENTS,
        Status.REQUIREMENTS_MET,
        Status.SET_APPOINTMENT,
    )
    if not waiting or order.noticed_at is not None or order.accepted_at is not None:
        return None
    return _notice_awaited(order)


def _transmission(order: Order) -> datetime | None:
    """From when the partner's first deadlines count: the transmission, or the notice (or first look) if that was late.

    None while the notice is awaited.
    """
    if order.transmitted_at is None:
        return None
    noticed_at, awaited = order.noticed_at, _notice_awaited(order)
    alarm = next(
        (d for d in order.deadlines if d.kind == "transmit" and d.started == awaited), None
    )
    if alarm is None or not (alarm.missed or (noticed_at and noticed_at > alarm.due)):
        return order.transmitted_at
    return noticed_at


def _contact_since_notice(order: Order) -> datetime | None:
    waiting = order.status in (
        Status.NEW,
        Status.CHECK_REQUIREMENTS,
        Status.REQUIREMENTS_MET,
        Status.SET_APPOINTMENT,
    )
    if not waiting or order.reached_at is not None:
        return None
    start = _transmission(order)
    return max(start, order.resumed_at) if start and order.resumed_at else start


def _still_open(order: Order) -> bool:
    return not order.status.is_final and order.status is not Status.COMPLETED


def _requested(order: Order) -> datetime | None:
    """Since when the warehouse has been asked for goods that it has not shipped."""
    shipment = order.shipment
    if shipment is None or shipment.shipped_at or shipment.received_at or not _still_open(order):
        return None
    return shipment.requested_at


def _shipped(order: Order) -> datetime | None:
    """Since when goods that nobody has received have been on their way."""
    shipment = order.shipment
    if shipment is None or shipment.received_at or not _still_open(order):
        return None
    return shipment.shipped_at


RULES: tuple[Rule, ...] = (
    Rule(
        "transmit",
        "retailer",
        _while(Status.IN_TRANSMISSION, lambda o: o.released_at),
        span=lambda policy: policy.transmission.alarm,
        words=DeadlineWords(
            label=mark("Auftrag übermitteln"),
            start=pmark("Beginn einer Frist", "Bestellung oder Zahlung"),
            task=mark("die Übermittlung an den Partner"),
        ),
        until=1,
    ),
    Rule(
        "transmit",
        "retailer",
        _unnoticed,
        span=lambda policy: policy.transmission.alarm,
        since=2,
    ),
    Rule(
        "accept",
        "partner",
        _while(Status.NEW, lambda o: o.transmitted_at),
        words=DeadlineWords(
            label=mark("Auftrag akzeptieren"),
            start=pmark("Beginn einer Frist", "Übermittlung"),
            task=mark("die Annahme des Auftrags"),
            please=mark("Bitte akzeptieren Sie den Auftrag bis %(due)s."),
        ),
        until=1,
    ),
    Rule("accept", "partner", _while(Status.NEW, _transmission), since=2),
    Rule(
        "check_requirements",
        "partner",
        _while(Status.CHECK_REQUIREMENTS, lambda o: o.accepted_at or o.transmitted_at),
        words=DeadlineWords(
            label=mark("Anforderungen prüfen"),
            start=pmark("Beginn einer Frist", "Übernahme"),
            task=mark("die Prüfung der Anforderungen"),
            please=mark(
                "Bitte klären Sie bis %(due)s mit der Kundschaft, ob die Anforderungen erfüllt sind, und "
                "halten Sie das Ergebnis fest."
            ),
        ),
        until=1,
    ),
    Rule(
        "check_requirements",
        "partner",
        _resumable(Status.CHECK_REQUIREMENTS, lambda o: o.accepted_at or _transmission(o)),
        since=2,
    ),
    Rule(
        "contact_customer",
        "partner",
        _contact,
        words=DeadlineWords(
            label=mark("Kundschaft kontaktieren"),
            start=pmark("Beginn einer Frist", "Übermittlung"),
            task=mark("den ersten Kontakt mit der Kundschaft"),
            please=mark(
                "Bitte rufen Sie die Kundschaft bis %(due)s an und halten Sie den Kontakt fest."
            ),
        ),
        until=1,
    ),
    Rule("contact_customer", "partner", _contact_since_notice, since=2),
    Rule(
        "goods",
        "retailer",
        _while(Status.REQUIREMENTS_MET, lambda o: o.shipment.requested_at if o.shipment else None),
        words=DeadlineWords(
            label=mark("Ware versenden"),
            start=pmark("Beginn einer Frist", "Bestätigung der Anforderungen"),
            task=mark("den Versand der Ware"),
        ),
        until=1,
    ),
    Rule("goods", "retailer", _requested, since=2),
    Rule(
        "delivery",
        "retailer",
        _shipped,
        words=DeadlineWords(
            label=mark("Ware zustellen"),
            start=pmark("Beginn einer Frist", "Versand der Ware"),
            task=mark("die Zustellung der Ware"),
        ),
        since=2,
    ),
    Rule(
        "set_appointment",
        "partner",
        _while(Status.SET_APPOINTMENT, lambda o: o.appointment_from),
        words=DeadlineWords(
            label=mark("Kundentermin setzen"),
            start=pmark(
                "Beginn einer Frist", "Eintreffen der Ware oder Wunsch nach einem neuen Termin"
            ),
            task=mark("die Terminvereinbarung mit der Kundschaft"),
            please=mark(
                "Bitte vereinbaren Sie bis %(due)s mit der Kundschaft einen Termin und tragen Sie ihn ein."
            ),
        ),
        until=1,
    ),
    Rule(
        "set_appointment",
        "partner",
        _resumable(Status.SET_APPOINTMENT, lambda o: o.appointment_from),
        since=2,
    ),
    Rule(
        "confirm_execution",
        "partner",
        _while(Status.CONFIRM_EXECUTION, lambda o: o.appointment.end if o.appointment else None),
        words=DeadlineWords(
            label=mark("Ausführung bestätigen"),
            start=pmark("Beginn einer Frist", "Ende des Termins"),
            task=mark("die Bestätigung der Ausführung"),
            please=mark(
                "Bitte bestätigen Sie bis %(due)s die Ausführung, oder melden Sie uns, was nicht geklappt hat."
            ),
        ),
        until=1,
    ),
    Rule(
        "confirm_execution",
        "partner",
        _resumable(
            Status.CONFIRM_EXECUTION,
            lambda o: o.appointment.end if o.appointment else o.resumed_at,
        ),
        since=2,
    ),
    Rule(
        "review",
        "retailer",
        _while(Status.UNDER_REVIEW, lambda o: o.reported_at),
        words=DeadlineWords(
            label=mark("Abklärung entscheiden"),
            start=pmark("Beginn einer Frist", "Meldung"),
            task=mark("Ihren Entscheid"),
        ),
    ),
    Rule(
        "assign",
        "retailer",
        _while(Status.UNASSIGNED, lambda o: o.unassigned_at),
        words=DeadlineWords(
            label=mark("Servicepartner zuteilen"),
            start=pmark("Beginn einer Frist", "Wegfall des Servicepartners"),
            task=mark("die Zuteilung an einen Servicepartner"),
        ),
        since=2,
    ),
)
"""All deadlines. The authority for their kinds and owners: nothing else lists them."""


def owner_of(kind: DeadlineKind) -> Owner:
    """The owner of a kind. One that only a newer release knows counts as the retailer's: no partner is blamed."""
    return next((rule.owner for rule in RULES if rule.kind == kind), "retailer")


def kinds(owner: Owner | None = None) -> tuple[DeadlineKind, ...]:
    """The kinds of all versions of the rules, in the order of an order's life; only the owner's, if given."""
    return tuple(dict.fromkeys(rule.kind for rule in RULES if owner in (None, rule.owner)))
