"""Why a partner missed a deadline, and how late it was (docs/rules.md, "Why a deadline was missed").

Both are concluded from what the records hold. The figures of a partner's month count them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args

from domain.orders.deadline import Deadline, DeadlineKind
from domain.orders.punctuality import KINDS, verdict

MissReason = Literal["silent", "not_reached", "begun"]
"""`silent`: the partner recorded nothing while the deadline ran. `not_reached`: it called, and did not reach the
customer. `begun`: it did something else for the order, but not in time what the deadline asks for."""
Lateness = Literal["open", "day", "week", "longer"]
"""`open`: not done yet. Otherwise it was done within a day after the deadline, within a week, or later."""
REASONS: tuple[MissReason, ...] = get_args(MissReason)
LATENESS: tuple[Lateness, ...] = get_args(Lateness)

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


class Deed(NamedTuple):
    """Something that a partner, or operations on its behalf, recorded.

    `reached`: for a call, whether it reached the customer; None for anything else.
    """

    at: datetime
    reached: bool | None = None


class DeadlineOfOrder(NamedTuple):
    """A deadline with its order, and what the partner recorded for the order."""

    sp_id: str
    deadline: Deadline
    deeds: tuple[Deed, ...]


class Miss(NamedTuple):
    """A missed deadline, why, and how late."""

    sp_id: str
    deadline: Deadline
    reason: MissReason
    lateness: Lateness


class KindFigures(NamedTuple):
    """A partner's deadlines of one kind: how many were met and missed, and how many did not count (`excused`)."""

    kind: DeadlineKind
    met: int
    missed: int
    excused: int
    reasons: Mapping[MissReason, int]


class Figures(NamedTuple):
    """A partner's figures: `kinds` in the order of an order's life, `misses` in the order in which they were due."""

    kinds: tuple[KindFigures, ...]
    misses: tuple[Miss, ...]

    @property
    def met(self) -> int:
        """The deadlines that were met."""
        return sum(each.met for each in self.kinds)

    @property
    def missed(self) -> int:
        """The deadlines that were missed."""
        return sum(each.missed for each in self.kinds)


def miss_reason(deadline: Deadline, deeds: Iterable[Deed]) -> MissReason:
    """Why a deadline was missed, concluded from what the partner recorded between its start and its end."""
    within = [each for each in deeds if deadline.runs_from < each.at < deadline.due]
    if not within:
        return "silent"
    calls = [each.reached for each in within if each.reached is not None]
    if len(calls) == len(within) and not any(calls):
        return "not_reached"
    return "begun"


def lateness(deadline: Deadline) -> Lateness:
    """How late a missed deadline was met or dropped; `open` if it still runs."""
    if deadline.ended is None:
        return "open"
    late_by = deadline.ended - deadline.due
    return "day" if late_by <= _DAY else "week" if late_by <= _WEEK else "longer"


def figures(deadlines: Iterable[DeadlineOfOrder], now: datetime) -> Figures:
    """A partner's figures of these deadlines, as known at `now`. Which ones count is `punctuality.verdict`."""
    met: Counter[DeadlineKind] = Counter()
    excused: Counter[DeadlineKind] = Counter()
    reasons: dict[DeadlineKind, Counter[MissReason]] = {kind: Counter() for kind in KINDS}
    misses: list[Miss] = []
    for sp_id, deadline, deeds in deadlines:
        match verdict(deadline, now):
            case "met":
                met[deadline.kind] += 1
            case "missed":
                reason = miss_reason(deadline, deeds)
                reasons[deadline.kind][reason] += 1
                misses.append(Miss(sp_id, deadline, reason, lateness(deadline)))
            case None if _is_excused(deadline, now):
                excused[deadline.kind] += 1
            case None:
                pass
    misses.sort(key=lambda each: (each.deadline.due, each.sp_id))
    kinds = (
        KindFigures(
            kind,
            met[kind],
            reasons[kind].total(),
            excused[kind],
            {reason: reasons[kind][reason] for reason in REASONS if reasons[kind][reason]},
        )
        for kind in KINDS
    )
    return Figures(
        tuple(each for each in kinds if each.met or each.missed or each.excused), tuple(misses)
    )


def _is_excused(deadline: Deadline, now: datetime) -> bool:
    """Whether a late deadline does not count because the partner got the ball after it had started.

    Only for deadlines on which there is no verdict.
    """
    if deadline.kind not in KINDS or deadline.outcome == "void":
        return False
    until = deadline.ended or now
    return deadline.due <= until
