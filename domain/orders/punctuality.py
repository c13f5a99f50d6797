"""How punctual partners are: which deadlines count, in which month, and when a partner has missed one.

Only the partner's own deadlines count, each in the month in which it was due. A delay that somebody else caused
does not count: if the partner got the ball after a deadline had started, it has the whole span from then on, and a
deadline that ends late but within that span is neither met nor missed. Deadlines that ended as `void` do not count
either. Open ones count once they are late.
"""

from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from domain.months import Month
from domain.orders.deadline import Deadline, DeadlineKind
from domain.orders.deadline_rules import kinds

TARGET = Decimal("0.98")
"""The share of deadlines that a partner should meet."""
KINDS: tuple[DeadlineKind, ...] = kinds("partner")
"""The kinds of the partner's deadlines, in the order of an order's life."""

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
    """The first instant of a month in this time zone, and the first one after the month (UTC)."""
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
    """Whether the exact share, not the rounded one, reaches the target. True if there were no deadlines."""
    return met >= TARGET * (met + missed)
