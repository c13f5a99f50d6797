"""An order of the first rules that adopts version 2 at any point of its life goes on by it to its end."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.orders.commands import (
    Accept,
    AdoptRules,
    Bill,
    Command,
    ConfirmExecution,
    DecideReview,
    PaymentReceived,
    ReportNotExecuted,
    ReportProblem,
    Resume,
)
from domain.orders.explanation import explain
from domain.orders.internal import ConfirmTransmission, PassTime
from domain.orders.lifecycle import fold
from domain.orders.order import Order, Status
from domain.orders.outgoing import Mail
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import (
    HUBER,
    MET,
    STANDARD,
    Life,
    appointment,
    at,
    intake,
    reached,
    reassign,
)
from words.order_view import order_view

ADOPT = AdoptRules(version=2, policy=STANDARD)
FIRST = [
    Status.AWAITING_PAYMENT,
    Status.IN_TRANSMISSION,
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.REQUIREMENTS_MET,
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
    Status.UNDER_REVIEW,
    Status.COMPLETED,
]
NEXT: dict[Status, Callable[[Order], Command]] = {
    Status.AWAITING_PAYMENT: lambda order: PaymentReceived(),
    Status.IN_TRANSMISSION: lambda order: (
        ConfirmTransmission() if order.sending_since else PassTime()
    ),
    Status.NEW: lambda order: Accept(),
    Status.CHECK_REQUIREMENTS: lambda order: MET,
    Status.REQUIREMENTS_MET: lambda order: GoodsShipped(tracking="T-9"),
    Status.SET_APPOINTMENT: lambda order: (
        appointment("2026-11-24 09:00") if order.shipments[-1].received_at else GoodsReceived()
    ),
    Status.CONFIRM_EXECUTION: lambda order: ConfirmExecution(early=True),
    Status.UNDER_REVIEW: lambda order: DecideReview(decision="continue"),
    Status.ON_HOLD: lambda order: Resume(),
    Status.COMPLETED: lambda order: Bill(settlement_id="settlement-a"),
}


@pytest.mark.parametrize("received", [True, False])
@pytest.mark.parametrize("status", FIRST)
def test_it_goes_on_to_its_end(status: Status, received: bool) -> None:
    life = reached(status, received=received)
    running = {d.kind: d.due for d in life.order.open_deadlines}
    life.do(ADOPT)
    assert life.order.status is status
    kept = {d.kind: d.due for d in life.order.open_deadlines}
    assert running.items() <= kept.items(), "a deadline that runs keeps its instant"
    passed: list[Status] = []
    while life.order.status is not Status.BILLED:
        passed.append(life.order.status)
        assert len(passed) < 20, passed
        life.do(NEXT[life.order.status](life.order), life.now + timedelta(minutes=40))
        for deadline in life.order.open_deadlines:
            explain(life.order, deadline)
    assert fold(life.intake, life.events) == life.order
    assert Order.model_validate_json(life.order.model_dump_json()) == life.order
    assert order_view(life.order, life.events, life.now, "de", "partner").status == "billed"
    mails = [e.key for e in life.outgoing if isinstance(e, Mail)]
    assert len(mails) == len(set(mails))
    kinds = [e.kind for e in life.outgoing if isinstance(e, Mail)]
    assert kinds.count("new_order") == 1


@pytest.mark.parametrize("status", FIRST[2:8])
def test_it_has_the_ways_of_the_newer_rules(status: Status) -> None:
    life = reached(status)
    life.do(ADOPT)
    if status is Status.NEW:
        life.do(reassign(), life.now + timedelta(hours=1))
        assert life.order.status is Status.NEW
        return
    if status is not Status.UNDER_REVIEW:
        life.do(ReportProblem(reason="site_not_ready"))
    life.do(DecideReview(decision="continue"))
    expected = Status.CONFIRM_EXECUTION if status is Status.UNDER_REVIEW else status
    assert life.order.status is expected
    life.do(reassign())
    assert life.order.status is Status.NEW


def test_goods_that_the_first_rules_never_saw_arrive_are_still_to_be_reported() -> None:
    """Under the first rules one executed without a receipt; after the adoption the partner reports it itself."""
    life = reached(Status.SET_APPOINTMENT, received=False)
    life.do(appointment("2026-11-12 09:00"), "2026-11-09 11:00")
    life.do(ADOPT, "2026-11-12 12:00")
    # Shipped on the 6th; the deadline that came with the rules counts from their adoption.
    assert life.due("delivery") == "2026-11-19 18:00"
    life.do(GoodsReceived(received_at=at("2026-11-12 08:00")), by=None)
    life.do(ConfirmExecution())
    assert life.order.status is Status.COMPLETED


def test_an_order_that_is_being_sent_when_it_adopts_them_is_visible_with_its_mail() -> None:
    life = Life(intake(), at("2026-11-02 10:00"))
    life.do(PassTime(), "2026-11-02 10:30")
    life.do(ADOPT, "2026-11-02 10:31")
    life.do(ConfirmTransmission(partner_id=HUBER.partner_id), "2026-11-02 10:32")
    assert life.order.status is Status.NEW
    assert life.outcomes("transmit") == ["met"]
    assert life.due("accept") == "2026-11-03 18:00"


def test_a_review_of_the_first_rules_continues_where_it_came_from() -> None:
    life = reached(Status.CONFIRM_EXECUTION)
    life.do(ReportNotExecuted(reason="site_not_ready"), "2026-11-12 12:00")
    life.do(ADOPT)
    life.do(DecideReview(decision="continue"), "2026-11-13 09:00")
    assert life.order.status is Status.CONFIRM_EXECUTION
    assert life.due("confirm_execution") == "2026-11-16 18:00"
