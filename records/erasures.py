"""Erases the customers' data of orders in the records, and deletes what is older than its retention."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, Table, delete, exists, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from domain.months import Month
from domain.orders.erasure import why_not_erasable
from domain.orders.order import Status
from domain.settlements.settlement import Settlement, SettlementStatus
from records.database import Database, to_the_end
from records.erased_rows import erase_rows, is_recorded_as_erased
from records.erased_settlements import (
    erase_late_reasons,
    erase_texts_of_settlements,
    has_texts,
    settlements_of,
)
from records.order_rows import order_of
from records.tables import (
    asked_reminder_orders,
    asked_reminders,
    corrections,
    data_keys,
    deadlines,
    documents,
    ended_before,
    erasures,
    exports,
    findings,
    iban_changes,
    iban_mails,
    invoice_numbers,
    mails,
    order_assignments,
    orders,
    papers,
    reminders,
    settlement_documents,
    settlement_lines,
    settlement_timeline,
    settlements,
    timeline,
)

KEY_PAUSE = timedelta(minutes=2)
"""How long after its erasure a key may still be in the memory of a process (`contracts.keys.KeyRing`: one minute)."""


class TooEarly(Exception):
    """A process may still hold the erased data key, so no new one may be made yet. Try again later."""


class SettlementWithTexts(NamedTuple):
    """A settlement whose history in Temporal may hold what people wrote about an order."""

    settlement_id: str
    partner_id: str
    month: Month
    number: int
    is_over: bool


class Erasures:
    """Erased orders, exports, and the deletion of what is too old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(
        self, sp_id: str, by: str, at: datetime, is_running: Callable[[], Awaitable[bool]]
    ) -> str | None:
        """Erase the customer's data of an order in all tables. Repeating it changes nothing.

        `is_running` says whether its workflow runs. It is called while nobody else can write the order. Returns None,
        or the code of the refusal: `not_ended`, `still_running`, `being_released`.
        """
        found = select(orders.c.status, orders.c.settlement_id).where(orders.c.sp_id == sp_id)
        async with self._database.writing() as connection:
            status, settlement_id = (await connection.execute(found.with_for_update())).one()
            if await connection.run_sync(is_recorded_as_erased, sp_id):
                return None
            if (code := why_not_erasable(Status(status))) is not None:
                return code
            if Status(status) is Status.BILLED:
                # A voided settlement releases the order: it starts a new run from the order that it has read.
                voided = select(settlements.c.status).where(
                    settlements.c.settlement_id == settlement_id
                )
                if (
                    await connection.execute(voided)
                ).scalar_one_or_none() == SettlementStatus.VOID.value:
                    return "being_released"
            if await is_running():
                return "still_running"
            await connection.run_sync(erase_rows, sp_id, by, at)
        return None

    async def due(self, before: datetime, limit: int) -> tuple[str, ...]:
        """Orders that were billed or cancelled before an instant and are not erased yet, the oldest first."""
        erased = exists().where(erasures.c.sp_id == orders.c.sp_id)
        found = (
            select(orders.c.sp_id)
            .where(ended_before(before), ~erased)
            .order_by(orders.c.changed_at, orders.c.sp_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return tuple((await connection.execute(found)).scalars())

    async def undone(self, after: str, limit: int) -> tuple[str, ...]:
        """Erased orders of which Temporal or files may still hold something, from the one after `after` on."""
        found = (
            select(erasures.c.sp_id)
            .where(erasures.c.done_at.is_(None), erasures.c.sp_id > after)
            .order_by(erasures.c.sp_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return tuple((await connection.execute(found)).scalars())

    async def is_undone(self, sp_id: str) -> bool:
        """Whether Temporal or files may still hold something of an erased order."""
        found = select(exists().where(erasures.c.sp_id == sp_id, erasures.c.done_at.is_(None)))
        async with self._database.reading() as connection:
            return bool((await connection.execute(found)).scalar_one())

    async def erase_texts(self, sp_id: str) -> None:
        """Erase what people wrote about an erased order, and about those of its settlements that are over by now."""
        await self._database.write(lambda connection: erase_texts_of_settlements(connection, sp_id))

    async def settlements_with_texts(self, sp_id: str) -> tuple[SettlementWithTexts, ...]:
        """The settlements of an order in which people wrote about it or about the settlement, or still can."""

        def read(connection: Connection) -> tuple[SettlementWithTexts, ...]:
            found = connection.execute(
                select(settlement_documents.c.document).where(
                    settlement_documents.c.settlement_id.in_(settlements_of(connection, sp_id))
                )
            ).scalars()
            known = [Settlement.model_validate_json(document) for document in found]
            return tuple(
                SettlementWithTexts(
                    each.settlement_id,
                    each.opening.partner.partner_id,
                    each.opening.month,
                    each.opening.number,
                    each.is_over,
                )
                for each in known
                if not each.is_over
                or any(line.sp_id == sp_id for line in each.corrections)
                or has_texts(connection, each.settlement_id)
            )

        return await self._database.read(read)

    @to_the_end
    async def mark_done(self, sp_ids: Collection[str], at: datetime) -> None:
        """Record that nothing of these orders is left outside the records."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(erasures).where(erasures.c.sp_id.in_(sp_ids)).values(done_at=at)
            )

    @to_the_end
    async def allow_key(self, sp_id: str, now: datetime) -> None:
        """Let a new run of an erased order have a new data key. What the erased key encrypted stays unreadable.

        Raises:
            TooEarly: a process may still have the former key.
        """
        row = select(data_keys.c.erased_at).where(
            data_keys.c.workflow_id == sp_id, data_keys.c.erased_at.is_not(None)
        )
        async with self._database.writing() as connection:
            erased_at = (await connection.execute(row)).scalar_one_or_none()
            if erased_at is None:
                return
            if now < erased_at + KEY_PAUSE:
                raise TooEarly(sp_id)
            await connection.execute(delete(data_keys).where(data_keys.c.workflow_id == sp_id))

    # --- retention -----------------------------------------------------------------------------------------------

    async def erase_late_reasons(self) -> None:
        """Erase the reasons of corrections that were added after their orders had been erased."""
        await self._database.write(erase_late_reasons)

    async def delete_mails(self, before: datetime, limit: int) -> int:
        """Delete mails that were first tried before an instant and are not to be sent any more. Returns how many."""
        return await self._delete(
            mails, mails.c.first_tried_at < before, mails.c.next_attempt_at.is_(None), limit=limit
        )

    async def delete_findings(self, before: datetime, limit: int) -> int:
        """Delete findings of the reconciler that ended before an instant. Returns how many."""
        return await self._delete(findings, findings.c.ended_at < before, limit=limit)

    async def delete_asked_reminders(self, before: datetime, limit: int) -> int:
        """Delete reminders that operations asked for before an instant, unless they wait. Returns how many."""
        old = (
            asked_reminders.c.asked_at < before,
            asked_reminders.c.next_attempt_at.is_(None),
        )
        of_old = asked_reminder_orders.c.key.in_(select(asked_reminders.c.key).where(*old))
        await self._database.write(
            lambda connection: connection.execute(delete(asked_reminder_orders).where(of_old))
        )
        return await self._delete(asked_reminders, *old, limit=limit)

    async def delete_exports(self, before: datetime, limit: int) -> int:
        """Delete the records of exports that were made before an instant. Returns how many."""
        return await self._delete(exports, exports.c.at < before, limit=limit)

    async def delete_settlements(self, before: datetime, limit: int) -> int:
        """Delete settlements whose statement was issued, or that were opened, before an instant, with their papers.

        Returns how many settlements.
        """
        instant = or_(settlements.c.issued_at < before, settlements.c.issued_at.is_(None))
        found = (
            select(settlements.c.settlement_id)
            .where(settlements.c.opened_at < before, instant)
            .order_by(settlements.c.settlement_id)
            .limit(limit)
            .with_for_update()  # first, as every writer of a settlement does, to avoid a deadlock
        )

        def delete_all(connection: Connection) -> int:
            numbers = list(connection.execute(found).scalars())
            for table in (
                papers,
                corrections,
                invoice_numbers,
                settlement_lines,
                settlement_timeline,
                settlement_documents,
                settlements,
            ):
                connection.execute(delete(table).where(table.c.settlement_id.in_(numbers)))
            return len(numbers)

        return await self._database.write(delete_all)

    async def delete_orders(self, before: datetime, limit: int) -> int:
        """Delete what is left of erased orders that ended before an instant, such as who did what. Returns how many."""
        is_done = exists().where(
            erasures.c.sp_id == orders.c.sp_id, erasures.c.done_at.is_not(None)
        )
        found = (
            select(orders.c.sp_id)
            .where(ended_before(before), is_done)
            .order_by(orders.c.sp_id)
            .limit(limit)
            .with_for_update()  # first, as every writer of an order does, to avoid a deadlock
        )

        def delete_all(connection: Connection) -> int:
            sp_ids = list(connection.execute(found).scalars())
            for key in (
                deadlines.c.sp_id,
                timeline.c.sp_id,
                documents.c.sp_id,
                reminders.c.sp_id,
                order_assignments.c.sp_id,
                data_keys.c.workflow_id,
                erasures.c.sp_id,
                orders.c.sp_id,
            ):
                connection.execute(delete(key.table).where(key.in_(sp_ids)))
            return len(sp_ids)

        return await self._database.write(delete_all)

    async def delete_iban_changes(self, before: datetime, limit: int) -> int:
        """Delete changes of partners' IBANs that were decided before an instant, with their mails. Returns how many."""
        old = (iban_changes.c.at < before, iban_changes.c.decided_at < before)
        of_old = iban_mails.c.change_id.in_(select(iban_changes.c.change_id).where(*old))
        await self._database.write(
            lambda connection: connection.execute(delete(iban_mails).where(of_old))
        )
        return await self._delete(iban_changes, *old, limit=limit)

    async def _delete(self, table: Table, *old: ColumnElement[bool], limit: int) -> int:
        key = list(table.primary_key.columns)

        def delete_some(connection: Connection) -> int:
            rows = connection.execute(select(*key).where(*old).limit(limit)).all()
            for row in rows:
                connection.execute(
                    delete(table).where(*(c == value for c, value in zip(key, row, strict=True)))
                )
            return len(rows)

        return await self._database.write(delete_some)

    async def compact(self) -> None:
        """Remove what deleted rows left in the files of SQLite: rewrite the database, and empty its log of changes.

        PostgreSQL does that in its own time (autovacuum).
        """
        if not self._database.is_sqlite:
            return
        async with self._database.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                await driver.execute_fetchall(statement)

    # --- exports -------------------------------------------------------------------------------------------------

    async def of_customer(self, email: str, name: str, phone: str) -> tuple[str, ...]:
        """The orders of a customer with this e-mail address and this name or telephone number, by SP-ID."""
        found = (
            select(documents.c.sp_id, documents.c.document, documents.c.pinned)
            .where(documents.c.document.contains(email, autoescape=True))
            .order_by(documents.c.sp_id)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        matching = []
        for sp_id, document, pinned in rows:
            customer = order_of(document, pinned).intake.placement.customer
            same_name = bool(name) and customer.name.casefold() == name.casefold()
            same_phone = bool(phone) and _digits(customer.phone) == _digits(phone)
            if customer.email.casefold() == email.casefold() and (same_name or same_phone):
                matching.append(sp_id)
        return tuple(matching)

    @to_the_end
    async def record_export(self, sp_ids: Collection[str], by: str, at: datetime) -> str:
        """Record who was given all data of which orders. Returns the id of the export."""
        row = {"export_id": uuid4().hex, "at": at, "by": by, "sp_ids": " ".join(sp_ids)}
        async with self._database.writing() as connection:
            await connection.execute(insert(exports).values(**row))
        return str(row["export_id"])


def _digits(phone: str) -> str:
    return "".join(filter(str.isdigit, phone))[-9:]
