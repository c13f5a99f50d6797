"""When an appointment may be, and when a service counts as executed (version 2 of the rules). Dates by hand."""

from copy import deepcopy
from datetime import date, timedelta

import pytest

from domain.errors import InvalidCommand
from domain.orders.commands import (
    Accept,
    ConfirmExecution,
    DecideReview,
    Reopen,
    ReportNotExecuted,
    ReportProblem,
    SetAppointment,
    Undo,
)
from domain.orders.errors import Refused
from domain.orders.events import AppointmentMoved, AppointmentSet, ExecutionConfirmed
from domain.orders.order import Status
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import (
    ANNA,
    MET,
    Life,
    appointment,
    at,
    intake,
    partner,
    reached,
)


def asked(start: str, end: str, **more: object) -> SetAppointment:
    return SetAppointment.model_validate({"start": at(start), "end": at(end), **more})


# `reached(SET_APPOINTMENT)` is Monday, 9 November 2026, 09:00; the goods were received then.
@pytest.mark.parametrize(
    ("start", "end", "field", "code"),
    [
        ("2026-11-09 08:59", "2026-11-09 11:00", "start", "appointment_in_past"),
        ("2026-11-08 09:00", "2026-11-08 11:00", "start", "appointment_in_past"),
        ("2027-01-08 09:01", "2027-01-08 11:00", "start", "appointment_beyond_policy"),
        ("2027-02-01 09:00", "2027-02-01 11:00", "start", "appointment_beyond_policy"),
        ("2026-11-10 06:59", "2026-11-10 09:00", "start", "appointment_unusual"),
        ("2026-11-10 18:00", "2026-11-10 20:01", "start", "appointment_unusual"),
        ("2026-11-10 20:00", "2026-11-10 20:30", "start", "appointment_unusual"),
        ("2026-11-10 23:00", "2026-11-11 08:00", "start", "appointment_unusual"),
        ("2026-11-10 18:00", "2026-11-11 02:00", "start", "appointment_unusual"),
        ("2026-11-10 18:00", "2026-11-11 00:00", "start", "appointment_unusual"),
        ("2026-11-15 10:00", "2026-11-15 12:00", "start", "appointment_unusual"),  # Sunday
        ("2026-11-14 10:00", "2026-11-16 12:00", "start", "appointment_unusual"),  # over a Sunday
        ("2026-12-25 10:00", "2026-12-25 12:00", "start", "appointment_unusual"),  # Christmas
        ("2026-11-10 10:00", "2026-11-10 10:00", "end", "end_before_start"),
        ("2026-11-10 10:00", "2026-11-17 10:01", "end", "appointment_too_long"),
    ],
)
def test_appointments_that_are_refused(start: str, end: str, field: str, code: str) -> None:
    life = reached(Status.SET_APPOINTMENT, rules=2)
    before = life.order
    with pytest.raises(InvalidCommand) as invalid:
        life.do(asked(start, end))
    assert (invalid.value.field, invalid.value.code) == (field, code)
    assert life.order is before
    if code == "appointment_unusual":
        (made,) = life.do(asked(start, end, unusual=True))
        assert made == AppointmentSet(start=at(start), end=at(end), unusual=True)
        assert life.order.appointment is not None
        assert life.order.appointment.unusual
        return
    with pytest.raises(InvalidCommand, match=code):
        life.do(asked(start, end, unusual=True))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-09 09:00", "2026-11-09 11:00"),  # now
        ("2027-01-08 09:00", "2027-01-08 11:00"),  # 60 days ahead, in winter time as today
        ("2026-11-10 07:00", "2026-11-10 09:00"),
        ("2026-11-10 18:00", "2026-11-10 20:00"),
        ("2026-11-14 10:00", "2026-11-14 12:00"),  # Saturday
        ("2026-11-12 08:00", "2026-11-13 17:00"),  # two days
        ("2027-01-06 10:00", "2027-01-06 12:00"),  # Epiphany is no holiday in Zürich
    ],
)
@pytest.mark.parametrize("unusual", [False, True])
def test_appointments_that_are_usual(start: str, end: str, unusual: bool) -> None:
    """They stay so, even if somebody said that they are not."""
    life = reached(Status.SET_APPOINTMENT, rules=2)
    (made,) = life.do(asked(start, end, unusual=unusual))
    assert made == AppointmentSet(start=at(start), end=at(end), unusual=False)


