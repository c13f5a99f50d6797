"""Which appointments stand, which events take one away, and which mails follow from what the records store."""

from datetime import timedelta

import pytest

from domain.orders.commands import (
    Cancel,
    ConfirmExecution,
    DecideReview,
    Reassign,
    ReportNotExecuted,
    ReportProblem,
    Resume,
    Unassign,
    WithdrawProblem,
)
from domain.orders.lifecycle import fold
from domain.orders.outgoing import Mail
from domain.orders.recorded_mails import is_outdated, occasions, recorded_mails
from domain.orders.standing import removed_appointment, standing
from tests.activities.mails import mails_of
from tests.support.builders import (
    AGREED,
    GOODS_THERE,
    MONDAY,
    Step,
    appointment,
    assignee,
    intake,
    lived,
)

SECOND = intake(rules=2)
ROSSI = Reassign(partner=assignee("sanitaer-rossi"), calendar=SECOND.calendar, reason="Ferien")
UNTIL = (MONDAY + timedelta(days=20)).date()
POSTPONED = ReportProblem(reason="customer_postpones", until=UNTIL)
HELD = DecideReview(decision="wait_until", until=UNTIL)
TILER = ReportProblem(reason="site_not_ready", note="Der Plattenleger fehlt.")
MOVED = appointment(24 * 4, reason="Der Monteur ist krank.")
LATER = appointment(24 * 30, reason="Der Monteur ist krank.")
FAILED = ReportNotExecuted(reason="customer_absent")
OVER = timedelta(days=3)

TAKEN: dict[str, tuple[Step, ...]] = {
    "cancelled": (*AGREED, Cancel(reason="Storno")),
    "reassigned": (*AGREED, ROSSI),
    "unassigned": (*AGREED, Unassign(partner_id="elektro-huber")),
    "a new one is needed": (*AGREED, TILER, DecideReview(decision="new_appointment")),
    "the goods come again": (*AGREED, TILER, DecideReview(decision="reship")),
    "cancelled in review": (*AGREED, TILER, DecideReview(decision="cancel")),
    "it falls into a hold": (*AGREED, POSTPONED, HELD),
}
KEPT: dict[str, tuple[Step, ...]] = {
    "there was none": (*GOODS_THERE, Cancel(reason="Storno")),
    "moved": (*AGREED, MOVED),
    "a problem is reviewed": (*AGREED, TILER),
    "the problem is withdrawn": (*AGREED, TILER, WithdrawProblem()),
    "it goes on as planned": (*AGREED, TILER, DecideReview(decision="continue")),
    "it is after the hold": (*GOODS_THERE, LATER, POSTPONED, HELD),
    "it is over": (*AGREED, OVER, FAILED, DecideReview(decision="new_appointment")),
    "cancelled when it is over": (*AGREED, OVER, FAILED, DecideReview(decision="cancel")),
    "executed early": (*AGREED, ConfirmExecution(executed_on=MONDAY.date(), early=True)),
}


def last(*steps: Step) -> tuple[object, ...]:
    order, events = lived(*steps, of=SECOND)
    before = fold(SECOND, events[:-1])
    return removed_appointment(before, order, events[-1].at), before, order


@pytest.mark.parametrize("how", TAKEN)
def test_an_appointment_falls(how: str) -> None:
    removed, before, _ = last(*TAKEN[how])
    assert removed is not None
    assert removed == before.appointment  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", KEPT)
def test_an_appointment_does_not_fall(how: str) -> None:
    assert last(*KEPT[how])[0] is None


@pytest.mark.parametrize("how", TAKEN)
def test_the_mail_that_says_so_takes_it_out_of_the_former_partners_calendar(how: str) -> None:
    found = [m for m in mails_of(*TAKEN[how], of=SECOND) if m.facts.fallen_start is not None]
    assert [(mail.audience, mail.partner_id) for mail in found] == [("partner", "elektro-huber")]
    order, events = lived(*TAKEN[how], of=SECOND)
    assert found[0].facts.seq == events[-1].seq
    assert found[0].facts.fallen_start == fold(SECOND, events[:-1]).appointment.start  # type: ignore[union-attr]
    assert standing(order) is None


def recorded(*steps: Step) -> list[tuple[str, int]]:
    """The kinds of all mails of the records in an order's life, with the numbers of their events."""
    order, events = lived(*steps, of=SECOND)
    found = []
    for each in events:
        mails = recorded_mails(order, events, each.seq)
        assert "event" in occasions(order, each) or not mails
        found += [(mail.kind, mail.facts.seq) for mail in mails]
    return found


def kinds(*steps: Step) -> list[str]:
    return [kind for kind, _ in recorded(*steps)]


def test_mails_follow_when_it_is_set_and_moved_and_stands_again() -> None:
    assert kinds(*GOODS_THERE) == []
    assert kinds(*AGREED, MOVED) == ["appointment_set", "appointment_moved"]
    assert kinds(*TAKEN["a new one is needed"], MOVED) == ["appointment_set", "appointment_set"]
    assert kinds(*AGREED, POSTPONED, HELD, Resume()) == ["appointment_set", "appointment_set"]
    assert kinds(*GOODS_THERE, LATER, POSTPONED, HELD, Resume()) == ["appointment_set"]
    assert kinds(*AGREED, POSTPONED, HELD, timedelta(days=21)) == ["appointment_set"]
    assert recorded_mails(*lived(*AGREED, of=SECOND), seq=99) == ()


def mail_about(*steps: Step) -> Mail:
    order, events = lived(*steps, of=SECOND)
    (mail,) = recorded_mails(order, events, events[-1].seq)
    return mail


@pytest.mark.parametrize(
    ("later", "outdated"),
    [
        ((), False),
        ((TILER,), False),
        ((TILER, WithdrawProblem()), False),
        ((MOVED,), True),
        ((Cancel(reason="Storno"),), True),
        ((ROSSI,), True),
        ((POSTPONED, HELD), True),
        ((POSTPONED, HELD, Resume()), False),
    ],
)
def test_a_mail_is_outdated_when_the_appointment_is_another_one(
    later: tuple[Step, ...], outdated: bool
) -> None:
    mail = mail_about(*AGREED)
    order, _ = lived(*AGREED, *later, of=SECOND)
    assert is_outdated(mail, order, MONDAY) is outdated
