"""What the reconciler keeps: how rows and workflows differ, and what it need not compare again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from contracts.activities import FindingKind, SettlementSnapshot
from domain.months import Month
from domain.settlements.settlement import SettlementStatus
from domain.values import Value
from records.database import Database, to_the_end
from records.heads import Head
from records.settlements import Settlements
from records.tables import (
    comparisons,
    findings,
    is_closed,
    is_open,
    orders,
    settlement_timeline,
    settlements,
)


def _has(*types: str) -> ColumnElement[bool]:
    """Whether a settlement's timeline has an event of such a type."""
    return exists().where(
        settlement_timeline.c.settlement_id == settlements.c.settlement_id,
        settlement_timeline.c.type.in_(types),
    )


# As `Settlement.is_over`: what was taken back after it had claimed its orders has to set them free first.
_IS_OVER = or_(
    settlements.c.status == SettlementStatus.INVOICED.value,
    and_(
        settlements.c.status == SettlementStatus.VOID.value,
        or_(~_has("orders_claimed"), _has("nothing_to_bill", "orders_released")),
    ),
)


class Row(NamedTuple):
    """An order or a settlement in the records, by SP-ID or number.

    Attributes:
        digest: of its events; None if it was written by an older release.
        is_over: it is closed, and nothing can follow.
        settled: whose settlement of which month it is, if it is one.
    """

    name: str
    version: int
    digest: str | None
    is_over: bool
    settled: tuple[str, Month] | None = None


class Same(NamedTuple):
    """A workflow and its row that were the same: at this length of history, at this version and digest.

    Without a `run_id` the server knows no such workflow (any more), and there is nothing to compare.
    """

    run_id: str
    history_length: int
    version: int
    digest: str | None


class Finding(Value):
    """One difference between an order or a settlement and its workflow.

    Attributes:
        about: the SP-ID of the order, or the number of the settlement.
        ended_at: when the reconciler repaired it, or a pass did not see it any more.
    """

    about: str
    kind: FindingKind
    run_id: str
    found_at: datetime
    seen_at: datetime
    reported_at: datetime | None
    ended_at: datetime | None
    repaired: bool


class Seen(NamedTuple):
    """A difference that a pass has seen, and whether it has repaired it. `about`: as in `Finding`."""

    about: str
    kind: FindingKind
    run_id: str
    repaired: bool = False


_ORDER = select(
    orders.c.sp_id.label("name"),
    orders.c.version,
    orders.c.digest,
    is_closed.label("is_over"),
    null().label("partner_id"),
    null().label("month"),
)
_SETTLEMENT = select(
    settlements.c.settlement_id.label("name"),
    settlements.c.version,
    settlements.c.digest,
    _IS_OVER.label("is_over"),
    settlements.c.partner_id,
    settlements.c.month,
)


def _compared(name: ColumnElement[str], row: Table) -> ColumnElement[bool]:
    """Whether a row was found the same as its workflow, at its version and digest of now."""
    return exists().where(
        comparisons.c.about == name,
        comparisons.c.version == row.c.version,
        comparisons.c.digest.is_not_distinct_from(row.c.digest),
    )


def _first(
    found: Sequence[Select[Any]], key: ColumnElement[str], after: str | None, limit: int
) -> Select[Any]:
    """The first rows after one of several queries together, each of which its own index answers."""
    if after is not None:
        found = [each.where(key > after) for each in found]
    parts = [each.order_by(key).limit(limit).subquery() for each in found]
    together = union_all(*(select(part) for part in parts)).subquery()
    return select(together).order_by(together.c.name).limit(limit)


