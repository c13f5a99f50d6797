"""The days of an agenda, what is on them, and what is at the same time."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agenda import ZONE, Period, by_day, clashes


class Visit(NamedTuple):
    sp_id: str
    start: datetime
    end: datetime
    person: str | None = None
    whole_day: bool = False


def visit(sp_id: str, start: str, end: str, person: str | None = None) -> Visit:
    """A visit from and to a Swiss wall-clock time."""
    begin, until = (datetime.fromisoformat(text).replace(tzinfo=ZONE) for text in (start, end))
    return Visit(sp_id, begin.astimezone(UTC), until.astimezone(UTC), person)


@pytest.mark.parametrize(
    ("week", "day", "first", "last"),
    [
        ("2026-W49", None, date(2026, 11, 30), date(2026, 12, 6)),
        ("2026-W53", None, date(2026, 12, 28), date(2027, 1, 3)),
        (None, "2026-12-01", date(2026, 12, 1), date(2026, 12, 1)),
        ("2026-W49", "2026-12-01", date(2026, 12, 1), date(2026, 12, 1)),
    ],
)
def test_a_period_is_a_week_or_a_day(
    week: str | None, day: str | None, first: date, last: date
) -> None:
    period = Period.read(week, day)
    assert period == Period(first, last)
    assert str(period) == (day or week)
    assert period.next.previous == period.previous.next == period


@pytest.mark.parametrize(
    ("week", "day"),
    [
        (None, None),
        ("", ""),
        ("2025-W53", None),
        ("2026-W00", None),
        ("2026-49", None),
        ("٢٠٢٦-W49", None),
        (None, "2026-02-30"),
        (None, "20261201"),
        (None, "1999-12-31"),
        (None, "9999-12-31"),
        ("0001-W01", None),
    ],
)
def test_what_is_no_period(week: str | None, day: str | None) -> None:
    assert Period.read(week, day) is None


@given(st.dates(date(2000, 1, 3), date(2199, 12, 29)))
def test_each_day_is_in_its_week(day: date) -> None:
    week = Period.week_of(day)
    assert day in week.days
    assert len(week.days) == 7
    assert week.first.weekday() == 0
    assert Period.read(str(week), None) == week


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-24", 24), ("2026-10-25", 25)],
)
def test_days_on_which_the_clocks_change(day: str, hours: int) -> None:
    period = Period.read(None, day)
    assert period is not None
    assert period.end - period.begin == timedelta(hours=hours)
    last = Visit("SP-1", period.end - timedelta(minutes=30), period.end)
    next_one = Visit("SP-2", period.end, period.end + timedelta(minutes=30))
    assert by_day([next_one, last], period) == {date.fromisoformat(day): (last,)}
    assert by_day([next_one, last], period.next)[period.next.first] == (next_one,)


def test_a_day_has_its_visits_by_time() -> None:
    early, late = (
        visit("SP-3", f"2026-12-01T{hour}:00", f"2026-12-01T{hour}:30") for hour in ("08", "15")
    )
    long = visit("SP-1", "2026-11-30T16:00", "2026-12-02T00:00")
    whole = visit("SP-9", "2026-12-01T00:00", "2026-12-02T00:00")._replace(whole_day=True)
    week = Period.week_of(date(2026, 12, 1))
    days = by_day([late, early, whole, long], week)
    assert days[date(2026, 11, 30)] == (long,)
    assert days[date(2026, 12, 1)] == (whole, long, early, late)
    assert days[date(2026, 12, 2)] == ()


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (None, None, True),
        ("ana", None, True),
        (None, "ana", True),
        ("ana", "beat", False),
        ("ana", "ana", True),
    ],
)
def test_who_cannot_be_at_two_places(one: str | None, other: str | None, clash: bool) -> None:
    first = visit("SP-1", "2026-12-01T08:00", "2026-12-01T10:00", one)
    second = visit("SP-2", "2026-12-01T09:00", "2026-12-01T11:00", other)
    after = visit("SP-3", "2026-12-01T10:00", "2026-12-01T12:00", one)
    found = clashes([second, first])
    assert found == ({"SP-1": ("SP-2",), "SP-2": ("SP-1",)} if clash else {})
    assert clashes([first, after]) == {}, "one ends as the other begins"


visits = st.builds(
    lambda number, start, length, person: Visit(
        f"SP-{number}",
        datetime(2026, 12, 1, tzinfo=UTC) + timedelta(minutes=start),
        datetime(2026, 12, 1, tzinfo=UTC) + timedelta(minutes=start + length),
        person,
    ),
    st.integers(1, 9),
    st.integers(0, 300),
    st.integers(1, 200),
    st.sampled_from(["ana", "beat", None]),
)


@given(st.lists(visits, max_size=8, unique_by=lambda each: each.sp_id))
def test_clashes_are_all_pairs_at_the_same_time(entries: list[Visit]) -> None:
    expected = {
        (one.sp_id, other.sp_id)
        for one in entries
        for other in entries
        if one is not other
        and one.start < other.end
        and other.start < one.end
        and (one.person == other.person or None in (one.person, other.person))
    }
    found = clashes(entries)
    assert {(one, other) for one, others in found.items() for other in others} == expected
