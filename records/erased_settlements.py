"""Erases what people wrote about erased orders in settlements and corrections, and keeps it from coming back."""

from sqlalchemy import Connection, exists, select, update

from contracts.activities import SettlementSnapshot
from domain.orders.erasure import ERASED
from domain.settlements.erasure import FREE_TEXTS, erase_settlement, erase_settlement_events
from domain.settlements.settlement import Settlement
from records.order_rows import order_of
from records.settlement_rows import event_row, events_after
from records.tables import (
    corrections,
    documents,
    erasures,
    settlement_documents,
    settlement_lines,
    settlement_timeline,
    settlements,
)


def without_erased(connection: Connection, snapshot: SettlementSnapshot) -> SettlementSnapshot:
    """A settlement as it may be written: without what people wrote about its erased orders."""
    settlement = snapshot.settlement
    sp_ids = _erased_orders(connection, settlement)
    if not sp_ids:
        return snapshot
    events = erase_settlement_events(snapshot.events, sp_ids, is_over=settlement.is_over)
    return snapshot.model_copy(
        update={"settlement": erase_settlement(settlement, sp_ids), "events": events}
    )


def erase_texts_of_settlements(connection: Connection, sp_id: str) -> None:
    """Erase what people wrote about an order, which is recorded as erased, in corrections and settlements."""
    connection.execute(
        update(corrections).where(corrections.c.sp_id == sp_id).values(reason=ERASED)
    )
    for settlement_id in settlements_of(connection, sp_id):
        row = select(settlements.c.settlement_id).where(
            settlements.c.settlement_id == settlement_id
        )
        if connection.execute(row.with_for_update()).one_or_none() is None:
            continue
        document = connection.execute(
            select(settlement_documents.c.document).where(
                settlement_documents.c.settlement_id == settlement_id
            )
        ).scalar_one()
        settlement = Settlement.model_validate_json(document)
        events = tuple(events_after(connection, settlement_id, 0))
        given = SettlementSnapshot(settlement=settlement, events=events)
        erased = without_erased(connection, given)
        connection.execute(
            update(settlement_documents)
            .where(settlement_documents.c.settlement_id == settlement_id)
            .values(document=erased.settlement.model_dump_json())
        )
        for old, new in zip(events, erased.events, strict=True):
            if new != old:
                connection.execute(
                    update(settlement_timeline)
                    .where(
                        settlement_timeline.c.settlement_id == settlement_id,
                        settlement_timeline.c.seq == new.seq,
                    )
                    .values(data=event_row(settlement_id, new)["data"])
                )


def erase_late_reasons(connection: Connection) -> None:
    """Erase the reasons of corrections that were added after their orders had been erased."""
    late = exists().where(erasures.c.sp_id == corrections.c.sp_id)
    connection.execute(
        update(corrections).where(corrections.c.reason != ERASED, late).values(reason=ERASED)
    )


def settlements_of(connection: Connection, sp_id: str) -> tuple[str, ...]:
    """The settlements that bill an order, have billed it, or have a correction about it, by their ids."""
    document, pinned = connection.execute(
        select(documents.c.document, documents.c.pinned).where(documents.c.sp_id == sp_id)
    ).one()
    order = order_of(document, pinned)
    taken = select(corrections.c.settlement_id).where(
        corrections.c.sp_id == sp_id, corrections.c.settlement_id.is_not(None)
    )
    found = {*connection.execute(taken).scalars(), *order.freed_from}
    return tuple(sorted(found | ({order.settlement_id} if order.settlement_id else set())))


def has_texts(connection: Connection, settlement_id: str) -> bool:
    """Whether people wrote something about a settlement as a whole."""
    written = exists().where(
        settlement_timeline.c.settlement_id == settlement_id,
        settlement_timeline.c.type.in_(FREE_TEXTS),
    )
    return bool(connection.execute(select(written)).scalar_one())


def _erased_orders(connection: Connection, settlement: Settlement) -> frozenset[str]:
    corrected = [line.sp_id for line in settlement.corrections]
    of_corrections = select(erasures.c.sp_id).where(erasures.c.sp_id.in_(corrected))
    of_lines = (
        select(settlement_lines.c.sp_id)
        .join(erasures, erasures.c.sp_id == settlement_lines.c.sp_id)
        .where(settlement_lines.c.settlement_id == settlement.settlement_id)
    )
    found = (connection.execute(query).scalars() for query in (of_corrections, of_lines))
    return frozenset(sp_id for some in found for sp_id in some)
