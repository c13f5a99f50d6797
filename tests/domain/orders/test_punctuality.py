"""How punctual partners are: what counts, and only by the time in which the partner had the ball."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.months import Month
from domain.orders.commands import Accept, Cancel, LogContact, ReportNotExecuted
from domain.orders.deadline import Deadline
from domain.orders.deadline_rules import owner_of
from domain.orders.internal import PassTime
from domain.orders.order import Order, Status
from domain.orders.punctuality import KINDS, interval, on_target, on_time_share, verdict
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.holdings import holdings
from tests.domain.strategies import MET, Life, appointment, at, reached, reassign, shown

DUE = at("2026-11-03 18:00")


def deadline(**changes: Any) -> Deadline:
    """One to accept an order."""
    values = {
        "kind": "accept",
        "partner_id": "elektro-huber",
        "started": at("2026-11-02 10:00"),
        "due": DUE,
    }
    return Deadline(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, "2026-11-03 17:59", None),
        ({}, "2026-11-03 18:00", "missed"),
        ({"missed": True}, "2026-11-04 09:00", "missed"),
        ({"ended": "2026-11-03 12:00", "outcome": "met"}, "2026-11-03 13:00", "met"),
        ({"ended": "2026-11-03 12:00", "outcome": "void"}, "2026-11-09 09:00", None),
        ({"ended": "2026-11-03 18:00", "outcome": "missed"}, "2026-11-09 09:00", "missed"),
        ({"ended": "2026-11-05 09:00", "outcome": "missed"}, "2026-11-09 09:00", "missed"),
        # with the ball only later
        ({"excused_until": "2026-11-04 18:00"}, "2026-11-04 17:59", None),
        ({"excused_until": "2026-11-04 18:00"}, "2026-11-04 18:00", "missed"),
        (
            {
                "excused_until": "2026-11-04 18:00",
                "ended": "2026-11-04 12:00",
                "outcome": "missed",
            },
            "2026-11-09 09:00",
            None,
        ),
        (
            {
                "excused_until": "2026-11-04 18:00",
                "ended": "2026-11-05 12:00",
                "outcome": "missed",
            },
            "2026-11-09 09:00",
            "missed",
        ),
        (
            {"excused_until": "2026-11-04 18:00", "ended": "2026-11-03 12:00", "outcome": "met"},
            "2026-11-09 09:00",
            "met",
        ),
        # the retailer's own
        ({"kind": "review", "missed": True}, "2026-11-09 09:00", None),
        ({"kind": "goods", "ended": "2026-11-03 12:00", "outcome": "met"}, "2026-11-09", None),
    ],
)
def test_what_counts(changes: dict[str, Any], now: str, expected: str | None) -> None:
    for name in ("ended", "excused_until"):
        if name in changes:
            changes = {**changes, name: at(changes[name])}
    now = now if " " in now else f"{now} 09:00"
    assert verdict(deadline(**changes), at(now)) == expected


def test_the_partner_s_deadlines_are_those_of_design_3() -> None:
    assert set(KINDS) == {
        "accept",
        "check_requirements",
        "contact_customer",
        "set_appointment",
        "confirm_execution",
    }


def verdicts(order: Order, now: datetime) -> dict[str, list[str | None]]:
    """What each of an order's deadlines comes to."""
    found: dict[str, list[str | None]] = {}
    for each in order.deadlines:
        found.setdefault(each.kind, []).append(verdict(each, now))
    return found


def with_goods(received: str, reported: str) -> Life:
    """An order whose goods are there, and the partner is told later."""
    life = reached(Status.SET_APPOINTMENT, received=False)
    life.let_pass(reported)
    life.do(GoodsReceived(received_at=at(received)), reported)
    return life


def test_the_whole_span_counts_from_when_the_partner_had_the_ball() -> None:
    """Received on Monday, told on Tuesday five minutes before the deadline is over."""
    life = with_goods("2026-11-09 09:00", "2026-11-10 17:55")
    found = life.deadline("set_appointment")
    assert found is not None
    assert (shown(found.due), shown(found.excused_until)) == (
        "2026-11-10 18:00",
        "2026-11-11 18:00",
    )
    life.let_pass("2026-11-11 15:00")
    assert verdicts(life.order, life.now)["set_appointment"] == [None]
    in_time = Life(life.intake, life.events[0].at)
    in_time.order, in_time.events = life.order, list(life.events)
    in_time.do(appointment("2026-11-13 09:00"), "2026-11-11 17:59")
    assert in_time.outcomes("set_appointment") == ["missed"], "the order's own word stays"
    assert verdicts(in_time.order, at("2026-12-01 09:00"))["set_appointment"] == [None]
    life.do(appointment("2026-11-13 09:00"), "2026-11-11 18:01")
    assert verdicts(life.order, at("2026-12-01 09:00"))["set_appointment"] == ["missed"]


