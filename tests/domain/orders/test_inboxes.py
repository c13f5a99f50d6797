"""What each side gets in the course of whole lives under version 2 of the rules, in order, with instants by hand."""

from datetime import date

from domain.orders.commands import (
    Accept,
    Cancel,
    Command,
    ConfirmExecution,
    DecideReview,
    Decline,
    LogContact,
    RejectRequirements,
    Reopen,
    ReportProblem,
    WithdrawProblem,
)
from domain.orders.internal import ConfirmTransmission, NoteRefusal
from domain.orders.outgoing import Mail
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import (
    HUBER,
    MET,
    ROSSI,
    SHOP,
    Life,
    appointment,
    at,
    intake,
    partner,
    reassign,
    shown,
)

Steps = tuple[tuple[str, Command], ...]
NOTIFIED = ConfirmTransmission()
START: Steps = (("2026-11-02 10:31", NOTIFIED),)


def lived(*steps: tuple[str, Command], until: str, policy_text: str = "") -> Life:
    """Placed on Monday, 2 November 2026, at 10:00; time passes between the steps as it does in a workflow."""
    life = Life(intake(policy_text, rules=2), at("2026-11-02 10:00"))
    for when, command in (*START, *steps):
        life.let_pass(when)
        life.do(command, when)
    life.let_pass(until)
    return life


def inbox(life: Life, whose: str) -> list[str]:
    """The mails to a partner, or to operations, each as "day hour kind"."""
    return [
        f"{(shown(e.at) or '')[5:]} {e.kind}"
        for e in life.outgoing
        if isinstance(e, Mail) and whose in (e.audience, e.partner_id)
        if e.audience == "partner" or whose == "operations"
    ]


def others(life: Life) -> list[str]:
    """What the warehouse and the shop get."""
    return [
        f"{e.type} {getattr(e, 'kind', '')}".strip()
        for e in life.outgoing
        if not isinstance(e, Mail)
    ]


def test_a_life_in_which_all_is_in_time() -> None:
    life = lived(
        ("2026-11-03 09:00", Accept()),
        ("2026-11-03 09:30", LogContact(outcome="reached")),
        ("2026-11-04 09:00", MET),
        ("2026-11-06 09:00", GoodsShipped(tracking="T-1")),
        ("2026-11-09 09:00", GoodsReceived()),
        ("2026-11-09 11:00", appointment()),
        ("2026-11-12 12:00", ConfirmExecution()),
        until="2026-12-01 12:00",
    )
    assert inbox(life, HUBER.partner_id) == [
        "11-02 10:30 new_order",
        "11-06 09:00 goods_shipped",
        "11-09 09:00 goods_received",
    ]
    assert inbox(life, "operations") == []
    assert others(life) == ["shipping_request"]
    assert {d.outcome for d in life.order.deadlines} == {"met"}


def test_a_partner_that_is_late_is_reminded_and_told_with_operations() -> None:
    life = lived(
        ("2026-11-05 09:00", Accept()),  # due on the 3rd
        ("2026-11-05 10:00", MET),  # contact was due on the 4th
        until="2026-11-06 08:00",
    )
    assert inbox(life, HUBER.partner_id) == [
        "11-02 10:30 new_order",
        "11-03 14:00 reminder",
        "11-03 18:00 escalation",
        "11-04 14:00 reminder",
        "11-04 18:00 escalation",
        "11-04 18:00 escalation",
    ]
    assert inbox(life, "operations") == [
        "11-03 18:00 escalation",
        "11-04 18:00 escalation",
        "11-04 18:00 escalation",
    ]


def test_the_process_without_accept_asks_for_the_requirements_at_once() -> None:
    """Sent on the 2nd: the requirements are due on the 3rd, the contact on the 4th."""
    life = lived(
        ("2026-11-03 15:00", MET),
        ("2026-11-06 09:00", GoodsReceived()),
        until="2026-11-09 18:00",
        policy_text='[deadlines]\naccept = "none"',
    )
    assert inbox(life, HUBER.partner_id) == [
        "11-02 10:30 new_order",
        "11-03 14:00 reminder",
        "11-06 09:00 goods_received",
        "11-09 14:00 reminder",  # of the appointment, due on Monday
        "11-09 18:00 escalation",
    ]
    assert inbox(life, "operations") == ["11-09 18:00 escalation"]
    assert [d.kind for d in life.order.deadlines] == [
        "transmit",
        "check_requirements",
        "contact_customer",
        "goods",
        "set_appointment",
    ]


