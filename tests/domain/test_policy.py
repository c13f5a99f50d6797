"""The policy file: what it accepts, what it refuses and how, and that it survives being pinned."""

from datetime import time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.holiday_entries import HolidayEntry, parse_holiday
from domain.policy import (
    CANTONS,
    DeadlinePolicy,
    OfficePolicy,
    Policy,
    Span,
    TransmissionPolicy,
)
from domain.policy_file import PolicyError, load_policy

API_EXAMPLE = """
[transmission]
hold = "30 minutes"
alarm = "45 minutes"
[deadlines]
accept = "1 working day"
check_requirements = "1 working day"
contact_customer = "2 working days"
set_appointment = "1 working day"
confirm_execution = "1 working day"
review = "2 working days"
goods = "10 working days"
delivery = "5 working days"
assign = "1 working day"
[escalation]
remind_before = "4 hours"
repeat_every = "1 working day"
repeats = 3
office_hours_only = true
[office]
timezone = "Europe/Zurich"
opens = "08:00"
closes = "18:00"
[holidays]
[settlement]
select_within = "3 working days"
invoice_within = "10 working days"
[appointment]
farthest = "60 days"
earliest = "07:00"
latest = "20:00"
[requirements]
attempts = 3
attempt_days = 2
[calendar]
saturday_is_working_day = false
[billing]
undo = "1 hour"
[messages]
answer = "1 working day"
[customer_mails]
caller = false
appointment = false
moved = false
day_before = false
cancelled = false
link = false
[protocol]
required = []
for_customer = false
[protocol.checklists]
"""

spans = st.one_of(
    st.builds(Span, working_days=st.integers(1, 260)),
    st.builds(
        lambda count, unit: Span(duration=min(count * unit, timedelta(days=400))),
        st.integers(0, 400),
        st.sampled_from([timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)]),
    ),
    st.builds(lambda s: Span(duration=timedelta(seconds=s)), st.integers(0, 400 * 86400)),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 working day", Span(working_days=1)),
        ("2 working days", Span(working_days=2)),
        ("1 working days", Span(working_days=1)),
        ("260 working days", Span(working_days=260)),
        ("45 minutes", Span(duration=timedelta(minutes=45))),
        ("45 minute", Span(duration=timedelta(minutes=45))),
        ("5 seconds", Span(duration=timedelta(seconds=5))),
        ("3 hours", Span(duration=timedelta(hours=3))),
        ("2 days", Span(duration=timedelta(days=2))),
        ("400 days", Span(duration=timedelta(days=400))),
        ("0 seconds", Span(duration=timedelta())),
        ("  1  Working Day ", Span(working_days=1)),
    ],
)
def test_span_reads(text: str, expected: Span) -> None:
    assert Span.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "working day",
        "one hour",
        "-1 days",
        "+1 days",
        "1.5 hours",
        "1 week",
        "1 working hour",
        "1 hour 5 minutes",
        "0 working days",
        "261 working days",
        "401 days",
        "34560001 seconds",
        "9999999999999 days",
        "\N{ARABIC-INDIC DIGIT ONE} day",
        "1 \N{LATIN SMALL LETTER LONG S}econd",
    ],
)
def test_span_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        Span.parse(text)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"working_days": 1, "duration": timedelta(1)},
        {"working_days": -1},
        {"duration": timedelta(seconds=-1)},
        {"duration": timedelta(microseconds=1)},
    ],
)
def test_span_is_exactly_one_sensible_kind(fields: dict) -> None:
    with pytest.raises(ValueError, match=r"^expected "):
        Span(**fields)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1 working days", "1 working day"),
        ("60 minutes", "1 hour"),
        ("48 hours", "2 days"),
        ("90 seconds", "90 seconds"),
        ("0 days", "0 seconds"),
    ],
)
def test_span_is_written_in_the_largest_unit_that_fits(text: str, written: str) -> None:
    assert str(Span.parse(text)) == written


@given(spans)
def test_span_round_trips(span: Span) -> None:
    adapter = TypeAdapter(Span)
    assert Span.parse(str(span)) == span
    assert adapter.dump_json(span) == f'"{span}"'.encode()
    assert adapter.validate_json(adapter.dump_json(span)) == span


def test_an_empty_file_and_the_one_of_the_contract_are_the_standard_policy() -> None:
    assert load_policy("") == load_policy(API_EXAMPLE) == Policy()


