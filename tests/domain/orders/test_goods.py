"""The goods of orders of version 2 of the rules: who reports them, what is asked of the warehouse, what comes late."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from domain.orders.commands import (
    Accept,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    DecideReview,
    Decline,
    Reopen,
    ReportProblem,
)
from domain.orders.errors import Refused
from domain.orders.events import GoodsUnexpected
from domain.orders.order import Status
from domain.orders.outgoing import Mail, ShippingRequest, ShippingStop, ShopNotice
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import (
    ANNA,
    HUBER,
    MET,
    ROSSI,
    SHOP,
    STANDARD,
    WAREHOUSE,
    Life,
    at,
    intake_of,
    partner,
    reached,
    reassign,
    shown,
)


def kinds(life: Life, known: int) -> list[str]:
    return [
        f"{e.kind} to {e.audience}" if isinstance(e, Mail) else e.type
        for e in life.outgoing[known:]
    ]


def types(life: Life) -> list[str]:
    return [entry.event.type for entry in life.events]


# --- the shipping request ----------------------------------------------------------------------------------------


def placed(**changes: object) -> Life:
    life = Life(intake_of(STANDARD, rules=2, **changes), at("2026-11-02 10:00"))
    life.do(Accept(), "2026-11-03 09:00")
    life.do(MET, "2026-11-04 09:00")
    return life


def request_of(life: Life) -> ShippingRequest:
    (request,) = (e for e in life.outgoing if isinstance(e, ShippingRequest))
    return request


def test_the_partner_receives_the_goods_unless_the_order_says_otherwise() -> None:
    request = request_of(placed())
    assert (request.deliver_to, request.partner_id) == ("partner", HUBER.partner_id)
    assert request.key == "SP-1048213-1"
    assert request_of(placed(deliver_to="customer")).deliver_to == "customer"
    first = reached(Status.REQUIREMENTS_MET)
    assert request_of(first).deliver_to == "customer", "as it was under the first rules"


def test_two_services_on_one_line_ask_for_its_goods_under_one_key() -> None:
    one, other = (placed(sp_id=sp_id, sales_order_line="1") for sp_id in ("SP-1", "SP-2"))
    assert request_of(one).key == request_of(other).key == "48392011-1-1"
    assert request_of(placed(sp_id="SP-3", sales_order_line="2")).key == "48392011-2-1"
    assert request_of(placed(sp_id="SP-4")).key == "SP-4-1"


def test_goods_that_were_requested_are_stopped_by_a_cancellation() -> None:
    life = placed(sales_order_line="7")
    known = len(life.outgoing)
    life.do(Cancel(reason="withdrawn"), "2026-11-05 09:00", by=SHOP)
    assert kinds(life, known) == ["cancelled to partner", "shipping_stop"]
    stop = life.outgoing[-1]
    assert isinstance(stop, ShippingStop)
    assert (stop.request_key, stop.attempt) == ("48392011-7-1", 1)
    assert stop.key == "SP-1048213-1-stop"


@pytest.mark.parametrize(
    ("status", "command", "expected"),
    [
        (Status.CHECK_REQUIREMENTS, Cancel(reason="x"), ["cancelled to partner", "shop_notice"]),
        (Status.REQUIREMENTS_MET, Cancel(reason="x"), ["cancelled to partner", "shipping_stop", "shop_notice"]),
        (Status.CONFIRM_EXECUTION, Cancel(reason="x"), ["cancelled to partner", "shop_notice"]),
        (Status.UNDER_REVIEW, DecideReview(decision="cancel"), ["cancelled to partner", "shop_notice"]),
        (Status.UNASSIGNED, Cancel(reason="x"), ["shop_notice"]),
        (Status.AWAITING_PAYMENT, Cancel(reason="x"), ["shop_notice"]),
        (Status.IN_TRANSMISSION, Cancel(reason="x"), ["shop_notice"]),
    ],
)  # fmt: skip
def test_what_a_cancellation_by_operations_makes_go_out(
    status: Status, command: Command, expected: list[str]
) -> None:
    """Goods that were received are not stopped; the shop hears of what it did not do itself."""
    life = reached(status, rules=2)
    known = len(life.outgoing)
    life.do(command, by=ANNA)
    assert kinds(life, known) == expected
    notice = life.outgoing[-1]
    assert isinstance(notice, ShopNotice)
    assert (notice.kind, notice.status) == ("cancelled", Status.CANCELLED)


def test_a_cancellation_stops_the_reshipment_and_its_own_key() -> None:
    life = reached(Status.UNDER_REVIEW, rules=2)
    life.do(DecideReview(decision="reship"), "2026-11-13 09:00")
    life.do(ReportProblem(reason="customer_withdrew"), "2026-11-13 10:00")
    known = len(life.outgoing)
    life.do(DecideReview(decision="cancel"), "2026-11-13 11:00")
    assert kinds(life, known) == ["cancelled to partner", "shipping_stop", "shop_notice"]
    (stop,) = (e for e in life.outgoing if isinstance(e, ShippingStop))
    assert (stop.request_key, stop.attempt) == ("SP-1048213-2", 2)


# --- receipt -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("received", [None, "2026-11-05 15:00"])
def test_the_partner_reports_the_receipt_itself(received: str | None) -> None:
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    command = GoodsReceived(received_at=at(received) if received else None)
    life.do(command, "2026-11-05 16:00", by=partner())
    assert life.order.status is Status.SET_APPOINTMENT
    assert shown(life.order.shipments[-1].received_at) == received or "2026-11-05 16:00"
    assert life.due("set_appointment") == "2026-11-06 18:00"
    assert life.events[-1].by == "partner:elektro-huber"


def test_whoever_reports_the_receipt_twice_is_once() -> None:
    for actors in permutations((WAREHOUSE, partner(), ANNA), 3):
        life = reached(Status.SET_APPOINTMENT, received=False, rules=2)
        for actor in actors:
            life.do(GoodsReceived(), by=actor)
        assert types(life).count("goods_received") == 1


def test_the_partner_reports_no_receipt_of_what_was_never_asked_for() -> None:
    for status in (Status.NEW, Status.CHECK_REQUIREMENTS, Status.UNDER_REVIEW):
        with pytest.raises(Refused):
            reached(status, rules=2).do(GoodsReceived(), by=partner())
    with pytest.raises(Refused) as refused:
        reached(Status.SET_APPOINTMENT, received=False).do(GoodsReceived(), by=partner())
    assert refused.value.code == "role", "under the first rules it was the warehouse's alone"


def test_damage_on_receipt_is_reviewed() -> None:
    for actor in (partner(), WAREHOUSE, ANNA):
        life = reached(Status.SET_APPOINTMENT, received=False, rules=2)
        known = len(life.outgoing)
        life.do(GoodsReceived(damaged=True), "2026-11-09 10:00", by=actor)
        assert types(life)[-2:] == ["goods_received", "problem_reported"]
        assert (life.order.status, life.order.review_reason) == (
            Status.UNDER_REVIEW,
            "damaged_on_receipt",
        )
        assert kinds(life, known) == ["review_needed to operations"], "they ask for no appointment"
        life.do(DecideReview(decision="reship"), "2026-11-10 09:00")
        assert life.order.status is Status.REQUIREMENTS_MET


def test_damage_may_be_found_after_the_warehouse_reported_the_receipt() -> None:
    life = reached(Status.SET_APPOINTMENT, rules=2)
    life.do(GoodsReceived(damaged=True), by=partner())
    assert types(life)[-1] == "problem_reported"
    assert types(life).count("goods_received") == 1
    assert life.order.status is Status.UNDER_REVIEW


def test_damage_that_the_warehouse_reports_early_is_kept_until_the_order_expects_goods() -> None:
    life = reached(Status.CHECK_REQUIREMENTS, rules=2)
    life.do(GoodsReceived(damaged=True), "2026-11-03 10:00")
    assert types(life)[-1] == "notice_kept"
    life.do(MET, "2026-11-03 11:00")
    assert types(life)[-3:] == ["requirements_confirmed", "goods_received", "problem_reported"]
    assert life.order.status is Status.UNDER_REVIEW


@pytest.mark.parametrize("status", [each for each in Status if each.value])
@pytest.mark.parametrize(
    "command",
    [
        GoodsShipped(tracking="T-8"),
        GoodsReceived(),
        GoodsReceived(damaged=True),
        GoodsReceived(received_at=datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_nothing_that_the_warehouse_says_is_refused_or_written_down_twice(
    status: Status, command: Command
) -> None:
    life = reached(status, received=False, rules=2)
    life.do(command)
    version = life.order.version
    life.do(command)
    repeated = isinstance(command, GoodsReceived) and command.damaged
    assert life.order.version == version or repeated


# --- the deadlines of the goods ----------------------------------------------------------------------------------


def test_from_shipping_to_receipt_runs_the_retailers_deadline() -> None:
    """Shipped on Friday, 6 November, at 09:00: five working days end on the Friday after."""
    life = reached(Status.SET_APPOINTMENT, received=False, rules=2)
    assert life.due("delivery") == "2026-11-13 18:00"
    assert life.outcomes("goods") == ["met"]
    happened = [(when, e.type) for when, e in life.let_pass("2026-11-16 18:00")]
    assert happened == [
        ("2026-11-13 18:00", "deadline_missed"),
        ("2026-11-13 18:00", "escalation"),
        ("2026-11-16 18:00", "escalation"),
    ]
    mails = [e for e in life.outgoing if isinstance(e, Mail) and e.kind == "escalation"]
    assert [mail.audience for mail in mails] == ["operations", "operations"]
    life.do(GoodsReceived(), "2026-11-17 09:00")
    assert life.outcomes("delivery") == ["missed"]
    assert life.due("set_appointment") == "2026-11-18 18:00"


def test_the_goods_are_awaited_whatever_the_partner_does_meanwhile() -> None:
    """Asked for on Wednesday, 4 November: ten working days. A second parcel changes nothing."""
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    assert life.due("goods") == "2026-11-18 18:00"
    life.do(reassign(), "2026-11-05 09:00")
    assert life.due("goods") == "2026-11-18 18:00"
    life.do(GoodsShipped(tracking="T-1"), "2026-11-10 09:00")
    assert life.outcomes("goods") == ["met"]
    assert life.due("delivery") == "2026-11-17 18:00"
    life.do(GoodsShipped(tracking="T-2"), "2026-11-11 09:00")
    assert life.due("delivery") == "2026-11-17 18:00"


# --- goods after the end -----------------------------------------------------------------------------------------


def test_goods_after_a_cancellation_are_recorded_and_told_once() -> None:
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    life.do(Cancel(reason="x"), "2026-11-05 09:00")
    known = len(life.outgoing)
    (shipped,) = life.do(GoodsShipped(tracking="T-1"), "2026-11-06 09:00")
    assert shipped == GoodsUnexpected(notice=GoodsShipped(tracking="T-1"))
    life.do(GoodsShipped(tracking="T-1"), "2026-11-06 10:00")
    life.do(GoodsReceived(), "2026-11-09 09:00")
    life.do(GoodsReceived(), "2026-11-09 10:00")
    assert types(life)[-2:] == ["goods_unexpected", "goods_unexpected"]
    assert kinds(life, known) == ["goods_unexpected to operations"] * 2
    assert life.order.status is Status.CANCELLED


def test_late_news_of_goods_that_were_installed_is_no_alarm() -> None:
    """The warehouse's word that they were shipped comes after the receipt, and after the execution."""
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    life.do(GoodsReceived(), "2026-11-06 09:00")
    life.do(ReportProblem(reason="site_not_ready"))
    life.do(DecideReview(decision="accept_as_executed"))
    for command in (None, Bill(settlement_id="settlement-a")):
        if command:
            life.do(command)
        known = len(life.outgoing)
        life.do(GoodsShipped(tracking="T-1"))
        assert kinds(life, known) == []
    assert types(life).count("notice_kept") == 1
    assert "goods_unexpected" not in types(life)


