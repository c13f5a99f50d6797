"""The settlements: written by their workflows, read by lists and single views; and which orders can be billed."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, exists, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from activities.names import SettlementSnapshot
from domain.order import Status
from domain.settlement import (
    LeftOut,
    Line,
    Settlement,
    SettlementStatus,
    in_order,
    line_of,
    obstacle,
)
from domain.settlement_id import Month
from domain.settling import Settling, account_of
from domain.settling_commands import Selection
from domain.settling_events import SettlementEvent, SettlementRecorded
from domain.values import Value
from records.cursors import Position, decode_cursor, encode_cursor
from records.database import LONG_SECONDS, Database, storable
from records.orders import folded, placement_in
from records.tables import (
    Instant,
    documents,
    is_billable,
    orders,
    partners,
    settlement_documents,
    settlement_lines,
    settlement_timeline,
    settlements,
)

_EVENT: TypeAdapter[SettlementEvent] = TypeAdapter(SettlementEvent)
_AT_ONCE = 1000  # parameters of one statement; SQLite takes 32766
_NEWEST: tuple[Literal["newest"]] = ("newest",)
_Each = TypeVar("_Each")


class StoredSettlement(Value):
    """A settlement as the records hold it: its state, what it adds up to, and its timeline so far."""

    settling: Settling
    account: Settlement
    events: tuple[SettlementRecorded, ...]


class SettlementRow(Value):
    """A settlement as lists show it. `orders` are how many it has picked, or billed."""

    settlement_id: str
    partner_id: str
    partner_name: str
    month: Month
    status: SettlementStatus
    orders: int
    net: Decimal
    vat: Decimal
    total: Decimal
    opened_at: datetime
    selectable_until: datetime | None
    issued_at: datetime | None
    invoice_due: datetime | None


class SettlementPage(NamedTuple):
    """A piece of a list, the newest first, and the cursor that the next one begins with; None at the end."""

    items: tuple[SettlementRow, ...]
    next_cursor: str | None


_LINE = [settlement_lines.c[name] for name in Line.model_fields]
_ROW = [settlements.c[name] for name in SettlementRow.model_fields]


class Settlements:
    """Settlements, their timeline and their lines."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        row = insert(settlements)
        self._put = row.on_conflict_do_update(
            index_elements=[settlements.c.settlement_id],
            set_={c.name: row.excluded[c.name] for c in settlements.c},
            where=(settlements.c.version < row.excluded.version)
            & (settlements.c.partner_id == row.excluded.partner_id),
        ).returning(settlements.c.version)
        document = insert(settlement_documents)
        self._put_document = document.on_conflict_do_update(
            index_elements=[settlement_documents.c.settlement_id],
            set_={"document": document.excluded.document},
        )
        self._put_event = insert(settlement_timeline).on_conflict_do_nothing()
        self._put_line = insert(settlement_lines)

    # --- writing -------------------------------------------------------------------------------------------------

    async def save(self, snapshot: SettlementSnapshot) -> int:
        """Keep a settlement as it is, its lines, and its events. Returns the version that is kept now: this or a newer.

        Twice is once, and an older version changes nothing but that events that were missing are added.

        Raises:
            LookupError: an order that it picked is not in the records (yet).
            IntegrityError: an order of it is billed by another settlement in the records.
        """
        settling = snapshot.settling
        settlement_id = settling.settlement_id
        lines = await self._lines_of(settling)
        row = _row(settling, account_of(settling, lines))
        events = [_event_row(settlement_id, recorded) for recorded in snapshot.events]

        def save(connection: Connection) -> int:
            written = connection.execute(self._put, row).scalar_one_or_none()
            if written is not None:
                document = {"settlement_id": settlement_id, "document": settling.model_dump_json()}
                connection.execute(self._put_document, document)
                self._put_lines(connection, settling, lines)
            if events:
                connection.execute(self._put_event, events)
            if written is not None:
                return settling.version
            held = select(settlements.c.version, settlements.c.partner_id).where(
                settlements.c.settlement_id == settlement_id
            )
            newer, partner_id = connection.execute(held).one()
            if partner_id != row["partner_id"]:
                raise ValueError(f"{settlement_id} is the number of another partner's settlement")
            return int(newer)

        return await self._database.write(save, limit=LONG_SECONDS)

    async def _lines_of(self, settling: Settling) -> tuple[Line, ...]:
        """The lines of what is picked: as they were first written, or else made from the orders."""
        wanted, settlement_id = settling.picked, settling.settlement_id

        def read(connection: Connection) -> dict[str, Line]:
            lines = _kept_lines(connection, (settlement_id,))[settlement_id]
            for some in _chunks([sp_id for sp_id in wanted if sp_id not in lines]):
                found = (
                    select(orders.c.executed_on, documents.c.document)
                    .join(documents, documents.c.sp_id == orders.c.sp_id)
                    .where(orders.c.sp_id.in_(some), orders.c.executed_on.is_not(None))
                )
                for executed_on, document in connection.execute(found):
                    line = line_of(placement_in(document), executed_on)
                    lines[line.sp_id] = line
            return lines

        lines = await self._database.read(read, limit=LONG_SECONDS)
        unknown = [sp_id for sp_id in wanted if sp_id not in lines]
        if unknown:
            raise LookupError(f"{settling.settlement_id}: {len(unknown)} orders are not recorded")
        return in_order(lines[sp_id] for sp_id in wanted)

    def _put_lines(self, connection: Connection, settling: Settling, lines: Sequence[Line]) -> None:
        settlement_id = settling.settlement_id
        mine = settlement_lines.c.settlement_id == settlement_id
        kept = set(connection.execute(select(settlement_lines.c.sp_id).where(mine)).scalars())
        for some in _chunks(kept.difference(settling.picked)):
            connection.execute(
                delete(settlement_lines).where(mine, settlement_lines.c.sp_id.in_(some))
            )
        billed = settling.claimed and settling.status is not SettlementStatus.VOID
        connection.execute(
            update(settlement_lines)
            .where(mine, settlement_lines.c.billed != billed)
            .values(billed=billed)
        )
        new = [
            {**line.model_dump(), "settlement_id": settlement_id, "billed": billed}
            for line in lines
            if line.sp_id not in kept
        ]
        if new:
            connection.execute(self._put_line, new)

    # --- reading -------------------------------------------------------------------------------------------------

    async def get(self, settlement_id: str) -> StoredSettlement | None:
        """A settlement with its lines and its timeline. None if there is no such one."""
        if not storable(settlement_id):
            return None
        return next(iter(await self.several((settlement_id,))), None)

    async def several(self, settlement_ids: Sequence[str]) -> tuple[StoredSettlement, ...]:
        """Those of these settlements that there are, in this order, with their lines and timelines, of one moment."""
        events: dict[str, list[SettlementRecorded]] = {each: [] for each in settlement_ids}
        async with self._database.reading(at_one_moment=True) as connection:
            found = select(
                settlement_documents.c.settlement_id, settlement_documents.c.document
            ).where(settlement_documents.c.settlement_id.in_(settlement_ids))
            settlings = {
                each: Settling.model_validate_json(document)
                for each, document in await connection.execute(found)
            }
            lines = await connection.run_sync(_kept_lines, settlement_ids)
            told = (
                select(
                    settlement_timeline.c.settlement_id,
                    settlement_timeline.c.seq,
                    settlement_timeline.c.at,
                    settlement_timeline.c.by,
                    settlement_timeline.c.data,
                )
                .where(settlement_timeline.c.settlement_id.in_(settlement_ids))
                .order_by(settlement_timeline.c.seq)
            )
            for each, seq, at, by, data in await connection.execute(told):
                event = _EVENT.validate_json(data)
                events[each].append(SettlementRecorded(seq=seq, at=at, by=by, event=event))
        return tuple(
            StoredSettlement(
                settling=settling,
                account=account_of(settling, lines[each].values()),
                events=tuple(e for e in events[each] if e.seq <= settling.version),
            )
            for each in settlement_ids
            if (settling := settlings.get(each)) is not None
        )

    async def of_month(self, partner_id: str, month: Month) -> str | None:
        """The id of a partner's settlement of a month, also of one that was taken back. None if there is none."""
        if not storable(partner_id):
            return None
        found = select(settlements.c.settlement_id).where(
            settlements.c.partner_id == partner_id, settlements.c.month == str(month)
        )
        async with self._database.reading() as connection:
            return (await connection.execute(found)).scalar_one_or_none()

    async def page(
        self,
        *,
        partner_id: str | None = None,
        status: SettlementStatus | None = None,
        month: Month | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> SettlementPage:
        """At most `limit` settlements, those opened last first, from the cursor of the page before on.

        `q` is text that the number, or the partner's id or name contains.

        Raises:
            ValueError: a cursor that no page gave, or a limit below 1.
        """
        if limit < 1:
            raise ValueError("expected a limit of 1 or more")
        after = decode_cursor(cursor, _NEWEST) if cursor is not None else None
        if not all(storable(text) for text in (partner_id, q) if text):
            return SettlementPage((), None)
        place = tuple_(settlements.c.opened_at, settlements.c.settlement_id)
        found = (
            select(*_ROW)
            .order_by(settlements.c.opened_at.desc(), settlements.c.settlement_id.desc())
            .limit(limit + 1)
        )
        if partner_id is not None:
            found = found.where(settlements.c.partner_id == partner_id)
        if status is not None:
            found = found.where(settlements.c.status == status.value)
        if month is not None:
            found = found.where(settlements.c.month == str(month))
        if q is not None and (wanted := folded(q).strip()):
            found = found.where(settlements.c.search.contains(wanted, autoescape=True))
        if after is not None:
            found = found.where(place < tuple_(literal(after.at, Instant), literal(after.key)))
        async with self._database.reading() as connection:
            rows = [
                SettlementRow.model_validate(row._asdict())
                for row in await connection.execute(found)
            ]
        if len(rows) <= limit:
            return SettlementPage(tuple(rows), None)
        last = rows[limit - 1]
        position = Position(_NEWEST[0], last.opened_at, last.settlement_id)
        return SettlementPage(tuple(rows[:limit]), encode_cursor(position))

    # --- what can be billed --------------------------------------------------------------------------------------

    async def billable(self, partner_id: str, until: date | None = None) -> tuple[Line, ...]:
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
        """Which of these orders a partner may bill in a settlement, each once and in order, and why not the others.

        Of an order that is not its own (yet), a partner learns nothing: it is `unknown`.
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
        """The id of the partner who has each of these orders; those that the records do not know are missing."""
        return {sp_id: row.partner_id for sp_id, row in (await self._find(sp_ids)).items()}

    async def _find(self, sp_ids: Iterable[str]) -> dict[str, Any]:
        rows: dict[str, Any] = {}
        async with self._database.reading() as connection:
            for some in _chunks(filter(storable, sp_ids)):
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
        """Partners with unbilled orders executed by the month's end and no settlement of it, by id, those after one."""
        unbilled = exists().where(
            is_billable,
            orders.c.partner_id == partners.c.partner_id,
            orders.c.executed_on <= month.last_day,
        )
        settled = exists().where(
            settlements.c.partner_id == partners.c.partner_id, settlements.c.month == str(month)
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


# --- rows --------------------------------------------------------------------------------------------------------


def _row(settling: Settling, account: Settlement) -> dict[str, Any]:
    partner = settling.opening.partner
    return {
        "settlement_id": settling.settlement_id,
        "version": settling.version,
        "partner_id": partner.partner_id,
        "partner_name": partner.name,
        "month": str(settling.opening.month),
        "status": settling.status.value,
        "orders": len(settling.picked),
        "net": account.net,
        "vat": account.vat,
        "total": account.total,
        "opened_at": settling.opened_at,
        "selectable_until": settling.selectable_until,
        "issued_at": settling.issued_at,
        "invoice_due": settling.invoice_due,
        "search": folded(f"{settling.settlement_id}\n{partner.partner_id}\n{partner.name}"),
    }


def _event_row(settlement_id: str, recorded: SettlementRecorded) -> dict[str, Any]:
    return {
        "settlement_id": settlement_id,
        "seq": recorded.seq,
        "at": recorded.at,
        "type": recorded.event.type,
        "by": recorded.by,
        "data": recorded.event.model_dump_json(),
    }


def _kept_lines(
    connection: Connection, settlement_ids: Sequence[str]
) -> dict[str, dict[str, Line]]:
    """The lines of each of these settlements, by their SP-IDs."""
    lines: dict[str, dict[str, Line]] = {each: {} for each in settlement_ids}
    found = select(settlement_lines.c.settlement_id, *_LINE).where(
        settlement_lines.c.settlement_id.in_(settlement_ids)
    )
    for row in connection.execute(found):
        facts = row._asdict()
        of = facts.pop("settlement_id")
        lines[of][row.sp_id] = Line.model_validate(facts)
    return lines


def _chunks(values: Iterable[_Each]) -> Iterable[list[_Each]]:
    rest = iter(values)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
