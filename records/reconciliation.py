"""What the reconciler keeps: how orders and their workflows differ, and what it need not compare again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from activities.names import FindingKind
from domain.order import Status
from domain.values import Value
from records.database import Database, to_the_end
from records.tables import comparisons, findings, orders


class Held(NamedTuple):
    """How far the records know an order."""

    version: int
    status: Status


class Same(NamedTuple):
    """A running workflow and an order that were the same: at this length of history, at this version."""

    run_id: str
    history_length: int
    version: int


class Finding(Value):
    """One difference between an order and its workflow. `ended_at`: repaired by the reconciler, or gone by itself."""

    sp_id: str
    kind: FindingKind
    run_id: str
    found_at: datetime
    seen_at: datetime
    reported_at: datetime | None
    ended_at: datetime | None
    repaired: bool


class Seen(NamedTuple):
    """What a pass has seen of one order: a difference, and whether it is repaired."""

    sp_id: str
    kind: FindingKind
    run_id: str
    repaired: bool = False


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
            index_elements=[findings.c.sp_id, findings.c.kind, findings.c.run_id],
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
            index_elements=[comparisons.c.sp_id],
            set_={name: same.excluded[name] for name in ("run_id", "history_length", "version")},
        )

    # --- comparing -----------------------------------------------------------------------------------------------

    async def held(self, sp_ids: Collection[str]) -> dict[str, Held]:
        """How far the records know these orders; those they do not know are missing."""
        found = select(orders.c.sp_id, orders.c.version, orders.c.status).where(
            orders.c.sp_id.in_(sp_ids)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return {sp_id: Held(version, Status(status)) for sp_id, version, status in rows}

    async def same(self, sp_ids: Collection[str]) -> dict[str, Same]:
        """When these orders and their workflows were last the same."""
        found = select(comparisons).where(comparisons.c.sp_id.in_(sp_ids))
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return {row.sp_id: Same(row.run_id, row.history_length, row.version) for row in rows}

    @to_the_end
    async def keep_same(self, these: Mapping[str, Same]) -> None:
        """Remember that these orders and their workflows are the same."""
        if these:
            rows = [{"sp_id": sp_id, **same._asdict()} for sp_id, same in these.items()]
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
    async def keep_open(self, sp_ids: Collection[str], at: datetime) -> None:
        """These orders could not be compared in the pass that began at `at`: what was found of them stands."""
        if sp_ids:
            stands = (
                update(findings)
                .where(findings.c.sp_id.in_(sp_ids), findings.c.ended_at.is_(None))
                .values(seen_at=at)
            )
            async with self._database.writing() as connection:
                await connection.execute(stands)

    @to_the_end
    async def end_unseen(self, at: datetime) -> int:
        """End what the pass that began at `at`, and is through, has not seen any more. How many these are.

        Comparisons with orders that cannot change any more are dropped, too.
        """
        gone = (
            update(findings)
            .where(findings.c.ended_at.is_(None), findings.c.seen_at < at)
            .values(ended_at=at)
        )
        final = [str(status) for status in Status if status.is_final]
        closed = delete(comparisons).where(
            comparisons.c.sp_id.in_(select(orders.c.sp_id).where(orders.c.status.in_(final)))
        )
        async with self._database.writing() as connection:
            await connection.execute(closed)
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
            .order_by(findings.c.found_at, findings.c.sp_id, findings.c.kind)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return tuple(Finding.model_validate(row._asdict()) for row in rows)
