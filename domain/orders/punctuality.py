"""How punctual partners are: which deadlines count, in which month, and when a partner has missed one.

Only the partner's own deadlines count, each in the month in which it was due. What is late because of somebody else
does not count: where the partner had the ball only some time after a deadline had started, it has its whole span from
then on, and what was done within that is neither met nor missed. Nor is what ended without meaning before it was due
(the order was cancelled or reassigned, the appointment moved), and what is still open and not late.
"""

from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from domain.months import Month
from domain.orders.deadlines import kinds
from domain.orders.order import Deadline, DeadlineKind

TARGET = Decimal("0.98")
"""The share of deadlines that a partner is to meet."""
KINDS: tuple[DeadlineKind, ...] = kinds("partner")
"""The deadlines that are the partner's, in the order of an order's life."""

_FOUR_DECIMALS = Decimal("0.0001")

Verdict = Literal["met", "missed"]


def verdict(deadline: Deadline, now: datetime) -> Verdict | None:
    """Whether a partner met a deadline or missed it, as known at `now`; None for one that does not count (yet)."""
    if deadline.kind not in KINDS:
        return None
    if deadline.outcome == "met":
        return "met"
    if deadline.outcome == "void":
        return None
    until = deadline.ended or now
    return "missed" if until >= (deadline.excused_until or deadline.due) else None


def interval(month: Month, timezone: str) -> tuple[datetime, datetime]:
    """The first instant of a month where this clock counts, and the first one after it (UTC)."""
    zone = ZoneInfo(timezone)
    first, after = (
        datetime.combine(each.first_day, time(), zone).astimezone(UTC)
        for each in (month, month.next)
    )
    return first, after


def on_time_share(met: int, missed: int) -> Decimal | None:
    """The share of the deadlines that were met, to four decimals; None if there were none."""
    counted = met + missed
    if not counted:
        return None
    return (Decimal(met) / counted).quantize(_FOUR_DECIMALS, ROUND_HALF_UP)


def on_target(met: int, missed: int) -> bool:
    """Whether the target is reached, exactly and not as rounded. Who had no deadlines missed none."""
    return met >= TARGET * (met + missed)
