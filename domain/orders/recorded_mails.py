"""The mails about an order that follow from what the records store of it, and not from its workflow (docs/mail.md).

They are kept apart from `mails.MAILS`, because a new row there is a new command of running workflows.
`use_cases/order_mails.py` sends them.
"""

from collections.abc import Iterable

from domain.orders import mails
from domain.orders.events import AppointmentMoved, AppointmentSet, Event, HoldEnded, Recorded
from domain.orders.evolve import evolve
from domain.orders.lifecycle import begin
from domain.orders.mail_facts import mail_of
from domain.orders.mails import Cause, MailRule
from domain.orders.order import Order
from domain.orders.outgoing import Mail, MailKind
from domain.orders.standing import standing
from domain.values import mark


def _stands_again(cause: Cause) -> bool:
    """Whether the hold has taken the appointment out of the calendar, and it is still to come."""
    stood = standing(cause.after)
    return standing(cause.before) is None and stood is not None and stood.start > cause.recorded.at


RECORDED: tuple[MailRule, ...] = (
    MailRule("appointment_set", "partner", AppointmentSet, name=mark("Termin für den Kalender")),
    MailRule("appointment_set", "partner", HoldEnded, when=_stands_again),
    MailRule(
        "appointment_moved",
        "partner",
        AppointmentMoved,
        name=mark("Termin im Kalender verschoben"),
    ),
)
"""All of them. Those of one event are sent in this order."""


def may_cause_mails(event: Event) -> bool:
    """Whether mails of `RECORDED` may follow from an event."""
    return any(isinstance(event, rule.cause) for rule in RECORDED)


def recorded_mails(order: Order, events: Iterable[Recorded], seq: int) -> tuple[Mail, ...]:
    """The mails of `RECORDED` that follow from the event with this number. `events`: all of the order's.

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
                for rule in RECORDED
                if isinstance(recorded.event, rule.cause) and rule.when(cause)
            )
        before = after
    return ()


def is_outdated(mail: Mail, order: Order) -> bool:
    """Whether the appointment of a mail of `RECORDED` does not stand (any more) as the mail says, for its partner."""
    stood = standing(order)
    if stood is None or order.partner.partner_id != mail.partner_id:
        return True
    local = order.calendar.local
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
