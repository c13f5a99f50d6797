"""The settlements: written by their workflows, read by lists and single views; and which orders can be billed."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection, and_, delete, insert, literal, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from contracts.activities import SettlementSnapshot
from domain.months import Month
from domain.settlements.account import SettlementAccount, account_of
from domain.settlements.events import SettlementRecorded
from domain.settlements.lines import NOTHING, Line
from domain.settlements.settlement import Settlement, SettlementStatus
from domain.values import Value
from records.billable import Billable
from records.cursors import Position, decode_cursor, encode_cursor
from records.database import Database, storable
from records.erased_settlements import without_erased
from records.heads import Head, is_in, step
from records.search import normalized
from records.selections import changed_selections, present_lines, taken_back_since
from records.settlement_lines import SettlementLines, stored_lines, time_limit
from records.settlement_rows import SettlementRow as SettlementRow
from records.settlement_rows import event_row, events_after, recorded_of, settlement_row
from records.tables import Instant, settlement_documents, settlement_timeline, settlements

_NEWEST: tuple[Literal["newest"]] = ("newest",)


class StoredSettlement(Value):
    """A settlement in the records: its state, its account, and its timeline so far."""

    settlement: Settlement
    account: SettlementAccount
    events: tuple[SettlementRecorded, ...]


class SettlementPage(NamedTuple):
    """A page of a list, the newest first, and the cursor of the next page; None at the end."""

    items: tuple[SettlementRow, ...]
    next_cursor: str | None


_AWAITS_PAYMENT = or_(
    settlements.c.status == SettlementStatus.APPROVED.value,
    and_(
        settlements.c.status == SettlementStatus.INVOICED.value,
        settlements.c.rules >= 2,
        settlements.c.total > NOTHING,
    ),
)
ROW = [settlements.c[name] for name in SettlementRow.model_fields]


class Settlements:
    """Settlements, their timeline and their lines."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.billable = Billable(database)
        self.lines = SettlementLines(database)
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        row, document = upsert(settlements), upsert(settlement_documents)
        self._put_new = row.on_conflict_do_nothing().returning(settlements.c.version)  # by any key
        self._put = row.on_conflict_do_update(
            index_elements=[settlements.c.settlement_id],
            set_={c.name: row.excluded[c.name] for c in settlements.c},
        )
        self._put_document = document.on_conflict_do_update(
            index_elements=[settlement_documents.c.settlement_id],
            set_={"document": document.excluded.document},
        )

    # --- writing -------------------------------------------------------------------------------------------------

    async def save(self, given: SettlementSnapshot, *, replaces: Head | None = None) -> int:
        """Store a settlement and its events. Returns the version that is stored now: this one or a newer one.

        Like `Orders.save`: idempotent, a late write changes nothing, and `replaces` is what the records held before the
        workflow was asked. What people wrote about erased orders is not stored.

        Raises:
            Diverged: the records hold a different history of the settlement.
            LookupError: an order of it is not recorded (yet).
            ValueError: another partner's settlement has this number.
        """
        settlement_id = given.settlement.settlement_id
        lines = await self.lines.of_picked(given.settlement)
        row = settlement_row(given.settlement, account_of(given.settlement, lines))
        head = (
            select(settlements.c.version, settlements.c.digest, settlements.c.partner_id)
            .where(settlements.c.settlement_id == settlement_id)
            .with_for_update()
        )

        def save(connection: Connection) -> int:
            is_new = connection.execute(self._put_new, row).scalar_one_or_none() is not None
            found = None if is_new else connection.execute(head).one_or_none()
            # With the row locked: an erasure at the same time comes before or after this, not in between.
            snapshot = without_erased(connection, given)
            settlement = snapshot.settlement
            if found is None:
                if not is_new:
                    connection.execute(
                        self._put, row
                    )  # IntegrityError: another settlement has this month
                self._put_parts(connection, settlement, lines, snapshot.events)
                return settlement.version
            if found.partner_id != row["partner_id"]:
                raise ValueError(f"{settlement_id} is the number of another partner's settlement")
            held, events = Head(found.version, found.digest), snapshot.events
            match step(
                settlement_id,
                held,
                Head(settlement.version, settlement.digest),
                events,
                replaces,
                lambda: events_after(connection, settlement_id, settlement.version),
            ):
                case "nothing":
                    return held.version
                case "goes_on":
                    events = tuple(e for e in events if e.seq > held.version)
                case "replaces":
                    first = events[0].seq if events else settlement.version + 1
                    connection.execute(
                        delete(settlement_timeline).where(
                            settlement_timeline.c.settlement_id == settlement_id,
                            settlement_timeline.c.seq >= first,
                        )
                    )
            connection.execute(self._put, row)
            self._put_parts(connection, settlement, lines, events)
            return settlement.version

        return await self._database.write(save, limit=time_limit(given.settlement))

    def _put_parts(
        self,
        connection: Connection,
        settlement: Settlement,
        lines: Sequence[Line],
        events: Sequence[SettlementRecorded],
    ) -> None:
        settlement_id = settlement.settlement_id
        document = {"settlement_id": settlement_id, "document": settlement.model_dump_json()}
        connection.execute(self._put_document, document)
        self.lines.put(connection, settlement, lines)
        if events:
            connection.execute(
                insert(settlement_timeline),
                [event_row(settlement_id, recorded) for recorded in events],
            )

    # --- reading -------------------------------------------------------------------------------------------------

    async def head(self, settlement_id: str) -> Head | None:
        """The head of a settlement in the records; None if it is not recorded."""
        found = select(settlements.c.version, settlements.c.digest).where(
            settlements.c.settlement_id == settlement_id
        )
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        return Head(*row) if row is not None else None

    async def has(self, settlement_id: str, version: int, digest: str) -> bool:
        """Whether the records hold a settlement in this version with this digest, or a later one: `heads.is_in`."""
        found = select(settlements.c.version, settlements.c.digest).where(
            settlements.c.settlement_id == settlement_id
        )

        def has(connection: Connection) -> bool:
            row = connection.execute(found).one_or_none()
            head = Head(*row) if row is not None else None
            return is_in(
                head, version, digest, lambda: events_after(connection, settlement_id, version)
            )

        return await self._database.read(has)

    async def holds(self, given: SettlementSnapshot) -> bool:
        """Whether the records hold exactly this settlement and, from its first event on, exactly these events.

        Erased texts do not count as a difference.
        """
        snapshot = await self._database.read(lambda connection: without_erased(connection, given))
        settlement = snapshot.settlement
        stored = await self.get(settlement.settlement_id)
        if stored is None or stored.settlement != settlement:
            return False
        first = snapshot.events[0].seq if snapshot.events else settlement.version + 1
        events = await self._database.read(
            lambda connection: events_after(connection, settlement.settlement_id, first - 1)
        )
        return tuple(events) == snapshot.events

    async def get(self, settlement_id: str) -> StoredSettlement | None:
        """A settlement with its lines and its timeline. None if it does not exist."""
        if not storable(settlement_id):
            return None
        return next(iter(await self.several((settlement_id,))), None)

    async def several(self, settlement_ids: Sequence[str]) -> tuple[StoredSettlement, ...]:
        """These settlements with lines and timelines, in this order, read at one moment. Unknown ones are left out."""
        events: dict[str, list[SettlementRecorded]] = {each: [] for each in settlement_ids}
        async with self._database.reading(at_one_moment=True) as connection:
            found = select(
                settlement_documents.c.settlement_id, settlement_documents.c.document
            ).where(settlement_documents.c.settlement_id.in_(settlement_ids))
            found_settlements = {
                each: Settlement.model_validate_json(document)
                for each, document in await connection.execute(found)
            }
            stored = await connection.run_sync(stored_lines, settlement_ids)
            lines: dict[str, Collection[Line]] = {k: v.values() for k, v in stored.items()}
            for each, found_one in found_settlements.items():
                if found_one.status is SettlementStatus.OPEN:
                    partner_id = found_one.opening.partner.partner_id
                    lines[each] = await connection.run_sync(
                        present_lines, each, partner_id, lines[each]
                    )
            timeline = (
                select(
                    settlement_timeline.c.settlement_id,
                    settlement_timeline.c.seq,
                    settlement_timeline.c.at,
                    settlement_timeline.c.by,
                    settlement_timeline.c.on_behalf_of,
                    settlement_timeline.c.data,
                )
                .where(settlement_timeline.c.settlement_id.in_(settlement_ids))
                .order_by(settlement_timeline.c.seq)
            )
            for each, *event in await connection.execute(timeline):
                events[each].append(recorded_of(*event))
        return tuple(
            StoredSettlement(
                settlement=settlement,
                account=account_of(settlement, lines[each]),
                events=tuple(e for e in events[each] if e.seq <= settlement.version),
            )
            for each in settlement_ids
            if (settlement := found_settlements.get(each)) is not None
        )

    async def latest_of_month(self, partner_id: str, month: Month) -> Settlement | None:
        """A partner's settlement of a month, the last one if others follow voided ones. None if there is none."""
        if not storable(partner_id):
            return None
        found = (
            select(settlement_documents.c.document)
            .join(settlements, settlements.c.settlement_id == settlement_documents.c.settlement_id)
            .where(settlements.c.partner_id == partner_id, settlements.c.month == str(month))
            .order_by(settlements.c.number.desc())
            .limit(1)
        )
        async with self._database.reading() as connection:
            document = (await connection.execute(found)).scalar_one_or_none()
        return None if document is None else Settlement.model_validate_json(document)

    async def page(
        self,
        *,
        partner_id: str | None = None,
        status: SettlementStatus | None = None,
        month: Month | None = None,
        q: str | None = None,
        awaits_payment: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> SettlementPage:
        """At most `limit` settlements, the newest first, after the cursor of the previous page.

        `q` is a text that the number, or the partner's id or name must contain. `awaits_payment`: only those that are,
        as in `Settlement.awaits_payment`.

        Raises:
            ValueError: it is not a cursor of this list, or the limit is below 1.
        """
        if limit < 1:
            raise ValueError("expected a limit of 1 or more")
        after = decode_cursor(cursor, _NEWEST) if cursor is not None else None
        if not all(storable(text) for text in (partner_id, q) if text):
            return SettlementPage((), None)
        place = tuple_(settlements.c.opened_at, settlements.c.settlement_id)
        found = (
            select(*ROW)
            .order_by(settlements.c.opened_at.desc(), settlements.c.settlement_id.desc())
            .limit(limit + 1)
        )
        if partner_id is not None:
            found = found.where(settlements.c.partner_id == partner_id)
        if status is not None:
            found = found.where(settlements.c.status == status.value)
        if month is not None:
            found = found.where(settlements.c.month == str(month))
        if awaits_payment:
            found = found.where(_AWAITS_PAYMENT)
        for word in normalized(q or "").split():
            found = found.where(settlements.c.search.contains(word, autoescape=True))
        if after is not None:
            found = found.where(place < tuple_(literal(after.at, Instant), literal(after.key)))
        async with self._database.reading() as connection:
            rows = [
                SettlementRow.model_validate(row._asdict())
                for row in await connection.execute(found)
            ]
        shown = await self._as_of_now(rows[:limit])
        if len(rows) <= limit:
            return SettlementPage(shown, None)
        last = rows[limit - 1]
        position = Position(_NEWEST[0], last.opened_at, last.settlement_id)
        return SettlementPage(shown, encode_cursor(position))

    async def taken_back(self, settlement_id: str) -> frozenset[str]:
        """The orders of a settlement whose completion was taken back after its last selection."""
        return await self._database.read(
            lambda connection: taken_back_since(connection, settlement_id)
        )

    async def _as_of_now(self, rows: Sequence[SettlementRow]) -> tuple[SettlementRow, ...]:
        """The rows as of now: open settlements without the orders that have left the selection."""
        still_open = [row.settlement_id for row in rows if row.status is SettlementStatus.OPEN]
        if not still_open:
            return tuple(rows)
        changed = await self._database.read(
            lambda connection: changed_selections(connection, still_open)
        )
        accounts = {
            each.settlement.settlement_id: each.account for each in await self.several(changed)
        }
        return tuple(_with_account(row, accounts.get(row.settlement_id)) for row in rows)


def _with_account(row: SettlementRow, account: SettlementAccount | None) -> SettlementRow:
    if account is None:
        return row
    sums = {"net": account.net, "vat": account.vat, "total": account.total}
    return row.model_copy(update={**sums, "orders": len(account.lines)})
