"""The entries of accounting's journal: a month's settlements, and the orders that are executed but not billed."""

from collections.abc import AsyncIterator
from datetime import date, datetime

from sqlalchemy import Connection, exists, or_, select

from domain.months import Month
from domain.orders.order import Status
from domain.settlements.lines import line_of
from domain.settlements.settlement import SettlementStatus
from domain.values import Value
from records.accounting import BOOKED
from records.database import Database, chunks
from records.limits import LONG_SECONDS
from records.order_rows import placement_in
from records.settlements import Settlements, StoredSettlement
from records.tables import documents, orders, partners, settlements, timeline

_AT_ONCE = 100


class Accrual(Value):
    """An order that was executed on a day and not billed then. `net`: its fee."""

    sp_id: str
    sales_order_id: str
    partner_id: str
    partner_name: str
    executed_on: date
    service: str
    net: str


class JournalRecords:
    """Reads the entries of the journal."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settlements = Settlements(database)

    async def settlements(self, month: Month) -> AsyncIterator[StoredSettlement]:
        """The settlements of a month that have a statement and are not void, by partner, then by number."""
        found = (
            select(settlements.c.settlement_id)
            .where(
                settlements.c.month == str(month),
                settlements.c.status.in_([status.value for status in BOOKED]),
            )
            .order_by(settlements.c.partner_id, settlements.c.settlement_id)
        )
        async with self._database.reading() as connection:
            numbers = list((await connection.execute(found)).scalars())
        for first in range(0, len(numbers), _AT_ONCE):
            for stored in await self._settlements.several(numbers[first : first + _AT_ONCE]):
                yield stored

    async def accruals(self, day: date, end: datetime) -> tuple[Accrual, ...]:
        """The orders executed by a day and not billed at its `end`; by day, partner and SP-ID.

        An order that was billed after that counts, and so does one whose execution was confirmed after that.
        """
        billed_by_then = exists().where(
            settlements.c.settlement_id == orders.c.settlement_id,
            settlements.c.issued_at < end,
            settlements.c.status != SettlementStatus.VOID.value,
        )
        candidates = (
            select(
                orders.c.sp_id,
                orders.c.partner_id,
                partners.c.name,
                orders.c.executed_on,
                documents.c.document,
            )
            .join(documents, documents.c.sp_id == orders.c.sp_id)
            .outerjoin(partners, partners.c.partner_id == orders.c.partner_id)
            .where(
                orders.c.executed_on <= day,
                or_(
                    orders.c.status == Status.COMPLETED.value,
                    (orders.c.status == Status.BILLED.value) & ~billed_by_then,
                ),
            )
            .order_by(orders.c.executed_on, orders.c.partner_id, orders.c.sp_id)
        )

        def read(connection: Connection) -> tuple[Accrual, ...]:
            rows = connection.execute(candidates).all()
            billed = _billed_at(connection, [row.sp_id for row in rows], end)
            found = []
            for row in rows:
                if row.sp_id in billed:
                    continue
                line = line_of(placement_in(row.document), row.executed_on)
                found.append(
                    Accrual(
                        sp_id=row.sp_id,
                        sales_order_id=line.sales_order_id,
                        partner_id=row.partner_id,
                        partner_name=row.name or row.partner_id,
                        executed_on=row.executed_on,
                        service=line.service,
                        net=str(line.fee),
                    )
                )
            return tuple(found)

        return await self._database.read(read, limit=LONG_SECONDS)


def _billed_at(connection: Connection, sp_ids: list[str], end: datetime) -> set[str]:
    """The orders among these that were billed at an instant, and not released before it."""
    billed: set[str] = set()
    for some in chunks(sp_ids):
        found = (
            select(timeline.c.sp_id, timeline.c.type)
            .where(
                timeline.c.sp_id.in_(some),
                timeline.c.type.in_(("billed", "released")),
                timeline.c.at < end,
            )
            .order_by(timeline.c.sp_id, timeline.c.seq)
        )
        for sp_id, type_ in connection.execute(found):
            (billed.add if type_ == "billed" else billed.discard)(sp_id)
    return billed
