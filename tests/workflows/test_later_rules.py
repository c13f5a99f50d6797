"""Whole lives of orders under version 2 of the rules, and of one that adopts it: the end of the year 2037."""

from datetime import date

from contracts.activities import SEND_MAIL
from domain.actors import SYSTEM
from domain.cantons import pin_calendar
from domain.orders.commands import (
    Accept,
    AdoptRules,
    Bill,
    Cancel,
    ConfirmExecution,
    DecideReview,
    Decline,
    LogContact,
    Reassign,
    Reopen,
    ReportProblem,
    SetAppointment,
    StretchDeadlines,
    Undo,
)
from domain.orders.lifecycle import fold
from domain.orders.order import Status
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import Policy
from tests.support.builders import assignee
from tests.workflows.life import OPERATIONS, SHOP, WAREHOUSE, Life, Lives, zurich
from tests.workflows.test_lives import CHECKED, FRIDAY, due, until_checked

SENT = zurich("2037-11-27 16:12:01")


async def new(lives: Lives, **changes: object) -> Life:
    """An order under version 2 that its partner was sent on Friday at 16:12."""
    life = await lives.start(at=FRIDAY, rules=2, **changes)
    await lives.until(SENT)
    return life


async def consistent(life: Life) -> None:
    """The events give the state that the workflow holds."""
    held = await life.snapshot()
    assert fold(held.order.intake, held.events) == held.order


async def test_a_life_with_a_problem_a_hold_and_a_completion_taken_back(lives: Lives) -> None:
    life = await new(lives)
    order = await life.order()
    assert (order.status, order.notified_at is not None) == (Status.NEW, True)
    assert due(order, "accept") == zurich("2037-11-30 18:00")
    await lives.until(zurich("2037-11-30 09:00"))
    await life.do(Accept())
    until = date(2037, 12, 14)
    await life.do(ReportProblem(reason="customer_postpones", until=until))
    assert due(await life.order(), "review") == zurich("2037-12-02 18:00")
    await life.do(DecideReview(decision="wait_until", until=until), OPERATIONS)
    await lives.until(zurich("2037-12-14 08:00:02"))
    order = await life.order()
    assert order.status is Status.CHECK_REQUIREMENTS
    assert due(order, "check_requirements") == zurich("2037-12-15 18:00")
    await life.do(CHECKED)
    await life.tell(GoodsShipped(tracking="1"), WAREHOUSE)
    assert due(await life.order(), "delivery") == zurich("2037-12-21 18:00")
    await life.do(GoodsReceived())
    start, end = zurich("2037-12-16 09:00"), zurich("2037-12-16 11:00")
    await life.do(SetAppointment(start=start, end=end))
    await lives.until(zurich("2037-12-16 12:00"))
    await life.do(ConfirmExecution())
    await life.do(Undo())
    await life.do(ConfirmExecution())
    await life.do(Reopen(reason="Another house"), OPERATIONS)
    assert due(await life.order(), "confirm_execution") == zurich("2037-12-17 18:00")
    await life.do(ConfirmExecution())
    await life.do(Bill(settlement_id="settlement-elektro-huber-2037-12"), SYSTEM)
    await life.handle.result()
    await consistent(life)
    assert lives.outside.kinds("operations") == ["review_needed"]
    assert [d.outcome for d in (await life.order()).deadlines if d.outcome == "missed"] == []


async def test_declined_reassigned_and_cancelled_while_the_goods_come(lives: Lives) -> None:
    life = await new(lives)
    await life.do(Decline(reason="no_capacity"))
    assert due(await life.order(), "assign") == zurich("2037-11-30 18:00")
    other = assignee("luzern-montage", "LU")
    calendar = pin_calendar("LU", Policy(), date(2037, 11, 27))
    await life.do(Reassign(partner=other, calendar=calendar, reason="nearer"), OPERATIONS)
    life.partner = life.partner.model_copy(update={"partner_id": "luzern-montage"})
    await lives.until(zurich("2037-11-30 09:00"))
    await until_checked(life)
    await lives.until(zurich("2037-11-30 10:00"))
    await life.do(Cancel(reason="returned"), SHOP)
    await life.handle.result()
    await consistent(life)
    assert [request.key for request in lives.outside.requests] == [f"{life.sp_id}-1"]
    assert [stop.request_key for stop in lives.outside.stops] == [f"{life.sp_id}-1"]
    assert lives.outside.kinds("partner") == ["new_order", "new_order", "cancelled"]


