"""Problems, rejections, reviews and holds (version 2 of the rules): what is possible when, and how it goes on."""

from datetime import date, timedelta

import pytest

from domain.errors import InvalidCommand
from domain.orders.ball import ball
from domain.orders.commands import (
    Cancel,
    Command,
    DecideReview,
    LogContact,
    RejectRequirements,
    ReportNotExecuted,
    ReportProblem,
    Resume,
    WithdrawProblem,
)
from domain.orders.errors import Refused
from domain.orders.events import HoldEnded, ProblemReported
from domain.orders.explanation import explain
from domain.orders.internal import PassTime
from domain.orders.order import Status
from domain.orders.outgoing import Effect, Mail, ShopNotice
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import ANNA, appointment, at, partner, reached, reassign, shown
from words import explanation_text

NOT_REACHED = LogContact(outcome="not_reached")
REACHED = LogContact(outcome="reached")


def told(effects: list[Effect]) -> list[str]:
    return [
        f"{e.kind} to {e.partner_id if e.audience == 'partner' else e.audience}"
        if isinstance(e, Mail)
        else e.type
        for e in effects
    ]


# --- rejections --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "note", "reached_now"),
    [
        ("no_connection", "", True),
        ("no_space", "", True),
        ("passage_too_narrow", "", True),
        ("missing_kit", "", True),
        ("wall_unsuitable", "", True),
        ("customer_withdrew", "", True),
        ("other", "The house burnt down.", True),
    ],
)
def test_a_rejection_is_reviewed_and_told(reason: str, note: str, reached_now: bool) -> None:
    life = reached(Status.CHECK_REQUIREMENTS, rules=2)
    known = len(life.outgoing)
    life.do(RejectRequirements.model_validate({"reason": reason, "note": note}), "2026-11-04 09:00")
    order = life.order
    assert (order.status, order.review_reason) == (Status.UNDER_REVIEW, reason)
    assert life.due("review") == "2026-11-06 18:00"
    assert life.outcomes("check_requirements") == ["met"]
    assert life.outcomes("contact_customer") == ["met"]
    assert (order.reached_at is not None) is reached_now
    review, notice = life.outgoing[known:]
    assert isinstance(review, Mail)
    assert (review.kind, review.audience) == ("review_needed", "operations")
    assert (review.facts.reason, review.facts.note) == (reason, note)
    assert review.facts.deadline is not None
    assert isinstance(notice, ShopNotice)
    assert (notice.kind, notice.reason, notice.note) == ("requirements_rejected", reason, note)
    assert notice.status is Status.UNDER_REVIEW


def test_another_reason_needs_a_note() -> None:
    for command, status in (
        (RejectRequirements(reason="other"), Status.CHECK_REQUIREMENTS),
        (ReportProblem(reason="other"), Status.CHECK_REQUIREMENTS),
        (ReportNotExecuted(reason="other"), Status.CONFIRM_EXECUTION),
    ):
        with pytest.raises(InvalidCommand) as invalid:
            reached(status, rules=2).do(command)
        assert (invalid.value.field, invalid.value.code) == ("note", "other_needs_note")
    first = reached(Status.CHECK_REQUIREMENTS)
    first.do(RejectRequirements(reason="other"))
    assert first.order.status is Status.CANCELLED, "the first rules asked for none"


ATTEMPTS = [
    ([], False),
    (["2026-11-03 10:00", "2026-11-03 14:00", "2026-11-03 16:00"], False),  # one day
    (["2026-11-03 10:00", "2026-11-04 10:00"], False),  # two attempts
    (["2026-11-03 10:00", "2026-11-03 14:00", "2026-11-04 09:00"], True),
    (["2026-11-03 10:00", "2026-11-04 09:00", "2026-11-05 09:00"], True),
    # Two days in Zürich, one in UTC; and the other way round.
    (["2026-11-03 21:00", "2026-11-03 23:30", "2026-11-04 00:30"], True),
    (["2026-11-04 00:30", "2026-11-04 08:00", "2026-11-04 12:00"], False),
]