class Reconciliation:
    """Findings and comparisons."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        finding = insert(findings)
        again = findings.c.ended_at.is_not(None)
        excluded = finding.excluded
        # A difference that had ended and is there again is a new one, and is reported again.
        self._put_finding = finding.on_conflict_do_update(
            index_elements=[findings.c.about, findings.c.kind, findings.c.run_id],
            set_={
                "found_at": case((again, excluded.found_at), else_=findings.c.found_at),
                "reported_at": case((again, None), else_=findings.c.reported_at),
                "seen_at": excluded.seen_at,
                "ended_at": excluded.ended_at,
                "repaired": excluded.repaired,
            },
        )
        same = insert(comparisons)
        self._put_same = same.on_conflict_do_update(
            index_elements=[comparisons.c.about],
            set_={name: same.excluded[name] for name in Same._fields},
        )

    # --- comparing -----------------------------------------------------------------------------------------------

    async def orders(self, sp_ids: Collection[str]) -> tuple[Row, ...]:
        """These orders, as the records know them; those they do not know are missing."""
        return await self._rows(_ORDER.where(orders.c.sp_id.in_(sp_ids)))

    async def settlements(self, numbers: Collection[str]) -> tuple[Row, ...]:
        """These settlements, as the records know them; those they do not know are missing."""
        return await self._rows(_SETTLEMENT.where(settlements.c.settlement_id.in_(numbers)))

    async def open_orders(self, after: str | None, limit: int) -> tuple[Row, ...]:
        """Orders that are not closed, by SP-ID, those after one."""
        return await self._rows(_first([_ORDER.where(is_open)], orders.c.sp_id, after, limit))

    async def open_settlements(self, after: str | None, limit: int) -> tuple[Row, ...]:
        """Settlements that are not over, by number, those after one."""
        found = [_SETTLEMENT.where(~_IS_OVER)]
        return await self._rows(_first(found, settlements.c.settlement_id, after, limit))

    async def orders_to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> tuple[Row, ...]:
        """Orders to compare with their workflows, by SP-ID, those after one: all open ones, and the closed ones that
        have changed since then and were not compared as they are now."""
        closed = _ORDER.where(
            is_closed, orders.c.changed_at >= closed_since, ~_compared(orders.c.sp_id, orders)
        )
        found = [_ORDER.where(is_open), closed]
        return await self._rows(_first(found, orders.c.sp_id, after, limit))

    async def settlements_to_compare(self, after: str | None, limit: int) -> tuple[Row, ...]:
        """Settlements to compare with their workflows, by number, those after one: all that are not over, and those
        that are over and were not compared as they are now."""
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
                (row.partner_id, Month.parse(row.month)) if row.month else None,
            )
            for row in rows
        )

    async def keep_settlement(
        self, snapshot: SettlementSnapshot, replaces: Head | None = None
    ) -> bool:
        """Have the records hold a settlement as its workflow has it, instead of what they held when it was asked. Not
        if they lack an order of it, or another one has billed it: then it stays as it is."""
        try:
            await Settlements(self._database).save(snapshot, replaces=replaces)
        except (LookupError, IntegrityError):
            return False
        return True

    async def same(self, names: Collection[str]) -> dict[str, Same]:
        """When these and their workflows were last the same."""
        found = select(comparisons).where(comparisons.c.about.in_(names))
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return {
            row.about: Same(row.run_id, row.history_length, row.version, row.digest) for row in rows
        }

    @to_the_end
    async def keep_same(self, these: Mapping[str, Same]) -> None:
        """Remember that these and their workflows are the same."""
        if these:
            rows = [{"about": name, **same._asdict()} for name, same in these.items()]
            async with self._database.writing() as connection:
                await connection.execute(self._put_same, rows)

    # --- findings ------------------------------------------------------------------------------------------------

    @to_the_end
    async def keep(self, these: Sequence[Seen], at: datetime) -> None:
        """Note what the pass that began at `at` has seen. Twice is once."""
        if these:
            rows = [
                {
                    **seen._asdict(),
                    "found_at": at,
                    "seen_at": at,
                    "ended_at": at if seen.repaired else None,
                }
                for seen in these
            ]
            async with self._database.writing() as connection:
                await connection.execute(self._put_finding, rows)

    @to_the_end
    async def keep_open(self, names: Collection[str], at: datetime) -> None:
        """These could not be compared in the pass that began at `at`: what was found of them stands."""
        if names:
            stands = (
                update(findings)
                .where(findings.c.about.in_(names), findings.c.ended_at.is_(None))
                .values(seen_at=at)
            )
            async with self._database.writing() as connection:
                await connection.execute(stands)

    @to_the_end
    async def end_unseen(self, at: datetime, closed_since: datetime) -> int:
        """End what the pass that began at `at`, and is through, has not seen any more. How many these are.

        Comparisons of orders that were closed before `closed_since` are dropped: they are not compared any more.
        """
        gone = (
            update(findings)
            .where(findings.c.ended_at.is_(None), findings.c.seen_at < at)
            .values(ended_at=at)
        )
        long_closed = select(orders.c.sp_id).where(is_closed, orders.c.changed_at < closed_since)
        forgotten = delete(comparisons).where(comparisons.c.about.in_(long_closed))
        async with self._database.writing() as connection:
            await connection.execute(forgotten)
            return (await connection.execute(gone)).rowcount

    async def unreported(self, limit: int) -> tuple[Finding, ...]:
        """Findings that stand and of which operations were not told yet, the oldest first."""
        return await self._found(findings.c.reported_at.is_(None), limit=limit)

    async def count_unreported(self) -> int:
        """How many these are."""
        return await self._count(findings.c.reported_at.is_(None))

    async def standing(self, limit: int = 500) -> tuple[Finding, ...]:
        """Findings that stand, the oldest first."""
        return await self._found(limit=limit)

    async def count(self) -> int:
        """How many findings stand."""
        return await self._count()

    @to_the_end
    async def reported(self, until: datetime) -> None:
        """Operations were told, at this moment, of all that was found until then."""
        told = (
            update(findings)
            .where(
                findings.c.ended_at.is_(None),
                findings.c.reported_at.is_(None),
                findings.c.found_at <= until,
            )
            .values(reported_at=until)
        )
        async with self._database.writing() as connection:
            await connection.execute(told)

    async def _count(self, *conditions: ColumnElement[bool]) -> int:
        counted = (
            select(func.count())
            .select_from(findings)
            .where(findings.c.ended_at.is_(None), *conditions)
        )
        async with self._database.reading() as connection:
            number: int = (await connection.execute(counted)).scalar_one()
        return number

    async def _found(self, *conditions: ColumnElement[bool], limit: int) -> tuple[Finding, ...]:
        found = (
            select(findings)
            .where(findings.c.ended_at.is_(None), *conditions)
            .order_by(findings.c.found_at, findings.c.about, findings.c.kind)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return tuple(Finding.model_validate(row._asdict()) for row in rows)
