"""Deadlines by the calendar: known dates, reminders and escalations, and how each one ends (docs/rules.md)."""

from datetime import date, datetime, timedelta

import pytest

from domain.actors import SYSTEM
from domain.cantons import pin_calendar
from domain.orders.commands import (
    Accept,
    Cancel,
    Command,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    LogContact,
    PaymentReceived,
    RejectRequirements,
    ReportNotExecuted,
)
from domain.orders.deadline_events import Escalated
from domain.orders.deadlines import next_due, next_instant
from domain.orders.explanation import explain
from domain.orders.internal import ConfirmTransmission, PassTime, RenewCalendar
from domain.orders.lifecycle import handle
from domain.orders.order import Status
from domain.orders.placement import Assignee
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import (
    HUBER,
    MEIER,
    MET,
    ROSSI,
    STANDARD,
    Life,
    appointment,
    at,
    intake,
    reached,
    reassign,
    shown,
)
from tests.support.builders import ACCEPTED, lived

GENEVA = Assignee(partner_id="leman-pose", name="Léman Pose SA", canton="GE", language="fr")
QUIET = "[escalation]\nrepeats = 0"
CANTONS = {"ZH": HUBER, "TI": ROSSI, "LU": MEIER, "GE": GENEVA}


def sent(when: str, canton: str = "ZH", policy_text: str = "") -> Life:
    """An order that the partner has been sent at that instant."""
    life = Life(intake(policy_text, assignee=CANTONS[canton]), at(when) - timedelta(minutes=31))
    life.do(PassTime(), at(when) - timedelta(minutes=1))
    life.do(ConfirmTransmission(), when)
    return life


def story(life: Life, until: str, kind: str) -> list[str]:
    """What time alone brings to a deadline of this kind."""
    told = []
    for when, event in life.let_pass(until):
        if getattr(event, "kind", None) == kind:
            level = f" {event.level}" if isinstance(event, Escalated) else ""
            told.append(f"{when} {event.type}{level}")
    return told


# --- when each is due --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("canton", "when", "accept", "contact"),
    [
        # an ordinary week, the weekend, the end of the day
        ("ZH", "2026-11-27 16:12", "2026-11-30 18:00", "2026-12-01 18:00"),
        ("ZH", "2026-11-24 09:00", "2026-11-25 18:00", "2026-11-26 18:00"),
        ("ZH", "2026-11-24 19:30", "2026-11-25 18:00", "2026-11-26 18:00"),
        ("ZH", "2026-11-26 23:59", "2026-11-27 18:00", "2026-11-30 18:00"),
        ("ZH", "2026-11-27 00:00", "2026-11-30 18:00", "2026-12-01 18:00"),
        ("ZH", "2026-11-28 10:00", "2026-11-30 18:00", "2026-12-01 18:00"),
        ("ZH", "2026-11-29 23:59", "2026-11-30 18:00", "2026-12-01 18:00"),
        # Christmas and New Year
        ("ZH", "2026-12-23 16:00", "2026-12-24 18:00", "2026-12-28 18:00"),
        ("ZH", "2026-12-24 16:00", "2026-12-28 18:00", "2026-12-29 18:00"),
        ("ZH", "2026-12-25 11:00", "2026-12-28 18:00", "2026-12-29 18:00"),
        ("LU", "2026-12-31 16:12", "2027-01-04 18:00", "2027-01-05 18:00"),
        ("ZH", "2026-12-30 16:12", "2026-12-31 18:00", "2027-01-04 18:00"),
        ("GE", "2026-12-30 16:12", "2027-01-04 18:00", "2027-01-05 18:00"),
        # Epiphany in Ticino alone
        ("TI", "2027-01-05 10:00", "2027-01-07 18:00", "2027-01-08 18:00"),
        ("ZH", "2027-01-05 10:00", "2027-01-06 18:00", "2027-01-07 18:00"),
        # Corpus Christi
        ("LU", "2027-05-26 10:00", "2027-05-28 18:00", "2027-05-31 18:00"),
        ("ZH", "2027-05-26 10:00", "2027-05-27 18:00", "2027-05-28 18:00"),
        # the end and the beginning of summer time, the latter at Easter
        ("ZH", "2026-10-23 16:00", "2026-10-26 18:00", "2026-10-27 18:00"),
        ("ZH", "2026-10-24 23:30", "2026-10-26 18:00", "2026-10-27 18:00"),
        ("ZH", "2026-10-25 02:30", "2026-10-26 18:00", "2026-10-27 18:00"),
        ("ZH", "2027-03-25 16:00", "2027-03-30 18:00", "2027-03-31 18:00"),
        ("ZH", "2027-03-28 03:10", "2027-03-30 18:00", "2027-03-31 18:00"),
    ],
)
def test_an_order_that_was_sent(canton: str, when: str, accept: str, contact: str) -> None:
    life = sent(when, canton)
    assert life.due("accept") == accept
    assert life.due("contact_customer") == contact
    for kind in ("accept", "contact_customer"):
        deadline = life.deadline(kind)
        assert deadline is not None
        assert deadline.started == at(when)
    assert next_due(life.order) == at(accept)
    # Accepted at once, the requirements take the same working day.
    life.do(Accept(), when)
    assert life.due("check_requirements") == accept
    assert life.due("contact_customer") == contact


