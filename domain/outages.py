"""When CMI was down for partners: no worker, or no web process, for a while within office hours (docs/rules.md)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from domain.calendar import Calendar
from domain.values import Value

ProcessKind = Literal["worker", "web"]
CANTON = "ZH"
"""The retailer's canton: its working days decide whether an outage counts."""
LONGEST = timedelta(days=365)
"""No more than this counts of a longer absence, because a pinned calendar has an end."""
_NEGLIGIBLE = timedelta(minutes=1)


class Outage(Value):
    """A time without any process of one kind."""

    begin: datetime
    end: datetime


def find_outage(
    last_seen: datetime | None,
    now: datetime,
    calendar: Calendar,
    after: timedelta,
    known: Iterable[Outage] = (),
) -> Outage | None:
    """The outage that ends now that a process of the kind is up again. None if there was none, or it is recorded.

    Args:
        last_seen: the last sign of life of any process of the kind; None if this is the first one ever.
        calendar: the retailer's; it has both instants.
        after: an absence counts if it took more than this much office time.
        known: recorded outages of either kind. An absence that they cover does not count a second time, although the
            processes of the two kinds never come up at exactly the same time.
    """
    if last_seen is None:
        return None
    begin = max(last_seen, now - LONGEST)
    absence = calendar.office_time(begin, now)
    if absence <= after:
        return None
    covered = _office_time_covered(begin, now, calendar, known)
    return Outage(begin=begin, end=now) if absence - covered > _NEGLIGIBLE else None


def _office_time_covered(
    begin: datetime, end: datetime, calendar: Calendar, known: Iterable[Outage]
) -> timedelta:
    """The office time between two instants that lies in known outages, each moment once."""
    total, until = timedelta(), begin
    for outage in sorted(known, key=lambda each: each.begin):
        start, until_now = max(outage.begin, until), min(outage.end, end)
        total += calendar.office_time(start, until_now)
        until = max(until, until_now)
    return total