def test_goods_for_an_unassigned_order_keep_their_way() -> None:
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    life.do(reassign(), "2026-11-05 09:00")
    life.do(Decline(reason="no_capacity"), "2026-11-05 10:00", by=partner(ROSSI))
    assert life.order.status is Status.UNASSIGNED
    known = len(life.outgoing)
    life.do(GoodsShipped(tracking="T-1"), "2026-11-06 09:00")
    life.do(GoodsReceived(), "2026-11-09 09:00")
    assert [each for each in types(life) if each.startswith("goods")] == [
        "goods_shipped",
        "goods_received",
    ]
    assert set(kinds(life, known)) == {"escalation to operations"}, "nobody has the order"


def test_a_reopened_order_knows_its_goods() -> None:
    life = reached(Status.CONFIRM_EXECUTION, rules=2)
    life.do(ConfirmExecution(), "2026-11-12 12:00")
    life.do(Reopen(reason="x"), "2026-11-13 09:00")
    life.do(ConfirmExecution(), "2026-11-13 10:00")
    assert life.order.status is Status.COMPLETED


@pytest.mark.parametrize("decision", ["reship", "cancel"])
def test_goods_that_never_came_did_not_come_in_time(decision: str) -> None:
    """The parcel is lost; its deadline ends with the decision, and is neither met nor missed."""
    life = reached(Status.SET_APPOINTMENT, received=False, rules=2)
    life.do(ReportProblem(reason="wrong_goods"), "2026-11-09 09:00")
    life.do(DecideReview.model_validate({"decision": decision}), "2026-11-10 09:00")
    assert life.outcomes("delivery") == ["void"]
    assert life.outcomes("review") == ["met"]