def test_summer_time_moves_the_instant_and_not_the_hour() -> None:
    winter, summer = sent("2026-10-26 16:00"), sent("2026-10-22 16:00")
    assert next_due(winter.order).isoformat() == "2026-10-27T17:00:00+00:00"
    assert next_due(summer.order).isoformat() == "2026-10-23T16:00:00+00:00"


def test_the_appointments_deadline_runs_from_the_receipt_and_not_from_the_shipping() -> None:
    life = reached(Status.REQUIREMENTS_MET)
    life.do(GoodsShipped(tracking="T-1"), "2026-11-05 09:00")
    assert life.order.open_deadlines == ()
    life.do(GoodsReceived(), "2026-11-10 20:00")
    assert life.due("set_appointment") == "2026-11-11 18:00"
    life.do(GoodsShipped(tracking="T-2"), "2026-11-11 09:00")
    life.do(GoodsReceived(), "2026-11-11 10:00")
    assert life.due("set_appointment") == "2026-11-11 18:00"


@pytest.mark.parametrize(
    ("received", "reported", "due"),
    [
        ("2026-11-10 15:00", "2026-11-10 15:00", "2026-11-11 18:00"),
        ("2026-11-10 15:00", "2026-11-11 09:00", "2026-11-11 18:00"),
        # told so late that it would be over: the partner does not pay for it
        ("2026-11-10 15:00", "2026-11-11 18:00", "2026-11-12 18:00"),
        ("2026-11-06 15:00", "2026-11-12 09:00", "2026-11-13 18:00"),
        # a clock that is ahead
        ("2026-11-20 15:00", "2026-11-12 09:00", "2026-11-13 18:00"),
    ],
)
def test_a_receipt_that_is_told_later(received: str, reported: str, due: str) -> None:
    life = reached(Status.SET_APPOINTMENT, received=False)
    life.do(GoodsReceived(received_at=at(received)), reported)
    assert life.due("set_appointment") == due


def test_an_appointment_that_stands_needs_no_deadline() -> None:
    life = reached(Status.SET_APPOINTMENT, received=False)
    life.do(appointment(), "2026-11-07 09:00")
    life.do(GoodsReceived(), "2026-11-09 09:00")
    assert life.deadline("set_appointment") is None
    assert life.outcomes("set_appointment") == []


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-12 09:00", 2, "2026-11-13 18:00"),
        ("2026-11-12 22:00", 4, "2026-11-16 18:00"),  # ends after midnight, on a Friday
        ("2026-11-14 09:00", 2, "2026-11-16 18:00"),
        ("2026-12-24 14:00", 2, "2026-12-28 18:00"),
    ],
)
def test_execution_is_confirmed_after_the_end_of_the_appointment(
    start: str, hours: int, due: str
) -> None:
    life = reached(Status.SET_APPOINTMENT)
    life.do(appointment(start, hours), "2026-11-09 12:00")
    assert life.due("confirm_execution") == due


