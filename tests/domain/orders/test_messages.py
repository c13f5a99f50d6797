"""Messages and notes: who writes and reads them, until when operations answer, what is unread, limits."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cantons import pin_calendar
from domain.errors import InvalidCommand
from domain.orders.erasure import erase_order
from domain.orders.messages import (
    MOST,
    MOST_AN_HOUR,
    UNREAD_FOR,
    Message,
    Side,
    answer_due,
    can_read,
    check_limits,
    is_unread,
    next_due,
    why_not_written,
)
from domain.orders.order import Status
from domain.policy import MessagePolicy, Policy, Span
from tests.support.builders import BILLED, COMPLETED, MONDAY, TRANSMITTED, lived

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)  # a Monday


def message(**changes: object) -> Message:
    """A question of the partner to operations."""
    plain = Message(
        message_id="msg_1",
        sp_id="SP-1",
        seq=1,
        partner_id="elektro-huber",
        side="partner",
        internal=False,
        login_id="usr_petra",
        author="Petra",
        text="Ist der Lift breit genug?",
        at=NOW,
    )
    return plain._replace(**changes)


@pytest.mark.parametrize(
    ("steps", "erased", "refused"),
    [
        ((), False, "no_partner"),
        (TRANSMITTED, False, None),
        (COMPLETED, False, None),
        (BILLED, False, None),
        (BILLED, True, "erased"),
    ],
)
def test_messages_need_a_partner_and_a_customer(steps: tuple, erased: bool, refused: str) -> None:
    order, _ = lived(*steps)
    if erased:
        order = erase_order(order)
    assert why_not_written(order, internal=False) == refused
    assert why_not_written(order, internal=True) == ("erased" if erased else None)


def test_an_order_without_a_partner_takes_notes_only() -> None:
    order, _ = lived(*TRANSMITTED)
    lost = order.replace(status=Status.UNASSIGNED)
    assert why_not_written(lost, internal=False) == "no_partner"
    assert why_not_written(lost, internal=True) is None


@given(
    side=st.sampled_from(get_args(Side)),
    written=st.sampled_from(get_args(Side)),
    internal=st.booleans(),
    partner=st.sampled_from(["elektro-huber", "luzern-montage"]),
)
def test_a_partner_sees_what_was_written_with_it_and_no_note(
    side: Side, written: Side, internal: bool, partner: str
) -> None:
    one = message(side=written, internal=internal)
    seen = can_read(one, side, partner if side == "partner" else None)
    assert seen == (side == "operations" or (partner == "elektro-huber" and not internal))


@pytest.mark.parametrize(
    ("side", "login", "changes", "read", "unread"),
    [
        ("operations", "usr_anna", {}, 0, True),
        ("operations", "usr_anna", {}, 1, False),
        ("operations", "usr_anna", {"at": NOW - UNREAD_FOR}, 0, False),
        ("operations", "usr_anna", {"side": "operations", "login_id": "usr_beat"}, 0, False),
        ("operations", "usr_anna", {"internal": True, "side": "operations"}, 0, True),
        (
            "operations",
            "usr_anna",
            {"internal": True, "side": "operations", "login_id": "usr_anna"},
            0,
            False,
        ),
        ("partner", "usr_petra", {}, 0, False),
        ("partner", "usr_kurt", {}, 0, False),  # what a colleague wrote
        ("partner", "usr_petra", {"side": "operations", "login_id": "usr_anna"}, 0, True),
    ],
)
def test_what_a_login_has_yet_to_read(
    side: Side, login: str, changes: dict, read: int, unread: bool
) -> None:
    assert is_unread(message(**changes), side, login, read, NOW) is unread


@pytest.mark.parametrize(
    ("written", "span", "due"),
    [
        # Monday: until closing time on Tuesday; Friday: Monday; Saturday: Monday; before Christmas: after it.
        (NOW, "1 working day", datetime(2026, 12, 1, 17, tzinfo=UTC)),
        (NOW + timedelta(days=4), "1 working day", datetime(2026, 12, 7, 17, tzinfo=UTC)),
        (NOW + timedelta(days=5), "1 working day", datetime(2026, 12, 7, 17, tzinfo=UTC)),
        (datetime(2026, 12, 24, 9, tzinfo=UTC), "1 working day", datetime(2026, 12, 28, 17, tzinfo=UTC)),
        (NOW, "2 hours", NOW + timedelta(hours=2)),
        (NOW, "none", None),
    ],
)  # fmt: skip
def test_operations_answer_by_the_working_calendar(
    written: datetime, span: str, due: datetime | None
) -> None:
    calendar = pin_calendar("ZH", Policy(), written.date())
    policy = MessagePolicy(answer=span)  # type: ignore[arg-type]
    assert answer_due(calendar, policy.answer, written) == due


@given(st.integers(0, 500 * 24 * 60).map(lambda minutes: MONDAY + timedelta(minutes=minutes)))
def test_an_answer_is_due_later_and_at_closing_time_of_a_working_day(written: datetime) -> None:
    calendar = pin_calendar("ZH", Policy(), MONDAY.date())
    due = answer_due(calendar, Span(working_days=1), written)
    assert due is not None
    assert due > written
    local = calendar.local(due)
    assert (local.time(), calendar.is_working_day(local.date())) == (calendar.closes, True)


def test_the_first_message_that_waits_says_what_is_due() -> None:
    answered = message(due=NOW, answered_at=NOW)
    second = message(seq=2, due=NOW + timedelta(days=2))
    third = message(seq=3, due=NOW + timedelta(days=1))
    own = message(seq=4, side="operations")
    assert next_due([answered, second, third, own]) == NOW + timedelta(days=1)
    assert next_due([answered, own, message(due=None)]) is None
    assert [each.is_open for each in (answered, second, own)] == [False, True, False]


@pytest.mark.parametrize(
    ("written", "within_an_hour", "code"),
    [
        (0, 0, None),
        (MOST - 1, MOST_AN_HOUR - 1, None),
        (MOST, 0, "too_many_messages"),
        (MOST_AN_HOUR, MOST_AN_HOUR, "too_many_messages_now"),
    ],
)
def test_there_are_limits(written: int, within_an_hour: int, code: str | None) -> None:
    if code is None:
        check_limits(written, within_an_hour)
        return
    with pytest.raises(InvalidCommand) as refused:
        check_limits(written, within_an_hour)
    assert (refused.value.field, refused.value.code) == ("text", code)