async def test_the_people_of_a_partner_are_named_beside_it(lives: Lives) -> None:
    life = await new(lives)
    rita, hans = (life.partner.model_copy(update={"person": name}) for name in ("Rita", "Hans"))
    await life.do(Accept(), rita)
    await life.do(LogContact(outcome="reached"), hans)
    await life.tell(Undo(), hans)  # refused
    await life.do(LogContact(outcome="not_reached"))  # by software
    await life.do(Cancel(reason="x"), SHOP)
    await life.handle.result()
    await consistent(life)
    done = {(e.event.type, e.by, e.person) for e in (await life.snapshot()).events}
    firm = f"partner:{life.partner.partner_id}"
    assert {
        ("accepted", firm, "Rita"),
        ("contact_logged", firm, "Hans"),
        ("contact_logged", firm, None),
        ("command_refused", "system", None),
        ("cancelled", "shop", None),
    } <= done


async def test_nobody_accepts_and_the_partner_loses_the_order(lives: Lives) -> None:
    life = await new(lives)
    await lives.until(zurich("2037-12-03 17:59"))
    assert (await life.order()).status is Status.NEW
    await lives.until(zurich("2037-12-03 18:00:02"))
    order = await life.order()
    assert (order.status, order.transmitted_at) == (Status.UNASSIGNED, None)
    assert lives.outside.kinds("partner")[-1] == "withdrawn"
    assert lives.outside.kinds("operations")[-1] == "unassigned"
    await life.do(Cancel(reason="no partner"), OPERATIONS)
    await life.handle.result()
    await consistent(life)


async def test_the_notice_is_late_and_the_deadlines_count_from_it(lives: Lives) -> None:
    lives.outside.down.add(SEND_MAIL)
    life = await lives.start(at=zurich("2037-11-30 16:00"), rules=2)
    await lives.until(zurich("2037-11-30 16:31"))
    order = await life.order()
    assert (order.status, order.notified_at) == (Status.NEW, None), "visible without its mail"
    await lives.until(zurich("2037-12-01 00:01"))
    assert "accept" not in {d.kind for d in (await life.order()).open_deadlines}
    lives.outside.down.clear()
    await lives.until(zurich("2037-12-01 00:10"))
    order = await life.order()
    assert order.notified_at is not None
    assert due(order, "accept") == zurich("2037-12-02 18:00")
    await life.do(Accept())
    await life.do(Cancel(reason="x"), SHOP)
    await life.handle.result()
    await consistent(life)


async def test_an_outage_puts_deadlines_off_before_they_are_missed(lives: Lives) -> None:
    life = await new(lives)
    begin, end = zurich("2037-11-30 08:00"), zurich("2037-11-30 11:00")
    await lives.until(zurich("2037-11-30 17:00"))
    await life.tell(StretchDeadlines(begin=begin, end=end), SYSTEM)
    assert due(await life.order(), "accept") == zurich("2037-12-01 11:00")
    await lives.until(zurich("2037-12-01 09:00"))
    await life.do(Accept())
    await life.do(Cancel(reason="x"), SHOP)
    await life.handle.result()
    await consistent(life)
    assert (await life.order()).deadlines[-1].missed is False


async def test_an_order_of_the_first_rules_adopts_version_2(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(SENT)
    await life.do(Accept())
    await life.do(AdoptRules(version=2, policy=Policy()), OPERATIONS)
    await lives.until(zurich("2037-11-30 09:00"))
    await life.do(CHECKED)
    await life.tell(GoodsShipped(tracking="1"), WAREHOUSE)
    assert due(await life.order(), "delivery") == zurich("2037-12-07 18:00")
    refused = await life.refused(
        SetAppointment(start=zurich("2037-11-29 09:00"), end=zurich("2037-11-29 10:00"))
    )
    assert refused.details[0]["field"] == "start"
    await life.do(Cancel(reason="x"), SHOP)
    await life.handle.result()
    await consistent(life)
    assert [stop.request_key for stop in lives.outside.stops] == [f"{life.sp_id}-1"]
