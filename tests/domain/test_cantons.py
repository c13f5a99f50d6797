"""Calendars of the real cantons: dates known from the almanac, worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import Calendar
from domain.cantons import CANTONS, pin_calendar, public_holidays
from domain.policy import OfficePolicy, Policy

ZURICH = ZoneInfo("Europe/Zurich")
STANDARD = Policy()
NAMED_IN = {"de", "fr", "it", "en"}
"""The languages in which the `holidays` package names the holidays of Switzerland."""

moments = st.timedeltas(timedelta(), timedelta(days=500)).map(
    lambda after: datetime(2026, 1, 2, tzinfo=UTC) + after
)


def at(text: str) -> datetime:
    """The instant of a Zürich wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZURICH).astimezone(UTC)


def pinned(canton: str, start: str, **policy: object) -> Calendar:
    return pin_calendar(canton, Policy.model_validate(policy), at(start).astimezone(ZURICH).date())


@pytest.mark.parametrize(
    ("canton", "start", "n", "due"),
    [
        # weekends
        ("ZH", "2026-11-27T16:12", 1, "2026-11-30T18:00"),
        ("ZH", "2026-11-25T08:00", 1, "2026-11-26T18:00"),
        ("ZH", "2026-11-28T09:00", 1, "2026-11-30T18:00"),  # Saturday counts from Monday
        ("ZH", "2026-11-29T09:00", 1, "2026-11-30T18:00"),
        ("ZH", "2026-11-29T09:00", 2, "2026-12-01T18:00"),
        # the local day decides, not that of UTC, and not the hour
        ("ZH", "2026-11-26T23:59", 1, "2026-11-27T18:00"),
        ("ZH", "2026-11-27T00:00", 1, "2026-11-30T18:00"),
        ("ZH", "2026-11-27T00:30", 1, "2026-11-30T18:00"),
        ("ZH", "2026-11-27T23:59", 1, "2026-11-30T18:00"),
        # turn of the year: 1 January 2027 is a Friday
        ("LU", "2026-12-31T16:12", 1, "2027-01-04T18:00"),
        ("ZH", "2027-01-01T10:00", 1, "2027-01-04T18:00"),  # on a holiday
        ("ZH", "2026-12-30T10:00", 1, "2026-12-31T18:00"),
        ("GE", "2026-12-30T10:00", 1, "2027-01-04T18:00"),  # 31 December, in Geneva alone
        # Berchtoldstag, 2 January 2026 is a Friday
        ("ZH", "2025-12-31T10:00", 1, "2026-01-02T18:00"),
        ("LU", "2025-12-31T10:00", 1, "2026-01-05T18:00"),
        # Christmas 2026 is a Friday, 2025 a Thursday
        ("ZH", "2026-12-24T10:00", 1, "2026-12-28T18:00"),
        ("ZH", "2025-12-24T10:00", 1, "2025-12-29T18:00"),
        ("GE", "2025-12-24T10:00", 1, "2025-12-26T18:00"),  # no St Stephen's Day
        ("ZH", "2026-12-18T10:00", 10, "2027-01-05T18:00"),
        # Easter 2027 is 28 March, when summer time begins; no Good Friday in Ticino
        ("ZH", "2027-03-25T10:00", 1, "2027-03-30T18:00"),
        ("TI", "2027-03-25T10:00", 1, "2027-03-26T18:00"),
        ("TI", "2027-03-25T10:00", 2, "2027-03-30T18:00"),
        # Ascension and Whit Monday
        ("ZH", "2027-05-05T10:00", 1, "2027-05-07T18:00"),
        ("ZH", "2027-05-14T10:00", 1, "2027-05-18T18:00"),
        # Corpus Christi
        ("ZH", "2027-05-26T10:00", 1, "2027-05-27T18:00"),
        ("LU", "2027-05-26T10:00", 1, "2027-05-28T18:00"),
        # 1 August: a Friday, a Saturday, a Tuesday
        ("ZH", "2025-07-31T10:00", 1, "2025-08-04T18:00"),
        ("ZH", "2026-07-31T10:00", 1, "2026-08-03T18:00"),
        ("GE", "2028-07-31T10:00", 1, "2028-08-02T18:00"),
    ],
)
def test_known_deadlines(canton: str, start: str, n: int, due: str) -> None:
    assert pinned(canton, start).closing(at(start), n) == at(due)


def test_closing_time_does_not_move_with_summer_time() -> None:
    autumn, spring = "2026-10-23T16:00", "2028-03-24T16:00"  # Fridays before the change
    assert pinned("ZH", autumn).closing(at(autumn), 1) == datetime(2026, 10, 26, 17, tzinfo=UTC)
    assert pinned("ZH", spring).closing(at(spring), 1) == datetime(2028, 3, 27, 16, tzinfo=UTC)


