"""The rules of messages between a partner and operations, and of internal notes (docs/rules.md, "Messages")."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from domain.calendar import Calendar
from domain.errors import InvalidCommand
from domain.orders.erasure import is_erased
from domain.orders.order import Order, Status
from domain.policy import Span

Side = Literal["partner", "operations"]
Refusal = Literal["erased", "no_partner", "other_partner"]

MOST = 300
"""How many messages a partner and operations can write about an order, and how many notes operations."""
MOST_AN_HOUR = 30
"""How many of them one side can write within an hour."""
UNREAD_FOR = timedelta(days=30)
"""An older message counts as read, so that a new login does not begin with years of unread messages."""


class Message(NamedTuple):
    """A message of one side to the other, or an internal note.

    Attributes:
        seq: its number among all messages and notes of the order. Partners never see it, because of the gaps.
        partner_id: the partner that had the order: the other side of the message. A note has it, too.
        internal: whether it is a note, which only operations see.
        author: the name of the login or token that wrote it.
        due: until when operations are to answer; None if no answer is expected, or if there is no deadline.
        answered_at: when operations answered, or said that no answer is needed.
    """

    message_id: str
    sp_id: str
    seq: int
    partner_id: str
    side: Side
    internal: bool
    login_id: str
    author: str
    text: str
    at: datetime
    due: datetime | None = None
    answered_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer from operations."""
        return self.side == "partner" and self.answered_at is None


def has_partner(order: Order) -> bool:
    """Whether a partner has the order and knows of it, so that somebody reads a message to it."""
    return order.transmitted_at is not None and order.status is not Status.UNASSIGNED


def why_not_written(order: Order, *, internal: bool) -> Refusal | None:
    """The code of the refusal to write about this order now; None if it is possible.

    Messages and notes can be written in each state of an order, also after its end, until the customer's data are
    erased. A message needs a partner that has the order.
    """
    if is_erased(order):
        return "erased"
    if not internal and not has_partner(order):
        return "no_partner"
    return None


def can_read(message: Message, side: Side, partner_id: str | None) -> bool:
    """Whether a side sees a message: operations see all, a partner what was written with it, and no notes."""
    match side:
        case "operations":
            return True
        case "partner":
            return not message.internal and message.partner_id == partner_id


def is_unread(message: Message, side: Side, login_id: str, read: int, now: datetime) -> bool:
    """Whether a login of this side has yet to read a message that it sees. `read`: the last number that it was shown.

    A note is unread for the other logins of operations, a message for the logins of the other side.
    """
    if message.seq <= read or message.at <= now - UNREAD_FOR:
        return False
    return message.login_id != login_id if message.internal else message.side != side


def answer_due(calendar: Calendar, answer: Span | None, at: datetime) -> datetime | None:
    """Until when operations are to answer a message that was written at `at`. None: there is no such deadline."""
    return None if answer is None else calendar.due(at, answer)


def next_due(messages: Sequence[Message]) -> datetime | None:
    """Until when operations are to answer the first of these messages that waits; None if there is no such deadline."""
    return min((each.due for each in messages if each.is_open and each.due), default=None)


def check_limits(written: int, within_an_hour: int) -> None:
    """Check how much was written before: in the thread (or as notes) in all, and by this side within the last hour.

    Raises:
        InvalidCommand: one more is too many.
    """
    if written >= MOST:
        raise InvalidCommand("text", "too_many_messages")
    if within_an_hour >= MOST_AN_HOUR:
        raise InvalidCommand("text", "too_many_messages_now")
