"""Makes orders for tests: a placement, an intake, and an order with a series of commands."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.orders.commands import (
    Accept,
    Bill,
    Command,
    ConfirmExecution,
    ConfirmRequirements,
    SetAppointment,
)
from domain.orders.events import Recorded
from domain.orders.internal import ConfirmTransmission, PassTime
from domain.orders.lifecycle import fold, handle, place
from domain.orders.order import Order
from domain.orders.placement import Assignee, Intake, Placement
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import Policy

MONDAY = datetime(2026, 10, 5, 7, 0, tzinfo=UTC)
"""09:00 in Zurich on an ordinary working day."""

SHOP = Actor(role="shop", name="shop")
WAREHOUSE = Actor(role="warehouse", name="warehouse")
OPERATIONS = Actor(role="operations", name="Anna")


def partner_actor(partner_id: str = "elektro-huber") -> Actor:
    """A login of a partner."""
    return Actor(role="partner", name="Huber", partner_id=partner_id)


def placement(**changes: Any) -> Placement:
    """An order as placed. A field of customer, product or service is changed by its name (`city="Genève"`)."""
    body: dict[str, Any] = {
        "sp_id": "SP-1048213",
        "sales_order_id": "48392011",
        "partner_id": "elektro-huber",
        "prepaid": False,
        "customer": {
            "name": "Regula Müller",
            "email": "regula.mueller@example.ch",
            "phone": "+41 44 555 01 02",
            "street": "Langstrasse 12",
            "postal_code": "8004",
            "city": "Zürich",
            "language": "de",
        },
        "product": {"sku": "6010203", "name": "V-ZUG AdoraWaschen V4000", "quantity": 1},
        "service": {
            "code": "install-washing-machine",
            "name": "Waschmaschine anschliessen",
            "fee": "129.00",
        },
        "note": "",
    }
    # three of them have a `name`; here it is the customer's
    parts = {field: part for part in ("service", "product", "customer") for field in body[part]}
    for field, value in changes.items():
        if field in Placement.model_fields:
            body[field] = value
        else:
            body[parts[field]][field] = value
    return Placement.model_validate(body)


def assignee(partner_id: str = "elektro-huber", canton: str = "ZH") -> Assignee:
    """A partner as it is pinned into an order."""
    return Assignee(
        partner_id=partner_id, name=f"{partner_id.title()} AG", canton=canton, language="de"
    )


def intake(
    placed: Placement | None = None,
    *,
    canton: str = "ZH",
    policy: Policy | None = None,
    day: date = date(2026, 10, 5),
    rules: int = 1,
    customer_holidays: tuple[date, ...] = (),
    **changes: Any,
) -> Intake:
    """The intake of an order under a version of the rules: with this placement, or one with these changes."""
    placed = placed or placement(**changes)
    policy = policy or Policy()
    return Intake(
        placement=placed,
        partner=assignee(placed.partner_id, canton),
        policy=policy,
        calendar=pin_calendar(canton, policy, day),
        rules=rules,
        customer_holidays=customer_holidays,
    )


Step = Command | tuple[Command, Actor] | timedelta


def lived(
    *steps: Step, of: Intake | None = None, at: datetime = MONDAY, **changes: Any
) -> tuple[Order, tuple[Recorded, ...]]:
    """An order placed at `at` that took these commands, and its whole timeline.

    A command without an actor is given by one who may give it. Each command comes a minute after the previous one. A
    `timedelta` adds that much time.
    """
    of = of or intake(**changes)
    events = [place(of, at)]
    order = fold(of, events)
    now = at
    for step in steps:
        if isinstance(step, timedelta):
            now += step
            step = PassTime()
        else:
            now += timedelta(minutes=1)
        command, actor = step if isinstance(step, tuple) else (step, _whoever(order, step))
        order, more = handle(order, command, actor, now)
        events += more
    return order, tuple(events)


def _whoever(order: Order, command: Command) -> Actor:
    match command.type:
        case "payment_received" | "cancel":
            return SHOP
        case "goods_shipped" | "goods_received":
            return WAREHOUSE
        case "decide_review" | "reassign" | "adopt_rules" | "reopen":
            return OPERATIONS
        case (
            "bill"
            | "unassign"
            | "note_seen"
            | "stretch_deadlines"
            | "pass_time"
            | "confirm_transmission"
            | "note_undelivered"
            | "note_refusal"
            | "renew_calendar"
        ):
            return SYSTEM
        case _:
            return partner_actor(order.partner.partner_id)


TRANSMITTED: tuple[Step, ...] = (timedelta(minutes=30), ConfirmTransmission())
ACCEPTED: tuple[Step, ...] = (*TRANSMITTED, Accept())
REQUIREMENTS_MET: tuple[Step, ...] = (
    *ACCEPTED,
    ConfirmRequirements(
        checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
    ),
)
GOODS_THERE: tuple[Step, ...] = (
    *REQUIREMENTS_MET,
    GoodsShipped(tracking="99.00.1"),
    GoodsReceived(),
)


def appointment(hours: float = 48, reason: str = "") -> SetAppointment:
    """An appointment of two hours that begins `hours` after `MONDAY`."""
    start = MONDAY + timedelta(hours=hours)
    return SetAppointment(start=start, end=start + timedelta(hours=2), reason=reason)


AGREED: tuple[Step, ...] = (*GOODS_THERE, appointment())
COMPLETED: tuple[Step, ...] = (*AGREED, timedelta(days=2, hours=4), ConfirmExecution())
BILLED: tuple[Step, ...] = (*COMPLETED, Bill(settlement_id="V-2026-10-elektro-huber"))
