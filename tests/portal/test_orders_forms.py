"""What is typed into the forms of an order: days and times as people write them, summer time, what is missing."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import icalendar
import pytest

from documents.appointment import appointment_ics
from domain.orders.commands import ConfirmExecution, ConfirmRequirements, SetAppointment
from domain.orders.order import Order
from tests.support.builders import ACCEPTED, AGREED, GOODS_THERE, MONDAY, appointment, lived
from web.portal.forms import Form
from web.portal.orders.common import contact_links
from web.portal.orders.fields import WrongForm
from web.portal.orders.forms import forms_of
from web.portal.orders.readers import NoInChecklist

HOME = "https://cmi.example"


def read(name: str, order: Order, **fields: str) -> Any:
    """The command of a form with these fields."""
    sent = [(f"{name}.{field.replace('__', '.')}", value) for field, value in fields.items()]
    return forms_of(order.rules)[name].read(name, Form(sent), order, MONDAY)


def agreed(day: str, start: str, until: str, **more: str) -> SetAppointment:
    order, _ = lived(*GOODS_THERE)
    return read("appointment", order, day=day, **{"from": start}, until=until, **more)


@pytest.mark.parametrize("day", ["2026-10-08", "8.10.2026", "08. 10. 2026 "])
@pytest.mark.parametrize("clock", ["08:00", "8:00", "8.00", "8", "8h00", "8 Uhr", "08:00:00"])
def test_days_and_times_as_people_write_them(day: str, clock: str) -> None:
    command = agreed(day, clock, "9.30")
    assert command.start == datetime(2026, 10, 8, 6, 0, tzinfo=UTC)
    assert command.end == datetime(2026, 10, 8, 7, 30, tzinfo=UTC)


def test_an_appointment_of_several_days() -> None:
    command = agreed("2026-10-08", "08:00", "17:00", last_day="2026-10-09")
    assert command.end - command.start == timedelta(days=1, hours=9)


def test_a_time_that_summer_time_leaves_out_is_named() -> None:
    with pytest.raises(WrongForm) as wrong:
        agreed("2027-03-28", "02:30", "04:00")
    assert wrong.value.codes == {"appointment.from": "time_left_out"}
    assert agreed("2027-03-28", "03:00", "04:00").start == datetime(2027, 3, 28, 1, tzinfo=UTC)


def test_a_time_that_comes_twice_is_read_so_that_the_end_follows_the_start() -> None:
    command = agreed("2026-10-25", "02:30", "02:15")
    assert command.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert command.end == datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert agreed("2026-10-25", "01:30", "02:30").end == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        (
            {"day": "", "from": "", "until": ""},
            {"day": "day_missing", "from": "time_missing", "until": "time_missing"},
        ),
        ({"day": "2026-02-30", "from": "8", "until": "9"}, {"day": "day_wrong"}),
        ({"day": "morgen", "from": "25:00", "until": "acht"},
         {"day": "day_wrong", "from": "time_wrong", "until": "time_wrong"}),
        ({"day": "8.10.2026", "from": "8", "until": "9", "last_day": "x"}, {"last_day": "day_wrong"}),
        ({"day": "8.10.2026", "from": "8", "until": "9", "reason": "x" * 2001}, {"reason": "too_long"}),
        ({"day": "0001-01-01", "from": "00:00", "until": "9"}, {"from": "day_wrong"}),
        ({"day": "8.10.2026", "from": "٨:٠٠", "until": "9"}, {"from": "time_wrong"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field(
    fields: dict[str, str], codes: dict[str, str]
) -> None:
    order, _ = lived(*GOODS_THERE)
    with pytest.raises(WrongForm) as wrong:
        read("appointment", order, **fields)
    assert wrong.value.codes == {f"appointment.{field}": code for field, code in codes.items()}


def test_the_checklist_is_answered_whole_and_a_no_is_a_rejection() -> None:
    order, _ = lived(*ACCEPTED)
    yes = {"checklist__connections": "yes", "checklist__space": "yes"}
    with pytest.raises(WrongForm) as wrong:
        read("requirements", order, **yes)
    assert wrong.value.codes == {"requirements.checklist.passages": "item_missing"}
    with pytest.raises(NoInChecklist) as no:
        read("requirements", order, **yes, checklist__passages="no")
    assert no.value.reason == "passage_too_narrow"
    command = read(
        "requirements", order, **yes, checklist__passages="not_applicable", note=" a\r\nb\x07 "
    )
    assert isinstance(command, ConfirmRequirements)
    assert command.note == "a\nb"


def test_the_day_of_the_execution_has_to_be_given() -> None:
    order, _ = lived(*AGREED)
    assert read("execution", order, executed_on="7.10.2026") == ConfirmExecution(
        executed_on=date(2026, 10, 7)
    )
    with pytest.raises(WrongForm):
        read("execution", order, executed_on="")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("contact", "outcome"),
        ("rejection", "reason"),
        ("not-executed", "reason"),
        ("review", "decision"),
    ],
)
@pytest.mark.parametrize("value", ["", "made up"])
def test_one_of_the_choices_has_to_be_made(name: str, field: str, value: str) -> None:
    order, _ = lived(*AGREED)
    with pytest.raises(WrongForm) as wrong:
        read(name, order, **{field: value})
    assert wrong.value.codes == {f"{name}.{field}": "choose"}


@pytest.mark.parametrize(
    ("phone", "link"),
    [
        ("+41 44 555 01 02", "tel:+41445550102"),
        ("+41 (0)44 555 01 02", "tel:+41445550102"),
        ("044 555 01 02 (abends)", "tel:0445550102"),
        ("keines", None),
    ],
)
def test_the_customers_number_can_be_dialled(phone: str, link: str | None) -> None:
    order, _ = lived(phone=phone)
    assert contact_links(order.intake.placement.customer).phone == link


def test_the_map_is_asked_for_the_whole_address() -> None:
    order, _ = lived(street="Rue de l'Église 1&2", city="Genève")
    assert contact_links(order.intake.placement.customer).map.endswith(
        "?query=Rue%20de%20l%27%C3%89glise%201%262%2C%208004%20Gen%C3%A8ve"
    )


# --- the file for calendars ----------------------------------------------------------------------------------------

HOSTILE = "Läuten; bitte, 2×\\n\nEND:VEVENT\r\nBEGIN:VALARM " + "ü" * 200


def test_the_appointment_as_a_calendar_reads_it() -> None:
    order, _ = lived(*AGREED, note=HOSTILE, name="Müller; Rosa, \u202ek")
    made = appointment_ics(order, MONDAY, HOME)
    assert made is not None
    lines = made.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) <= 75 and b"\n" not in line for line in lines)
    event = only_event(made)
    assert order.appointment is not None
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (
        order.appointment.start,
        order.appointment.end,
    )
    assert event["UID"] == f"{order.sp_id}@cmi.example"
    assert event["LOCATION"] == "Langstrasse 12, 8004 Zürich"
    assert "Müller; Rosa" in event["SUMMARY"]
    assert HOSTILE.replace("\r\n", "\n") in event["DESCRIPTION"]


def test_a_moved_appointment_moves_in_the_calendar() -> None:
    order, _ = lived(*AGREED)
    moved, _ = lived(*AGREED, appointment(72, "Kundschaft krank"))
    before, after = (only_event(appointment_ics(o, MONDAY, HOME) or b"") for o in (order, moved))
    assert before["UID"] == after["UID"]
    assert before["SEQUENCE"] < after["SEQUENCE"]
    assert after["DTSTART"].dt - before["DTSTART"].dt == timedelta(hours=24)


def test_without_an_appointment_there_is_no_file() -> None:
    order, _ = lived(*GOODS_THERE)
    assert appointment_ics(order, MONDAY, HOME) is None


def only_event(made: bytes) -> icalendar.Event:
    """The one event of a file."""
    calendar = icalendar.Calendar.from_ical(made)
    assert not calendar.errors
    (event,) = calendar.events
    assert [part.name for part in calendar.walk()] == ["VCALENDAR", "VEVENT"]
    return event
