"""A very long history takes no more of what can be repeated without end, and everything that leads to an end."""

import pytest

from domain.orders.access import allowed
from domain.orders.commands import (
    Cancel,
    Command,
    ConfirmExecution,
    LogContact,
    ReportProblem,
    Undo,
    WithdrawProblem,
)
from domain.orders.errors import Refused
from domain.orders.limits import MOST_EVENTS, check_room
from domain.orders.order import Order
from tests.support.builders import ACCEPTED, GOODS_THERE, MONDAY, TRANSMITTED, appointment, lived

LONG = {"version": MOST_EVENTS}
CONTACT = LogContact(outcome="not_reached", note="again")
ACCEPTED_ONE, _ = lived(*ACCEPTED, rules=2)
NEW, _ = lived(*TRANSMITTED, rules=2)
WITHOUT_DATE, _ = lived(*GOODS_THERE, rules=2)
WITH_DATE, _ = lived(*GOODS_THERE, appointment(), rules=2)
UNDER_REVIEW, _ = lived(*GOODS_THERE, ReportProblem(reason="site_not_ready"), rules=2)


def has_room(order: Order, command: Command) -> bool:
    """Whether the order takes the command as far as its history is concerned."""
    try:
        check_room(order, command, ("cancel",))
    except Refused as refused:
        return (refused.code, refused.allowed) != ("too_many_entries", ("cancel",))
    return True


@pytest.mark.parametrize(
    ("order", "command"),
    [
        (NEW, CONTACT),
        (WITH_DATE, appointment(96, "moved")),
        (UNDER_REVIEW, WithdrawProblem()),
        (WITH_DATE, Undo()),
    ],
)
def test_what_can_be_repeated_ends_at_the_limit(order: Order, command: Command) -> None:
    assert has_room(order.replace(version=MOST_EVENTS - 1), command)
    assert not has_room(order.replace(**LONG), command)
    assert not has_room(order.replace(version=MOST_EVENTS + 5, rules=1), command)


@pytest.mark.parametrize(
    ("order", "command"),
    [
        (WITHOUT_DATE, appointment()),
        (WITH_DATE, ConfirmExecution(executed_on=MONDAY.date())),
        (WITH_DATE, ReportProblem(reason="site_not_ready")),
        (NEW, Cancel(reason="withdrawn")),
    ],
)
def test_what_leads_to_an_end_always_has_room(order: Order, command: Command) -> None:
    assert has_room(order.replace(**LONG), command)


def test_what_has_no_room_is_not_offered() -> None:
    assert "log_contact" in allowed(ACCEPTED_ONE, "partner")
    assert "log_contact" not in allowed(ACCEPTED_ONE.replace(**LONG), "partner")
    assert "set_appointment" in allowed(WITHOUT_DATE.replace(**LONG), "partner")
    assert "set_appointment" not in allowed(WITH_DATE.replace(**LONG), "partner")
    assert "confirm_execution" in allowed(WITH_DATE.replace(**LONG), "operations")


def test_no_partner_goes_round_in_a_circle_for_ever() -> None:
    """From every order with a long history, what its partner may do leads to another party, or to the end."""
    goes_on = {
        "accept", "decline", "confirm_requirements", "reject_requirements", "set_appointment",
        "confirm_execution", "report_not_executed", "report_problem", "goods_received", "resume",
    }  # fmt: skip
    for order in (NEW, WITHOUT_DATE, WITH_DATE, UNDER_REVIEW):
        assert set(allowed(order.replace(**LONG), "partner")) <= goes_on
