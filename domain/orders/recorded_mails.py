"""The mails about an order that are sent from its records, and not by its workflow (docs/mail.md).

They are not in `mails.MAILS`, because a new row there changes the commands that running workflows issue.
`use_cases/order_mails.py` sends them.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from domain.orders import mails
from domain.orders.another_day import ANOTHER_DAY
from domain.orders.customer_mails import CUSTOMER, DAY_BEFORE, day_before, stands_again
from domain.orders.erasure import is_erased
from domain.orders.events import AppointmentMoved, AppointmentSet, HoldEnded, Recorded
from domain.orders.evolve import evolve
from domain.orders.lifecycle import begin
from domain.orders.mail_facts import mail_of
from domain.orders.mails import Cause, MailRule
from domain.orders.order import Order
from domain.orders.outgoing import Mail, MailKind
from domain.orders.standing import standing
from domain.values import mark

Occasion = Literal["event", "day_before", "another_day", "another_day_late"]
"""When the mails of an event are sent: at once, or on the day before the appointment that it set.

`another_day`: the customer wishes another day; `another_day_late`: the partner has not answered in time.
"""

PARTNER: tuple[MailRule, ...] = (
    MailRule("appointment_set", "partner", AppointmentSet, name=mark("Termin für den Kalender")),
    MailRule("appointment_set", "partner", HoldEnded, when=stands_again),
    MailRule(
        "appointment_moved",
        "partner",
        AppointmentMoved,
        name=mark("Termin im Kalender verschoben"),
    ),
)
_OF_EVENTS: tuple[MailRule, ...] = (*PARTNER, *CUSTOMER)
RECORDED: tuple[MailRule, ...] = (*_OF_EVENTS, *DAY_BEFORE, *ANOTHER_DAY)
"""All of them. Those of one event are sent in this order."""
_OF: dict[Occasion, tuple[MailRule, ...]] = {
    "event": _OF_EVENTS,
    "day_before": DAY_BEFORE,
}
VISITS = ("visit_set", "visit_moved", "visit_tomorrow")
"""The kinds of mails that tell the customer the appointment."""
ENTRIES = ("appointment_set", "appointment_moved")
"""The kinds of mails that tell the partner the appointment."""


def occasions(order: Order, recorded: Recorded) -> dict[Occasion, datetime]:
    """The instants at which mails may follow from an event. `order`: after the event, or later."""
    found: dict[Occasion, datetime] = {}
    rules = _OF_EVENTS if order.policy.customer_mails.any else PARTNER
    if any(isinstance(recorded.event, rule.cause) for rule in rules):
        found["event"] = recorded.at
    if (at := day_before(order, recorded)) is not None:
        found["day_before"] = at
    return found


def recorded_mails(
    order: Order, events: Iterable[Recorded], seq: int, occasion: Occasion = "event"
) -> tuple[Mail, ...]:
    """The mails of an occasion that follow from the event with this number. `events`: all of the order's.

    Raises:
        NotUnderstood: only a newer process knows one of the events.
    """
    before = begin(order.intake)
    for recorded in events:
        after = evolve(before, recorded)
        if recorded.seq == seq:
            cause = Cause(before, recorded, after)
            return tuple(
                mail_of(rule, cause)
                for rule in _OF.get(occasion, ())
                if isinstance(recorded.event, rule.cause) and rule.when(cause)
            )
        before = after
    return ()


def is_outdated(mail: Mail, order: Order, now: datetime) -> bool:
    """Whether what a mail of `RECORDED` says is no longer true, or is no longer needed."""
    if is_erased(order):
        return True
    stood = standing(order)
    if mail.kind == "visit_cancelled":
        return stood is not None
    if order.partner.partner_id != mail.partner_id:
        return True
    if mail.kind == "caller":
        return order.status.is_final or order.transmitted_at is None or order.reached_at is not None
    if stood is None:
        return True
    local = order.calendar.local
    if mail.kind == "visit_tomorrow" and local(now).date() >= local(stood.start).date():
        return True
    return (local(stood.start), local(stood.end)) != (
        mail.facts.appointment_start,
        mail.facts.appointment_end,
    )


def mail_kinds() -> tuple[MailKind, ...]:
    """The kinds of all mails about orders, of all versions of the rules."""
    return tuple(dict.fromkeys(rule.kind for rule in (*mails.MAILS, *RECORDED)))


def mail_names() -> dict[MailKind, str]:
    """The name of each kind, marked for translation."""
    return {rule.kind: rule.name for rule in (*mails.MAILS, *RECORDED) if rule.name}
