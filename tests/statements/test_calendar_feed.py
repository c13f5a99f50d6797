"""The file that calendars read: days on which the clocks change, visits without an hour, text that means something."""

from datetime import UTC, date, datetime, timedelta

import pytest
from icalendar import Calendar

from documents.calendar_feed import FeedEntry, feed_ics
from domain.agenda import ZONE
from domain.orders.calendar_entry import CalendarEntry, RemovedEntry, calendar_entry
from domain.orders.commands import SetAppointment
from tests.support.builders import GOODS_THERE, intake, lived

NAME = 'Müller; Söhne, "Zürich" \\ ' + "Ä" * 60
_ONE_DAY = timedelta(days=1)


def agreed(start: datetime) -> FeedEntry:
    """A visit of two hours."""
    start = start.astimezone(UTC)
    placed = start - 5 * _ONE_DAY
    of = intake(day=placed.date(), rules=2, sp_id="SP-1", name=NAME)
    visit = SetAppointment(start=start, end=start + timedelta(hours=2), unusual=True)
    order, _ = lived(*GOODS_THERE, visit, of=of, at=placed)
    entry = calendar_entry(order)
    assert entry is not None
    return FeedEntry(order, entry)


def read(*entries: FeedEntry, removed: tuple[RemovedEntry, ...] = ()) -> Calendar:
    made = feed_ics("Elektro, Huber AG", entries, removed, "https://cmi.example", "de")
    assert made == feed_ics("Elektro, Huber AG", entries, removed, "https://cmi.example", "de")
    assert all(len(line) <= 75 for line in made.split(b"\r\n"))
    found = Calendar.from_ical(made)
    assert not found.errors
    return found


@pytest.mark.parametrize(
    ("start", "utc"),
    [
        ("2026-03-28T08:00", "2026-03-28T07:00Z"),
        ("2026-03-29T01:30", "2026-03-29T00:30Z"),
        ("2026-03-29T08:00", "2026-03-29T06:00Z"),
        ("2026-10-24T08:00", "2026-10-24T06:00Z"),
        ("2026-10-25T01:30", "2026-10-24T23:30Z"),
        ("2026-10-25T08:00", "2026-10-25T07:00Z"),
    ],
)
def test_an_instant_is_the_same_before_and_after_the_clocks_change(start: str, utc: str) -> None:
    (event,) = read(agreed(datetime.fromisoformat(start).replace(tzinfo=ZONE))).walk("VEVENT")
    assert event.start == datetime.fromisoformat(utc)
    assert event.end - event.start == timedelta(hours=2)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_visit_without_an_hour_is_a_day(day: date) -> None:
    begin, end = (
        datetime.combine(each, datetime.min.time(), ZONE).astimezone(UTC)
        for each in (day, day + _ONE_DAY)
    )
    visit = agreed(begin)._replace(entry=CalendarEntry(begin, end, True))
    (event,) = read(visit).walk("VEVENT")
    assert (event["dtstart"].dt, event["dtend"].dt) == (day, day + _ONE_DAY)


def test_text_stays_text_and_a_fallen_visit_names_nobody() -> None:
    visit = agreed(datetime(2026, 12, 1, 7, tzinfo=UTC))
    at = datetime(2026, 11, 30, 7, tzinfo=UTC)
    removed = RemovedEntry("SP-2", at + _ONE_DAY, at + 2 * _ONE_DAY, at, 17, "Herd; ab\nbauen")
    found = read(visit, removed=(removed,))
    assert found["name"] == found["x-wr-calname"] == "Aufträge Elektro\\, Huber AG"
    one, other = found.walk("VEVENT")
    assert one["summary"] == f"Waschmaschine anschliessen, {NAME}"
    assert other["summary"] == "Abgesagt: Herd; ab\nbauen"
    assert (other["status"], other["sequence"]) == ("CANCELLED", 17)
    assert not {"location", "description", "url"} & {name.lower() for name in other}
