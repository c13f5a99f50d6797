"""A customer's wish for another day: a task for the partner with a deadline of its own (docs/mail.md, "Customers").

It is not an event of the order: a customer has no login, and no decision of the workflow depends on it.
"""

from datetime import datetime
from typing import Literal

from domain.orders.events import Recorded
from domain.orders.mail_facts import mail_of
from domain.orders.mails import Cause, MailRule
from domain.orders.order import Order
from domain.orders.outgoing import Mail
from domain.orders.standing import standing
from domain.policy import Span
from domain.values import Value, mark

ANSWER_WITHIN = Span.parse("1 working day")
LONGEST_NOTE = 300  # characters


class Wish(Value):
    """A wish for another day than the one on which the appointment begins at `start`.

    `due`: by when the partner is to answer, never later than `start`.
    `done_at`: when the partner marked it as settled; None until then.
    """

    sp_id: str
    asked_at: datetime
    start: datetime
    due: datetime
    note: str
    done_at: datetime | None = None


ANOTHER_DAY: tuple[MailRule, ...] = (
    MailRule("another_day", "partner", Value, name=mark("Kundschaft wünscht anderen Tag")),
    MailRule("another_day_late", "operations", Value, name=mark("Anderer Tag noch nicht geklärt")),
)
"""The mails about a wish: when it comes, and when its deadline has passed."""


def may_ask(order: Order, now: datetime) -> bool:
    """Whether there is an appointment still to come that a customer can wish to be moved."""
    stood = standing(order)
    return stood is not None and stood.start > now


def wish_of(order: Order, note: str, now: datetime) -> Wish:
    """A new wish. The order's appointment is still to come (`may_ask`)."""
    stood = standing(order)
    assert stood is not None
    due = min(order.calendar.due(now, ANSWER_WITHIN), stood.start)
    return Wish(sp_id=order.sp_id, asked_at=now, start=stood.start, due=due, note=note)


def is_open(wish: Wish, order: Order, now: datetime) -> bool:
    """Whether a wish still waits for an answer: it is not settled, and its appointment stands unmoved and not over."""
    stood = standing(order)
    return (
        wish.done_at is None and stood is not None and stood.start == wish.start and stood.end > now
    )


def wish_mail(
    order: Order, last: Recorded, wish: Wish, kind: Literal["another_day", "another_day_late"]
) -> Mail:
    """A mail about a wish. `last`: the order's last event."""
    (rule,) = (each for each in ANOTHER_DAY if each.kind == kind)
    mail = mail_of(rule, Cause(order, last, order))
    facts = mail.facts.model_copy(
        update={"note": wish.note, "answer_by": order.calendar.local(wish.due)}
    )
    key = f"{order.sp_id}/{kind}/{wish.asked_at:%Y%m%dT%H%M%S}/{rule.audience}"
    return mail.model_copy(update={"key": key, "at": wish.asked_at, "facts": facts})
