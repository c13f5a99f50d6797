"""When an absence of our processes was an outage. Dates by hand, local time in Zurich (UTC+2 in October)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cantons import pin_calendar
from domain.outages import LONGEST, Outage, find_outage
from domain.policy import Policy

AFTER = timedelta(minutes=15)
CALENDAR = pin_calendar("ZH", Policy(), date(2026, 10, 1))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Zurich")).astimezone(UTC)


def outage(begin: str, end: str) -> Outage:
    return Outage(begin=at(begin), end=at(end))


@pytest.mark.parametrize(
    ("last_seen", "back", "counts"),
    [
        ("2026-10-05 09:00", "2026-10-05 09:15", False),
        ("2026-10-05 09:00", "2026-10-05 09:16", True),
        ("2026-10-05 18:00", "2026-10-06 08:00", False),  # at night
        ("2026-10-05 17:50", "2026-10-06 08:05", False),  # ten minutes and five
        ("2026-10-05 17:50", "2026-10-06 08:06", True),
        ("2026-10-02 18:00", "2026-10-05 08:10", False),  # a weekend
        ("2026-10-02 17:00", "2026-10-03 10:00", True),  # the last hour of a Friday
        ("2026-12-24 18:00", "2026-12-28 08:00", False),  # Christmas and St Stephen's Day
        ("2026-10-05 09:00", "2026-10-05 08:00", False),  # clocks differ
    ],
)
def test_only_office_time_counts(last_seen: str, back: str, counts: bool) -> None:
    found = find_outage(at(last_seen), at(back), CALENDAR, AFTER)
    assert found == (outage(last_seen, back) if counts else None)


def test_the_very_first_start_ends_no_outage() -> None:
    assert find_outage(None, at("2026-10-05 12:00"), CALENDAR, AFTER) is None


@pytest.mark.parametrize(
    ("known", "counts"),
    [
        ([("2026-10-05 09:00", "2026-10-05 11:00")], False),
        ([("2026-10-05 08:00", "2026-10-05 12:00")], False),
        # The web process is back half a minute after the worker.
        ([("2026-10-05 09:00", "2026-10-05 10:59:30")], False),
        ([("2026-10-05 09:00", "2026-10-05 10:58")], True),
        ([("2026-10-05 09:30", "2026-10-05 10:00")], True),
        (
            [("2026-10-05 08:00", "2026-10-05 10:00"), ("2026-10-05 09:30", "2026-10-05 11:00")],
            False,
        ),
        ([("2026-10-02 09:00", "2026-10-02 18:00")], True),
    ],
)
def test_what_is_known_counts_no_second_time(known: list[tuple[str, str]], counts: bool) -> None:
    back = at("2026-10-05 11:00")
    recorded = [outage(*each) for each in known]
    found = find_outage(at("2026-10-05 09:00"), back, CALENDAR, AFTER, recorded)
    assert (found is not None) == counts


def test_an_absence_of_years_has_an_end() -> None:
    back = at("2028-10-05 11:00")
    calendar = pin_calendar("ZH", Policy(), (back - LONGEST).date())
    found = find_outage(at("2020-10-05 09:00"), back, calendar, AFTER)
    assert found == Outage(begin=back - LONGEST, end=back)


@given(
    st.integers(0, 20_000),
    st.integers(0, 20_000),
    st.lists(st.tuples(st.integers(-5000, 20_000), st.integers(0, 5000)), max_size=4),
)
def test_known_outages_only_ever_take_away(
    start: int, length: int, known: list[tuple[int, int]]
) -> None:
    base = at("2026-10-05 08:00")
    last = base + timedelta(minutes=start)
    back = last + timedelta(minutes=length)
    recorded = [
        Outage(begin=last + timedelta(minutes=a), end=last + timedelta(minutes=a + b))
        for a, b in known
    ]
    found = find_outage(last, back, CALENDAR, AFTER, recorded)
    without = find_outage(last, back, CALENDAR, AFTER)
    assert found in (without, None)
    whole = Outage(begin=last, end=back)
    assert find_outage(last, back, CALENDAR, AFTER, [*recorded, whole]) is None