@pytest.mark.parametrize(("attempts", "enough"), ATTEMPTS)
@pytest.mark.parametrize("command", [RejectRequirements, ReportProblem])
def test_a_customer_is_unreachable_after_three_attempts_on_two_days(
    attempts: list[str], enough: bool, command: type[Command]
) -> None:
    life = reached(Status.CHECK_REQUIREMENTS, rules=2)
    for when in attempts:
        life.do(NOT_REACHED, when)
    unreachable = command.model_validate({"reason": "customer_unreachable"})
    if not enough:
        with pytest.raises(InvalidCommand) as invalid:
            life.do(unreachable)
        assert (invalid.value.field, invalid.value.code) == ("reason", "unreachable_needs_attempts")
        return
    life.do(unreachable)
    assert life.order.status is Status.UNDER_REVIEW
    assert life.order.reached_at is None, "it does not imply that anybody was reached"
    assert set(life.outcomes("contact_customer")) <= {"void", "missed"}
    assert "met" not in life.outcomes("contact_customer")


def test_the_attempts_are_those_of_the_policy_and_of_this_partner() -> None:
    text = "[requirements]\nattempts = 1\nattempt_days = 1"
    life = reached(Status.CHECK_REQUIREMENTS, rules=2, policy_text=text)
    life.do(REACHED, "2026-11-03 10:00")
    with pytest.raises(InvalidCommand):
        life.do(RejectRequirements(reason="customer_unreachable"))
    life.do(NOT_REACHED, "2026-11-03 11:00")
    life.do(reassign(), "2026-11-03 12:00")
    assert life.order.attempts == ()


def test_contact_is_implied_by_what_was_done_with_the_customer() -> None:
    """An appointment is made with the customer; a problem says nothing of it."""
    life = reached(Status.CHECK_REQUIREMENTS, rules=2)
    life.do(ReportProblem(reason="partner_unable"), "2026-11-03 10:00")
    assert life.order.reached_at is None
    assert life.outcomes("contact_customer") == ["void"]
    life.do(WithdrawProblem(), "2026-11-05 10:00")
    # Two working days from the resumption: from Thursday to Monday.
    assert life.due("contact_customer") == "2026-11-09 18:00"
    life.do(REACHED, "2026-11-05 11:00")
    assert life.outcomes("contact_customer") == ["void", "met"]


# --- problems ----------------------------------------------------------------------------------------------------

_ANY = {
    "customer_withdrew",
    "customer_postpones",
    "partner_unable",
    "site_not_ready",
    "other",
}
_GOODS = {"damaged_on_receipt", "wrong_goods"}
POSSIBLE = {
    Status.CHECK_REQUIREMENTS: _ANY,
    Status.REQUIREMENTS_MET: _ANY,
    Status.SET_APPOINTMENT: _ANY | _GOODS,
    Status.CONFIRM_EXECUTION: _ANY | _GOODS | {"customer_absent"},  # once the appointment has begun
    Status.ON_HOLD: _ANY | _GOODS | {"customer_absent"},
}
REASONS = sorted(_ANY | _GOODS | {"customer_absent", "customer_unreachable"})


@pytest.mark.parametrize("status", POSSIBLE)
@pytest.mark.parametrize("reason", REASONS)
def test_which_problem_may_be_reported_where(status: Status, reason: str) -> None:
    life = reached(status, rules=2)
    now = "2026-11-16 09:00"
    until = date(2026, 12, 1) if reason == "customer_postpones" else None
    note = "x" if reason == "other" else ""
    command = ReportProblem.model_validate({"reason": reason, "note": note, "until": until})
    if reason not in POSSIBLE[status]:
        with pytest.raises(InvalidCommand) as invalid:
            life.do(command, now)
        assert invalid.value.field == "reason"
        return
    known = len(life.outgoing)
    reported = life.do(command, now)[-1]
    assert isinstance(reported, ProblemReported)
    assert (reported.reason, reported.note, reported.until) == (reason, note, until)
    assert life.order.status is Status.UNDER_REVIEW
    assert life.due("review") == "2026-11-18 18:00"
    assert told(life.outgoing[known:])[-1] == "review_needed to operations"
    mail = life.outgoing[-1]
    assert isinstance(mail, Mail)
    assert mail.facts.until == until


