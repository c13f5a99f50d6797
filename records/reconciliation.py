"""The rows that the reconciler compares with workflows, and the comparisons that need no repetition."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from contracts.activities import SettlementSnapshot
from domain.months import Month
from domain.settlements.lines import NOTHING
from domain.settlements.settlement import SettlementStatus
from records.database import Database, to_the_end
from records.findings import Findings
from records.heads import Head
from records.settlements import Settlements
from records.tables import (
    comparisons,
    erasures,
    is_closed,
    is_open,
    orders,
    settlement_timeline,
    settlements,
)


def _has(*types: str) -> ColumnElement[bool]:
    """Whether a settlement's timeline has an event of one of these types."""
    return exists().where(
        settlement_timeline.c.settlement_id == settlements.c.settlement_id,
        settlement_timeline.c.type.in_(types),
    )


# The same as `Settlement.is_over`: a settlement that is voided after it claimed orders must release them first.
_IS_OVER = or_(
    settlements.c.status == SettlementStatus.PAID.value,
    and_(
        settlements.c.status == SettlementStatus.INVOICED.value,
        or_(func.coalesce(settlements.c.rules, 1) < 2, settlements.c.total <= NOTHING),
    ),
    and_(
        settlements.c.status == SettlementStatus.VOID.value,
        or_(~_has("orders_claimed"), _has("nothing_to_bill", "orders_released")),
    ),
)


class Row(NamedTuple):
    """An order or a settlement in the records.

    Attributes:
        name: its SP-ID, or the settlement's number.
        digest: of its events; None if an older release wrote it.
        is_over: whether it is closed, so that no event can follow.
        settled: the partner's id, the month, and the number in the month of a settlement; None for an order.
    """

    name: str
    version: int
    digest: str | None
    is_over: bool
    settled: tuple[str, Month, int] | None = None


class Same(NamedTuple):
    """A comparison without a difference: the length of the history, the version and digest of the row.

    An empty `run_id` means that the server does not (or no longer) know the workflow.
    """

    run_id: str
    history_length: int
    version: int
    digest: str | None


_ORDER = select(
    orders.c.sp_id.label("name"),
    orders.c.version,
    orders.c.digest,
    is_closed.label("is_over"),
    null().label("partner_id"),
    null().label("month"),
    null().label("number"),
)
_SETTLEMENT = select(
    settlements.c.settlement_id.label("name"),
    settlements.c.version,
    settlements.c.digest,
    _IS_OVER.label("is_over"),
    settlements.c.partner_id,
    settlements.c.month,
    settlements.c.number,
)


def _compared(name: ColumnElement[str], row: Table) -> ColumnElement[bool]:
    """Whether a comparison found no difference between the row in its current version and its workflow."""
    return exists().where(
        comparisons.c.about == name,
        comparisons.c.version == row.c.version,
        comparisons.c.digest.is_not_distinct_from(row.c.digest),
    )


def _first(
    found: Sequence[Select[Any]], key: ColumnElement[str], after: str | None, limit: int
) -> Select[Any]:
    """The first rows of several queries together, from the one after `after` on; each query uses its own index."""
    if after is not None:
        found = [each.where(key > after) for each in found]
    parts = [each.order_by(key).limit(limit).subquery() for each in found]
    together = union_all(*(select(part) for part in parts)).subquery()
    return select(together).order_by(together.c.name).limit(limit)


class Reconciliation:
    """Rows to compare with their workflows, and the comparisons that found no difference."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.findings = Findings(database)
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        same = insert(comparisons)
        self._put_same = same.on_conflict_do_update(
            index_elements=[comparisons.c.about],
            set_={name: same.excluded[name] for name in Same._fields},
        )

    # --- comparing -----------------------------------------------------------------------------------------------

    async def orders(self, sp_ids: Collection[str]) -> tuple[Row, ...]:
        """The rows of these orders; those that are not recorded are left out."""
        return await self._rows(_ORDER.where(orders.c.sp_id.in_(sp_ids)))

    async def settlements(self, numbers: Collection[str]) -> tuple[Row, ...]:
        """The rows of these settlements; those that are not recorded are left out."""
        return await self._rows(_SETTLEMENT.where(settlements.c.settlement_id.in_(numbers)))

    async def open_orders(self, after: str | None, limit: int) -> tuple[Row, ...]:
        """Orders that are not closed, by SP-ID, from the one after `after` on."""
        return await self._rows(_first([_ORDER.where(is_open)], orders.c.sp_id, after, limit))

    async def open_settlements(self, after: str | None, limit: int) -> tuple[Row, ...]:
        """Settlements that are not over, by number, from the one after `after` on."""
        found = [_SETTLEMENT.where(~_IS_OVER)]
        return await self._rows(_first(found, settlements.c.settlement_id, after, limit))

    async def orders_to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> tuple[Row, ...]:
        """Orders to compare with their workflows, by SP-ID, from the one after `after` on.

        These are all open orders, and those closed since `closed_since` that were not compared after their end. Erased
        orders are left out: their workflows are deleted.
        """
        closed = _ORDER.where(
            is_closed,
            orders.c.changed_at >= closed_since,
            ~_compared(orders.c.sp_id, orders),
            ~exists().where(erasures.c.sp_id == orders.c.sp_id),
        )
        found = [_ORDER.where(is_open), closed]
        return await self._rows(_first(found, orders.c.sp_id, after, limit))

    async def settlements_to_compare(self, after: str | None, limit: int) -> tuple[Row, ...]:
        """Settlements to compare with their workflows, by number, from the one after `after` on.

        These are all settlements that are not over, and those that were not compared after their end.
        """
        number = settlements.c.settlement_id
        found = [_SETTLEMENT.where(or_(~_IS_OVER, ~_compared(number, settlements)))]
        return await self._rows(_first(found, number, after, limit))

    async def _rows(self, found: Select[Any]) -> tuple[Row, ...]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return tuple(
            Row(
                row.name,
                row.version,
                row.digest,
                bool(row.is_over),
                (row.partner_id, Month.parse(row.month), row.number) if row.month else None,
            )
            for row in rows
        )

    async def keep_settlement(
        self, snapshot: SettlementSnapshot, replaces: Head | None = None
    ) -> bool:
        """Replace a settlement by its workflow's snapshot; `replaces` is what the records held before it was asked.

        False, without a change, if an order of it is not recorded or is billed by another settlement.
        """
        try:
            await Settlements(self._database).save(snapshot, replaces=replaces)
        except (LookupError, IntegrityError):
            return False
        return True

    async def same(self, names: Collection[str]) -> dict[str, Same]:
        """The stored comparison of each of these orders and settlements, if there is one."""
        found = select(comparisons).where(comparisons.c.about.in_(names))
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return {
            row.about: Same(row.run_id, row.history_length, row.version, row.digest) for row in rows
        }

    @to_the_end
    async def keep_same(self, these: Mapping[str, Same]) -> None:
        """Store comparisons without a difference."""
        if these:
            rows = [{"about": name, **same._asdict()} for name, same in these.items()]
            async with self._database.writing() as connection:
                await connection.execute(self._put_same, rows)

    @to_the_end
    async def forget_closed(self, before: datetime) -> None:
        """Delete the comparisons of orders that were closed before this instant: they are not compared again."""
        long_closed = select(orders.c.sp_id).where(is_closed, orders.c.changed_at < before)
        async with self._database.writing() as connection:
            await connection.execute(
                delete(comparisons).where(comparisons.c.about.in_(long_closed))
            )
