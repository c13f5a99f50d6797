"""Why deadlines were missed, how late they were, and a partner's figures of them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.orders.deadline import Deadline
from domain.orders.miss_reasons import (
    DeadlineOfOrder,
    Deed,
    figures,
    lateness,
    miss_reason,
)
from domain.orders.punctuality import KINDS, verdict
from tests.domain.strategies import at

START, DUE = at("2026-11-02 10:00"), at("2026-11-03 18:00")
NOW = at("2026-11-30 12:00")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def deadline(**changes: Any) -> Deadline:
    """One to reach the customer."""
    values = {
        "kind": "contact_customer",
        "partner_id": "elektro-huber",
        "started": START,
        "due": DUE,
    }
    return Deadline(**{**values, **changes})


@pytest.mark.parametrize(
    ("deeds", "expected"),
    [
        ((), "silent"),
        ((Deed(START),), "silent"),  # what started the deadline is no deed in its time
        ((Deed(DUE),), "silent"),
        ((Deed(DUE + HOUR, True),), "silent"),
        ((Deed(START + HOUR, False),), "not_reached"),
        ((Deed(START + HOUR, False), Deed(START + 2 * HOUR, False)), "not_reached"),
        ((Deed(START + HOUR, False), Deed(START + 2 * HOUR, True)), "begun"),
        ((Deed(START + HOUR, False), Deed(START + 2 * HOUR)), "begun"),
        ((Deed(START + HOUR),), "begun"),
    ],
)
def test_why_a_deadline_was_missed(deeds: tuple[Deed, ...], expected: str) -> None:
    assert miss_reason(deadline(), deeds) == expected


def test_time_that_newer_rules_gave_counts_from_their_adoption() -> None:
    early = (Deed(START + HOUR),)
    assert miss_reason(deadline(adopted=START + 2 * HOUR), early) == "silent"


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (None, "open"),
        (DUE, "day"),
        (DUE + DAY, "day"),
        (DUE + DAY + HOUR, "week"),
        (DUE + 7 * DAY, "week"),
        (DUE + 8 * DAY, "longer"),
    ],
)
def test_how_late_it_was(ended: datetime | None, expected: str) -> None:
    assert lateness(deadline(ended=ended)) == expected


def test_figures_of_a_partner() -> None:
    late = {"missed": True, "outcome": "missed", "ended": DUE + HOUR}
    counted = figures(
        [
            DeadlineOfOrder("SP-1", deadline(outcome="met", ended=DUE - HOUR), ()),
            DeadlineOfOrder("SP-4", deadline(**late), (Deed(START + HOUR, False),)),
            DeadlineOfOrder("SP-3", deadline(**late), ()),
            # Somebody else had the ball: neither met nor missed.
            DeadlineOfOrder("SP-5", deadline(**late, excused_until=DUE + DAY), ()),
            DeadlineOfOrder("SP-6", deadline(outcome="void", ended=DUE + HOUR), ()),
            DeadlineOfOrder("SP-7", deadline(due=NOW + DAY), ()),
            DeadlineOfOrder("SP-8", deadline(kind="goods"), ()),
            DeadlineOfOrder("SP-9", deadline(kind="accept", outcome="met", ended=DUE), ()),
        ],
        NOW,
    )
    accept, contact = counted.kinds
    assert (accept.kind, accept.met, accept.missed) == ("accept", 1, 0)
    assert contact == ("contact_customer", 1, 2, 1, {"silent": 1, "not_reached": 1})
    assert [miss.sp_id for miss in counted.misses] == ["SP-3", "SP-4"]
    assert (counted.met, counted.missed) == (2, 2)
    assert figures([], NOW).kinds == ()


offsets = st.integers(-100, 100).map(lambda hours: timedelta(hours=hours))
deadlines_of_orders = st.builds(
    lambda kind, due, ended, outcome, excused, deeds: DeadlineOfOrder(
        "SP-1",
        deadline(
            kind=kind,
            due=DUE + due,
            ended=None if ended is None else DUE + ended,
            outcome=outcome if ended is not None else None,
            excused_until=None if excused is None else DUE + excused,
        ),
        tuple(Deed(START + each, reached) for each, reached in deeds),
    ),
    st.sampled_from((*KINDS, "goods", "review")),
    offsets,
    st.none() | offsets,
    st.sampled_from(("met", "missed", "void")),
    st.none() | offsets,
    st.lists(st.tuples(offsets, st.none() | st.booleans()), max_size=3),
)


@given(st.lists(deadlines_of_orders, max_size=20))
def test_figures_count_what_the_report_counts(given_ones: list[DeadlineOfOrder]) -> None:
    """Each deadline once, by the one rule of the report, and a reason for each miss."""
    counted = figures(given_ones, DUE)
    verdicts = [verdict(each.deadline, DUE) for each in given_ones]
    assert counted.met == verdicts.count("met")
    assert counted.missed == verdicts.count("missed") == len(counted.misses)
    assert all(sum(each.reasons.values()) == each.missed for each in counted.kinds)
    assert counted.met + counted.missed + sum(e.excused for e in counted.kinds) <= len(given_ones)