def test_the_explanation_of_the_design() -> None:
    start = "2026-12-31T16:12"
    calendar = pinned("LU", start)
    holiday, weekend = calendar.skipped(at(start), calendar.closing(at(start), 1))
    assert (holiday.kind, holiday.day) == ("holiday", date(2027, 1, 1))
    assert holiday.names["en"] == "New Year's Day"
    assert holiday.names["de"] == "Neujahrstag"
    assert (weekend.kind, weekend.day) == ("weekend", date(2027, 1, 2))


def test_there_are_26_cantons() -> None:
    assert len(set(CANTONS)) == 26


@pytest.mark.parametrize("canton", CANTONS)
def test_every_canton(canton: str) -> None:
    calendar = pin_calendar(canton, STANDARD, date(2028, 3, 20))
    assert date(2028, 8, 1) in calendar.holidays
    assert (date(2028, 12, 31) - timedelta(days=2)) not in calendar.holidays
    for day, names in calendar.holidays.items():
        assert day.isoweekday() <= 5
        assert calendar.first_day <= day <= calendar.last_day
        assert set(names) == NAMED_IN
        assert all(names.values())
    assert len(calendar.model_dump_json().encode()) < 3000
    assert Calendar.model_validate_json(calendar.model_dump_json()) == calendar


def test_31_december_is_a_holiday_in_geneva_alone() -> None:
    free = {c for c in CANTONS if date(2026, 12, 31) in pinned(c, "2026-12-01").holidays}
    assert free == {"GE"}


def test_names_in_four_languages() -> None:
    assert pinned("LU", "2027-05-01").holidays[date(2027, 5, 27)] == {
        "de": "Fronleichnam",
        "fr": "Fête-Dieu",
        "it": "Corpus Domini",
        "en": "Corpus Christi",
    }


def test_the_range_and_its_offsets() -> None:
    calendar = pin_calendar("ZH", STANDARD, date(2026, 8, 31))
    assert calendar.first_day == date(2026, 8, 17)
    assert calendar.last_day == date(2028, 2, 29)
    assert calendar.offsets == (
        (datetime(2026, 8, 17, tzinfo=UTC), 7200),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), 3600),
        (datetime(2027, 3, 28, 1, tzinfo=UTC), 7200),
        (datetime(2027, 10, 31, 1, tzinfo=UTC), 3600),
    )


@settings(max_examples=60)
@given(
    st.sampled_from(["Europe/Zurich", "UTC", "Australia/Lord_Howe", "America/St_Johns"]),
    moments,
)
def test_pinned_offsets_are_those_of_the_zone(zone: str, instant: datetime) -> None:
    policy = Policy(office=OfficePolicy(timezone=zone))
    calendar = pin_calendar("ZH", policy, date(2026, 1, 1))
    local = instant.astimezone(ZoneInfo(zone))
    assert calendar.local(instant) == local.replace(tzinfo=None)
    expected = local.replace(fold=0).astimezone(UTC)
    assert calendar.instant(local.date(), local.time()) == expected


@settings(max_examples=60)
@given(
    st.sampled_from(CANTONS),
    moments,
    st.integers(1, 30),
)
def test_a_deadline_ends_at_six_on_a_working_day(canton: str, start: datetime, n: int) -> None:
    calendar = pin_calendar(canton, STANDARD, date(2026, 1, 1))
    wall = calendar.closing(start, n).astimezone(ZURICH)
    assert (wall.hour, wall.minute) == (18, 0)
    assert wall.isoweekday() <= 5
    assert wall.date() not in calendar.holidays
    assert wall.date() >= start.astimezone(ZURICH).date() + timedelta(days=n)


def test_the_policy_adds_a_holiday_each_year_or_once() -> None:
    added = {"ZH": ["01-02", "2026-04-20", "02-29"]}
    calendar = pinned("ZH", "2025-12-31", holidays=added)
    assert calendar.closing(at("2025-12-31T10:00"), 1) == at("2026-01-05T18:00")
    assert calendar.holidays[date(2026, 4, 20)]["de"] == "Betriebsfeiertag"
    assert set(calendar.holidays[date(2026, 4, 20)]) == NAMED_IN
    assert date(2027, 4, 20) not in calendar.holidays
    other = pinned("SG", "2025-12-31", holidays=added)
    assert date(2026, 4, 20) not in other.holidays
    leap = pinned("ZH", "2028-01-31", holidays=added)
    assert date(2028, 2, 29) in leap.holidays


def test_the_policy_strikes_a_holiday_each_year_or_once() -> None:
    struck = pinned("ZH", "2026-12-01", holidays={"ZH": ["-12-25", "-2027-05-06", "-07-07"]})
    free = set(pinned("ZH", "2026-12-01").holidays)
    assert free - set(struck.holidays) == {date(2026, 12, 25), date(2027, 5, 6)}


