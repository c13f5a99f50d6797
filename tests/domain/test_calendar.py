"""Working-day arithmetic on a hand-made calendar, against a naive oracle that uses zoneinfo."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.calendar import Calendar, Skipped
from domain.policy import Span

ZURICH = ZoneInfo("Europe/Zurich")
NAMES = {"de": "Feiertag", "fr": "Jour férié", "it": "Festivo", "en": "Holiday"}
FREE = (date(2026, 12, 25), date(2027, 1, 1), date(2027, 3, 26), date(2027, 3, 29))
CALENDAR = Calendar(
    canton="XX",
    timezone="Europe/Zurich",
    offsets=(
        (datetime(2026, 9, 1, tzinfo=UTC), 7200),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), 3600),
        (datetime(2027, 3, 28, 1, tzinfo=UTC), 7200),
        (datetime(2027, 10, 31, 1, tzinfo=UTC), 3600),
    ),
    opens=time(8),
    closes=time(18),
    first_day=date(2026, 9, 1),
    last_day=date(2028, 2, 29),
    holidays=dict.fromkeys(FREE, NAMES),
)


def instants_from(*days: date, length: int) -> st.SearchStrategy[datetime]:
    """Instants within `length` days of midnight (UTC) of one of the days."""
    return st.builds(
        lambda day, after: datetime.combine(day, time(), UTC) + after,
        st.sampled_from(days),
        st.timedeltas(timedelta(), timedelta(days=length)),
    )


# anywhere; around the changes to winter and summer time, and around holidays
instants = instants_from(date(2026, 9, 2), length=480) | instants_from(
    date(2026, 10, 24), date(2026, 12, 24), date(2027, 3, 25), length=5
)
counts = st.integers(1, 12)
spans = st.builds(Span, working_days=counts) | st.builds(
    lambda minutes: Span(duration=timedelta(minutes=minutes)), st.integers(0, 20_000)
)


def at(text: str) -> datetime:
    """The instant of a Zürich wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZURICH).astimezone(UTC)


def oracle_closing(start: datetime, n: int) -> datetime:
    """The rule of docs/rules.md, "Deadlines", spelled out: list the working days after the day, take the n-th."""
    first = start.astimezone(ZURICH).date()
    days = [first + timedelta(days=i) for i in range(1, 60)]
    working = [day for day in days if day.isoweekday() <= 5 and day not in FREE]
    return datetime.combine(working[n - 1], time(18), ZURICH).astimezone(UTC)


@given(instants, counts)
def test_closing_is_what_the_oracle_says(start: datetime, n: int) -> None:
    assert CALENDAR.closing(start, n) == oracle_closing(start, n)


@given(instants, counts)
def test_closing_is_at_closing_time_of_a_later_working_day(start: datetime, n: int) -> None:
    due = CALENDAR.closing(start, n)
    wall = due.astimezone(ZURICH)
    assert (wall.hour, wall.minute, wall.second) == (18, 0, 0)
    assert CALENDAR.is_working_day(wall.date())
    assert wall.date() > start.astimezone(ZURICH).date()
    assert due.tzinfo is UTC


@given(instants, counts)
def test_one_more_working_day_is_later(start: datetime, n: int) -> None:
    assert CALENDAR.closing(start, n) < CALENDAR.closing(start, n + 1)


@given(instants, instants, spans)
def test_a_later_start_is_never_due_earlier(one: datetime, other: datetime, span: Span) -> None:
    earlier, later = sorted((one, other))
    assert CALENDAR.due(earlier, span) <= CALENDAR.due(later, span)


@given(instants, counts, counts)
def test_working_days_add_up(start: datetime, a: int, b: int) -> None:
    assert CALENDAR.closing(CALENDAR.closing(start, a), b) == CALENDAR.closing(start, a + b)


@given(instants, spans)
def test_before_undoes_due_from_closing_time(start: datetime, span: Span) -> None:
    start = CALENDAR.closing(start, 1)
    assert CALENDAR.before(CALENDAR.due(start, span), span) == start


@given(instants)
def test_the_clock_is_that_of_the_time_zone(instant: datetime) -> None:
    assert CALENDAR.local(instant) == instant.astimezone(ZURICH).replace(tzinfo=None)


