"""What an order is in the calendar of its partner, in each part of its life."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.orders.calendar_entry import CalendarEntry, calendar_entry
from domain.orders.commands import (
    Cancel,
    ConfirmExecution,
    DecideReview,
    ReportProblem,
    Unassign,
    Undo,
)
from domain.orders.order import Status
from tests.support.builders import (
    AGREED,
    BILLED,
    COMPLETED,
    GOODS_THERE,
    Step,
    appointment,
    intake,
    lived,
)


def october(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


AS_AGREED = CalendarEntry(october(7, 7), october(7, 9))
MOVED = CalendarEntry(october(8, 7), october(8, 9))
TUESDAY = CalendarEntry(october(5, 22), october(6, 22), True)
_PROBLEM = ReportProblem(reason="site_not_ready")
_DONE_EARLY = ConfirmExecution(executed_on=date(2026, 10, 6), early=True)


def _hold_until(day: int) -> DecideReview:
    return DecideReview(decision="wait_until", until=date(2026, 10, day))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (GOODS_THERE, None),
        (AGREED, AS_AGREED),
        ((*AGREED, appointment(72, "ill")), MOVED),
        ((*AGREED, _PROBLEM), AS_AGREED),
        ((*AGREED, _PROBLEM, _hold_until(12)), None),
        ((*AGREED, _PROBLEM, _hold_until(6)), AS_AGREED),
        (COMPLETED, AS_AGREED),
        (BILLED, AS_AGREED),
        ((*AGREED, timedelta(days=1), _DONE_EARLY), TUESDAY),
        ((*COMPLETED, Undo()), AS_AGREED),
        ((*AGREED, Cancel(reason="-")), None),
        ((*AGREED, Unassign(partner_id="elektro-huber")), None),
    ],
)
def test_what_the_calendar_shows(steps: tuple[Step, ...], expected: CalendarEntry | None) -> None:
    order, _ = lived(*steps, of=intake().model_copy(update={"rules": 2}))
    assert calendar_entry(order) == expected


def test_who_does_not_see_the_order_yet_has_no_entry() -> None:
    order, _ = lived(*AGREED, of=intake().model_copy(update={"rules": 2}))
    assert calendar_entry(order.replace(transmitted_at=None)) is None


def test_a_state_that_only_a_newer_process_knows_is_no_entry() -> None:
    order, _ = lived(*AGREED, of=intake().model_copy(update={"rules": 2}))
    assert calendar_entry(order.replace(status=Status("parked"))) is None