def test_told_on_the_same_day_nothing_is_excused() -> None:
    life = with_goods("2026-11-09 09:00", "2026-11-09 17:00")
    found = life.deadline("set_appointment")
    assert found is not None
    assert found.excused_until is None


def test_an_appointment_in_the_past_is_the_partner_s_own_doing() -> None:
    life = reached(Status.SET_APPOINTMENT)
    life.let_pass("2026-11-11 09:00")
    life.do(appointment("2026-11-09 10:00"), "2026-11-11 09:00")
    assert verdicts(life.order, life.now) == {
        "transmit": [None],
        "accept": ["met"],
        "check_requirements": ["met"],
        "contact_customer": ["met"],
        "goods": [None],
        "set_appointment": ["missed"],
        "confirm_execution": ["missed"],
    }


def test_who_loses_an_order_late_has_missed_it_and_the_next_one_begins_anew() -> None:
    life = reached(Status.NEW)
    life.let_pass("2026-11-04 09:00")
    life.do(reassign(), "2026-11-04 09:00")
    assert verdicts(life.order, life.now)["accept"] == ["missed", None]
    mine, next_one = (d.partner_id for d in life.order.deadlines if d.kind == "accept")
    assert mine != next_one == life.order.partner.partner_id
    life.do(Cancel(reason="error"), "2026-11-04 10:00")
    assert verdicts(life.order, at("2027-01-01 00:00"))["accept"] == ["missed", None]


# --- any life ----------------------------------------------------------------------------------------------------

hours = st.integers(0, 60).map(lambda each: timedelta(hours=each))


@given(st.lists(hours, min_size=8, max_size=8), st.integers(0, 96))
@settings(max_examples=60, deadline=None)
def test_against_the_intervals_of_those_who_had_the_ball(
    waits: list[timedelta], before: int
) -> None:
    """A miss that counts: the partner had the ball, without interruption, for its whole span. None that does not."""
    life = reached(Status.NEW)
    asked = iter(waits)

    def later() -> datetime:
        life.let_pass(shown(life.now + next(asked)) or "")
        return life.now

    life.do(Accept(), later())
    life.do(LogContact(outcome="reached"), later())
    life.do(MET, later())
    life.do(GoodsShipped(tracking="T-1"), later())
    now = later()
    life.do(GoodsReceived(received_at=now - timedelta(hours=before)), now)
    start = later() + timedelta(hours=before - 48)
    shipped = life.order.shipments[-1].shipped_at
    assert shipped is not None
    start = max(start, shipped)
    life.do(appointment(shown(start) or ""), life.now)
    life.do(ReportNotExecuted(reason="customer_absent"), later())
    life.do(PassTime(), later())

    pieces = [p for p in holdings(life.intake, life.events, life.now) if p.party == "partner"]
    for each in life.order.deadlines:
        if owner_of(each.kind) != "partner":
            continue
        until = each.ended or life.now
        held = [p for p in pieces if p.end > each.started and p.start < until]
        if not held:
            assert verdict(each, life.now) != "missed"
            continue
        assert len(held) == 1, "it comes to the partner once, and stays"
        taken = max(each.started, held[0].start)
        span = getattr(life.order.policy.deadlines, each.kind)
        late = until >= life.order.calendar.due(taken, span)
        assert (verdict(each, life.now) == "missed") == late, each


# --- months and shares -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("month", "first", "after"),
    [
        ("2026-10", "2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00"),
        ("2026-12", "2026-11-30T23:00:00+00:00", "2026-12-31T23:00:00+00:00"),
        ("2028-02", "2028-01-31T23:00:00+00:00", "2028-02-29T23:00:00+00:00"),
        ("2027-03", "2027-02-28T23:00:00+00:00", "2027-03-31T22:00:00+00:00"),
    ],
)
def test_a_month_where_the_office_is(month: str, first: str, after: str) -> None:
    found = interval(Month.parse(month), "Europe/Zurich")
    assert tuple(each.isoformat() for each in found) == (first, after)


@pytest.mark.parametrize(
    ("met", "missed", "share", "reached"),
    [
        (0, 0, None, True),
        (1, 0, "1.0000", True),
        (0, 3, "0.0000", False),
        (2, 1, "0.6667", False),
        (98, 2, "0.9800", True),
        (97_999, 2_001, "0.9800", False),
    ],
)
def test_shares(met: int, missed: int, share: str | None, reached: bool) -> None:
    assert on_time_share(met, missed) == (Decimal(share) if share else None)
    assert on_target(met, missed) is reached