@given(instants)
def test_the_clock_reads_instants_given_in_any_zone(instant: datetime) -> None:
    elsewhere = instant.astimezone(ZoneInfo("America/New_York"))
    assert CALENDAR.local(elsewhere) == CALENDAR.local(instant)


@given(st.dates(date(2026, 9, 2), date(2027, 12, 31)), st.times())
def test_wall_clock_times_are_read_as_zoneinfo_reads_them(day: date, clock: time) -> None:
    expected = datetime.combine(day, clock.replace(fold=0), ZURICH).astimezone(UTC)
    assert CALENDAR.instant(day, clock) == expected


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        (date(2027, 3, 28), time(1, 59), datetime(2027, 3, 28, 0, 59, tzinfo=UTC)),
        (date(2027, 3, 28), time(2, 30), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),  # left out
        (date(2027, 3, 28), time(3, 0), datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),
        (date(2026, 10, 25), time(2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # twice
        (date(2026, 10, 25), time(3, 0), datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
    ],
)
def test_wall_clock_times_at_the_change(day: date, clock: time, expected: datetime) -> None:
    assert CALENDAR.instant(day, clock) == expected


def test_the_clock_changes_at_the_very_instant() -> None:
    change = datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert CALENDAR.local(change).isoformat() == "2027-03-28T03:00:00"
    before = CALENDAR.local(change - timedelta(microseconds=1))
    assert before.isoformat() == "2027-03-28T01:59:59.999999"


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(TypeError):
        CALENDAR.local(datetime.fromisoformat("2026-11-27T16:12"))


@given(instants)
def test_next_office_is_the_first_office_instant(instant: datetime) -> None:
    found = CALENDAR.next_office(instant)
    assert found >= instant
    assert CALENDAR.in_office(found)
    if found != instant:
        assert not CALENDAR.in_office(instant)
        assert CALENDAR.local(found).time() == time(8)
        assert not CALENDAR.in_office(found - timedelta(microseconds=1))
        between = instant
        while between < found:
            assert not CALENDAR.in_office(between)
            between += timedelta(hours=1)


@pytest.mark.parametrize(
    ("instant", "following"),
    [
        ("2026-11-27T07:59", "2026-11-27T08:00"),
        ("2026-11-27T08:00", "2026-11-27T08:00"),
        ("2026-11-27T18:00", "2026-11-27T18:00"),
        ("2026-11-27T18:00:00.000001", "2026-11-30T08:00"),
        ("2026-11-28T12:00", "2026-11-30T08:00"),
        ("2026-12-25T12:00", "2026-12-28T08:00"),
        ("2026-12-31T23:00", "2027-01-04T08:00"),
        ("2027-03-25T20:00", "2027-03-30T08:00"),  # Easter, and summer time on its Sunday
    ],
)
def test_office_hours(instant: str, following: str) -> None:
    assert CALENDAR.next_office(at(instant)) == at(following)
    assert CALENDAR.in_office(at(instant)) == (instant == following)


@given(instants, counts)
def test_working_days_and_skipped_ones_are_all_the_days_between(start: datetime, n: int) -> None:
    due = CALENDAR.closing(start, n)
    first, last = start.astimezone(ZURICH).date(), due.astimezone(ZURICH).date()
    weekends = {
        (day - timedelta(days=day.isoweekday() - 6)): day
        for day in (first + timedelta(days=i) for i in range(1, (last - first).days))
        if day.isoweekday() > 5
    }
    holidays = [day for day in FREE if first < day < last]
    skipped = CALENDAR.skipped(start, due)
    assert [s.day for s in skipped if s.kind == "holiday"] == holidays
    assert len([s for s in skipped if s.kind == "weekend"]) == len(weekends)
    assert [s.day for s in skipped] == sorted(s.day for s in skipped)


@pytest.mark.parametrize(
    ("start", "due", "expected"),
    [
        ("2026-11-25T10:00", "2026-11-26T18:00", []),
        ("2026-11-27T16:12", "2026-11-30T18:00", [("weekend", "2026-11-28")]),
        ("2026-11-28T16:12", "2026-11-30T18:00", [("weekend", "2026-11-29")]),
        ("2026-11-29T16:12", "2026-11-30T18:00", []),
        (
            "2026-12-31T16:12",
            "2027-01-04T18:00",
            [("holiday", "2027-01-01"), ("weekend", "2027-01-02")],
        ),
        (
            "2027-03-25T09:00",
            "2027-03-30T18:00",
            [("holiday", "2027-03-26"), ("weekend", "2027-03-27"), ("holiday", "2027-03-29")],
        ),
        ("2026-11-27T16:12", "2026-11-28T16:12", []),  # neither end counts
    ],
)
def test_what_was_skipped(start: str, due: str, expected: list[tuple[str, str]]) -> None:
    assert CALENDAR.skipped(at(start), at(due)) == tuple(
        Skipped(kind=kind, day=date.fromisoformat(day), names=NAMES if kind == "holiday" else {})
        for kind, day in expected
    )


def test_a_plain_duration_is_elapsed_time() -> None:
    start = at("2026-10-24T20:00")  # the night is an hour longer
    assert CALENDAR.due(start, Span.parse("24 hours")) == at("2026-10-25T19:00")
    assert CALENDAR.before(start, Span.parse("4 hours")) == at("2026-10-24T16:00")
    assert CALENDAR.due(start, Span.parse("0 seconds")) == start


def test_a_reminder_in_working_days_goes_back_over_the_weekend() -> None:
    before = CALENDAR.before(at("2026-11-30T18:00"), Span.parse("1 working day"))
    assert before == at("2026-11-27T18:00")


@pytest.mark.parametrize("n", [0, -1])
def test_less_than_one_working_day_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="one working day or more"):
        CALENDAR.closing(at("2026-11-27T16:12"), n)