def test_sixty_days_ahead_over_the_change_of_the_clocks() -> None:
    """Sixty days of 24 hours: from Friday, 5 March 2027, 09:00, to Tuesday, 4 May, 10:00 summer time."""
    life = Life(intake(rules=2), at("2027-02-25 09:00"))
    for command, when in (
        (Accept(), "2027-02-26 09:00"),
        (MET, "2027-02-26 10:00"),
        (GoodsReceived(), "2027-03-05 09:00"),
    ):
        life.do(command, when)
    with pytest.raises(InvalidCommand, match="appointment_beyond_policy"):
        life.do(asked("2027-05-04 10:01", "2027-05-04 11:00"))
    life.do(asked("2027-05-04 10:00", "2027-05-04 11:00"))


def test_the_holidays_are_those_of_the_customers_canton() -> None:
    """The partner is from Zürich, the customer from Ticino, where Epiphany and Saint Joseph are holidays."""
    ticino = (date(2027, 1, 6), date(2027, 3, 19))
    life = Life(intake(rules=2, customer_holidays=ticino), at("2026-12-14 09:00"))
    for command, when in (
        (Accept(), "2026-12-15 09:00"),
        (MET, "2026-12-15 10:00"),
        (GoodsReceived(), "2026-12-16 09:00"),
    ):
        life.do(command, when)
    with pytest.raises(InvalidCommand, match="appointment_unusual"):
        life.do(asked("2027-01-06 10:00", "2027-01-06 12:00"))
    # 2 January, a holiday of many cantons, is a Saturday like any other in this list.
    life.do(asked("2027-01-02 10:00", "2027-01-02 12:00"))


def test_the_policy_says_what_is_usual() -> None:
    text = '[appointment]\nfarthest = "10 days"\nearliest = "08:00"\nlatest = "18:00"'
    life = reached(Status.SET_APPOINTMENT, rules=2, policy_text=text)
    for start, end, code in (
        ("2026-11-10 07:59", "2026-11-10 10:00", "appointment_unusual"),
        ("2026-11-10 16:00", "2026-11-10 18:01", "appointment_unusual"),
        ("2026-11-19 09:01", "2026-11-19 10:00", "appointment_beyond_policy"),
    ):
        with pytest.raises(InvalidCommand, match=code):
            life.do(asked(start, end))
    life.do(asked("2026-11-19 09:00", "2026-11-19 18:00"))


def test_the_first_rules_know_no_unusual_times() -> None:
    life = reached(Status.SET_APPOINTMENT)
    (made,) = life.do(asked("2026-11-15 05:00", "2026-11-15 23:00", moved_by="customer"))
    assert made == AppointmentSet(start=at("2026-11-15 05:00"), end=at("2026-11-15 23:00"))
    (moved,) = life.do(asked("2027-10-15 05:00", "2027-10-15 23:00", reason="x"))
    assert isinstance(moved, AppointmentMoved)
    assert (moved.moved_by, moved.unusual) == ("", False)


def test_a_move_says_by_whom_and_from_the_partners_second_operations_are_told() -> None:
    life = reached(Status.CONFIRM_EXECUTION, rules=2)
    with pytest.raises(InvalidCommand, match="move_needs_reason"):
        life.do(asked("2026-11-13 09:00", "2026-11-13 11:00", moved_by="customer"))
    moves = [
        ("2026-11-13", "partner", 1, []),
        ("2026-11-16", "customer", 1, []),
        ("2026-11-17", "partner", 2, ["moved_again to operations"]),
        ("2026-11-18", "customer", 2, []),
        ("2026-11-19", "partner", 3, ["moved_again to operations"]),
    ]
    for day, by, partners, told in moves:
        known = len(life.outgoing)
        (moved,) = life.do(asked(f"{day} 09:00", f"{day} 11:00", reason="ill", moved_by=by))
        assert isinstance(moved, AppointmentMoved)
        assert moved.moved_by == by
        assert life.order.partner_moves == partners
        assert [f"{e.kind} to {e.audience}" for e in life.outgoing[known:]] == told
    assert life.order.appointment is not None
    assert life.order.appointment.sequence == 5
    # The same again is no move.
    assert life.do(asked("2026-11-19 09:00", "2026-11-19 11:00")) == []
    assert life.due("confirm_execution") == "2026-11-20 18:00"
    assert life.outcomes("confirm_execution")[:-1] == ["void"] * 5