def test_the_deadlines_of_operations() -> None:
    life = reached(Status.REQUIREMENTS_MET)  # Wednesday, 4 November
    assert life.due("goods") == "2026-11-18 18:00"
    life = reached(Status.UNDER_REVIEW)  # Thursday, 12 November
    assert life.due("review") == "2026-11-16 18:00"


def test_the_review_decides_for_a_new_date() -> None:
    life = reached(Status.UNDER_REVIEW)
    life.do(DecideReview(decision="new_appointment"), "2026-11-13 15:00")
    assert life.due("set_appointment") == "2026-11-16 18:00"
    assert life.outcomes("review") == ["met"]


def test_goods_that_arrive_after_the_decision_leave_its_deadline() -> None:
    life = reached(Status.SET_APPOINTMENT, received=False)
    life.do(appointment(), "2026-11-06 12:00")
    life.do(ReportNotExecuted(reason="customer_absent"), "2026-11-12 12:00")
    life.do(DecideReview(decision="new_appointment"), "2026-11-13 15:00")
    life.do(GoodsReceived(), "2026-11-16 09:00")
    assert life.due("set_appointment") == "2026-11-16 18:00"


def test_the_hold_and_the_alarm_run_from_the_order() -> None:
    life = Life(intake(), at("2026-11-27 23:50"))
    assert next_instant(life.order) == at("2026-11-28 00:20")
    assert life.due("transmit") == "2026-11-28 00:35"


def test_the_hold_and_the_alarm_of_a_prepaid_order_run_from_the_payment() -> None:
    life = Life(intake(prepaid=True), at("2026-11-02 10:00"))
    assert life.order.open_deadlines == ()
    life.do(PaymentReceived(), "2027-02-01 09:00")
    assert next_instant(life.order) == at("2027-02-01 09:30")
    assert life.due("transmit") == "2027-02-01 09:45"


def test_without_the_accept_step_the_requirements_run_from_transmission() -> None:
    life = sent("2026-11-27 16:12", policy_text='[deadlines]\naccept = "none"')
    assert life.due("check_requirements") == "2026-11-30 18:00"
    assert life.deadline("accept") is None
    assert life.due("contact_customer") == "2026-12-01 18:00"


def test_a_new_partner_has_deadlines_of_its_own() -> None:
    life = sent("2027-01-04 10:00")
    life.do(Accept(), "2027-01-04 11:00")
    life.do(LogContact(outcome="reached"), "2027-01-04 12:00")
    life.do(reassign(ROSSI), "2027-01-05 10:00")
    assert life.outcomes("contact_customer") == ["met", None]
    assert life.outcomes("accept") == ["met", None]
    assert life.outcomes("check_requirements") == ["void"]
    assert life.due("accept") == "2027-01-07 18:00"  # Epiphany in Ticino
    assert life.due("contact_customer") == "2027-01-08 18:00"
    assert [d.partner_id for d in life.order.open_deadlines] == ["rossi-sagl"] * 2


def test_a_new_partner_in_the_same_second_has_deadlines_of_its_own() -> None:
    life = sent("2027-01-04 10:00")
    life.do(reassign(ROSSI))
    assert [d.partner_id for d in life.order.open_deadlines] == ["rossi-sagl"] * 2
    assert life.outcomes("accept") == ["void", None]


def test_a_renewed_calendar_leaves_the_deadlines_that_run() -> None:
    life = sent("2026-12-24 16:00")
    before = life.order.deadlines
    life.do(RenewCalendar(calendar=pin_calendar("ZH", STANDARD, date(2028, 1, 1))))
    assert life.order.deadlines == before


# --- explained ---------------------------------------------------------------------------------------------------


def test_a_deadline_is_explained() -> None:
    life = sent("2026-12-31 16:12", "LU")
    deadline = life.deadline("accept")
    assert deadline is not None
    why = explain(life.order, deadline)
    assert why.due.isoformat() == "2027-01-04T18:00:00"
    assert why.started.isoformat() == "2026-12-31T16:12:00"
    assert (why.kind, str(why.span), why.canton) == ("accept", "1 working day", "LU")
    assert [(s.kind, s.day) for s in why.skipped] == [
        ("holiday", date(2027, 1, 1)),
        ("weekend", date(2027, 1, 2)),
    ]
    assert why.skipped[0].names["en"] == "New Year's Day"