def test_after_the_last_day_only_weekends_are_free_and_the_last_offset_holds() -> None:
    start = datetime(2030, 12, 24, 10, tzinfo=UTC)  # a Tuesday
    assert CALENDAR.closing(start, 1) == datetime(2030, 12, 25, 17, tzinfo=UTC)
    assert CALENDAR.closing(start, 4) == datetime(2030, 12, 30, 17, tzinfo=UTC)


def test_before_the_first_offset_the_first_one_holds() -> None:
    local = CALENDAR.local(datetime(2026, 8, 1, 10, tzinfo=UTC))
    assert local.isoformat() == "2026-08-01T12:00:00"


def test_a_calendar_needs_an_offset() -> None:
    with pytest.raises(ValidationError):
        Calendar.model_validate(CALENDAR.model_dump() | {"offsets": ()})


def test_the_calendar_round_trips() -> None:
    copy = Calendar.model_validate_json(CALENDAR.model_dump_json())
    assert copy == CALENDAR
    assert copy.closing(at("2026-12-31T16:12"), 1) == at("2027-01-04T18:00")


# --- Saturday as a working day ----------------------------------------------------------------------------------

SATURDAY_FREE = (*FREE, date(2026, 12, 26), date(2027, 5, 1))
SATURDAYS = CALENDAR.model_copy(
    update={
        "saturday_is_working_day": True,
        "holidays": dict.fromkeys(sorted(SATURDAY_FREE), NAMES),
    }
)


def works(day: date) -> bool:
    """Whether people work on a day, where Saturday is a working day."""
    return day.isoweekday() <= 6 and day not in SATURDAY_FREE


@pytest.mark.parametrize(
    ("day", "working"),
    [
        ("2026-11-27", True),  # Friday
        ("2026-11-28", True),  # Saturday
        ("2026-11-29", False),  # Sunday
        ("2026-12-25", False),
        ("2026-12-26", False),  # a holiday on a Saturday
        ("2027-05-01", False),
    ],
)
def test_saturdays_are_working_days_unless_they_are_holidays(day: str, working: bool) -> None:
    assert SATURDAYS.is_working_day(date.fromisoformat(day)) is working
    assert CALENDAR.is_working_day(date.fromisoformat(day)) is (working and day != "2026-11-28")