# --- executed ----------------------------------------------------------------------------------------------------

# Received on Monday, 9 November, 09:00; the appointment is on Thursday, 12 November, 09:00 to 11:00.
CONFIRMED = [
    ("2026-11-12 12:00", None, False, None),
    ("2026-11-12 12:00", "2026-11-12", False, None),
    ("2026-11-12 00:30", None, False, None),
    ("2026-11-20 12:00", "2026-11-13", False, None),
    ("2026-11-12 12:00", "2026-11-13", False, "in_future"),
    ("2026-11-12 12:00", "2026-11-13", True, "in_future"),
    ("2026-11-11 23:30", None, False, "before_appointment"),
    ("2026-11-12 12:00", "2026-11-11", False, "before_appointment"),
    ("2026-11-12 12:00", "2026-11-09", False, "before_appointment"),
    ("2026-11-12 12:00", "2026-11-11", True, None),
    ("2026-11-12 12:00", "2026-11-09", True, None),
    ("2026-11-10 12:00", None, True, None),
    ("2026-11-12 12:00", "2026-11-08", True, "before_goods_received"),
    ("2026-11-12 12:00", "2026-11-08", False, "before_goods_received"),
    ("2026-11-12 12:00", "2026-10-31", True, "before_order"),
]


@pytest.mark.parametrize(("now", "day", "early", "code"), CONFIRMED)
def test_what_counts_as_executed(now: str, day: str | None, early: bool, code: str | None) -> None:
    life = reached(Status.CONFIRM_EXECUTION, rules=2)
    executed_on = date.fromisoformat(day) if day else None
    command = ConfirmExecution(executed_on=executed_on, early=early)
    if code is not None:
        with pytest.raises(InvalidCommand) as invalid:
            life.do(command, now)
        assert (invalid.value.field, invalid.value.code) == ("executed_on", code)
        return
    confirmed = life.do(command, now)[-1]
    assert isinstance(confirmed, ExecutionConfirmed)
    assert confirmed.executed_on == (executed_on or date.fromisoformat(now[:10]))
    assert confirmed.early == (confirmed.executed_on < date(2026, 11, 12))
    assert life.order.status is Status.COMPLETED


def test_nothing_is_executed_before_the_goods_came() -> None:
    life = reached(Status.SET_APPOINTMENT, received=False, rules=2)
    life.do(asked("2026-11-09 14:00", "2026-11-09 16:00"), "2026-11-09 08:00")
    for early in (False, True):
        with pytest.raises(InvalidCommand, match="goods_not_received"):
            life.do(ConfirmExecution(early=early), "2026-11-09 17:00")
    life.do(GoodsReceived(received_at=at("2026-11-09 13:00")), by=partner())
    life.do(ConfirmExecution())
    assert life.order.executed_on == date(2026, 11, 9)


def test_what_operations_accept_as_executed_was_not_executed_before_the_goods_came() -> None:
    """The appointment was on the 9th, the goods came on the 11th; operations decide on the 13th.

    They may also recognise it without a report of the receipt, which the partner can have forgotten.
    """
    life = reached(Status.SET_APPOINTMENT, received=False, rules=2)
    life.do(asked("2026-11-09 14:00", "2026-11-09 16:00"), "2026-11-09 08:00")
    life.do(ReportNotExecuted(reason="site_not_ready"), "2026-11-09 15:00")
    forgotten = deepcopy(life)
    forgotten.do(DecideReview(decision="accept_as_executed"), "2026-11-10 09:00")
    assert forgotten.order.executed_on == date(2026, 11, 9)
    life.do(GoodsReceived(), "2026-11-11 10:00")
    life.do(DecideReview(decision="accept_as_executed"), "2026-11-13 09:00")
    assert life.order.executed_on == date(2026, 11, 11)