def test_a_plain_duration_skips_nothing() -> None:
    life = Life(intake(), at("2026-11-27 23:50"))
    deadline = life.deadline("transmit")
    assert deadline is not None
    why = explain(life.order, deadline)
    assert (str(why.span), why.skipped) == ("45 minutes", ())


# --- reminded, missed, escalated ---------------------------------------------------------------------------------


def test_a_reminder_then_the_deadline_and_three_times_each_working_day() -> None:
    life = sent("2026-11-27 16:12")
    assert story(life, "2027-01-31 00:00", "accept") == [
        "2026-11-30 14:00 reminder",
        "2026-11-30 18:00 deadline_missed",
        "2026-11-30 18:00 escalation 1",
        "2026-12-01 18:00 escalation 2",
        "2026-12-02 18:00 escalation 3",
        "2026-12-03 18:00 escalation 4",
    ]
    assert next_instant(life.order) is None
    life.do(Accept(), "2027-02-01 09:00")
    assert life.order.status is Status.CHECK_REQUIREMENTS
    assert life.outcomes("accept") == ["missed"]


def test_the_repetitions_rest_on_holidays() -> None:
    life = sent("2026-12-22 10:00")
    assert story(life, "2027-01-31 00:00", "accept")[2:] == [
        "2026-12-23 18:00 escalation 1",
        "2026-12-24 18:00 escalation 2",
        "2026-12-28 18:00 escalation 3",
        "2026-12-29 18:00 escalation 4",
    ]


def test_operations_are_not_reminded() -> None:
    life = reached(Status.UNDER_REVIEW)
    assert story(life, "2026-12-31 00:00", "review") == [
        "2026-11-16 18:00 deadline_missed",
        "2026-11-16 18:00 escalation 1",
        "2026-11-17 18:00 escalation 2",
        "2026-11-18 18:00 escalation 3",
        "2026-11-19 18:00 escalation 4",
    ]


def test_the_alarm_for_a_failed_transmission_does_not_wait_for_the_morning() -> None:
    life = Life(intake(), at("2026-11-27 23:50"))
    assert story(life, "2026-12-31 00:00", "transmit") == [
        "2026-11-28 00:35 deadline_missed",
        "2026-11-28 00:35 escalation 1",
        "2026-11-30 18:00 escalation 2",
        "2026-12-01 18:00 escalation 3",
        "2026-12-02 18:00 escalation 4",
    ]
    life.do(ConfirmTransmission())
    assert life.order.status is Status.NEW
    assert life.outcomes("transmit") == ["missed"]


def test_but_its_repetitions_do() -> None:
    text = '[escalation]\nrepeat_every = "2 hours"\nrepeats = 1'
    life = Life(intake(text), at("2026-11-27 23:50"))
    assert story(life, "2026-12-31 00:00", "transmit")[1:] == [
        "2026-11-28 00:35 escalation 1",
        "2026-11-30 08:00 escalation 2",
    ]


@pytest.mark.parametrize(
    ("when", "span", "expected"),
    [
        # ends at night: missed at once, written about in the morning
        (
            "2026-11-23 20:00",
            "6 hours",
            ["2026-11-24 02:00 deadline_missed", "2026-11-24 08:00 escalation 1"],
        ),
        (
            "2026-11-27 20:00",
            "14 hours",
            ["2026-11-28 10:00 deadline_missed", "2026-11-30 08:00 escalation 1"],
        ),
        # the reminder moves into office hours if there is room for it before the deadline
        (
            "2026-11-23 22:00",
            "11 hours",
            [
                "2026-11-24 08:00 reminder",
                "2026-11-24 09:00 deadline_missed",
                "2026-11-24 09:00 escalation 1",
            ],
        ),
        (
            "2026-11-23 22:00",
            "10 hours",
            ["2026-11-24 08:00 deadline_missed", "2026-11-24 08:00 escalation 1"],
        ),
        # too short to remind of
        (
            "2026-11-23 12:00",
            "4 hours",
            ["2026-11-23 16:00 deadline_missed", "2026-11-23 16:00 escalation 1"],
        ),
    ],
)
def test_mail_goes_out_in_office_hours(when: str, span: str, expected: list[str]) -> None:
    life = sent(when, policy_text=f'[deadlines]\naccept = "{span}"\n{QUIET}')
    assert story(life, "2026-12-31 00:00", "accept") == expected


