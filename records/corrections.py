"""Corrections: amounts, plus or minus, that operations add to a partner's next settlement."""

from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.settlements.lines import CorrectionLine
from domain.settlements.settlement import SettlementStatus
from domain.values import Value
from records.database import Database, storable, to_the_end
from records.tables import corrections, settlements

_TAKING = (SettlementStatus.OPEN.value, SettlementStatus.CLOSING.value)
_OLDEST_FIRST = (corrections.c.at, corrections.c.correction_id)


class Correction(Value):
    """A correction: who added it and when. `settlement_id` is None until a settlement takes it."""

    correction_id: str
    partner_id: str
    line: CorrectionLine
    by: str
    at: datetime
    settlement_id: str | None = None


class Corrections:
    """The corrections. They are added, taken by a settlement, and released if it is voided; they never change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._add = insert(corrections).on_conflict_do_nothing(
            index_elements=[corrections.c.correction_id]
        )

    @to_the_end
    async def add(
        self, correction_id: str, partner_id: str, line: CorrectionLine, by: str, at: datetime
    ) -> Correction:
        """Store a correction unless one with its id is stored. Returns the stored one."""
        row = {
            "correction_id": correction_id,
            "partner_id": partner_id,
            **line.model_dump(),
            "by": by,
            "at": at,
            "settlement_id": None,
        }
        found = select(corrections).where(corrections.c.correction_id == correction_id)
        async with self._database.writing() as connection:
            await connection.execute(self._add, row)
            return _correction((await connection.execute(found)).one())

    async def pending(self, partner_id: str) -> tuple[Correction, ...]:
        """The corrections that the partner's next settlement will take, the oldest first."""
        return await self._of(partner_id, corrections.c.settlement_id.is_(None))

    async def of(self, partner_id: str) -> tuple[Correction, ...]:
        """All corrections of a partner, the oldest first."""
        return await self._of(partner_id)

    async def about(self, sp_id: str) -> tuple[Correction, ...]:
        """All corrections about an order, the oldest first."""
        found = select(corrections).where(corrections.c.sp_id == sp_id).order_by(*_OLDEST_FIRST)
        async with self._database.reading() as connection:
            return tuple(_correction(row) for row in await connection.execute(found))

    @to_the_end
    async def take(self, settlement_id: str, partner_id: str) -> tuple[CorrectionLine, ...]:
        """Assign the pending corrections to a settlement. Returns all that it has taken. Idempotent.

        A late call, when the settlement is issued or voided, takes none: they would never be billed.
        """
        mine = corrections.c.settlement_id == settlement_id
        too_late = exists().where(
            settlements.c.settlement_id == settlement_id,
            settlements.c.status.not_in(_TAKING),
        )
        taking = (
            update(corrections)
            .where(
                corrections.c.partner_id == partner_id,
                corrections.c.settlement_id.is_(None),
                ~too_late,
            )
            .values(settlement_id=settlement_id)
        )
        found = select(corrections).where(mine).order_by(*_OLDEST_FIRST)
        async with self._database.writing() as connection:
            taken = (await connection.execute(found)).all()
            if not taken:
                await connection.execute(taking)
                taken = (await connection.execute(found)).all()
        return tuple(_correction(row).line for row in taken)

    @to_the_end
    async def release(self, settlement_id: str) -> None:
        """Release what a settlement has taken, so that the partner's next one takes it. Idempotent."""
        freed = (
            update(corrections)
            .where(corrections.c.settlement_id == settlement_id)
            .values(settlement_id=None)
        )
        async with self._database.writing() as connection:
            await connection.execute(freed)

    async def _of(self, partner_id: str, *conditions: Any) -> tuple[Correction, ...]:
        if not storable(partner_id):
            return ()
        found = (
            select(corrections)
            .where(corrections.c.partner_id == partner_id, *conditions)
            .order_by(*_OLDEST_FIRST)
        )
        async with self._database.reading() as connection:
            return tuple(_correction(row) for row in await connection.execute(found))


def _correction(row: Any) -> Correction:
    line = CorrectionLine(
        sp_id=row.sp_id, reason=row.reason, amount=row.amount, executed_on=row.executed_on
    )
    return Correction(
        correction_id=row.correction_id,
        partner_id=row.partner_id,
        line=line,
        by=row.by,
        at=row.at,
        settlement_id=row.settlement_id,
    )
