"""Whole lives under the standard policy, weekends, holidays and summer time included."""

import uuid
from datetime import date, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.activities import REQUEST_SHIPPING, SAVE_ORDER, SEND_MAIL
from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.orders import lifecycle
from domain.orders.commands import (
    Accept,
    Bill,
    Cancel,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    LogContact,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    ReportNotExecuted,
    SetAppointment,
)
from domain.orders.lifecycle import fold, place
from domain.orders.order import Status
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import Policy
from tests.support.builders import assignee
from tests.workflows.life import OPERATIONS, SHOP, WAREHOUSE, Life, Lives, zurich

# Far ahead: the skipping server starts at the real clock, and goes forward only.
FRIDAY = zurich("2037-11-27 15:42")
CHECKED = ConfirmRequirements(
    checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
)


def due(order: object, kind: str) -> object:
    """When the open deadline of a kind is due, in Zürich."""
    return {d.kind: d.due for d in order.open_deadlines}[kind]


async def until_checked(life: Life) -> None:
    """From `new` to `requirements_met`."""
    await life.do(Accept())
    await life.do(LogContact(outcome="reached"))
    await life.do(CHECKED)


async def until_appointed(life: Life, start: str, end: str) -> None:
    """From `requirements_met` to `confirm_execution`."""
    await life.tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE)
    await life.tell(GoodsReceived(), WAREHOUSE)
    await life.do(SetAppointment(start=zurich(start), end=zurich(end)))


async def test_from_placing_to_billing_over_a_weekend(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    assert (await life.order()).status is Status.IN_TRANSMISSION
    assert lives.outside.mails == []

    await lives.until(zurich("2037-11-27 16:12:01"))
    order = await life.order()
    assert order.status is Status.NEW
    assert lives.outside.kinds() == ["new_order"]
    assert due(order, "accept") == zurich("2037-11-30 18:00")
    assert due(order, "contact_customer") == zurich("2037-12-01 18:00")

    await lives.until(zurich("2037-11-30 09:00"))
    await life.do(Accept())
    assert due(await life.order(), "check_requirements") == zurich("2037-12-01 18:00")
    await life.do(LogContact(outcome="reached", note="morgens"))
    await life.do(CHECKED)
    order = await life.order()
    assert order.status is Status.REQUIREMENTS_MET
    assert due(order, "goods") == zurich("2037-12-14 18:00")
    # A day for the warehouse's answer, which also lets the request go out.
    await lives.until(zurich("2037-12-01 10:00"))
    assert [r.key for r in lives.outside.requests] == [f"{life.sp_id}-1"]

    await life.tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE)
    order = await life.order()
    assert order.status is Status.SET_APPOINTMENT
    assert order.open_deadlines == (), (
        "the appointment's deadline runs from the receipt, not from the shipping"
    )
    await lives.until(zurich("2037-12-03 11:00"))
    await life.tell(GoodsReceived(), WAREHOUSE)
    assert due(await life.order(), "set_appointment") == zurich("2037-12-04 18:00")
    await life.do(SetAppointment(start=zurich("2037-12-05 09:00"), end=zurich("2037-12-05 11:00")))
    assert due(await life.order(), "confirm_execution") == zurich("2037-12-07 18:00")
    await lives.until(zurich("2037-12-05 12:00"))
    await life.do(ConfirmExecution(executed_on=date(2037, 12, 5)))
    await life.do(Bill(settlement_id="settlement-elektro-huber-2037-12"), SYSTEM)

    result = await life.handle.result()
    assert result["status"] == "billed"
    held = await life.snapshot()
    assert [d.outcome for d in held.order.deadlines] == ["met"] * len(held.order.deadlines)
    assert fold(held.order.intake, held.events) == held.order
    assert lives.outside.kinds() == ["new_order", "goods_shipped", "goods_received"]
    saved = lives.outside.timeline[life.sp_id]
    assert [saved[seq] for seq in sorted(saved)] == list(held.events)
    assert lives.outside.versions == sorted(lives.outside.versions)