def test_or_at_any_hour_if_the_policy_says_so() -> None:
    text = f'[deadlines]\naccept = "6 hours"\n{QUIET}\noffice_hours_only = false'
    assert story(sent("2026-11-23 20:00", policy_text=text), "2026-12-31 00:00", "accept") == [
        "2026-11-23 22:00 reminder",
        "2026-11-24 02:00 deadline_missed",
        "2026-11-24 02:00 escalation 1",
    ]


def test_repetitions_that_start_in_the_morning_go_on_at_closing_time() -> None:
    life = sent("2026-11-23 20:00", policy_text='[deadlines]\naccept = "6 hours"')
    assert story(life, "2026-12-31 00:00", "accept")[1:] == [
        "2026-11-24 08:00 escalation 1",
        "2026-11-25 18:00 escalation 2",
        "2026-11-26 18:00 escalation 3",
        "2026-11-27 18:00 escalation 4",
    ]


def test_what_came_due_while_nobody_was_there_is_said_once() -> None:
    life = sent("2026-11-27 16:12")
    events = life.do(PassTime(), "2026-12-02 20:00")
    about = [e for e in events if getattr(e, "kind", "") == "accept"]
    assert [e.type for e in about] == ["deadline_missed", "escalation"]
    assert about[-1].level == 3
    assert life.do(PassTime()) == []
    assert story(life, "2026-12-31 00:00", "accept") == ["2026-12-03 18:00 escalation 4"]


def test_no_second_before_and_not_twice() -> None:
    life = sent("2026-11-27 16:12")
    for instant, types in (
        (at("2026-11-30 14:00"), ["reminder"]),
        (at("2026-11-30 18:00"), ["deadline_missed", "escalation"]),
        (at("2026-12-01 14:00"), ["reminder"]),  # the contact's
    ):
        early = handle(life.order, PassTime(), SYSTEM, instant - timedelta(seconds=1))[1]
        assert early == ()
        assert [e.type for e in life.do(PassTime(), instant)] == types
        assert life.do(PassTime(), instant) == []


def test_nobody_is_told_of_what_was_done_in_time() -> None:
    life = sent("2026-11-27 16:12")
    life.do(Accept(), "2026-11-30 13:00")
    life.do(LogContact(outcome="not_reached"), "2026-11-30 13:10")
    assert story(life, "2026-12-31 00:00", "accept") == []


