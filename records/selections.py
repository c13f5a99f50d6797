"""Orders that have left the selection of an open settlement: their completion was taken back (docs/settlement.md).

An order that is completed again can be selected again; until then it is not part of the selection.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from sqlalchemy import Connection, Select, and_, func, not_, or_, select

from domain.orders.order import Status
from domain.settlements.lines import Line
from records.database import chunks
from records.tables import is_taken_back, orders, settlement_lines, settlement_timeline, timeline

_SELECTIONS = ("opened", "selected")


def taken_back_since(connection: Connection, settlement_id: str) -> frozenset[str]:
    """The orders of a settlement whose completion was taken back after its last selection."""
    found = _taken_back().where(settlement_lines.c.settlement_id == settlement_id)
    return frozenset(row.sp_id for row in connection.execute(found))


def present_lines(
    connection: Connection, settlement_id: str, partner_id: str, lines: Iterable[Line]
) -> list[Line]:
    """The lines of an open settlement whose orders can still be billed, with the present days of execution."""
    by_order = {line.sp_id: line for line in lines}
    gone = taken_back_since(connection, settlement_id)
    days: dict[str, date] = {}
    for some in chunks(by_order):
        found = select(orders.c.sp_id, orders.c.executed_on).where(
            orders.c.sp_id.in_(some),
            orders.c.partner_id == partner_id,
            or_(
                orders.c.status == str(Status.COMPLETED),
                # The order may be claimed already, and the settlement's row not updated yet.
                and_(
                    orders.c.status == str(Status.BILLED), orders.c.settlement_id == settlement_id
                ),
            ),
        )
        days.update((sp_id, day) for sp_id, day in connection.execute(found))
    return [
        line.model_copy(update={"executed_on": day})
        for sp_id, line in by_order.items()
        if sp_id not in gone and (day := days.get(sp_id)) is not None
    ]


def changed_selections(connection: Connection, settlement_ids: Collection[str]) -> Sequence[str]:
    """The open settlements among these that some of their orders have left."""
    wanted = settlement_lines.c.settlement_id.in_(settlement_ids)
    left = (
        select(settlement_lines.c.settlement_id)
        .join(orders, orders.c.sp_id == settlement_lines.c.sp_id)
        .where(wanted, not_(orders.c.status.in_([str(Status.COMPLETED), str(Status.BILLED)])))
    )
    back = _taken_back().where(wanted).with_only_columns(settlement_lines.c.settlement_id)
    return list(connection.execute(left.union(back)).scalars())


def _taken_back() -> Select[str]:
    selected_at = (
        select(func.max(settlement_timeline.c.at))
        .where(
            settlement_timeline.c.settlement_id == settlement_lines.c.settlement_id,
            settlement_timeline.c.type.in_(_SELECTIONS),
        )
        .scalar_subquery()
    )
    return (
        select(settlement_lines.c.sp_id)
        .join(timeline, timeline.c.sp_id == settlement_lines.c.sp_id)
        .where(is_taken_back, timeline.c.at > selected_at)
    )