@given(instants, counts)
def test_closing_with_saturdays_is_what_the_oracle_says(start: datetime, n: int) -> None:
    first = start.astimezone(ZURICH).date()
    days = [day for i in range(1, 60) if works(day := first + timedelta(days=i))]
    expected = datetime.combine(days[n - 1], time(18), ZURICH).astimezone(UTC)
    assert SATURDAYS.closing(start, n) == expected


@given(instants, counts)
def test_with_saturdays_no_deadline_is_later(start: datetime, n: int) -> None:
    plain = SATURDAYS.model_copy(update={"saturday_is_working_day": False})
    assert SATURDAYS.closing(start, n) <= plain.closing(start, n)


@given(instants, counts, counts)
def test_working_days_add_up_with_saturdays(start: datetime, a: int, b: int) -> None:
    assert SATURDAYS.closing(SATURDAYS.closing(start, a), b) == SATURDAYS.closing(start, a + b)


@given(instants, spans)
def test_before_undoes_due_with_saturdays(start: datetime, span: Span) -> None:
    start = SATURDAYS.closing(start, 1)
    assert SATURDAYS.before(SATURDAYS.due(start, span), span) == start


@given(instants, counts)
def test_all_days_between_are_working_or_skipped_with_saturdays(start: datetime, n: int) -> None:
    due = SATURDAYS.closing(start, n)
    first, last = start.astimezone(ZURICH).date(), due.astimezone(ZURICH).date()
    between = [first + timedelta(days=i) for i in range(1, (last - first).days)]
    skipped = SATURDAYS.skipped(start, due)
    assert [s.day for s in skipped] == [day for day in between if not works(day)]
    assert all((s.kind == "sunday") == (s.day.isoweekday() == 7) for s in skipped)


@pytest.mark.parametrize(
    ("start", "due", "skipped"),
    [
        ("2026-11-27T16:12", "2026-11-28T18:00", []),  # Friday: due on Saturday
        ("2026-11-28T16:12", "2026-11-30T18:00", [("sunday", "2026-11-29")]),
        ("2026-11-29T16:12", "2026-11-30T18:00", []),
        (
            "2026-12-24T10:00",
            "2026-12-28T18:00",
            [("holiday", "2026-12-25"), ("holiday", "2026-12-26"), ("sunday", "2026-12-27")],
        ),
        ("2026-12-31T16:12", "2027-01-02T18:00", [("holiday", "2027-01-01")]),
        (
            "2027-03-27T09:00",
            "2027-03-30T18:00",
            [("sunday", "2027-03-28"), ("holiday", "2027-03-29")],
        ),
    ],
)
def test_one_working_day_with_saturdays(
    start: str, due: str, skipped: list[tuple[str, str]]
) -> None:
    assert SATURDAYS.closing(at(start), 1) == at(due)
    found = SATURDAYS.skipped(at(start), at(due))
    assert [(s.kind, s.day.isoformat()) for s in found] == skipped
    assert all(s.names == (NAMES if s.kind == "holiday" else {}) for s in found)


@pytest.mark.parametrize(
    ("instant", "following"),
    [
        ("2026-11-27T18:30", "2026-11-28T08:00"),
        ("2026-11-28T07:59", "2026-11-28T08:00"),
        ("2026-11-28T12:00", "2026-11-28T12:00"),
        ("2026-11-28T18:00:00.000001", "2026-11-30T08:00"),
        ("2026-11-29T12:00", "2026-11-30T08:00"),
        ("2026-12-26T12:00", "2026-12-28T08:00"),  # a holiday
    ],
)
def test_office_hours_with_saturdays(instant: str, following: str) -> None:
    assert SATURDAYS.next_office(at(instant)) == at(following)
    assert SATURDAYS.in_office(at(instant)) == (instant == following)


def test_a_reminder_in_working_days_may_be_on_a_saturday() -> None:
    before = SATURDAYS.before(at("2026-11-30T18:00"), Span.parse("1 working day"))
    assert before == at("2026-11-28T18:00")


def test_a_calendar_stored_without_the_key_has_free_saturdays() -> None:
    stored = CALENDAR.model_dump(mode="json")
    del stored["saturday_is_working_day"]
    assert Calendar.model_validate(stored) == CALENDAR
