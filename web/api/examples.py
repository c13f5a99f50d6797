"""Examples for the OpenAPI document: what each call takes, and an order as it is answered."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi.openapi.models import Example

from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.orders.commands import Accept, ConfirmTransmission, PassTime
from domain.orders.lifecycle import live, place
from domain.orders.order import Assignee, Intake, Placement
from domain.policy import Policy
from domain.view import OrderView, order_view

Examples = dict[str, Example]


def one(summary: str, value: Any) -> Examples:
    """The one example of a call."""
    return {"example": Example(summary=summary, value=value)}


_ORDER: dict[str, Any] = {
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
PLACEMENT = one("A washing machine to be connected", _ORDER)
NOTHING = one("No particulars", {})
SHIPPED = one("A parcel", {"tracking": "99.00.123456.78901234"})
RECEIVED: Examples = {
    "now": Example(summary="Just now", value={}),
    "then": Example(summary="Earlier", value={"received_at": "2026-11-05T10:30:00+01:00"}),
}
CANCELLATION = one("The customer withdrew", {"reason": "The customer withdrew from the purchase."})
CONTACT: Examples = {
    "reached": Example(
        summary="Reached", value={"outcome": "reached", "note": "Second floor, lift."}
    ),
    "not reached": Example(summary="Not reached", value={"outcome": "not_reached", "note": ""}),
}
REQUIREMENTS: Examples = {
    "met": Example(
        summary="The place is ready",
        value={
            "met": True,
            "checklist": {"connections": "yes", "space": "yes", "passages": "not_applicable"},
            "note": "",
        },
    ),
    "not met": Example(
        summary="The place is not ready",
        value={"met": False, "reason": "no_connection", "note": "No tap in the laundry room."},
    ),
}
AGREED: Examples = {
    "first": Example(
        summary="A date agreed",
        value={"start": "2026-11-09T08:00:00+01:00", "end": "2026-11-09T10:00:00+01:00"},
    ),
    "moved": Example(
        summary="Another date",
        value={
            "start": "2026-11-11T13:00:00+01:00",
            "end": "2026-11-11T15:00:00+01:00",
            "reason": "The customer is away on Monday.",
        },
    ),
}
EXECUTION: Examples = {
    "executed": Example(
        summary="Done", value={"executed": True, "executed_on": "2026-11-09", "note": ""}
    ),
    "not executed": Example(
        summary="Not possible",
        value={"executed": False, "reason": "customer_absent", "note": "Rang twice."},
    ),
}
REVIEW = one("Another date", {"decision": "new_appointment", "note": "Rung up by us."})
REASSIGNMENT = one(
    "To another partner", {"partner_id": "luzern-montage", "reason": "On holiday until Friday."}
)


def order() -> OrderView:
    """An order that its partner has accepted, as the partner sees it."""
    placed_at = datetime(2026, 11, 2, 9, 12, tzinfo=UTC)
    policy = Policy()
    intake = Intake(
        placement=Placement.model_validate(_ORDER),
        partner=Assignee(
            partner_id="elektro-huber", name="Elektro Huber AG", canton="ZH", language="de"
        ),
        policy=policy,
        calendar=pin_calendar("ZH", policy, date(2026, 11, 2)),
    )
    partner = Actor(role="partner", name="Elektro Huber", partner_id="elektro-huber")
    state, placed = place(intake, placed_at)
    events = [placed]
    now = placed_at
    for minutes, command, actor in (
        (30, PassTime(), SYSTEM),
        (1, ConfirmTransmission(), SYSTEM),
        (95, Accept(), partner),
    ):
        now += timedelta(minutes=minutes)
        state, more = live(state, command, actor, now)
        events += more
    return order_view(state, events, now, "en", "partner")
