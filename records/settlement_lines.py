"""The lines of settlements: the orders that each one bills, with their fees."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.settlements.lines import Line, in_order, line_of
from domain.settlements.settlement import Settlement, SettlementStatus
from records.database import Database, chunks
from records.limits import LONG_SECONDS
from records.order_rows import placement_in
from records.tables import documents, orders, settlement_lines

_MANY_LINES = 1000
LINE = [settlement_lines.c[name] for name in Line.model_fields]


class SettlementLines:
    """The lines of settlements.

    A line is first made from the recorded order. When the settlement claims the order, the order's workflow answers
    with its own line, which replaces the first one and is confirmed (`told` in the table).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        line = upsert(settlement_lines)
        self._put_line = line.on_conflict_do_nothing(
            index_elements=[settlement_lines.c.settlement_id, settlement_lines.c.sp_id]
        )
        self._put_confirmed = line.on_conflict_do_update(
            index_elements=[settlement_lines.c.settlement_id, settlement_lines.c.sp_id],
            set_={c.name: line.excluded[c.name] for c in (*LINE, settlement_lines.c.told)},
        )

    async def of_picked(self, settlement: Settlement) -> tuple[Line, ...]:
        """The lines of the picked orders: the stored ones, or else made from the recorded orders.

        An order that is no longer executed has no line, if it left the selection before a line was stored.

        Raises:
            LookupError: an order is not recorded (yet).
        """
        wanted, settlement_id = settlement.picked, settlement.settlement_id

        def read(connection: Connection) -> dict[str, Line | None]:
            lines: dict[str, Line | None] = {}
            lines |= stored_lines(connection, (settlement_id,))[settlement_id]
            for some in chunks([sp_id for sp_id in wanted if sp_id not in lines]):
                found = (
                    select(orders.c.executed_on, documents.c.document)
                    .join(documents, documents.c.sp_id == orders.c.sp_id)
                    .where(orders.c.sp_id.in_(some))
                )
                for executed_on, document in connection.execute(found):
                    placement = placement_in(document)
                    lines[placement.sp_id] = (
                        line_of(placement, executed_on) if executed_on is not None else None
                    )
            return lines

        lines = await self._database.read(read, limit=time_limit(settlement))
        unknown = [sp_id for sp_id in wanted if sp_id not in lines]
        if unknown:
            raise LookupError(f"{settlement.settlement_id}: {len(unknown)} orders are not recorded")
        return in_order(line for sp_id in wanted if (line := lines[sp_id]) is not None)

    def put(self, connection: Connection, settlement: Settlement, lines: Sequence[Line]) -> None:
        """Store the lines of the picked orders and delete others. A line that is stored already is not changed."""
        settlement_id = settlement.settlement_id
        mine = settlement_lines.c.settlement_id == settlement_id
        kept = set(connection.execute(select(settlement_lines.c.sp_id).where(mine)).scalars())
        for some in chunks(kept.difference(settlement.picked)):
            connection.execute(
                delete(settlement_lines).where(mine, settlement_lines.c.sp_id.in_(some))
            )
        billed = settlement.claimed and settlement.status is not SettlementStatus.VOID
        connection.execute(
            update(settlement_lines)
            .where(mine, settlement_lines.c.billed != billed)
            .values(billed=billed)
        )
        new = [
            _line_row(settlement_id, line, billed=billed, told=False)
            for line in lines
            if line.sp_id not in kept
        ]
        if new:
            connection.execute(self._put_line, new)

    async def keep_confirmed(self, settlement_id: str, lines: Sequence[Line]) -> None:
        """Store the lines with which claimed orders have answered, in place of the earlier ones. Idempotent."""
        rows = [_line_row(settlement_id, line, billed=False, told=True) for line in lines]
        if rows:
            await self._database.write(
                lambda connection: connection.execute(self._put_confirmed, rows)
            )

    async def count_unconfirmed(self, settlement_id: str) -> int:
        """The number of lines of a settlement that their orders have not confirmed."""
        found = (
            select(func.count())
            .select_from(settlement_lines)
            .where(settlement_lines.c.settlement_id == settlement_id, ~settlement_lines.c.told)
        )
        count: int = await self._database.read(
            lambda connection: connection.execute(found).scalar_one()
        )
        return count


def time_limit(settlement: Settlement) -> float | None:
    """The limit in seconds of a transaction that reads or writes the settlement's lines; None: the usual limit."""
    return LONG_SECONDS if len(settlement.picked) > _MANY_LINES else None


def _line_row(settlement_id: str, line: Line, *, billed: bool, told: bool) -> dict[str, Any]:
    return {
        **line.model_dump(include=set(Line.model_fields)),
        "settlement_id": settlement_id,
        "billed": billed,
        "told": told,
    }


def stored_lines(
    connection: Connection, settlement_ids: Sequence[str]
) -> dict[str, dict[str, Line]]:
    """The lines of each of these settlements, by their SP-IDs."""
    lines: dict[str, dict[str, Line]] = {each: {} for each in settlement_ids}
    found = select(settlement_lines.c.settlement_id, *LINE).where(
        settlement_lines.c.settlement_id.in_(settlement_ids)
    )
    for row in connection.execute(found):
        facts = row._asdict()
        of = facts.pop("settlement_id")
        lines[of][row.sp_id] = Line.model_validate(facts)
    return lines