def test_a_rejection_and_its_cancellation() -> None:
    life = lived(
        ("2026-11-03 09:00", Accept()),
        ("2026-11-03 10:00", RejectRequirements(reason="no_space")),
        ("2026-11-06 09:00", DecideReview(decision="cancel")),  # due on the 5th
        until="2026-12-01 12:00",
    )
    assert inbox(life, HUBER.partner_id) == ["11-02 10:30 new_order", "11-06 09:00 cancelled"]
    assert inbox(life, "operations") == ["11-03 10:00 review_needed", "11-05 18:00 escalation"]
    assert others(life) == ["shop_notice requirements_rejected", "shop_notice cancelled"]


def test_a_postponement_with_its_hold() -> None:
    until = date(2026, 11, 16)
    life = lived(
        ("2026-11-03 09:00", Accept()),
        ("2026-11-03 10:00", ReportProblem(reason="customer_postpones", until=until)),
        ("2026-11-03 11:00", DecideReview(decision="wait_until", until=until)),
        until="2026-11-17 14:00",
    )
    assert inbox(life, HUBER.partner_id) == [
        "11-02 10:30 new_order",
        "11-03 11:00 review_decided",
        "11-16 08:00 hold_ended",
        "11-17 14:00 reminder",
    ]
    assert inbox(life, "operations") == ["11-03 10:00 review_needed"]
    assert others(life) == []


def test_a_problem_that_is_withdrawn() -> None:
    life = lived(
        ("2026-11-03 09:00", Accept()),
        ("2026-11-03 10:00", ReportProblem(reason="partner_unable")),
        ("2026-11-03 11:00", WithdrawProblem()),
        until="2026-11-04 08:00",
    )
    assert inbox(life, HUBER.partner_id) == ["11-02 10:30 new_order"]
    assert inbox(life, "operations") == [
        "11-03 10:00 review_needed",
        "11-03 11:00 problem_withdrawn",
    ]


def test_a_declined_order_and_its_next_partner() -> None:
    life = lived(
        ("2026-11-03 09:00", Decline(reason="no_capacity")),
        ("2026-11-04 09:00", reassign()),
        ("2026-11-04 09:01", ConfirmTransmission(partner_id=ROSSI.partner_id)),
        ("2026-11-05 09:00", Accept()),
        ("2026-11-05 10:00", Cancel(reason="x")),
        until="2026-12-01 12:00",
    )
    assert inbox(life, HUBER.partner_id) == ["11-02 10:30 new_order"]
    assert inbox(life, ROSSI.partner_id) == ["11-04 09:00 new_order", "11-05 10:00 cancelled"]
    assert inbox(life, "operations") == ["11-03 09:00 unassigned"]
    assert life.order.deadlines[-1].outcome == "void"


def test_a_completion_that_is_taken_back() -> None:
    life = lived(
        ("2026-11-03 09:00", Accept()),
        ("2026-11-04 09:00", MET),
        ("2026-11-06 09:00", GoodsReceived()),
        ("2026-11-06 11:00", appointment("2026-11-10 09:00")),
        ("2026-11-10 12:00", ConfirmExecution()),
        ("2026-11-12 09:00", Reopen(reason="Not done.")),
        ("2026-11-13 09:00", ConfirmExecution()),
        until="2026-12-01 12:00",
    )
    assert inbox(life, HUBER.partner_id) == [
        "11-02 10:30 new_order",
        "11-06 09:00 goods_received",
        "11-12 09:00 reopened",
    ]
    assert inbox(life, "operations") == []


def test_goods_that_come_after_a_cancellation_by_the_shop() -> None:
    life = lived(
        ("2026-11-03 09:00", Accept()),
        ("2026-11-04 09:00", MET),
        until="2026-11-04 09:00",
    )
    life.do(Cancel(reason="x"), "2026-11-05 09:00", by=SHOP)
    life.do(GoodsShipped(tracking="T-1"), "2026-11-06 09:00")
    life.do(GoodsReceived(), "2026-11-07 09:00")  # a Saturday
    assert inbox(life, HUBER.partner_id) == ["11-02 10:30 new_order", "11-05 09:00 cancelled"]
    assert inbox(life, "operations") == [
        "11-06 09:00 goods_unexpected",
        "11-07 09:00 goods_unexpected",
    ]
    assert others(life) == ["shipping_request", "shipping_stop"], "the shop knows of its own"


def test_a_command_of_a_former_partner_is_answered_without_a_word_of_the_customer() -> None:
    life = lived(("2026-11-03 09:00", reassign()), until="2026-11-03 09:00")
    life.do(NoteRefusal(refused="accept", code="not_yours", sender=partner()), "2026-11-03 10:00")
    mail = life.outgoing[-1]
    assert isinstance(mail, Mail)
    assert (mail.kind, mail.audience) == ("command_refused", "sender")
    assert mail.facts.customer_name == ""
    assert ROSSI.name not in mail.facts.model_dump().values()
