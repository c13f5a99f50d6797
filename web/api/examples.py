"""Examples for the OpenAPI document: request bodies, and an order as the API answers it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi.openapi.models import Example

from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.orders.commands import Accept
from domain.orders.internal import ConfirmTransmission, PassTime
from domain.orders.lifecycle import fold, handle, place
from domain.orders.placement import Assignee, Intake, Placement
from domain.policy import Policy
from words.order_view import OrderView, order_view

Examples = dict[str, Example]


def one(summary: str, value: Any) -> Examples:
    """The examples of a call that has only one."""
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
REASSIGNMENT = one(
    "To another partner", {"partner_id": "luzern-montage", "reason": "On holiday until Friday."}
)
REVIEW = one("A new appointment", {"decision": "new_appointment", "note": "Rung up by us."})
REVIEW["wait"] = Example(value={"decision": "wait_until", "until": "2027-01-11", "note": ""})
REVIEW["reassign"] = Example(
    value={"decision": "reassign", "partner_id": "luzern-montage", "note": "Nearer by."}
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
    events = [place(intake, placed_at)]
    state = fold(intake, events)
    now = placed_at
    for minutes, command, actor in (
        (30, PassTime(), SYSTEM),
        (1, ConfirmTransmission(), SYSTEM),
        (95, Accept(), partner),
    ):
        now += timedelta(minutes=minutes)
        state, more = handle(state, command, actor, now)
        events += more
    return order_view(state, events, now, "en", "partner")
