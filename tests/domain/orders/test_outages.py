"""Deadlines that ran while CMI was down (version 2 of the rules): nobody is late because of us. Dates by hand."""

from datetime import timedelta

import pytest

from domain.orders.commands import Accept, LogContact, StretchDeadlines
from domain.orders.deadline_events import DeadlinesStretched
from domain.orders.explanation import explain
from domain.orders.internal import ConfirmTransmission, PassTime
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from domain.orders.punctuality import verdict
from tests.domain.strategies import MET, Life, at, intake, reached, shown
from words import explanation_text


def down(begin: str, end: str) -> StretchDeadlines:
    return StretchDeadlines(begin=at(begin), end=at(end))


def sent(when: str, rules: int = 2) -> Life:
    """Visible and notified at that instant; `accept` is due on the next working day at 18:00."""
    life = Life(intake(rules=rules, policy_text='[transmission]\nhold = "0 seconds"'), at(when))
    life.do(PassTime())
    life.do(ConfirmTransmission())
    return life


# The order is sent on Monday, 2 November 2026, at 10:00; `accept` is due on Tuesday at 18:00.
@pytest.mark.parametrize(
    ("begin", "end", "due"),
    [
        ("2026-11-02 12:00", "2026-11-02 15:00", "2026-11-04 11:00"),  # three hours
        ("2026-11-02 12:00", "2026-11-02 12:16", "2026-11-04 08:16"),
        ("2026-11-02 09:00", "2026-11-02 11:00", "2026-11-04 09:00"),  # one of them before it ran
        ("2026-11-02 17:00", "2026-11-03 09:00", "2026-11-04 10:00"),  # an hour each day
        ("2026-11-02 19:00", "2026-11-03 07:00", "2026-11-03 18:00"),  # at night
        ("2026-11-03 16:00", "2026-11-03 18:00", "2026-11-04 10:00"),
        # Down beyond its end: the two hours that were left are there when CMI is back.
        ("2026-11-03 16:00", "2026-11-04 10:00", "2026-11-04 12:00"),
        ("2026-11-03 16:00", "2026-11-05 09:00", "2026-11-05 11:00"),
        ("2026-11-02 10:00", "2026-11-03 18:00", "2026-11-05 16:00"),  # 18 hours: 10 and 8
        # Over a weekend: from Tuesday, 17:00, to Monday, 09 November, 09:00, one hour was left.
        ("2026-11-03 17:00", "2026-11-09 09:00", "2026-11-09 10:00"),
        ("2026-11-04 08:00", "2026-11-04 12:00", "2026-11-03 18:00"),  # after its end
        ("2026-10-30 08:00", "2026-11-02 10:00", "2026-11-03 18:00"),  # before it ran
    ],
)
def test_a_deadline_is_put_off_by_the_office_time_that_was_lost(
    begin: str, end: str, due: str
) -> None:
    life = sent("2026-11-02 10:00")
    life.do(down(begin, end), max(at(end), life.now))
    assert [shown(d.due) for d in life.order.deadlines if d.kind == "accept"] == [due]


def test_an_outage_over_a_weekend_costs_office_time_alone() -> None:
    """Sent on Friday, 6 November, 10:00; down from Friday 16:00 to Monday 10:00: two and two hours."""
    life = sent("2026-11-06 10:00")
    assert life.due("accept") == "2026-11-09 18:00"
    life.do(down("2026-11-06 16:00", "2026-11-09 10:00"), "2026-11-09 10:00")
    assert life.due("accept") == "2026-11-10 12:00"
    assert life.due("contact_customer") == "2026-11-11 12:00"
    deadline = life.deadline("accept")
    assert deadline is not None
    assert explain(life.order, deadline).stretched == timedelta(hours=4)
    text = explanation_text(explain(life.order, deadline), "de")
    assert "um 4 Stunden verlängert, weil" in text


def test_an_outage_over_christmas() -> None:
    """Sent on Wednesday, 23 December 2026; 24 and 31 are working days, 25 and 26 (a Saturday) holidays in Zürich."""
    life = sent("2026-12-23 10:00")
    assert life.due("accept") == "2026-12-24 18:00"
    life.do(down("2026-12-24 12:00", "2026-12-28 12:00"), "2026-12-28 12:00")
    # Six hours were left on the 24th; four of the outage's ten hours are of Monday, the 28th.
    assert life.due("accept") == "2026-12-28 18:00"


