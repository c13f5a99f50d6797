"""Turns a settlement and its events into rows, and rows into events."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, select

from domain.months import Month
from domain.settlements.account import SettlementAccount
from domain.settlements.events import SettlementEvent, SettlementRecorded
from domain.settlements.settlement import Settlement, SettlementStatus
from domain.values import Value
from records.search import normalized
from records.tables import settlement_timeline

_EVENT: TypeAdapter[SettlementEvent] = TypeAdapter(SettlementEvent)


class SettlementRow(Value):
    """A settlement as lists show it. `orders` is the number of orders that it has picked, or billed."""

    settlement_id: str
    partner_id: str
    partner_name: str
    month: Month
    status: SettlementStatus
    orders: int
    net: Decimal
    vat: Decimal
    total: Decimal
    opened_at: datetime
    selectable_until: datetime | None
    issued_at: datetime | None
    invoice_due: datetime | None


def settlement_row(settlement: Settlement, account: SettlementAccount) -> dict[str, Any]:
    """A settlement's row in `settlements`."""
    partner = settlement.opening.partner
    return {
        "settlement_id": settlement.settlement_id,
        "version": settlement.version,
        "digest": settlement.digest,
        "rules": settlement.rules,
        "partner_id": partner.partner_id,
        "partner_name": partner.name,
        "month": str(settlement.opening.month),
        "number": settlement.opening.number,
        "status": settlement.status.value,
        "orders": len(settlement.picked),
        "net": account.net,
        "vat": account.vat,
        "total": account.total,
        "opened_at": settlement.opened_at,
        "selectable_until": settlement.selectable_until,
        "issued_at": settlement.issued_at,
        "invoice_due": settlement.invoice_due,
        "search": normalized(f"{settlement.settlement_id}\n{partner.partner_id}\n{partner.name}"),
    }


def events_after(
    connection: Connection, settlement_id: str, version: int
) -> list[SettlementRecorded]:
    """The events of a settlement that come after a version, in their order."""
    rows = connection.execute(
        select(
            settlement_timeline.c.seq,
            settlement_timeline.c.at,
            settlement_timeline.c.by,
            settlement_timeline.c.on_behalf_of,
            settlement_timeline.c.data,
        )
        .where(
            settlement_timeline.c.settlement_id == settlement_id,
            settlement_timeline.c.seq > version,
        )
        .order_by(settlement_timeline.c.seq)
    )
    return [recorded_of(*row) for row in rows]


def recorded_of(
    seq: int, at: datetime, by: str, on_behalf_of: str | None, data: str
) -> SettlementRecorded:
    """A recorded event, from the columns of its row in `settlement_timeline`."""
    event = _EVENT.validate_json(data)
    return SettlementRecorded(seq=seq, at=at, by=by, on_behalf_of=on_behalf_of, event=event)


def event_row(settlement_id: str, recorded: SettlementRecorded) -> dict[str, Any]:
    """An event's row in `settlement_timeline`."""
    return {
        "settlement_id": settlement_id,
        "seq": recorded.seq,
        "at": recorded.at,
        "type": recorded.event.type,
        "by": recorded.by,
        "on_behalf_of": recorded.on_behalf_of,
        "data": recorded.event.model_dump_json(),
    }