def test_the_partner_takes_its_confirmation_back_within_the_hour() -> None:
    for when, by in (("2026-11-12 12:59", partner()), ("2026-11-12 13:00", ANNA)):
        life = reached(Status.CONFIRM_EXECUTION, rules=2)
        life.do(ConfirmExecution(), "2026-11-12 12:00")
        life.do(Undo(), when, by=by)
        assert life.order.status is Status.CONFIRM_EXECUTION
        assert life.order.executed_on is None
        assert life.due("confirm_execution") == "2026-11-13 18:00"
        life.do(ConfirmExecution(), "2026-11-12 14:00")
        assert life.outcomes("confirm_execution") == ["met", "met"]
    life = reached(Status.CONFIRM_EXECUTION, rules=2)
    life.do(ConfirmExecution(), "2026-11-12 12:00")
    with pytest.raises(Refused) as refused:
        life.do(Undo(), at("2026-11-12 13:00") + timedelta(seconds=1))
    assert refused.value.code == "undo_over"
    assert refused.value.allowed == ()


def test_operations_reopen_what_was_completed_and_the_partner_is_told() -> None:
    life = reached(Status.CONFIRM_EXECUTION, rules=2)
    life.do(ConfirmExecution(), "2026-11-12 12:00")
    known = len(life.outgoing)
    with pytest.raises(Refused):
        life.do(Reopen(reason="x"), "2026-11-20 10:00", by=partner())
    life.do(Reopen(reason="The machine still stands in the yard."), "2026-11-20 10:00")
    assert life.order.status is Status.CONFIRM_EXECUTION
    assert life.order.executed_on is None
    (mail,) = life.outgoing[known:]
    assert (mail.kind, mail.audience, mail.facts.reason) == (
        "reopened",
        "partner",
        "The machine still stands in the yard.",
    )
    # The deadline runs anew: from Friday, 20 November, to Monday.
    assert life.due("confirm_execution") == "2026-11-23 18:00"
    with pytest.raises(Refused):
        life.do(Reopen(reason="x"))
    with pytest.raises(Refused):
        life.do(Undo())


def test_what_operations_accepted_is_not_the_partners_to_undo() -> None:
    life = reached(Status.COMPLETED, rules=2)
    with pytest.raises(Refused) as refused:
        life.do(Undo(), by=partner())
    assert refused.value.code == "undo_over"
    life.do(Reopen(reason="x"))
    assert life.order.status is Status.CONFIRM_EXECUTION


def test_nobody_is_absent_before_the_appointment_has_begun() -> None:
    absent = ReportProblem(reason="customer_absent")
    life = reached(Status.CONFIRM_EXECUTION, rules=2)
    with pytest.raises(InvalidCommand) as invalid:
        life.do(absent, "2026-11-12 08:59")
    assert (invalid.value.field, invalid.value.code) == ("reason", "absent_before_appointment")
    life.do(absent, "2026-11-12 09:00")
    assert life.order.status is Status.UNDER_REVIEW
    early = reached(Status.SET_APPOINTMENT, rules=2)
    with pytest.raises(InvalidCommand, match="absent_before_appointment"):
        early.do(absent)
    # The older name of this report checks its reasons as the first rules did.
    older = reached(Status.CONFIRM_EXECUTION, rules=2)
    older.do(ReportNotExecuted(reason="customer_absent"), "2026-11-12 08:59")
    assert older.order.status is Status.UNDER_REVIEW


def test_an_appointment_waits_for_the_goods_to_be_on_their_way() -> None:
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    with pytest.raises(Refused) as refused:
        life.do(appointment("2026-11-12 09:00"))
    assert refused.value.code == "before_goods"
    life.do(GoodsShipped(tracking="T-1"))
    life.do(appointment("2026-11-12 09:00"))
    assert life.order.status is Status.CONFIRM_EXECUTION