def test_several_outages_add_up_and_the_same_one_counts_once() -> None:
    life = sent("2026-11-02 10:00")
    life.do(down("2026-11-02 12:00", "2026-11-02 13:00"), "2026-11-02 13:05")
    assert life.due("accept") == "2026-11-04 09:00"
    assert life.do(down("2026-11-02 12:00", "2026-11-02 13:00"), "2026-11-02 13:06") == []
    life.do(down("2026-11-02 15:00", "2026-11-02 17:00"), "2026-11-02 17:05")
    assert life.due("accept") == "2026-11-04 11:00"
    # The web was down a while longer than the workers: only what is new counts.
    life.do(down("2026-11-02 14:30", "2026-11-02 17:30"), "2026-11-02 17:35")
    assert life.due("accept") == "2026-11-04 12:00"
    assert life.do(down("2026-11-02 12:30", "2026-11-02 12:45"), "2026-11-02 17:36") == []
    deadline = life.deadline("accept")
    assert deadline is not None
    assert deadline.stretched.total_seconds() == 4 * 3600


def test_what_was_done_late_but_within_the_stretch_was_in_time() -> None:
    """Due on Tuesday at 18:00, accepted on Wednesday at 09:00; then it is known that CMI was down for two hours."""
    life = sent("2026-11-02 10:00")
    life.do(Accept(), "2026-11-04 09:00")
    assert life.outcomes("accept") == ["missed"]
    life.do(down("2026-11-03 10:00", "2026-11-03 12:00"), "2026-11-04 09:30")
    assert life.outcomes("accept") == ["met"]
    (accept,) = (d for d in life.order.deadlines if d.kind == "accept")
    assert (shown(accept.due), accept.missed) == ("2026-11-04 10:00", False)
    assert verdict(accept, life.now) == "met"
    late = sent("2026-11-02 10:00")
    late.do(Accept(), "2026-11-04 10:01")
    late.do(down("2026-11-03 10:00", "2026-11-03 12:00"), "2026-11-04 10:30")
    assert late.outcomes("accept") == ["missed"]


def test_what_seemed_to_be_missed_is_open_again_and_told_again_when_it_is() -> None:
    life = sent("2026-11-02 10:00")
    life.let_pass("2026-11-03 18:00")
    assert [d.missed for d in life.order.deadlines if d.kind == "accept"] == [True]
    known = len(life.outgoing)
    life.do(down("2026-11-03 14:00", "2026-11-03 18:01"), "2026-11-03 18:05")
    assert life.due("accept") == "2026-11-04 12:00"
    deadline = life.deadline("accept")
    assert deadline is not None
    assert (deadline.missed, deadline.level, deadline.reminded) == (False, 0, False)
    life.let_pass("2026-11-04 12:00")
    kinds = [e.kind for e in life.outgoing[known:] if isinstance(e, Mail)]
    assert kinds == ["reminder", "escalation", "escalation"]


def test_after_an_outage_the_stretch_comes_before_what_seems_to_be_due() -> None:
    """The first thing that the order hears after the outage is the outage: nothing was missed."""
    life = sent("2026-11-02 10:00")
    events = life.do(down("2026-11-03 12:00", "2026-11-04 12:00"), "2026-11-04 12:01")
    assert events[0] == DeadlinesStretched(begin=at("2026-11-03 12:00"), end=at("2026-11-04 12:00"))
    assert [e.type for e in events] in (
        ["deadlines_stretched"],
        ["deadlines_stretched", "reminder"],
    )
    assert life.due("accept") == "2026-11-04 18:00"


def test_only_the_partners_deadlines_are_stretched_and_none_that_it_met() -> None:
    life = reached(Status.UNDER_REVIEW, rules=2)
    before = life.order.deadlines
    life.do(down("2026-11-12 13:00", "2026-11-12 15:00"), "2026-11-12 15:00")
    assert life.order.deadlines == before
    done = reached(Status.REQUIREMENTS_MET, rules=2)
    assert done.do(down("2026-11-03 10:00", "2026-11-03 12:00"), "2026-11-04 09:30") == []


def test_an_order_of_the_first_rules_is_not_stretched() -> None:
    life = sent("2026-11-02 10:00", rules=1)
    assert life.do(down("2026-11-03 10:00", "2026-11-03 12:00"), "2026-11-03 12:00") == []
    assert life.due("accept") == "2026-11-03 18:00"


def test_a_stretched_deadline_ends_as_any_other() -> None:
    life = sent("2026-11-02 10:00")
    life.do(down("2026-11-02 12:00", "2026-11-02 15:00"), "2026-11-02 15:01")
    life.do(Accept(), "2026-11-04 10:30")
    assert life.outcomes("accept") == ["met"]
    assert life.due("check_requirements") == "2026-11-05 18:00"
    life.do(LogContact(outcome="reached"))
    life.do(MET, "2026-11-05 10:00")
    assert life.outcomes("contact_customer") == ["met"]