@pytest.mark.parametrize(
    ("reason", "until", "code"),
    [
        ("customer_postpones", None, "until_missing"),
        ("customer_postpones", "2026-11-03", "until_not_possible"),  # today
        ("customer_postpones", "2026-11-02", "until_not_possible"),
        ("customer_postpones", "2027-11-05", "until_not_possible"),
        ("site_not_ready", "2026-12-01", "until_not_asked"),
    ],
)
def test_until_is_asked_of_a_postponement_alone(reason: str, until: str | None, code: str) -> None:
    life = reached(Status.CHECK_REQUIREMENTS, rules=2)
    command = ReportProblem.model_validate({"reason": reason, "until": until})
    with pytest.raises(InvalidCommand) as invalid:
        life.do(command)
    assert (invalid.value.field, invalid.value.code) == ("until", code)


@pytest.mark.parametrize(
    ("status", "due"),
    [
        (Status.CHECK_REQUIREMENTS, {"check_requirements": "2026-11-17 18:00", "contact_customer": "2026-11-18 18:00"}),
        (Status.REQUIREMENTS_MET, {"goods": "2026-11-18 18:00"}),  # the warehouse had not to wait
        (Status.SET_APPOINTMENT, {"set_appointment": "2026-11-17 18:00"}),
        (Status.CONFIRM_EXECUTION, {"confirm_execution": "2026-11-17 18:00"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["withdraw", "continue", "resume", "hold ends"])
def test_it_goes_on_where_it_was_with_fresh_deadlines(
    status: Status, due: dict[str, str], way: str
) -> None:
    life = reached(status, rules=2)
    until = date(2026, 11, 16)
    life.do(ReportProblem(reason="customer_postpones", until=until), "2026-11-12 12:00")
    if way == "withdraw":
        life.do(WithdrawProblem(), "2026-11-16 08:00")
    elif way == "continue":
        life.do(DecideReview(decision="continue"), "2026-11-16 08:00")
    else:
        life.do(DecideReview(decision="wait_until", until=until), "2026-11-12 13:00")
        assert life.order.status is Status.ON_HOLD
        assert ball(life.order, life.now) == "customer"
        assert shown(life.order.held_until) == "2026-11-16 08:00"
        if way == "resume":
            life.do(Resume(), at("2026-11-16 08:00") - timedelta(seconds=1))
            life.now += timedelta(seconds=1)
        else:
            happened = life.let_pass("2026-11-16 08:00")
            assert happened == [("2026-11-16 08:00", HoldEnded())]
            mail = life.outgoing[-1]
            assert isinstance(mail, Mail)
            assert (mail.kind, mail.audience) == ("hold_ended", "partner")
            assert (mail.facts.deadline is not None) == (status is not Status.REQUIREMENTS_MET)
    assert life.order.status is status
    assert {d.kind: shown(d.due) for d in life.order.open_deadlines} == due
    for deadline in life.order.open_deadlines:
        if deadline.kind != "goods":
            text = explanation_text(explain(life.order, deadline), "de")
            assert "Wiederaufnahme" in text, text


def test_an_appointment_to_come_keeps_its_deadline_over_a_review() -> None:
    life = reached(Status.CONFIRM_EXECUTION, rules=2)
    life.do(ReportProblem(reason="site_not_ready"), "2026-11-10 09:00")
    life.do(DecideReview(decision="continue"), "2026-11-11 09:00")
    assert life.due("confirm_execution") == "2026-11-13 18:00"
    assert life.order.appointment is not None


def test_goods_that_come_during_a_hold_are_there_when_it_ends() -> None:
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    until = date(2026, 11, 23)
    life.do(ReportProblem(reason="customer_postpones", until=until), "2026-11-05 09:00")
    life.do(DecideReview(decision="wait_until", until=until), "2026-11-05 10:00")
    life.do(GoodsShipped(tracking="T-1"), "2026-11-06 10:00")
    assert life.due("delivery") == "2026-11-13 18:00"
    life.do(GoodsReceived(), "2026-11-09 10:00")
    assert life.order.status is Status.ON_HOLD
    assert life.order.open_deadlines == ()
    life.let_pass("2026-11-23 08:00")
    assert life.order.status is Status.SET_APPOINTMENT
    assert life.due("set_appointment") == "2026-11-24 18:00"


def test_a_hold_over_the_new_year_ends_at_the_opening_and_counts_working_days() -> None:
    """Until Thursday, 31 December; one working day skips New Year's Day, Berchtold's Day (a Saturday), Sunday."""
    life = reached(Status.SET_APPOINTMENT, rules=2)
    until = date(2026, 12, 31)
    life.do(ReportProblem(reason="customer_postpones", until=until), "2026-11-10 09:00")
    life.do(DecideReview(decision="wait_until", until=until), "2026-11-10 10:00")
    life.let_pass("2026-12-31 08:00")
    assert life.due("set_appointment") == "2027-01-04 18:00"


@pytest.mark.parametrize(
    ("decision", "until", "code"),
    [
        ("wait_until", None, "until_missing"),
        ("wait_until", "2026-11-12", "until_not_possible"),
        ("wait_until", "2027-11-14", "until_not_possible"),
        ("continue", "2026-12-01", "until_not_asked"),
        ("reship", "2026-12-01", "until_not_asked"),
    ],
)
def test_the_date_of_a_decision(decision: str, until: str | None, code: str) -> None:
    life = reached(Status.UNDER_REVIEW, rules=2)
    command = DecideReview.model_validate({"decision": decision, "until": until})
    with pytest.raises(InvalidCommand) as invalid:
        life.do(command)
    assert (invalid.value.field, invalid.value.code) == ("until", code)
    assert life.order.status is Status.UNDER_REVIEW


def test_a_hold_is_resumed_by_the_partner_or_operations_and_cancelled_by_anybody() -> None:
    for by in (partner(), ANNA):
        life = reached(Status.ON_HOLD, rules=2)
        life.do(Resume(), "2026-11-17 09:00", by=by)
        assert life.order.status is Status.CONFIRM_EXECUTION
        assert life.due("confirm_execution") == "2026-11-18 18:00"
        life.do(appointment("2026-11-24 09:00", reason="after the hold"))
        assert life.due("confirm_execution") == "2026-11-25 18:00"
    life = reached(Status.ON_HOLD, rules=2)
    life.do(Cancel(reason="x"))
    assert life.do(PassTime(), "2026-11-23 08:00") == []
    assert life.order.status is Status.CANCELLED


def test_a_problem_reported_during_a_hold_leads_back_to_before_it() -> None:
    life = reached(Status.ON_HOLD, rules=2)
    life.do(ReportProblem(reason="customer_withdrew"), "2026-11-16 09:00")
    assert life.let_pass("2026-11-18 09:00") == [], "the hold is over"
    life.do(DecideReview(decision="continue"))
    assert life.order.status is Status.CONFIRM_EXECUTION


def test_what_was_decided_can_no_longer_be_withdrawn() -> None:
    life = reached(Status.UNDER_REVIEW, rules=2)
    known = len(life.outgoing)
    life.do(WithdrawProblem(), "2026-11-12 13:00")
    assert told(life.outgoing[known:]) == ["problem_withdrawn to operations"]
    assert life.outcomes("review") == ["met"]
    with pytest.raises(Refused):
        life.do(WithdrawProblem())
    life = reached(Status.ON_HOLD, rules=2)
    with pytest.raises(Refused):
        life.do(WithdrawProblem())


_ALWAYS = {"continue", "wait_until", "cancel"}
_WITH_GOODS = _ALWAYS | {"reship", "new_appointment", "accept_as_executed"}


@pytest.mark.parametrize(
    ("status", "possible"),
    [
        (Status.CHECK_REQUIREMENTS, _ALWAYS),
        (Status.REQUIREMENTS_MET, _ALWAYS | {"reship"}),
        (Status.SET_APPOINTMENT, _WITH_GOODS),
        (Status.CONFIRM_EXECUTION, _WITH_GOODS),
    ],
)
def test_which_decisions_are_possible(status: Status, possible: set[str]) -> None:
    """Those that need goods need them: nothing is reshipped that was never asked for, nor executed without goods."""
    for decision in (
        "continue",
        "wait_until",
        "cancel",
        "reship",
        "new_appointment",
        "accept_as_executed",
    ):
        life = reached(status, rules=2)
        life.do(ReportProblem(reason="site_not_ready"), "2026-11-12 12:00")
        until = date(2026, 12, 1) if decision == "wait_until" else None
        command = DecideReview.model_validate({"decision": decision, "until": until})
        if decision in possible:
            life.do(command)
            assert life.outcomes("review") == ["met"]
        else:
            with pytest.raises(Refused):
                life.do(command)


def test_a_reassignment_decides_a_review() -> None:
    life = reached(Status.UNDER_REVIEW, rules=2)
    life.do(reassign(), "2026-11-13 09:00")
    assert life.outcomes("review") == ["met"]
    assert life.order.status is Status.NEW