def test_a_later_entry_wins_and_a_known_holiday_keeps_its_name() -> None:
    calendar = pinned("LU", "2026-12-01", holidays={"LU": ["01-01", "12-24", "-2026-12-24"]})
    assert calendar.holidays[date(2027, 1, 1)]["de"] == "Neujahrstag"
    assert date(2026, 12, 24) not in calendar.holidays
    assert date(2027, 12, 24) in calendar.holidays


def test_office_hours_come_from_the_policy() -> None:
    start = "2026-11-27T16:12"
    calendar = pinned("ZH", start, office={"opens": "07:30", "closes": "17:15"})
    assert calendar.closing(at(start), 1) == at("2026-11-30T17:15")
    assert calendar.next_office(at("2026-11-28T10:00")) == at("2026-11-30T07:30")


def test_orders_of_one_day_share_a_calendar() -> None:
    assert pinned("ZH", "2026-11-27T08:00") is pinned("ZH", "2026-11-27T17:00")


def test_an_unknown_canton_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown canton 'Stadt Zurich'"):
        pin_calendar("Stadt Zurich", STANDARD, date(2026, 11, 27))


# --- Saturday as a working day ----------------------------------------------------------------------------------

SATURDAY = {"saturday_is_working_day": True}


@pytest.mark.parametrize(
    ("canton", "start", "n", "due"),
    [
        ("ZH", "2026-11-27T16:12", 1, "2026-11-28T18:00"),
        ("ZH", "2026-11-28T09:00", 1, "2026-11-30T18:00"),
        ("ZH", "2026-07-31T10:00", 1, "2026-08-03T18:00"),  # 1 August is a Saturday
        ("ZH", "2026-12-24T10:00", 1, "2026-12-28T18:00"),  # Friday and Saturday are holidays
        ("GE", "2026-12-24T10:00", 1, "2026-12-26T18:00"),  # no St Stephen's Day
        ("ZH", "2026-12-31T10:00", 1, "2027-01-02T18:00"),
    ],
)
def test_known_deadlines_with_saturdays(canton: str, start: str, n: int, due: str) -> None:
    assert pinned(canton, start, calendar=SATURDAY).closing(at(start), n) == at(due)


def test_the_policy_adds_and_strikes_saturdays() -> None:
    changed = {"ZH": ["2027-01-02", "-12-26"]}
    calendar = pinned("ZH", "2026-12-01", holidays=changed, calendar=SATURDAY)
    assert date(2027, 1, 2) in calendar.holidays
    assert date(2026, 12, 26) not in calendar.holidays
    assert calendar.is_working_day(date(2026, 12, 26))
    assert date(2027, 1, 2) not in pinned("ZH", "2026-12-01", holidays=changed).holidays


def test_calendars_with_and_without_saturdays_are_two() -> None:
    start = "2026-11-27T08:00"
    assert pinned("ZH", start, calendar=SATURDAY) != pinned("ZH", start)


# --- holidays for appointments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("canton", "day", "holiday"),
    [
        ("ZH", "2026-08-01", True),  # a Saturday
        ("ZH", "2026-12-26", True),  # a Saturday
        ("ZH", "2027-12-25", True),  # a Saturday
        ("GE", "2027-12-26", False),  # no St Stephen's Day in Geneva
        ("ZH", "2026-12-25", True),  # a Friday
        ("ZH", "2026-12-24", False),
        ("ZH", "2026-12-27", False),  # a Sunday is no holiday by itself
    ],
)
def test_public_holidays_include_those_at_weekends(canton: str, day: str, holiday: bool) -> None:
    found = public_holidays(canton, STANDARD, date(2026, 7, 1))
    assert (date.fromisoformat(day) in found) is holiday


def test_public_holidays_have_the_additions_and_strikes_of_the_policy() -> None:
    policy = Policy.model_validate({"holidays": {"ZH": ["2027-01-02", "-12-26"]}})
    found = public_holidays("ZH", policy, date(2026, 12, 1))
    assert date(2027, 1, 2) in found  # a Saturday
    assert date(2026, 12, 26) not in found
    assert date(2026, 12, 26) in public_holidays("ZH", STANDARD, date(2026, 12, 1))
    assert date(2026, 12, 26) in public_holidays("SG", policy, date(2026, 12, 1))


@settings(max_examples=60)
@given(st.sampled_from(CANTONS), st.dates(date(2026, 1, 1), date(2028, 1, 1)), st.integers(1, 18))
def test_public_holidays_agree_with_the_calendar(canton: str, start: date, months: int) -> None:
    calendar = pin_calendar(canton, STANDARD, start, months)
    found = public_holidays(canton, STANDARD, start, months)
    assert list(found) == sorted(set(found))
    assert {day for day in found if day.isoweekday() <= 5} == {
        day for day in calendar.holidays if day >= start
    }


def test_public_holidays_of_an_unknown_canton_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown canton 'FL'"):
        public_holidays("FL", STANDARD, date(2026, 11, 27))
