"""One deadline of an order: from when until when it runs, and how it ended."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self, TypedDict, Unpack

from domain.policy import Span
from domain.values import OPEN, Value

DeadlineKind = str
"""A kind of deadline. `deadline_rules.RULES` lists them; a newer release may have stored a deadline of another kind."""
Outcome = Literal["met", "missed", "void"]
Basis = Literal["rule", "resumed", "reassigned", "accepted", "noticed"]
"""What a deadline runs from: the event that its rule names, the end of a review or hold, the reassignment, the
acceptance by the new partner, or the instant at which the partner learned of the order."""


class DeadlineChanges(TypedDict, total=False):
    """The fields of a `Deadline` that change while it runs."""

    due: datetime
    excused_until: datetime | None
    stretched: timedelta
    reminded: bool
    missed: bool
    level: int
    ended: datetime | None
    outcome: Annotated[Outcome, OPEN] | None


class Deadline(Value):
    """One deadline of one order, open or ended.

    Attributes:
        adopted: when newer rules added the deadline, if it had started before; its time counts from then.
        span: the time that is given; None if one of the first releases opened the deadline.
        basis: what `started` is.
        stretched: the office time by which it was put off, because CMI was down while it ran. `due` includes it.
        excused_until: until when missing it is not the partner's fault, because the partner got the ball after the
            start (`punctuality`).
        missed: whether it was missed, however it ended.
        outcome: `void` if it ended early without being met: the order was cancelled or reassigned, the appointment
            moved, or newer rules do not have the deadline.
    """

    kind: DeadlineKind
    partner_id: str
    started: datetime
    due: datetime
    adopted: datetime | None = None
    span: Span | None = None
    excused_until: datetime | None = None
    basis: Annotated[Basis, OPEN] = "rule"
    stretched: timedelta = timedelta()
    reminded: bool = False
    missed: bool = False
    level: int = 0
    ended: datetime | None = None
    outcome: Annotated[Outcome, OPEN] | None = None

    def replace(self, **changes: Unpack[DeadlineChanges]) -> Self:
        """The deadline with other values for these fields."""
        return self.model_copy(update=changes)

    @property
    def is_open(self) -> bool:
        """Whether it still runs, overdue or not."""
        return self.ended is None

    @property
    def runs_from(self) -> datetime:
        """The instant from which its time is counted."""
        return self.adopted or self.started
