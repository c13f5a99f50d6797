"""The findings of the reconciler: how orders and settlements differ from their workflows."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from contracts.activities import FindingKind
from domain.values import Value
from records.database import Database, to_the_end
from records.tables import findings


class Finding(Value):
    """One difference between an order or a settlement and its workflow.

    Attributes:
        about: the SP-ID of the order, or the number of the settlement.
        ended_at: when the reconciler repaired it, or a pass no longer saw it.
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
    """A difference that a pass has seen, and whether the pass has repaired it. `about` is as in `Finding`."""

    about: str
    kind: FindingKind
    run_id: str
    repaired: bool = False


class Findings:
    """The reconciler's findings. A finding is open from the pass that first saw it until `ended_at`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        finding = insert(findings)
        again = findings.c.ended_at.is_not(None)
        excluded = finding.excluded
        # A difference that had ended and is seen again counts as a new one and is reported again.
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

    @to_the_end
    async def keep(self, these: Sequence[Seen], at: datetime) -> None:
        """Store what the pass that began at `at` has seen. Idempotent."""
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
        """Keep the findings about these open: the pass that began at `at` could not compare them."""
        if names:
            kept = (
                update(findings)
                .where(findings.c.about.in_(names), findings.c.ended_at.is_(None))
                .values(seen_at=at)
            )
            async with self._database.writing() as connection:
                await connection.execute(kept)

    @to_the_end
    async def end_unseen(self, at: datetime) -> int:
        """End the findings that the complete pass that began at `at` has not seen. Returns how many."""
        gone = (
            update(findings)
            .where(findings.c.ended_at.is_(None), findings.c.seen_at < at)
            .values(ended_at=at)
        )
        async with self._database.writing() as connection:
            return (await connection.execute(gone)).rowcount

    async def unreported(self, limit: int) -> tuple[Finding, ...]:
        """Open findings that were not reported to operations, the oldest first."""
        return await self._found(findings.c.reported_at.is_(None), limit=limit)

    async def count_unreported(self) -> int:
        """The number of open findings that were not reported to operations."""
        return await self._count(findings.c.reported_at.is_(None))

    async def open(self, limit: int = 500) -> tuple[Finding, ...]:
        """Open findings, the oldest first."""
        return await self._found(limit=limit)

    async def first(self, limit: int) -> tuple[int, tuple[Finding, ...]]:
        """How many findings are open, and the first of them, from one statement, so that both agree."""
        found = (
            select(func.count().over().label("total"), findings)
            .where(findings.c.ended_at.is_(None))
            .order_by(findings.c.found_at, findings.c.about, findings.c.kind)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        items = tuple(
            Finding.model_validate({k: v for k, v in row._asdict().items() if k != "total"})
            for row in rows
        )
        return (rows[0].total if rows else 0), items

    async def count(self) -> int:
        """How many findings are open."""
        return await self._count()

    @to_the_end
    async def mark_reported(self, until: datetime) -> None:
        """Mark everything found until `until` as reported to operations at that time."""
        reported = (
            update(findings)
            .where(
                findings.c.ended_at.is_(None),
                findings.c.reported_at.is_(None),
                findings.c.found_at <= until,
            )
            .values(reported_at=until)
        )
        async with self._database.writing() as connection:
            await connection.execute(reported)

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