# --- how it ended ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "when", "command", "kind", "outcome"),
    [
        (Status.IN_TRANSMISSION, "2026-11-02 10:40", ConfirmTransmission(), "transmit", "met"),
        (Status.IN_TRANSMISSION, "2026-11-02 10:46", ConfirmTransmission(), "transmit", "missed"),
        (Status.IN_TRANSMISSION, "2026-11-02 10:40", Cancel(reason="x"), "transmit", "void"),
        (Status.NEW, "2026-11-03 17:59", Accept(), "accept", "met"),
        (Status.NEW, "2026-11-03 18:00", Accept(), "accept", "missed"),  # closed is closed
        (Status.NEW, "2026-11-03 18:01", Accept(), "accept", "missed"),
        (Status.NEW, "2026-11-03 17:59", Cancel(reason="x"), "accept", "void"),
        (Status.NEW, "2026-11-03 18:01", Cancel(reason="x"), "accept", "missed"),
        (Status.NEW, "2026-11-03 17:59", reassign(), "accept", "void"),
        (Status.NEW, "2026-11-03 18:01", reassign(), "accept", "missed"),
        (Status.CHECK_REQUIREMENTS, "2026-11-04 17:59", MET, "check_requirements", "met"),
        (Status.CHECK_REQUIREMENTS, "2026-11-04 18:01", MET, "check_requirements", "missed"),
        (
            Status.CHECK_REQUIREMENTS,
            "2026-11-04 17:59",
            RejectRequirements(reason="no_space"),
            "check_requirements",
            "met",
        ),
        (Status.CHECK_REQUIREMENTS, "2026-11-04 17:59", MET, "contact_customer", "met"),
        (Status.CHECK_REQUIREMENTS, "2026-11-04 18:01", MET, "contact_customer", "missed"),
        (
            Status.CHECK_REQUIREMENTS,
            "2026-11-04 17:59",
            LogContact(outcome="reached"),
            "contact_customer",
            "met",
        ),
        (
            Status.CHECK_REQUIREMENTS,
            "2026-11-04 17:59",
            LogContact(outcome="not_reached"),
            "contact_customer",
            None,
        ),
        (Status.REQUIREMENTS_MET, "2026-11-18 17:59", GoodsShipped(tracking="T"), "goods", "met"),
        (Status.REQUIREMENTS_MET, "2026-11-18 18:01", GoodsReceived(), "goods", "missed"),
        (Status.REQUIREMENTS_MET, "2026-11-18 17:59", Cancel(reason="x"), "goods", "void"),
        (Status.SET_APPOINTMENT, "2026-11-10 17:59", appointment(), "set_appointment", "met"),
        (Status.SET_APPOINTMENT, "2026-11-10 18:01", appointment(), "set_appointment", "missed"),
        (
            Status.CONFIRM_EXECUTION,
            "2026-11-13 17:59",
            ConfirmExecution(),
            "confirm_execution",
            "met",
        ),
        (
            Status.CONFIRM_EXECUTION,
            "2026-11-13 18:01",
            ConfirmExecution(),
            "confirm_execution",
            "missed",
        ),
        (
            Status.CONFIRM_EXECUTION,
            "2026-11-13 17:59",
            ReportNotExecuted(reason="wrong_goods"),
            "confirm_execution",
            "met",
        ),
        (Status.UNDER_REVIEW, "2026-11-16 17:59", DecideReview(decision="cancel"), "review", "met"),
        (
            Status.UNDER_REVIEW,
            "2026-11-16 18:01",
            DecideReview(decision="reship"),
            "review",
            "missed",
        ),
        (Status.UNDER_REVIEW, "2026-11-16 17:59", Cancel(reason="x"), "review", "void"),
    ],
)
def test_how_a_deadline_ends(
    status: Status, when: str, command: Command, kind: str, outcome: str | None
) -> None:
    life = reached(status)
    life.do(command, when)
    assert life.outcomes(kind)[:1] == [outcome]
    if outcome:
        ended = [d.ended for d in life.order.deadlines if d.kind == kind]
        assert shown(ended[0]) == when


def test_a_moved_appointment_has_a_deadline_of_its_own() -> None:
    life = reached(Status.CONFIRM_EXECUTION)
    life.do(appointment("2026-11-17 09:00", reason="ill"), "2026-11-12 08:00")
    assert life.outcomes("confirm_execution") == ["void", None]
    assert life.due("confirm_execution") == "2026-11-18 18:00"
    life.do(appointment("2026-11-25 09:00", reason="ill again"), "2026-11-18 19:00")
    assert life.outcomes("confirm_execution") == ["void", "missed", None]
    life.do(ConfirmExecution(), "2026-11-25 12:00")
    assert life.outcomes("confirm_execution") == ["void", "missed", "met"]


def test_a_moved_deadline_is_reminded_of_again() -> None:
    life = reached(Status.CONFIRM_EXECUTION)
    assert story(life, "2026-11-13 15:00", "confirm_execution") == ["2026-11-13 14:00 reminder"]
    life.do(appointment("2026-11-17 09:00", reason="ill"))
    assert story(life, "2026-11-18 15:00", "confirm_execution") == ["2026-11-18 14:00 reminder"]


def test_goods_that_were_there_first_wait_for_the_partner_from_the_requirements_on() -> None:
    """Received on Monday morning, requirements confirmed on Tuesday: due at closing time on Wednesday."""
    order, _ = lived(
        *ACCEPTED,
        GoodsReceived(),
        timedelta(days=1),
        ConfirmRequirements(
            checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
        ),
    )
    (deadline,) = order.open_deadlines
    assert (deadline.kind, order.status) == ("set_appointment", Status.SET_APPOINTMENT)
    assert order.calendar.local(deadline.due) == datetime(2026, 10, 7, 18)  # noqa: DTZ001