async def test_an_order_is_placed_once_and_its_workflow_goes_on_from_there(
    lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = []
    monkeypatch.setattr(lifecycle, "place", lambda *how: placed.append(place(*how)) or placed[-1])
    life = await lives.start(at=FRIDAY)
    assert (await life.snapshot()).events == tuple(placed)
    assert len(placed) == 1


async def test_a_missed_deadline_reminds_escalates_and_leaves_the_order_going(lives: Lives) -> None:
    """Sent on the 24th of December: Christmas, St Stephen's Day and a weekend do not count."""
    life = await lives.start(at=zurich("2037-12-24 15:30"))
    await lives.until(zurich("2037-12-28 13:59"))
    assert due(await life.order(), "accept") == zurich("2037-12-28 18:00")
    assert lives.outside.kinds() == ["new_order"]
    await lives.until(zurich("2037-12-28 14:01"))
    assert lives.outside.kinds() == ["new_order", "reminder"]
    await lives.until(zurich("2037-12-28 18:01"))
    assert lives.outside.kinds("partner") == ["new_order", "reminder", "escalation"]
    assert lives.outside.kinds("operations") == ["escalation"]
    # The contact's deadline of the 29th is missed, too; each escalates on its own.
    await lives.until(zurich("2038-01-15 12:00"))
    levels = [
        (
            m.facts.deadline.kind,
            m.facts.level,
            m.at.astimezone(zurich("2037-12-24").tzinfo).isoformat()[:16],
        )
        for m in lives.outside.mails
        if m.kind == "escalation" and m.audience == "partner"
    ]
    assert [entry for entry in levels if entry[0] == "accept"] == [
        ("accept", 1, "2037-12-28T18:00"),
        ("accept", 2, "2037-12-29T18:00"),
        ("accept", 3, "2037-12-30T18:00"),
        ("accept", 4, "2037-12-31T18:00"),
    ]
    assert [entry[1:] for entry in levels if entry[0] == "contact_customer"] == [
        (1, "2037-12-29T18:00"),
        (2, "2037-12-30T18:00"),
        (3, "2037-12-31T18:00"),
        (4, "2038-01-04T18:00"),
    ]
    assert (await life.do(Accept())).status is Status.CHECK_REQUIREMENTS
    accept = next(d for d in (await life.order()).deadlines if d.kind == "accept")
    assert accept.outcome == "missed"


async def test_summer_time_and_easter_do_not_move_a_deadline(lives: Lives) -> None:
    """Maundy Thursday 2032; the clocks change on Easter Sunday."""
    life = await lives.start(at=zurich("2032-03-25 09:00"))
    await lives.until(zurich("2032-03-25 10:00"))
    assert due(await life.order(), "accept") == zurich("2032-03-30 18:00")
    await lives.until(zurich("2032-03-30 17:59"))
    assert "deadline_missed" not in await life.events()
    await lives.until(zurich("2032-03-30 18:00:05"))
    assert "deadline_missed" in await life.events()


async def test_a_prepaid_order_waits_for_months_at_no_cost(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY, prepaid=True)
    await lives.until(zurich("2037-11-27 18:00"))
    before = len((await life.handle.fetch_history()).events)
    await lives.until(zurich("2038-06-07 10:00"))
    assert len((await life.handle.fetch_history()).events) == before
    assert (await life.order()).status is Status.AWAITING_PAYMENT
    await life.tell(PaymentReceived(), SHOP)
    await life.tell(PaymentReceived(), SHOP)
    await lives.until(zurich("2038-06-07 10:31"))
    order = await life.order()
    assert order.status is Status.NEW
    assert due(order, "accept") == zurich("2038-06-08 18:00")
    assert (await life.events()).count("paid") == 1


async def test_the_calendar_is_renewed_for_an_order_that_outlives_it(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY, prepaid=True)
    last_day = (await life.order()).calendar.last_day
    await lives.until(zurich("2039-12-23 10:00"))
    order = await life.order()
    assert order.calendar.last_day > last_day + timedelta(days=180)
    await life.tell(PaymentReceived(), SHOP)
    await lives.until(zurich("2039-12-23 10:31"))
    # St Stephen's Day 2039 is a Monday: more than the calendar of 2037 knew.
    assert due(await life.order(), "accept") == zurich("2039-12-27 18:00")


async def test_requirements_that_are_not_met_end_the_order(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-27 16:13"))
    await life.do(Accept())
    await life.do(RejectRequirements(reason="passage_too_narrow", note="72 cm"))
    assert (await life.handle.result())["status"] == "cancelled"
    assert lives.outside.requests == []
    assert lives.outside.kinds() == ["new_order"]


async def test_not_executed_and_reshipped(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-30 09:00"))
    await until_checked(life)
    await until_appointed(life, "2037-12-02 09:00", "2037-12-02 11:00")
    await lives.until(zurich("2037-12-02 12:00"))
    await life.do(ReportNotExecuted(reason="transport_damage", note="Delle"))
    assert due(await life.order(), "review") == zurich("2037-12-04 18:00")
    await life.do(DecideReview(decision="reship"), OPERATIONS)
    # What came with the first parcel says nothing of the second.
    await life.tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE)
    assert (await life.order()).status is Status.REQUIREMENTS_MET
    await lives.until(zurich("2037-12-04 09:00"))
    await life.tell(GoodsShipped(tracking="99.00.2"), WAREHOUSE)
    await life.tell(GoodsReceived(), WAREHOUSE)
    await life.do(SetAppointment(start=zurich("2037-12-07 09:00"), end=zurich("2037-12-07 11:00")))
    await life.do(ConfirmExecution(executed_on=date(2037, 12, 4)))
    await lives.until(zurich("2037-12-07 10:00"))
    assert [r.key for r in lives.outside.requests] == [f"{life.sp_id}-1", f"{life.sp_id}-2"]
    assert lives.outside.kinds("operations") == ["review_needed"]
    assert "review_decided" in lives.outside.kinds("partner")
    assert (await life.order()).status is Status.COMPLETED


async def test_cancelled_before_the_partner_knew_of_it(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await life.do(Cancel(reason="Kunde hat storniert"), SHOP)
    assert (await life.handle.result())["status"] == "cancelled"
    assert lives.outside.mails == []


async def test_cancelled_by_the_shop_when_the_goods_are_on_their_way(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-30 09:00"))
    await until_checked(life)
    await life.tell(GoodsShipped(tracking="1"), WAREHOUSE)
    await life.do(Cancel(reason="Kunde hat storniert"), SHOP)
    assert (await life.handle.result())["status"] == "cancelled"
    assert lives.outside.kinds() == ["new_order", "goods_shipped", "cancelled"]


async def test_reassigned_to_a_partner_in_another_canton(lives: Lives) -> None:
    """The 31st of December is a holiday in Geneva, and there alone."""
    life = await lives.start(at=zurich("2037-12-28 09:00"))
    await lives.until(zurich("2037-12-30 10:00"))
    await life.do(
        Reassign(
            partner=assignee("geneve-pose", canton="GE"),
            calendar=pin_calendar("GE", Policy(), date(2037, 12, 30)),
            reason="Ferien",
        ),
        OPERATIONS,
    )
    order = await life.order()
    assert order.status is Status.NEW
    assert due(order, "accept") == zurich("2038-01-04 18:00")
    refusal = await life.refused(Accept())
    assert refusal.details[0]["code"] == "not_yours"
    new_partner = Actor(role="partner", partner_id="geneve-pose")
    assert (await life.do(Accept(), new_partner)).status is Status.CHECK_REQUIREMENTS
    await lives.until(zurich("2037-12-30 10:01"))
    told = [(m.kind, m.partner_id) for m in lives.outside.mails if m.audience == "partner"]
    assert ("reassigned", "elektro-huber") in told
    assert ("new_order", "geneve-pose") in told


# --- what is asked twice, too early, too late --------------------------------------------------------------------


async def test_a_refusal_says_what_is_allowed_and_leaves_no_trace(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-27 16:13"))
    refusal = await life.refused(
        SetAppointment(start=zurich("2037-12-02 09:00"), end=zurich("2037-12-02 11:00"))
    )
    assert refusal.type == names.REFUSED
    assert refusal.details[0] == {
        "action": "set_appointment",
        "code": "before_goods",
        "status": "new",
        "allowed": ["accept"],
    }
    await life.do(Accept())
    invalid = await life.refused(ConfirmRequirements(checklist={"space": "no"}))
    assert (invalid.type, invalid.details[0]) == (
        names.INVALID,
        {"field": "checklist.connections", "code": "item_missing"},
    )
    types = await life.events()
    assert types == ["placed", "transmission_started", "transmitted", "accepted"]


async def test_the_same_request_twice_is_done_once(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-27 16:13"))
    await life.do(Accept())
    key = str(uuid.uuid4())
    first = await life.do(LogContact(outcome="not_reached"), request_id=key)
    assert await life.do(LogContact(outcome="not_reached"), request_id=key) == first
    await life.tell(LogContact(outcome="not_reached"), life.partner, request_id=key)
    assert (await life.events()).count("contact_logged") == 1


async def test_a_command_left_as_a_signal_that_is_not_allowed_is_mailed_to_its_sender(
    lives: Lives,
) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-27 16:13"))
    sender = Actor(
        role="partner", partner_id="elektro-huber", name="Urs", email="urs@elektro-huber.example"
    )
    await life.tell(ConfirmExecution(), sender)
    await lives.until(zurich("2037-11-27 16:20"))
    (mail,) = [m for m in lives.outside.mails if m.kind == "command_refused"]
    assert mail.sender == sender
    assert (mail.facts.action, mail.facts.code) == ("confirm_execution", "wrong_state")
    assert (await life.order()).status is Status.NEW


async def test_a_signal_that_nobody_can_read_does_no_harm(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await life.handle.signal("accept", {"nonsense": 1})
    await life.handle.signal("no_such_thing", "x")
    with pytest.raises(WorkflowUpdateFailedError) as failure:
        await life.handle.execute_update("accept", 17)
    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.type == names.UNREADABLE
    await lives.until(zurich("2037-11-27 16:13"))
    assert (await life.do(Accept())).status is Status.CHECK_REQUIREMENTS


@pytest.mark.parametrize("order", ["received first", "twice", "before the requirements"])
async def test_warehouse_events_in_any_order(lives: Lives, order: str) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-30 09:00"))
    shipped, received = GoodsShipped(tracking="1"), GoodsReceived()
    if order == "before the requirements":
        await life.tell(shipped, WAREHOUSE)
        await life.tell(received, WAREHOUSE)
        assert (await life.order()).status is Status.NEW
        await until_checked(life)
    else:
        await until_checked(life)
        repeated = (
            [received, shipped, received, shipped]
            if order == "received first"
            else [shipped, shipped, received, received]
        )
        for notice in repeated:
            await life.tell(notice, WAREHOUSE)
    held = await life.order()
    assert held.status is Status.SET_APPOINTMENT
    assert held.shipment.trackings == ("1",)
    assert held.shipment.received_at is not None
    await lives.until(zurich("2037-11-30 10:00"))
    assert len(lives.outside.requests) == 1


async def test_an_operator_who_cancels_the_workflow_cancels_the_order(lives: Lives) -> None:
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-27 16:13"))
    await life.handle.cancel()
    assert (await life.handle.result())["status"] == "cancelled"
    assert lives.outside.kinds() == ["new_order", "cancelled"]
    assert (await life.snapshot()).events[-1].by == "operations:Temporal"


# --- a world that does not answer --------------------------------------------------------------------------------


async def test_the_mail_server_down_for_a_day(lives: Lives) -> None:
    lives.outside.down.add(SEND_MAIL)
    life = await lives.start(at=zurich("2037-11-25 09:00"))
    await lives.until(zurich("2037-11-25 09:46"))
    assert (await life.order()).status is Status.IN_TRANSMISSION
    assert "escalation" in await life.events(), "the alarm for a failed transmission"
    await lives.until(zurich("2037-11-26 09:46"))
    lives.outside.down.clear()
    await lives.until(zurich("2037-11-26 10:00"))
    order = await life.order()
    assert order.status is Status.NEW
    assert due(order, "accept") == zurich("2037-11-27 18:00"), (
        "from when it was sent, not from when it should have been"
    )
    assert lives.outside.kinds("partner") == ["new_order"]
    assert lives.outside.kinds("operations")[0] == "transmission_failed"


async def test_the_warehouse_down_for_a_day_holds_up_nothing(lives: Lives) -> None:
    life = await lives.start(at=zurich("2037-11-25 09:00"))
    await lives.until(zurich("2037-11-25 09:31"))
    lives.outside.down.add(REQUEST_SHIPPING)
    await until_checked(life)
    await lives.until(zurich("2037-11-26 09:31"))
    assert lives.outside.attempts[REQUEST_SHIPPING] > 100
    await life.tell(GoodsShipped(tracking="1"), WAREHOUSE)
    await life.do(SetAppointment(start=zurich("2037-11-27 09:00"), end=zurich("2037-11-27 11:00")))
    lives.outside.down.clear()
    await lives.until(zurich("2037-11-26 10:00"))
    assert [r.attempt for r in lives.outside.requests] == [1]
    assert lives.outside.kinds() == ["new_order", "goods_shipped"]


async def test_the_database_down_for_a_day_loses_nothing(lives: Lives) -> None:
    life = await lives.start(at=zurich("2037-11-25 09:00"))
    await lives.until(zurich("2037-11-25 09:31"))
    lives.outside.down.add(SAVE_ORDER)
    await until_checked(life)
    await lives.until(zurich("2037-11-26 09:31"))
    await life.tell(GoodsShipped(tracking="1"), WAREHOUSE)
    assert (await life.order()).status is Status.SET_APPOINTMENT
    lives.outside.down.clear()
    await lives.until(zurich("2037-11-26 10:00"))
    held = await life.snapshot()
    saved = lives.outside.timeline[life.sp_id]
    assert [saved[seq] for seq in sorted(saved)] == list(held.events)
    assert lives.outside.versions[-1] == held.order.version


async def test_an_order_does_not_end_before_all_is_sent(lives: Lives) -> None:
    life = await lives.start(at=zurich("2037-11-25 09:00"))
    await lives.until(zurich("2037-11-25 09:31"))
    lives.outside.down.update((SEND_MAIL, SAVE_ORDER))
    await life.do(Cancel(reason="doch nicht"), SHOP)
    await lives.until(zurich("2037-11-25 12:00"))
    assert not await life.has_ended()
    lives.outside.down.clear()
    # The next attempts are up to five minutes away.
    await lives.until(zurich("2037-11-25 12:10"))
    assert (await life.handle.result())["status"] == "cancelled"
    assert lives.outside.kinds() == ["new_order", "cancelled"]
    assert lives.outside.versions[-1] == (await life.order()).version