def test_standard_values_are_those_of_the_contract() -> None:
    policy = Policy()
    assert policy.transmission.hold.duration == timedelta(minutes=30)
    assert policy.transmission.alarm.duration == timedelta(minutes=45)
    assert {kind: span and span.working_days for kind, span in policy.deadlines} == {
        "accept": 1,
        "check_requirements": 1,
        "contact_customer": 2,
        "set_appointment": 1,
        "confirm_execution": 1,
        "review": 2,
        "goods": 10,
        "delivery": 5,
        "assign": 1,
    }
    assert str(policy.appointment.farthest) == "60 days"
    assert (policy.appointment.earliest, policy.appointment.latest) == (time(7), time(20))
    assert (policy.requirements.attempts, policy.requirements.attempt_days) == (3, 2)
    assert policy.calendar.saturday_is_working_day is False
    assert str(policy.billing.undo) == "1 hour"
    assert not policy.customer_mails.any
    assert policy.protocol.required == ()
    assert (policy.office.opens, policy.office.closes) == (time(8), time(18))


def test_accept_none_drops_the_step_and_stays_dropped() -> None:
    policy = load_policy('[deadlines]\naccept = "none"')
    assert policy.deadlines.accept is None
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


@pytest.mark.parametrize("kind", sorted(DeadlinePolicy.model_fields))
def test_any_deadline_may_be_none_and_stays_so(kind: str) -> None:
    policy = load_policy(f'[deadlines]\n{kind} = "none"')
    assert [name for name, span in policy.deadlines if span is None] == [kind]
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_the_alarm_and_the_invoice_may_have_no_deadline() -> None:
    policy = load_policy('[transmission]\nalarm = "None"\n[settlement]\ninvoice_within = "none"')
    assert (policy.transmission.alarm, policy.settlement.invoice_within) == (None, None)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_a_policy_that_adopts_the_second_rules_takes_their_keys_and_no_other() -> None:
    everything = """
        [deadlines]
        accept = "9 working days"
        delivery = "none"
        assign = "3 hours"
        [escalation]
        repeats = 9
        [settlement]
        invoice_within = "none"
        [appointment]
        farthest = "30 days"
        earliest = "06:00"
        latest = "22:00"
        [requirements]
        attempts = 4
        attempt_days = 3
        [calendar]
        saturday_is_working_day = true
        [billing]
        undo = "2 hours"
        [customer_mails]
        caller = true
        [protocol]
        required = ["install-hob"]
        """
    today = load_policy(everything)
    pinned = load_policy('[deadlines]\naccept = "2 working days"')
    taken = pinned.with_later_keys(today, 1)
    assert (taken.deadlines.delivery, str(taken.deadlines.assign)) == (None, "3 hours")
    for section in (
        "appointment",
        "requirements",
        "calendar",
        "billing",
        "customer_mails",
        "protocol",
    ):
        assert getattr(taken, section) == getattr(today, section) != getattr(Policy(), section)
    assert str(taken.deadlines.accept) == "2 working days"
    for section in ("transmission", "escalation", "office", "holidays", "settlement"):
        assert getattr(taken, section) == getattr(pinned, section)
    assert pinned.with_later_keys(today, 2) == pinned, "one under the second rules has its own"


def test_a_policy_that_was_pinned_before_the_second_rules_has_their_standard_values() -> None:
    stored = Policy().model_dump(mode="json")
    for section in (
        "appointment",
        "requirements",
        "calendar",
        "billing",
        "customer_mails",
        "protocol",
    ):
        del stored[section]
    del stored["deadlines"]["delivery"], stored["deadlines"]["assign"]
    assert Policy.model_validate(stored) == Policy()


def test_a_file_sets_what_it_names_and_nothing_else() -> None:
    policy = load_policy(
        """
        [transmission]
        hold = "2 seconds"
        [escalation]
        remind_before = "1 working day"
        repeats = 0
        [office]
        closes = "17:30"
        [holidays]
        ZH = ["01-02", "2027-04-19", "-05-01"]
        """
    )
    assert policy.transmission.hold == Span(duration=timedelta(seconds=2))
    assert policy.escalation.remind_before == Span(working_days=1)
    assert policy.escalation.repeats == 0
    assert policy.office == OfficePolicy(closes=time(17, 30))
    assert policy.holidays == {"ZH": ("01-02", "2027-04-19", "-05-01")}
    assert policy.deadlines == Policy().deadlines


