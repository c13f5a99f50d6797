"""Orders of the first rules: every command in every state, who may do what, what the warehouse may report, any life.

Those of version 2 are in test_life.py.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from pydantic import TypeAdapter, ValidationError

from domain.actors import SYSTEM, Actor
from domain.errors import InvalidCommand
from domain.orders.access import allowed
from domain.orders.ball import ball
from domain.orders.commands import (
    Accept,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    LogContact,
    PaymentReceived,
    RejectRequirements,
    ReportNotExecuted,
    SetAppointment,
)
from domain.orders.deadline_events import Escalated
from domain.orders.deadline_rules import owner_of
from domain.orders.deadlines import next_due, next_instant
from domain.orders.effects import effects
from domain.orders.errors import Refused
from domain.orders.events import Recorded
from domain.orders.evolve import evolve
from domain.orders.explanation import explain
from domain.orders.internal import ConfirmTransmission, PassTime
from domain.orders.lifecycle import fold, handle, release
from domain.orders.order import Order, Status
from domain.orders.outgoing import Mail, ShippingRequest
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.holdings import holdings
from tests.domain.strategies import (
    ANNA,
    HUBER,
    MEIER,
    MET,
    POLICIES,
    ROSSI,
    SHOP,
    WAREHOUSE,
    Life,
    appointment,
    at,
    commands,
    intake,
    intake_of,
    partner,
    placement,
    reached,
    reassign,
    shown,
    usual_actor,
)

# --- the table of docs/rules.md, "The life of an order", by hand -------------------------------------------------

ASKED: dict[str, Command] = {
    "payment_received": PaymentReceived(),
    "confirm_transmission": ConfirmTransmission(),
    "accept": Accept(),
    "log_contact": LogContact(outcome="reached"),
    "confirm_requirements": MET,
    "reject_requirements": RejectRequirements(reason="no_space"),
    "goods_shipped": GoodsShipped(tracking="T-9"),
    "goods_received": GoodsReceived(),
    "set_appointment": appointment("2026-12-10 08:00", reason="the customer asked"),
    "confirm_execution": ConfirmExecution(),
    "report_not_executed": ReportNotExecuted(reason="wrong_goods"),
    "review: new_appointment": DecideReview(decision="new_appointment"),
    "review: reship": DecideReview(decision="reship"),
    "review: cancel": DecideReview(decision="cancel"),
    "review: accept_as_executed": DecideReview(decision="accept_as_executed"),
    "cancel": Cancel(reason="out of stock"),
    "reassign": reassign(),
    "bill": Bill(settlement_id="settlement-b"),
}

TABLE: dict[str, dict[str, str]] = {
    "awaiting_payment": {"payment_received": "in_transmission", "cancel": "cancelled"},
    "in_transmission": {"confirm_transmission": "new", "cancel": "cancelled"},
    "new": {"accept": "check_requirements", "reassign": "new", "cancel": "cancelled"},
    "check_requirements": {
        "log_contact": "check_requirements",
        "confirm_requirements": "requirements_met",
        "reject_requirements": "cancelled",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "requirements_met": {
        "goods_shipped": "set_appointment",
        "goods_received": "set_appointment",
        "cancel": "cancelled",
    },
    "set_appointment": {
        "log_contact": "set_appointment",
        "set_appointment": "confirm_execution",
        "cancel": "cancelled",
    },
    "confirm_execution": {
        "confirm_execution": "completed",
        "set_appointment": "confirm_execution",
        "report_not_executed": "under_review",
        "cancel": "cancelled",
    },
    "under_review": {
        "review: new_appointment": "set_appointment",
        "review: reship": "requirements_met",
        "review: cancel": "cancelled",
        "review: accept_as_executed": "completed",
        "cancel": "cancelled",
    },
    "completed": {"bill": "billed"},
    "billed": {},
    "cancelled": {},
}

# Never an error, wherever they come: they change nothing, or are kept.
TOLERATED = {"payment_received", "confirm_transmission", "goods_shipped", "goods_received"}

MAY: dict[str, dict[str, set[str]]] = {
    "awaiting_payment": {"shop": {"payment_received", "cancel"}, "operations": {"cancel"}},
    "in_transmission": {"shop": {"cancel"}, "operations": {"cancel"}},
    "new": {
        "partner": {"accept"},
        "operations": {"accept", "cancel", "reassign"},
        "shop": {"cancel"},
    },
    "check_requirements": {
        "partner": {"log_contact", "confirm_requirements", "reject_requirements"},
        "operations": {
            "log_contact",
            "confirm_requirements",
            "reject_requirements",
            "cancel",
            "reassign",
        },
        "shop": {"cancel"},
    },
    "requirements_met": {
        "warehouse": {"goods_shipped", "goods_received"},
        "operations": {"cancel"},
        "shop": {"cancel"},
    },
    "set_appointment": {
        "partner": {"log_contact", "set_appointment"},
        "operations": {"log_contact", "set_appointment", "cancel"},
        "shop": {"cancel"},
    },
    "confirm_execution": {
        "partner": {"confirm_execution", "set_appointment", "report_not_executed"},
        "operations": {"confirm_execution", "set_appointment", "report_not_executed", "cancel"},
        "shop": {"cancel"},
    },
    "under_review": {
        "operations": {"new_appointment", "reship", "cancel", "accept_as_executed"},
        "shop": {"cancel"},
    },
    "completed": {"system": {"bill"}},
    "billed": {},
    "cancelled": {},
}

BALL = {
    "awaiting_payment": "customer",
    "in_transmission": "retailer",
    "new": "partner",
    "check_requirements": "partner",
    "requirements_met": "warehouse",
    "set_appointment": "partner",
    "confirm_execution": "customer",
    "under_review": "retailer",
    "completed": "partner",
    "billed": None,
    "cancelled": None,
}

# Which event may lead from where to where: nothing else may ever be seen.
STEPS: dict[str, set[tuple[str, str]]] = {
    "paid": {("awaiting_payment", "in_transmission")},
    "transmitted": {
        ("in_transmission", "new"),
        ("in_transmission", "check_requirements"),
        ("cancelled", "cancelled"),
    },
    "accepted": {("new", "check_requirements")},
    "contact_logged": {(s, s) for s in ("check_requirements", "set_appointment")},
    "requirements_confirmed": {("check_requirements", "requirements_met")},
    "requirements_rejected": {("check_requirements", "cancelled")},
    "goods_shipped": {
        ("requirements_met", "set_appointment"),
        ("set_appointment", "set_appointment"),
        ("confirm_execution", "confirm_execution"),
        ("under_review", "under_review"),
    },
    "goods_received": {
        ("requirements_met", "set_appointment"),
        ("set_appointment", "set_appointment"),
        ("confirm_execution", "confirm_execution"),
        ("under_review", "under_review"),
    },
    "appointment_set": {("set_appointment", "confirm_execution")},
    "appointment_moved": {("confirm_execution", "confirm_execution")},
    "execution_confirmed": {("confirm_execution", "completed")},
    "not_executed": {("confirm_execution", "under_review")},
    "review_decided": {
        ("under_review", "set_appointment"),
        ("under_review", "requirements_met"),
        ("under_review", "completed"),
        ("under_review", "cancelled"),
    },
    "reassigned": {
        ("new", "new"),
        ("check_requirements", "new"),
        ("check_requirements", "check_requirements"),
    },
    "cancelled": {(s, "cancelled") for s in TABLE if s not in ("completed", "billed", "cancelled")},
    "billed": {("completed", "billed")},
    "notice_kept": {
        (s, s)
        for s in TABLE
        if s not in ("requirements_met", "set_appointment", "confirm_execution")
    },
    "transmission_started": {("in_transmission", "in_transmission")},
    **{
        kind: {(s, s) for s in TABLE if s not in ("completed", "billed", "cancelled")}
        for kind in ("reminder", "deadline_missed", "escalation")
    },
    **{
        kind: {(s, s) for s in TABLE}
        for kind in ("mail_undelivered", "command_refused", "calendar_renewed")
    },
}

ACTORS = {
    "partner": partner(),
    "operations": ANNA,
    "shop": SHOP,
    "warehouse": WAREHOUSE,
    "system": SYSTEM,
}
REFUSAL_CODES = {"billed": "final", "cancelled": "final"}
BEFORE_GOODS = {
    "awaiting_payment",
    "in_transmission",
    "new",
    "check_requirements",
    "requirements_met",
}


def action_named(name: str) -> str:
    return name.removeprefix("review: ")


def test_the_tables_of_this_test_are_complete() -> None:
    states = {status.value for status in Status} - {"unassigned", "on_hold"}  # of version 2
    assert set(TABLE) == set(MAY) == set(BALL) == states
    for status, row in TABLE.items():
        listed = {action_named(name) for name in row} - {"confirm_transmission"}
        assert set().union(*MAY[status].values()) == listed, status


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("name", ASKED)
def test_every_command_in_every_state(status: str, name: str) -> None:
    life = reached(Status(status))
    before, version = life.order, life.order.version
    if name in TABLE[status]:
        events = life.do(ASKED[name])
        assert events, "it happened, and was written down"
        assert life.order.status == TABLE[status][name]
        assert life.order.version == version + len(events)
    elif name in TOLERATED:
        life.do(ASKED[name])
        assert life.order.status == status
    else:
        with pytest.raises(Refused) as refused:
            life.do(ASKED[name])
        error = refused.value
        assert life.order is before
        assert error.status == status
        code = REFUSAL_CODES.get(status, "wrong_state")
        if name == "set_appointment" and status in BEFORE_GOODS:
            code = "before_goods"
        if name == "bill" and status == "billed":
            code = "other_settlement"
        assert error.code == code
        role = usual_actor(ASKED[name], before).role
        assert set(error.allowed) == MAY[status].get(role, set())


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("role", ACTORS)
def test_what_a_role_may_do_now(status: str, role: str) -> None:
    order = reached(Status(status)).order
    may = allowed(order, ACTORS[role].role)
    assert set(may) == MAY[status].get(role, set())
    assert len(may) == len(set(may))


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("role", ACTORS)
def test_who_may_not_is_refused(status: str, role: str) -> None:
    for name, command in ASKED.items():
        roles = {
            "payment_received": {"shop"},
            "goods_shipped": {"warehouse"},
            "goods_received": {"warehouse"},
            "cancel": {"shop", "operations"},
            "reassign": {"operations"},
            "bill": {"system"},
            "confirm_transmission": {"system"},
        }.get(name, {"operations"} if name.startswith("review: ") else {"partner", "operations"})
        if role in roles:
            continue  # the table above
        with pytest.raises(Refused) as refused:
            reached(Status(status)).do(command, by=ACTORS[role])
        assert refused.value.code == "role", name
        assert set(refused.value.allowed) == MAY[status].get(role, set())


@pytest.mark.parametrize("status", TABLE)
def test_who_has_the_ball(status: str) -> None:
    life = reached(Status(status))
    assert ball(life.order, life.now) == BALL[status]


def test_the_ball_is_the_warehouses_until_the_goods_are_there() -> None:
    life = reached(Status.SET_APPOINTMENT, received=False)
    assert ball(life.order, life.now) == "warehouse"


def test_the_ball_is_the_customers_until_the_agreed_hour_is_over() -> None:
    life = reached(Status.CONFIRM_EXECUTION)
    assert ball(life.order, at("2026-11-12 10:59")) == "customer"
    assert ball(life.order, at("2026-11-12 11:00")) == "partner"


def test_only_prepaid_orders_wait_for_payment() -> None:
    assert Life(intake(), at("2026-11-02 10:00")).order.status is Status.IN_TRANSMISSION
    prepaid = Life(intake(prepaid=True), at("2026-11-02 10:00"))
    assert prepaid.order.status is Status.AWAITING_PAYMENT
    assert next_instant(prepaid.order) is None


def test_nothing_is_sent_before_the_hold_ends() -> None:
    life = Life(intake(), at("2026-11-02 10:00"))
    assert life.do(PassTime(), "2026-11-02 10:29") == []
    assert life.do(ConfirmTransmission()) == []
    assert life.order.status is Status.IN_TRANSMISSION
    (started,) = life.do(PassTime(), "2026-11-02 10:30")
    assert started.type == "transmission_started"
    life.do(ConfirmTransmission(), "2026-11-02 10:31")
    assert life.do(ConfirmTransmission(), "2026-11-02 10:32") == []


def test_without_the_accept_step_the_partner_starts_at_the_requirements() -> None:
    text = '[deadlines]\naccept = "none"'
    life = Life(intake(text), at("2026-11-02 10:00"))
    life.do(PassTime(), "2026-11-02 10:30")
    life.do(ConfirmTransmission(), "2026-11-02 10:31")
    assert life.order.status is Status.CHECK_REQUIREMENTS
    with pytest.raises(Refused):
        life.do(Accept())
    life.do(reassign(), "2026-11-02 12:00")
    assert life.order.status is Status.CHECK_REQUIREMENTS


# --- who ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actor", "by", "on_behalf_of"),
    [
        (partner(), "partner:elektro-huber", None),
        (ANNA, "operations:Anna", "elektro-huber"),
        (Actor(role="operations"), "operations", "elektro-huber"),
    ],
)
def test_the_timeline_says_who_did_it_for_whom(
    actor: Actor, by: str, on_behalf_of: str | None
) -> None:
    life = reached(Status.NEW)
    life.do(Accept(), by=actor)
    assert (life.events[-1].by, life.events[-1].on_behalf_of) == (by, on_behalf_of)


@pytest.mark.parametrize(
    ("status", "command", "by", "words"),
    [
        (Status.NEW, Cancel(reason="x"), SHOP, "shop"),
        (Status.NEW, Cancel(reason="x"), ANNA, "operations:Anna"),
        (Status.UNDER_REVIEW, DecideReview(decision="reship"), ANNA, "operations:Anna"),
        (Status.REQUIREMENTS_MET, GoodsReceived(), WAREHOUSE, "warehouse"),
        (Status.COMPLETED, Bill(settlement_id="s"), SYSTEM, "system"),
    ],
)
def test_the_timeline_says_who_did_it(
    status: Status, command: Command, by: Actor, words: str
) -> None:
    life = reached(status)
    life.do(command, by=by)
    assert life.events[-1].author == words


def test_what_time_brought_is_the_systems_and_comes_first() -> None:
    life = reached(Status.NEW)
    life.do(Accept(), "2026-11-06 09:00")
    *brought, done = [(r.event.type, r.by) for r in life.events if r.at == life.now]
    assert done == ("accepted", "partner:elektro-huber")
    assert set(brought) == {("deadline_missed", "system"), ("escalation", "system")}


def test_after_a_reassignment_the_old_partner_has_no_say() -> None:
    life = reached(Status.CHECK_REQUIREMENTS)
    life.do(LogContact(outcome="reached"))
    life.do(reassign(), "2026-11-03 11:00")
    assert life.order.status is Status.NEW
    assert life.order.partner == ROSSI
    assert life.order.calendar.canton == "TI"
    with pytest.raises(Refused) as refused:
        life.do(Accept(), by=partner(HUBER))
    assert refused.value.code == "not_yours"
    assert refused.value.allowed == ()
    life.do(Accept(), by=partner(ROSSI))
    assert life.order.status is Status.CHECK_REQUIREMENTS


def test_a_partner_without_a_firm_owns_nothing() -> None:
    with pytest.raises(Refused) as refused:
        reached(Status.NEW).do(Accept(), by=Actor(role="partner"))
    assert refused.value.code == "not_yours"


# --- values that cannot be ---------------------------------------------------------------------------------------


def checked(**answers: str) -> ConfirmRequirements:
    return ConfirmRequirements(checklist={**MET.checklist, **answers})


MISSING = ConfirmRequirements(checklist={k: v for k, v in MET.checklist.items() if k != "space"})


@pytest.mark.parametrize(
    ("status", "command", "field", "code"),
    [
        (Status.CHECK_REQUIREMENTS, checked(space="no"), "checklist.space", "item_is_no"),
        (Status.CHECK_REQUIREMENTS, MISSING, "checklist.space", "item_missing"),
        (Status.CHECK_REQUIREMENTS, checked(wall="yes"), "checklist.wall", "item_not_asked"),
        (Status.CHECK_REQUIREMENTS, checked(space="maybe"), "checklist.space", "item_answer"),
        (Status.SET_APPOINTMENT, appointment(hours=0), "end", "end_before_start"),
        (Status.SET_APPOINTMENT, appointment(hours=-1), "end", "end_before_start"),
        (Status.SET_APPOINTMENT, appointment(hours=200), "end", "appointment_too_long"),
        (
            Status.SET_APPOINTMENT,
            appointment("2028-11-12 09:00"),
            "start",
            "appointment_too_far",
        ),
        (
            Status.SET_APPOINTMENT,
            appointment("2026-11-05 23:00"),
            "start",
            "appointment_before_goods",
        ),
        (
            Status.CONFIRM_EXECUTION,
            appointment("2026-11-13 09:00"),
            "reason",
            "move_needs_reason",
        ),
        (
            Status.CONFIRM_EXECUTION,
            ConfirmExecution(executed_on=date(2026, 11, 10)),
            "executed_on",
            "in_future",
        ),
        (
            Status.CONFIRM_EXECUTION,
            ConfirmExecution(executed_on=date(2026, 10, 31)),
            "executed_on",
            "before_order",
        ),
        (Status.CONFIRM_EXECUTION, ReportNotExecuted(reason="other"), "note", "other_needs_note"),
        (Status.NEW, reassign(HUBER), "partner_id", "same_partner"),
    ],
)
def test_a_value_that_cannot_be_names_its_field(
    status: Status, command: Command, field: str, code: str
) -> None:
    life = reached(status)
    before = life.order
    with pytest.raises(InvalidCommand) as invalid:
        life.do(command)
    assert (invalid.value.field, invalid.value.code) == (field, code)
    assert life.order is before


def test_an_unknown_service_is_asked_about_everything() -> None:
    service = placement().service.model_copy(update={"code": "polish-the-moon"})
    start = intake()
    start = start.model_copy(
        update={"placement": start.placement.model_copy(update={"service": service})}
    )
    life = Life(start, at("2026-11-02 10:00"))
    life.do(PassTime(), "2026-11-02 10:30")
    life.do(ConfirmTransmission(), "2026-11-02 10:31")
    life.do(Accept())
    with pytest.raises(InvalidCommand):
        life.do(MET)
    items = ("connections", "space", "passages", "kit", "wall")
    life.do(ConfirmRequirements(checklist=dict.fromkeys(items, "not_applicable")))
    assert life.order.status is Status.REQUIREMENTS_MET


@pytest.mark.parametrize("command", [MET, RejectRequirements(reason="customer_unreachable")])
def test_the_requirements_imply_that_the_customer_was_reached(command: Command) -> None:
    life = reached(Status.CHECK_REQUIREMENTS)
    assert life.due("contact_customer") is not None
    life.do(command, "2026-11-04 09:00")
    assert life.outcomes("contact_customer") == ["met"]
    assert life.order.reached_at == at("2026-11-04 09:00")


def test_instants_are_kept_in_utc_and_what_has_none_is_refused() -> None:
    command = SetAppointment.model_validate(
        {"start": "2026-11-12T09:00:00+01:00", "end": "2026-11-12T11:00:00+01:00"}
    )
    assert command.start.isoformat() == "2026-11-12T08:00:00+00:00"
    for raw in ("0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00", "2026-11-12T09:00:00"):
        with pytest.raises(ValidationError):
            GoodsReceived.model_validate({"received_at": raw})


@pytest.mark.parametrize("status", TABLE)
def test_the_strangest_instant_of_a_receipt_is_only_early(status: str) -> None:
    life = reached(Status(status), received=False)
    life.do(GoodsReceived(received_at=datetime.min.replace(tzinfo=UTC)))
    life.do(PassTime(), life.now + timedelta(days=30))


def test_the_same_appointment_twice_is_once_and_a_move_counts() -> None:
    life = reached(Status.CONFIRM_EXECUTION)
    assert life.do(appointment()) == []
    life.do(appointment("2026-11-16 09:00", reason="ill"))
    assert life.order.appointment is not None
    assert life.order.appointment.sequence == 1


# --- billing -----------------------------------------------------------------------------------------------------


def test_an_order_is_billed_once_and_by_one_settlement() -> None:
    life = reached(Status.COMPLETED)
    assert [e.type for e in life.do(Bill(settlement_id="settlement-a"))] == ["billed"]
    assert life.do(Bill(settlement_id="settlement-a")) == []
    with pytest.raises(Refused) as refused:
        life.do(Bill(settlement_id="settlement-b"))
    assert refused.value.code == "other_settlement"
    assert life.order.settlement_id == "settlement-a"


def test_an_order_whose_settlement_was_taken_back_is_free_for_the_next_one() -> None:
    life = reached(Status.COMPLETED)
    life.do(Bill(settlement_id="settlement-a"))
    billed = life.order
    free, (released,) = release(billed, "settlement-a", life.now)
    assert (free.status, free.settlement_id) == (Status.COMPLETED, None)
    assert (released.seq, released.by) == (billed.version + 1, "system")
    assert fold(life.order.intake, [*life.events, released]) == free
    assert free.open_deadlines == ()
    assert release(free, "settlement-a", life.now) == (free, ())
    again, (event,) = handle(free, Bill(settlement_id="settlement-b"), SYSTEM, life.now)
    assert (again.settlement_id, event.event.type) == ("settlement-b", "billed")


def test_only_the_settlement_that_billed_it_sets_it_free_and_never_bills_it_again() -> None:
    life = reached(Status.COMPLETED)
    with pytest.raises(Refused):
        release(life.order, "settlement-a", life.now)
    life.do(Bill(settlement_id="settlement-a"))
    with pytest.raises(Refused):
        release(life.order, "settlement-b", life.now)
    free, _ = release(life.order, "settlement-a", life.now)
    with pytest.raises(Refused) as late:
        handle(free, Bill(settlement_id="settlement-a"), SYSTEM, life.now)
    assert late.value.code == "other_settlement"


# --- what the warehouse and the shop say -------------------------------------------------------------------------


def shipped(*trackings: str) -> list[Command]:
    return [GoodsShipped(tracking=tracking) for tracking in trackings]


def test_paid_twice_is_once_and_late_is_nothing() -> None:
    life = Life(intake(prepaid=True), at("2026-11-02 10:00"))
    assert [e.type for e in life.do(PaymentReceived())] == ["paid"]
    assert life.do(PaymentReceived()) == []
    cancelled = reached(Status.CANCELLED)
    assert cancelled.do(PaymentReceived()) == []


@pytest.mark.parametrize("status", ["requirements_met", "set_appointment", "confirm_execution"])
def test_shipped_and_received_twice_is_once(status: str) -> None:
    life = reached(Status(status), received=False)
    life.do(GoodsShipped(tracking="T-1"))
    life.do(GoodsReceived())
    version = life.order.version
    assert life.do(GoodsShipped(tracking="T-1"), life.now + timedelta(hours=1)) == []
    assert life.do(GoodsReceived(), life.now + timedelta(hours=1)) == []
    assert life.order.version == version


def test_a_second_parcel_is_another_shipment_of_the_same_attempt() -> None:
    life = reached(Status.SET_APPOINTMENT)
    assert [e.type for e in life.do(GoodsShipped(tracking="T-2"))] == ["goods_shipped"]
    (shipment,) = life.order.shipments
    assert shipment.trackings == ("T-1", "T-2")
    assert shown(shipment.shipped_at) == "2026-11-06 09:00"


@pytest.mark.parametrize(
    "said",
    list(
        permutations(
            [GoodsShipped(tracking="T-1"), GoodsShipped(tracking="T-1"), GoodsReceived()], 3
        )
    ),
)
@pytest.mark.parametrize("early", [0, 1, 2, 3])
def test_shipping_events_in_any_order_early_or_not(said: tuple[Command, ...], early: int) -> None:
    """The first `early` of them come while the requirements are being checked, twice."""
    life = reached(Status.CHECK_REQUIREMENTS)
    for command in (*said[:early], *said[:early]):
        life.do(command, life.now + timedelta(minutes=5))
        assert life.order.status is Status.CHECK_REQUIREMENTS
    life.do(MET, "2026-11-03 14:00")
    for command in said[early:]:
        life.do(command, life.now + timedelta(minutes=5))
    assert life.order.status is Status.SET_APPOINTMENT
    (shipment,) = life.order.shipments
    assert shipment.trackings == ("T-1",)
    assert shipment.received_at is not None
    assert life.order.kept == ()
    assert [e.event.type for e in life.events].count("goods_shipped") == 1
    assert [e.event.type for e in life.events].count("goods_received") == 1
    assert life.due("set_appointment") == "2026-11-04 18:00"


@pytest.mark.parametrize("status", TABLE)
def test_nothing_the_warehouse_says_is_lost_or_written_down_twice(status: str) -> None:
    life = reached(Status(status), received=False)
    said = [*shipped("T-8"), GoodsReceived(received_at=life.now)]
    for command in said:
        life.do(command)
    known = life.order.shipments[-1].trackings if life.order.shipments else ()
    kept = {n.tracking for n in life.order.kept if isinstance(n, GoodsShipped)}
    assert "T-8" in {*known, *kept}
    assert (
        any(isinstance(n, GoodsReceived) for n in life.order.kept)
        or life.order.shipments[-1].received_at
    )
    version = life.order.version
    for command in said:
        assert life.do(command, life.now + timedelta(minutes=1)) == []
    assert life.order.version == version


def test_a_receipt_keeps_the_instant_at_which_it_was_true() -> None:
    life = reached(Status.CHECK_REQUIREMENTS)
    life.do(GoodsReceived(), "2026-11-03 10:00")
    life.do(MET, "2026-11-03 15:00")
    assert shown(life.order.shipments[-1].received_at) == "2026-11-03 10:00"


def test_received_before_shipped() -> None:
    life = reached(Status.REQUIREMENTS_MET)
    life.do(GoodsReceived(), "2026-11-05 10:00")
    assert life.order.status is Status.SET_APPOINTMENT
    life.do(GoodsShipped(tracking="T-1"), "2026-11-05 11:00")
    assert life.order.status is Status.SET_APPOINTMENT
    assert life.due("set_appointment") == "2026-11-06 18:00"


def test_a_reshipment_waits_for_its_own_goods() -> None:
    life = reached(Status.UNDER_REVIEW)
    life.do(DecideReview(decision="reship"), "2026-11-13 09:00")
    assert life.order.status is Status.REQUIREMENTS_MET
    assert [s.attempt for s in life.order.shipments] == [1, 2]
    # What is repeated of the first attempt is not the second's.
    assert life.do(GoodsShipped(tracking="T-1"), "2026-11-13 10:00") == []
    assert life.do(GoodsReceived(received_at=at("2026-11-09 09:00"))) == []
    assert life.order.status is Status.REQUIREMENTS_MET
    life.do(GoodsShipped(tracking="T-2"), "2026-11-16 10:00")
    assert life.order.status is Status.SET_APPOINTMENT
    assert life.order.appointment is None
    assert life.deadline("set_appointment") is None
    life.do(GoodsReceived(), "2026-11-17 10:00")
    assert life.due("set_appointment") == "2026-11-18 18:00"


def test_goods_sent_during_the_review_are_the_reshipments() -> None:
    life = reached(Status.UNDER_REVIEW)
    assert [e.type for e in life.do(GoodsShipped(tracking="T-2"))] == ["notice_kept"]
    life.do(DecideReview(decision="reship"), "2026-11-13 09:00")
    assert life.order.status is Status.SET_APPOINTMENT
    assert life.order.shipments[-1].trackings == ("T-2",)
    assert life.order.kept == ()


def test_the_late_word_that_the_goods_were_shipped_is_not_of_the_reshipment() -> None:
    life = reached(Status.REQUIREMENTS_MET)
    life.do(GoodsReceived(), "2026-11-06 10:00")
    life.do(appointment(), "2026-11-09 11:00")
    life.do(ReportNotExecuted(reason="transport_damage"), "2026-11-12 12:00")
    life.do(GoodsShipped(tracking="T-1"), "2026-11-12 13:00")
    life.do(DecideReview(decision="reship"), "2026-11-13 09:00")
    assert life.order.status is Status.REQUIREMENTS_MET
    assert life.order.shipments[0].trackings == ("T-1",)


# --- any life whatever -------------------------------------------------------------------------------------------


def advances() -> st.SearchStrategy[timedelta]:
    return st.one_of(
        st.just(timedelta()),
        st.integers(0, 30).map(lambda n: timedelta(seconds=n)),
        st.integers(0, 5000).map(lambda n: timedelta(minutes=n)),
        st.integers(0, 40).map(lambda n: timedelta(days=n)),
    )


class AnyLife(RuleBasedStateMachine):
    """Anybody asks anything at any time; what must hold, holds after each step and at the end."""

    life: Life

    @initialize(
        policy=st.sampled_from(POLICIES),
        assignee=st.sampled_from([HUBER, ROSSI, MEIER]),
        prepaid=st.booleans(),
        start=st.integers(0, 260 * 24 * 60).map(
            lambda minutes: at("2026-10-05 08:00") + timedelta(minutes=minutes)
        ),
        ahead=st.integers(0, 12),
        hours=st.integers(0, 30),
    )
    def begin(self, policy, assignee, prepaid, start, ahead, hours):
        """Many lives have come some way already, lest few come to the later states."""
        self.life = Life(intake_of(policy, prepaid=prepaid, assignee=assignee), start)
        self.reached = self.received = False
        self.check_state()
        for step in range(ahead):
            now = self.life.now = self.life.now + timedelta(hours=hours)
            way: dict[str, Command] = {
                "awaiting_payment": PaymentReceived(),
                "in_transmission": ConfirmTransmission(),
                "new": Accept(),
                "check_requirements": MET,
                "requirements_met": GoodsShipped(tracking=f"T-{step}"),
                "set_appointment": GoodsReceived()
                if not self.received and hours % 2
                else SetAppointment(start=now, end=now + timedelta(hours=4)),
                "confirm_execution": ReportNotExecuted(reason="site_not_ready"),
            }
            command = way.get(self.life.order.status)
            if command is not None:
                self.take(command, usual_actor(command, self.life.order))

    @rule(data=st.data(), by=advances())
    def somebody_asks(self, data, by):
        """Most of the time something that is allowed now, by whom it is; else anything by anybody."""
        self.life.now += by
        order, now = self.life.order, self.life.now
        possible = commands(order, now)
        sensible = [name for name in possible if name in TABLE[order.status]]
        sensible += {
            "under_review": ["new_appointment", "reship", "reship", "cancel_review"],
            "in_transmission": ["confirm_transmission"],
        }.get(order.status, [])
        # The end of a life is one step of many, lest most lives be short.
        lasting = [n for n in sensible if n not in ("cancel", "reject_requirements")] or sensible
        pick = data.draw(st.integers(0, 9))
        if pick >= 2 and lasting:
            name = data.draw(st.sampled_from(lasting if pick >= 3 else sensible))
        else:
            name = data.draw(st.sampled_from(sorted(possible)))
        command = data.draw(possible[name]())
        actor = usual_actor(command, order)
        if data.draw(st.integers(0, 9)) == 0:
            actor = data.draw(
                st.sampled_from([SHOP, WAREHOUSE, ANNA, SYSTEM, partner(HUBER), partner(ROSSI)])
            )
        self.take(command, actor)

    @precondition(lambda self: next_instant(self.life.order) is not None)
    @rule(off=st.sampled_from([-1, 0, 0, 0, 1]))
    def time_passes(self, off):
        """The timer fires, punctual or nearly."""
        instant = next_instant(self.life.order)
        self.life.now = max(self.life.now, instant + timedelta(seconds=off))
        self.take(PassTime(), SYSTEM)

    def take(self, command: Command, actor: Actor) -> None:
        life = self.life
        before, known = life.order, len(life.events)
        refusal = None
        try:
            life.do(command, by=actor)
        except (Refused, InvalidCommand) as error:
            refusal = error
        if refusal is not None:
            assert life.order is before
        if isinstance(refusal, Refused):
            assert refusal.status == before.status
            assert set(refusal.allowed) <= MAY[before.status].get(actor.role, set())
        self.check_steps(before, life.events[known:])
        self.check_state()

    def check_steps(self, before: Order, recorded: list[Recorded]) -> None:
        order = before
        for entry in recorded:
            event = entry.event
            after = evolve(order, entry)
            assert (order.status, after.status) in STEPS[event.type]
            assert entry.seq == order.version + 1
            assert order.changed_at is not None
            assert entry.at >= order.changed_at
            if isinstance(event, Escalated):
                (deadline,) = (d for d in order.open_deadlines if d.kind == event.kind)
                most = order.policy.escalation.repeats + 1
                assert deadline.level < event.level <= most
                assert deadline.missed
            asks = [e for e in effects(order, [entry]) if isinstance(e, ShippingRequest)]
            may_ask = event.type == "requirements_confirmed" or (
                event.type == "review_decided" and event.decision == "reship"
            )
            assert len(asks) == may_ask
            if asks:
                assert after.status is Status.REQUIREMENTS_MET
                assert asks[0].attempt == len(order.shipments) + 1
            self.remember(entry)
            order = after
        assert order == self.life.order

    def remember(self, entry: Recorded) -> None:
        """What this test knows by itself: was the customer reached, are the goods there?"""
        match entry.event.type:
            case "contact_logged":
                self.reached |= entry.event.outcome == "reached"
            case "reassigned":
                self.reached = False
            case "goods_received":
                self.received = True
            case "requirements_confirmed":
                self.received = False
            case "review_decided":
                self.received = entry.event.decision != "reship"

    def check_state(self) -> None:
        life, order = self.life, self.life.order
        assert (ball(order, life.now) is None) == (order.status in ("billed", "cancelled"))
        kinds = {
            "in_transmission": {"transmit"},
            "new": {"accept", "contact_customer"},
            "check_requirements": {"check_requirements", "contact_customer"},
            "requirements_met": {"goods"},
            "set_appointment": {"set_appointment"},
            "confirm_execution": {"confirm_execution"},
            "under_review": {"review"},
        }.get(order.status, set())
        if self.reached:
            kinds = kinds - {"contact_customer"}
        if not self.received:
            kinds = kinds - {"set_appointment"}
        open_deadlines = order.open_deadlines
        assert sorted(d.kind for d in open_deadlines) == sorted(kinds)
        for deadline in open_deadlines:
            assert deadline.partner_id == order.partner.partner_id
            explanation = explain(order, deadline)
            assert explanation.due - explanation.started >= timedelta()
        for deadline in order.deadlines:
            assert (deadline.outcome is None) == deadline.is_open
            assert deadline.is_open or not deadline.missed or deadline.outcome == "missed"
        assert next_due(order) == min((d.due for d in open_deadlines), default=None)
        owned = [d.due for d in open_deadlines if owner_of(d.kind) == "partner"]
        assert next_due(order, "partner") == min(owned, default=None)

        # No busy loop, and nothing twice: once time has passed it has passed, and the next instant is to come.
        passed, _ = handle(order, PassTime(), SYSTEM, life.now)
        assert handle(passed, PassTime(), SYSTEM, life.now) == (passed, ())
        coming = next_instant(passed)
        assert coming is None or coming > life.now
        if coming is not None:
            _, events = handle(passed, PassTime(), SYSTEM, coming)
            assert events
            assert handle(passed, PassTime(), SYSTEM, coming - timedelta(seconds=1))[1] == ()
        if order.status in ("completed", "billed", "cancelled"):
            assert coming is None

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        life, order = self.life, self.life.order
        events, now = life.events, life.now
        assert fold(life.intake, events) == order
        assert [entry.seq for entry in events] == list(range(1, order.version + 1))
        types = [entry.event.type for entry in events]
        assert types.count("billed") == (order.settlement_id is not None)
        assert types.count("billed") <= 1
        keys = [effect.key for effect in life.outgoing]
        assert len(keys) == len(set(keys))
        asked = [e.attempt for e in life.outgoing if isinstance(e, ShippingRequest)]
        assert asked == list(range(1, len(order.shipments) + 1))

        end = first_end(life) or now
        pieces = holdings(life.intake, events, now)
        if pieces:
            assert pieces[0].start == events[0].at
            assert pieces[-1].end == end
        else:
            assert end == events[0].at
        for one, next_one in pairwise(pieces):
            assert one.end == next_one.start
            assert one.party != next_one.party
        assert all(piece.start < piece.end for piece in pieces)

        # It travels as JSON: between runs of the workflow, to the records.
        assert Order.model_validate_json(order.model_dump_json()) == order
        adapter = TypeAdapter(list[Recorded])
        assert adapter.validate_json(adapter.dump_json(events)) == events
        mails = TypeAdapter(list[Mail | ShippingRequest])
        assert mails.validate_json(mails.dump_json(life.outgoing)) == life.outgoing


def first_end(life: Life) -> datetime | None:
    """When the order first came to a final state."""
    order = fold(life.intake, life.events[:1])
    for entry in life.events[1:]:
        order = evolve(order, entry)
        if order.status.is_final:
            return entry.at
    return None


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


# --- who had the ball, and for how long --------------------------------------------------------------------------


def test_the_intervals_of_a_whole_life() -> None:
    life = reached(Status.BILLED)
    pieces = holdings(life.intake, life.events, at("2026-12-24 12:00"))
    assert [(p.party, shown(p.start), shown(p.end)) for p in pieces] == [
        ("customer", "2026-11-01 12:00", "2026-11-02 10:00"),
        ("retailer", "2026-11-02 10:00", "2026-11-02 10:31"),
        ("partner", "2026-11-02 10:31", "2026-11-04 09:00"),
        ("warehouse", "2026-11-04 09:00", "2026-11-09 09:00"),
        ("partner", "2026-11-09 09:00", "2026-11-09 11:00"),
        ("customer", "2026-11-09 11:00", "2026-11-12 11:00"),
        ("partner", "2026-11-12 11:00", "2026-11-12 12:00"),
        ("retailer", "2026-11-12 12:00", "2026-11-13 09:00"),
        ("partner", "2026-11-13 09:00", "2026-12-01 09:00"),
    ]


@given(
    cut=st.integers(0, 60 * 24 * 14).map(
        lambda minutes: at("2026-11-01 12:00") + timedelta(minutes=minutes)
    )
)
@settings(max_examples=25, deadline=None)
def test_the_intervals_until_any_moment_of_a_life(cut: datetime) -> None:
    whole = reached(Status.BILLED)
    events = [entry for entry in whole.events if entry.at <= cut]
    pieces = holdings(whole.intake, events, cut)
    covered = sum((p.end - p.start for p in pieces), timedelta())
    assert covered == cut - events[0].at
