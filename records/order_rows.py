"""Turns an order, its events and its deadlines into rows, and rows into an order."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json
from sqlalchemy import Connection, bindparam, delete, select

from contracts.activities import Snapshot
from domain.calendar import Calendar
from domain.orders.deadlines import next_due
from domain.orders.events import Event, Recorded
from domain.orders.order import Order, Status
from domain.orders.placement import Placement
from domain.policy import Policy
from domain.values import Value
from records.search import searchable
from records.tables import deadlines, timeline

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def order_row(order: Order) -> dict[str, Any]:
    """The order's row in `orders`. Raises `ValueError` for an order that was never placed."""
    if order.placed_at is None or order.changed_at is None:
        raise ValueError("an order without its first event cannot be stored")
    placement = order.intake.placement
    search = searchable(order)
    is_done = order.status.is_final or order.status is Status.COMPLETED
    appointment = None if is_done else order.appointment
    return {
        "sp_id": order.sp_id,
        "version": order.version,
        "digest": order.digest,
        "status": str(order.status),
        "partner_id": order.partner.partner_id,
        "visible": order.transmitted_at is not None,
        "placed_at": order.placed_at,
        "changed_at": order.changed_at,
        "ended_at": order.end,
        "next_due": next_due(order),
        "partner_due": next_due(order, "partner"),
        "service": placement.service.code,
        "sales_order_id": placement.sales_order_id,
        "sales_order_line": placement.sales_order_line,
        "appointment_start": appointment.start if appointment else None,
        "appointment_end": appointment.end if appointment else None,
        "executed_on": order.executed_on,
        "settlement_id": order.settlement_id,
        "search": search.public,
        "search_contact": search.contact,
    }


class _Pinned(Value):
    """What is pinned into an order, and equal in all orders of one canton and day.

    Do not add fields: an older process rebuilds the order from these.
    """

    policy: Policy
    calendar: Calendar
    first_calendar: Calendar | None  # the intake's, if it differs


_PINNED: Any = {"calendar": True, "intake": {"policy": True, "calendar": True}}


def document_row(order: Order) -> dict[str, Any]:
    """The order's row in `documents`. What is pinned has its own column, so that it is parsed once for many orders."""
    first = order.intake.calendar
    pinned = _Pinned(
        policy=order.intake.policy,
        calendar=order.calendar,
        first_calendar=None if first == order.calendar else first,
    )
    return {
        "sp_id": order.sp_id,
        "document": order.model_dump_json(exclude=_PINNED),
        "pinned": pinned.model_dump_json(),
    }


def order_of(document: str, pinned: str) -> Order:
    """The order in a row of `documents`."""
    parts, order = _pinned(pinned), from_json(document)
    order["calendar"] = parts.calendar
    order["intake"]["policy"] = parts.policy
    order["intake"]["calendar"] = parts.first_calendar or parts.calendar
    return Order.model_validate(order)


class _Intake(BaseModel):
    placement: Placement


class _Document(BaseModel):
    intake: _Intake


def placement_in(document: str) -> Placement:
    """The placement in an order's row of `documents`. The rest is not parsed."""
    return _Document.model_validate_json(document).intake.placement


@lru_cache(maxsize=512)
def _pinned(text: str) -> _Pinned:
    return _Pinned.model_validate_json(text)


def delete_replaced(connection: Connection, snapshot: Snapshot) -> None:
    """Delete the order's deadlines, and its timeline from the snapshot's first event on."""
    sp_id = snapshot.order.sp_id
    first = snapshot.events[0].seq if snapshot.events else snapshot.order.version + 1
    connection.execute(delete(timeline).where(timeline.c.sp_id == sp_id, timeline.c.seq >= first))
    connection.execute(delete(deadlines).where(deadlines.c.sp_id == sp_id))


# Built once, as it is read with each order.
_EVENTS_AFTER = (
    select(
        timeline.c.seq,
        timeline.c.at,
        timeline.c.by,
        timeline.c.on_behalf_of,
        timeline.c.person,
        timeline.c.data,
    )
    .where(timeline.c.sp_id == bindparam("of"), timeline.c.seq > bindparam("version"))
    .order_by(timeline.c.seq)
)


def events_after(connection: Connection, sp_id: str, version: int) -> list[Recorded]:
    """The events of an order that come after a version, in their order."""
    rows = connection.execute(_EVENTS_AFTER, {"of": sp_id, "version": version})
    return [_recorded(*row) for row in rows]


def _recorded(
    seq: int, at: datetime, by: str, on_behalf_of: str | None, person: str | None, data: str
) -> Recorded:
    event = _EVENT.validate_json(data)
    return Recorded(seq=seq, at=at, by=by, on_behalf_of=on_behalf_of, person=person, event=event)


def event_row(sp_id: str, recorded: Recorded) -> dict[str, Any]:
    """An event's row in `timeline`."""
    return {
        "sp_id": sp_id,
        "seq": recorded.seq,
        "at": recorded.at,
        "type": recorded.event.type,
        "by": recorded.by,
        "on_behalf_of": recorded.on_behalf_of,
        "person": recorded.person,
        "data": recorded.event.model_dump_json(),
    }


def deadline_rows(order: Order) -> list[dict[str, Any]]:
    """The order's rows in `deadlines`."""
    # The key is the position, because deadlines are only appended. Kind and start are not unique: an appointment that
    # is moved and moved back starts the same deadline twice.
    return [
        {
            "sp_id": order.sp_id,
            "seq": seq,
            "kind": deadline.kind,
            "partner_id": deadline.partner_id,
            "started": deadline.started,
            "due": deadline.due,
            "excused_until": deadline.excused_until,
            "missed": deadline.missed,
            "ended": deadline.ended,
            "outcome": deadline.outcome,
        }
        for seq, deadline in enumerate(order.deadlines, start=1)
    ]
