"""The events of an order that are about its deadlines."""

from datetime import datetime
from typing import Literal

from domain.orders.deadline import DeadlineKind
from domain.values import Value


class ReminderDue(Value):
    """A deadline is near: the partner is reminded."""

    type: Literal["reminder"] = "reminder"
    kind: DeadlineKind
    due: datetime


class DeadlineMissed(Value):
    """A deadline has passed. The order goes on."""

    type: Literal["deadline_missed"] = "deadline_missed"
    kind: DeadlineKind
    due: datetime


class Escalated(Value):
    """A mail about a missed deadline is due: level 1 at the deadline, one level more for each repetition."""

    type: Literal["escalation"] = "escalation"
    kind: DeadlineKind
    due: datetime
    level: int


class DeadlinesStretched(Value):
    """CMI was down from `begin` to `end`: the deadlines that ran then are put off by that time."""

    type: Literal["deadlines_stretched"] = "deadlines_stretched"
    begin: datetime
    end: datetime