times = st.times().map(lambda value: value.replace(second=0, microsecond=0))


@given(
    st.tuples(spans, spans, st.none() | spans),
    st.lists(times, min_size=2, max_size=2, unique=True).map(sorted),
    st.dictionaries(
        st.sampled_from(CANTONS),
        st.lists(st.sampled_from(["01-02", "2027-04-19", "-05-01", "02-29"])),
    ),
)
def test_policy_round_trips(
    chosen: tuple[Span, Span, Span | None], office: list[time], holidays: dict
) -> None:
    goods, remind, accept = chosen
    policy = Policy.model_validate(
        {
            "deadlines": {"goods": goods, "accept": accept},
            "escalation": {"remind_before": remind},
            "office": {"opens": office[0], "closes": office[1]},
            "holidays": holidays,
        }
    )
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert Policy.model_validate(policy.model_dump()) == policy


def test_the_pinned_policy_names_every_value_compactly() -> None:
    text = Policy().model_dump_json()
    assert '"hold":"30 minutes"' in text
    assert '"opens":"08:00"' in text
    assert '"saturday_is_working_day":false' in text
    assert len(text) < 1100


def test_a_pinned_policy_outlives_the_time_zone_database() -> None:
    text = Policy().model_dump_json().replace("Europe/Zurich", "Europe/Renamed")
    assert Policy.model_validate_json(text).office.timezone == "Europe/Renamed"


