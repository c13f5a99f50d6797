"""Which completed orders of a partner can be billed, and which partners have any."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import exists, select

from domain.months import Month
from domain.orders.order import Status
from domain.settlements.lines import LeftOut, Line, line_of, obstacle
from domain.settlements.settlement import Selection, SettlementStatus
from records.database import Database, chunks, storable
from records.order_rows import placement_in
from records.tables import documents, is_billable, orders, partners, settlements


class Billable:
    """The orders that a settlement can choose from. The order's own workflow decides whether it is billed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines(self, partner_id: str, until: date | None = None) -> tuple[Line, ...]:
        """A partner's completed and unbilled orders as lines, executed by the end of a day if one is given."""
        if not storable(partner_id):
            return ()
        found = (
            select(orders.c.executed_on, documents.c.document)
            .join(documents, documents.c.sp_id == orders.c.sp_id)
            .where(is_billable, orders.c.partner_id == partner_id)
            .order_by(orders.c.executed_on, orders.c.sp_id)
        )
        if until is not None:
            found = found.where(orders.c.executed_on <= until)
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return tuple(line_of(placement_in(document), day) for day, document in rows)

    async def judge(
        self, partner_id: str, settlement_id: str, sp_ids: Iterable[str]
    ) -> tuple[Selection, tuple[LeftOut, ...]]:
        """Which of these orders a partner may bill in a settlement, without duplicates, and why not the others.

        An order that is not the partner's (yet) is `unknown`, so that a partner learns nothing about it.
        """
        asked = tuple(dict.fromkeys(sp_ids))
        found = await self._find(asked)
        picked: list[tuple[date, str]] = []
        left_out: list[LeftOut] = []
        for sp_id in asked:
            row = found.get(sp_id)
            if row is None or row.partner_id != partner_id or not row.visible:
                left_out.append(LeftOut(sp_id=sp_id, reason="unknown"))
                continue
            why = obstacle(
                row.partner_id, Status(row.status), row.settlement_id, partner_id, settlement_id
            )
            if why is None:
                picked.append((row.executed_on, sp_id))
            else:
                left_out.append(LeftOut(sp_id=sp_id, reason=why))
        return tuple(sp_id for _, sp_id in sorted(picked)), tuple(left_out)

    async def partners_of(self, sp_ids: Iterable[str]) -> dict[str, str]:
        """The id of the partner of each of these orders. Orders that are not recorded are left out."""
        return {sp_id: row.partner_id for sp_id, row in (await self._find(sp_ids)).items()}

    async def _find(self, sp_ids: Iterable[str]) -> dict[str, Any]:
        rows: dict[str, Any] = {}
        async with self._database.reading() as connection:
            for some in chunks(filter(storable, sp_ids)):
                found = select(
                    orders.c.sp_id,
                    orders.c.partner_id,
                    orders.c.visible,
                    orders.c.status,
                    orders.c.executed_on,
                    orders.c.settlement_id,
                ).where(orders.c.sp_id.in_(some))
                rows |= {row.sp_id: row for row in await connection.execute(found)}
        return rows

    async def partners_to_settle(
        self, month: Month, after: str | None = None, limit: int = 200
    ) -> tuple[str, ...]:
        """Partners with unbilled orders executed by the month's end, and without a settlement of it that is not void.

        They are sorted by id and begin after `after`.
        """
        unbilled = exists().where(
            is_billable,
            orders.c.partner_id == partners.c.partner_id,
            orders.c.executed_on <= month.last_day,
        )
        settled = exists().where(
            settlements.c.partner_id == partners.c.partner_id,
            settlements.c.month == str(month),
            settlements.c.status != SettlementStatus.VOID.value,
        )
        found = (
            select(partners.c.partner_id)
            .where(unbilled, ~settled)
            .order_by(partners.c.partner_id)
            .limit(limit)
        )
        if after is not None:
            found = found.where(partners.c.partner_id > after)
        async with self._database.reading() as connection:
            return tuple((await connection.execute(found)).scalars())
