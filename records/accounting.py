"""The queries of accounting: invoices that wait for it, the sums of a month, and who decided about its invoices."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Select, exists, or_, select

from domain.months import Month
from domain.settlements.events import SettlementRecorded
from domain.settlements.settlement import Settlement, SettlementStatus
from domain.values import Value
from records.database import Database
from records.limits import LONG_SECONDS
from records.settlement_rows import recorded_of
from records.settlements import ROW, SettlementRow
from records.tables import settlement_documents, settlement_timeline, settlements

BOOKED = (
    SettlementStatus.ISSUED,
    SettlementStatus.INVOICED,
    SettlementStatus.APPROVED,
    SettlementStatus.PAID,
)
"""The states of settlements that have a statement and are not void."""
_DECISIONS = (
    "invoice_noted",
    "invoice_accepted",
    "invoice_approved",
    "invoice_sent_back",
    "invoice_paid",
    "voided",
)


class Waiting(Value):
    """Settlements that wait. `held`: for a decision about the invoice's account. `overdue`: for the invoice itself."""

    held: tuple[SettlementRow, ...]
    overdue: tuple[SettlementRow, ...]


class BookedSum(Value):
    """The sums of a partner's settlement of a month."""

    month: Month
    partner_id: str
    partner_name: str
    settlement_id: str
    status: SettlementStatus
    orders: int
    net: Decimal
    vat: Decimal
    total: Decimal


class Decision(Value):
    """A decision of somebody on the staff about a settlement or its invoice."""

    settlement_id: str
    partner_id: str
    partner_name: str
    total: Decimal
    recorded: SettlementRecorded


_SUM = [settlements.c[name] for name in BookedSum.model_fields]


class AccountingRecords:
    """Reads what the pages and tables of accounting show."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, now: datetime, limit: int) -> Waiting:
        """All held invoices, the oldest settlement first; and at most `limit` overdue ones, the longest overdue first.

        A held invoice is not overdue.
        """
        issued = settlements.c.status == SettlementStatus.ISSUED.value
        was_held = exists().where(
            settlement_timeline.c.settlement_id == settlements.c.settlement_id,
            settlement_timeline.c.type == "invoice_held",
        )
        candidates = (
            select(*ROW, settlement_documents.c.document)
            .join(
                settlement_documents,
                settlement_documents.c.settlement_id == settlements.c.settlement_id,
            )
            .where(issued, was_held)
            .order_by(settlements.c.issued_at, settlements.c.settlement_id)
        )
        late = (
            select(*ROW)
            .where(issued, settlements.c.invoice_due <= now)
            .order_by(settlements.c.invoice_due, settlements.c.settlement_id)
        )
        held = []
        async with self._database.reading() as connection:
            for row in await connection.execute(candidates):
                facts = row._asdict()
                if Settlement.model_validate_json(facts.pop("document")).held is not None:
                    held.append(SettlementRow.model_validate(facts))
            decided = {each.settlement_id for each in held}
            overdue = [
                SettlementRow.model_validate(row._asdict())
                for row in await connection.execute(late.limit(limit + len(decided)))
                if row.settlement_id not in decided
            ]
        return Waiting(held=tuple(held), overdue=tuple(overdue[:limit]))

    async def sums(self, months: Sequence[Month]) -> tuple[BookedSum, ...]:
        """The settlements of these months that have a statement and are not void; by month, partner and number."""
        found: Select[tuple[object, ...]] = (
            select(*_SUM)
            .where(
                settlements.c.month.in_([str(month) for month in months]),
                settlements.c.status.in_([status.value for status in BOOKED]),
            )
            .order_by(
                settlements.c.month,
                settlements.c.partner_name,
                settlements.c.partner_id,
                settlements.c.number,
            )
        )
        async with self._database.reading(limit=LONG_SECONDS) as connection:
            rows = (await connection.execute(found)).all()
        return tuple(BookedSum.model_validate(row._asdict()) for row in rows)

    async def decisions(self, month: Month) -> tuple[Decision, ...]:
        """The decisions of the staff about the settlements of a month, the earliest first. What partners did, or
        operations on their behalf, is not among them."""
        found = (
            select(
                settlements.c.settlement_id,
                settlements.c.partner_id,
                settlements.c.partner_name,
                settlements.c.total,
                settlement_timeline.c.seq,
                settlement_timeline.c.at,
                settlement_timeline.c.by,
                settlement_timeline.c.on_behalf_of,
                settlement_timeline.c.data,
            )
            .join(
                settlement_timeline,
                settlement_timeline.c.settlement_id == settlements.c.settlement_id,
            )
            .where(
                settlements.c.month == str(month),
                settlement_timeline.c.type.in_(_DECISIONS),
                settlement_timeline.c.on_behalf_of.is_(None),
                or_(
                    settlement_timeline.c.by.startswith("accounting"),
                    settlement_timeline.c.by.startswith("operations"),
                ),
            )
            .order_by(
                settlement_timeline.c.at, settlements.c.settlement_id, settlement_timeline.c.seq
            )
        )
        async with self._database.reading(limit=LONG_SECONDS) as connection:
            rows = (await connection.execute(found)).all()
        return tuple(
            Decision(
                settlement_id=row.settlement_id,
                partner_id=row.partner_id,
                partner_name=row.partner_name,
                total=row.total,
                recorded=recorded_of(row.seq, row.at, row.by, row.on_behalf_of, row.data),
            )
            for row in rows
        )

    async def with_statement(self, month: Month) -> tuple[str, ...]:
        """The numbers of the settlements of a month that have, or had before they were voided, a statement."""
        found = (
            select(settlements.c.settlement_id)
            .where(settlements.c.month == str(month), settlements.c.issued_at.is_not(None))
            .order_by(settlements.c.settlement_id)
        )
        async with self._database.reading() as connection:
            return tuple((await connection.execute(found)).scalars())

    async def settlement(self, settlement_id: str) -> Settlement | None:
        """A settlement without its lines. None if it does not exist."""
        found = select(settlement_documents.c.document).where(
            settlement_documents.c.settlement_id == settlement_id
        )
        async with self._database.reading() as connection:
            document = (await connection.execute(found)).scalar_one_or_none()
        return None if document is None else Settlement.model_validate_json(document)