SPAN = 'expected "N working days" or "N seconds|minutes|hours|days", such as "45 minutes"'
ENTRY = 'expected "MM-DD" or "YYYY-MM-DD", with "-" before it to strike the day'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[deadline]\naccept = "1 day"',
            "deadline: found an unknown section, expected one of transmission, deadlines,"
            " escalation, office, holidays, settlement, appointment, requirements, calendar, billing,"
            " messages, customer_mails, protocol",
        ),
        (
            '[transmission]\nholds = "1 day"',
            "transmission.holds: found an unknown key, expected one of hold, alarm",
        ),
        ("deadlines = 3", "deadlines: found 3, expected the table [deadlines]"),
        ('[deadlines]\nreview = "2 weeks"', f'deadlines.review: found "2 weeks", {SPAN}'),
        ("[deadlines]\nreview = 2", f"deadlines.review: found 2, {SPAN}"),
        ('[deadlines]\nreview = "never"', f'deadlines.review: found "never", {SPAN}'),
        ('[transmission]\nhold = "none"', f'transmission.hold: found "none", {SPAN}'),
        (
            '[settlement]\nselect_within = "none"',
            f'settlement.select_within: found "none", {SPAN}',
        ),
        (
            '[calendar]\nsaturday_is_working_day = "yes"',
            'calendar.saturday_is_working_day: found "yes", expected true or false',
        ),
        (
            "[requirements]\nattempts = 21",
            "requirements.attempts: found 21, expected a whole number from 0 to 20",
        ),
        (
            "[requirements]\nattempt_days = -1",
            "requirements.attempt_days: found -1, expected a whole number from 0 to 20",
        ),
        (
            '[appointment]\nlatest = "07:00"',
            'appointment.latest: found "07:00",'
            ' expected later than appointment.earliest, which is "07:00"',
        ),
        (
            '[appointment]\nearliest = "20:30"',
            'appointment.latest: found "20:00",'
            ' expected later than appointment.earliest, which is "20:30"',
        ),
        (
            '[customer_mails]\nmoved = "yes"',
            'customer_mails.moved: found "yes", expected true or false',
        ),
        (
            '[protocol]\nrequired = "install-hob"',
            'protocol.required: found "install-hob", expected a list of codes of services, or ["*"]',
        ),
        (
            "[protocol.checklists]\ninstall-hob = []",
            "protocol.checklists.install-hob: found [], expected a list of 1 to 20 texts for each code of a service",
        ),
        (
            '[billing]\nundo = "soon"',
            f'billing.undo: found "soon", {SPAN}',
        ),
        (
            '[deadlines]\naccept = "0 working days"',
            'deadlines.accept: found "0 working days", expected 1 to 260 working days',
        ),
        (
            '[settlement]\nselect_within = "401 days"',
            'settlement.select_within: found "401 days",'
            " expected whole seconds, from 0 seconds to 400 days",
        ),
        (
            '[transmission]\nhold = "2 hours"',
            'transmission.alarm: found "45 minutes",'
            ' expected no less than transmission.hold, which is "2 hours"',
        ),
        (
            "[escalation]\nrepeats = 21",
            "escalation.repeats: found 21, expected a whole number from 0 to 20",
        ),
        (
            "[escalation]\nrepeats = true",
            "escalation.repeats: found true, expected a whole number from 0 to 20",
        ),
        (
            '[escalation]\noffice_hours_only = "yes"',
            'escalation.office_hours_only: found "yes", expected true or false',
        ),
        (
            '[office]\ntimezone = "Europe/Zurch"',
            'office.timezone: found "Europe/Zurch",'
            ' expected an IANA time zone, such as "Europe/Zurich"',
        ),
        (
            '[office]\ntimezone = "../../etc/passwd"',
            'office.timezone: found "../../etc/passwd",'
            ' expected an IANA time zone, such as "Europe/Zurich"',
        ),
        (
            '[office]\ncloses = "24:00"',
            'office.closes: found "24:00", expected a time of day, "HH:MM"',
        ),
        (
            '[office]\nopens = "18:00"',
            'office.closes: found "18:00", expected later than office.opens, which is "18:00"',
        ),
        (
            '[holidays]\nZZ = ["01-02"]',
            f'holidays.ZZ: found "ZZ", expected a canton: {", ".join(CANTONS)}',
        ),
        (
            '[holidays]\nZH = ["01-02", "02-30"]',
            'holidays.ZH[1]: found "02-30", expected a day that exists',
        ),
        (
            '[holidays]\nZH = ["2027-02-29"]',
            'holidays.ZH[0]: found "2027-02-29", expected a day that exists',
        ),
        ('[holidays]\nZH = ["1-2"]', f'holidays.ZH[0]: found "1-2", {ENTRY}'),
        ("[holidays]\nZH = [2027-04-19]", f"holidays.ZH[0]: found 2027-04-19, {ENTRY}"),
        (
            '[holidays]\nZH = "01-02"',
            'holidays.ZH: found "01-02", expected a list of days for each canton in [holidays],'
            ' such as ZH = ["01-02"]',
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(text)
    assert str(caught.value) == message


def test_text_that_is_not_toml_is_a_policy_error() -> None:
    with pytest.raises(PolicyError, match=r"^policy: expected TOML: .*line 1"):
        load_policy("[transmission\n")


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("a\x00b\n\x1b[31m\u2028c")
@example("x" * 500)
def test_a_mistake_is_one_printable_line_whatever_the_text(value: str) -> None:
    quoted = "".join(f"\\U{ord(c):08x}" for c in value)
    with pytest.raises(PolicyError) as caught:
        load_policy(f'[deadlines]\ngoods = "?{quoted}"')
    assert str(caught.value).startswith('deadlines.goods: found "')
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_hold_in_working_days_is_not_compared_with_a_plain_alarm() -> None:
    kept = TransmissionPolicy(hold=Span(working_days=1))
    assert kept.alarm == Span(duration=timedelta(minutes=45))


def test_equal_hold_and_alarm_are_allowed() -> None:
    same = Span(duration=timedelta(minutes=45))
    assert TransmissionPolicy(hold=same).alarm == same


@pytest.mark.parametrize("clock", [time(8, 0, 1), "8:00", 800])
def test_office_times_are_whole_minutes(clock: object) -> None:
    with pytest.raises(ValidationError):
        OfficePolicy.model_validate({"opens": clock})


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("01-02", HolidayEntry(strike=False, year=None, month=1, day=2)),
        ("-05-01", HolidayEntry(strike=True, year=None, month=5, day=1)),
        ("2027-04-19", HolidayEntry(strike=False, year=2027, month=4, day=19)),
        ("-2027-05-06", HolidayEntry(strike=True, year=2027, month=5, day=6)),
        ("02-29", HolidayEntry(strike=False, year=None, month=2, day=29)),
    ],
)
def test_holiday_entries(text: str, entry: HolidayEntry) -> None:
    assert parse_holiday(text) == entry
