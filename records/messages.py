"""Messages about orders and internal notes: written one after the other, read by those who may see them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.orders.messages import Message, Refusal, Side, check_limits
from domain.orders.placement import Placement
from records.assignments import is_assigned_to
from records.awaited_answers import awaited_answers
from records.database import Database, chunks, storable
from records.erased_rows import is_recorded_as_erased
from records.locked_orders import lock_order
from records.message_mails import add_to_mail
from records.order_rows import placement_in
from records.tables import (
    documents,
    message_reads,
    order_messages,
    orders,
    partners,
    waits_for_answer,
)
from records.unread import UNREAD_OF, read_by, unread_by_order, with_partner

_HOUR = timedelta(hours=1)
_COLUMNS = [order_messages.c[name] for name in Message._fields]


class NotWritten(Exception):
    """A message was not written: `code` says why (`domain.orders.messages.Refusal`)."""

    def __init__(self, code: Refusal) -> None:
        self.code: Refusal = code
        super().__init__(code)


class IdReused(Exception):
    """There is another message with this id."""


class Thread(NamedTuple):
    """The messages of an order that a login sees, in their order, and the number of the last one that it was shown."""

    messages: tuple[Message, ...]
    read: int


class UnreadOrder(NamedTuple):
    """An order with unread messages: how many, and when the last one was written."""

    placement: Placement
    number: int
    last_at: datetime


class WaitingOrder(NamedTuple):
    """An order whose partner waits for an answer: its first message that waits, until when, and how many wait."""

    placement: Placement
    partner: str
    first: Message
    due: datetime | None
    number: int


class WaitingOrders(NamedTuple):
    """The orders that wait for an answer, the most urgent first; `total` counts those that are not listed, too."""

    items: tuple[WaitingOrder, ...]
    total: int


class Messages:
    """The messages and notes of all orders."""

    def __init__(self, database: Database) -> None:
        self._database = database
        upsert = (sqlite.insert if database.is_sqlite else postgresql.insert)(message_reads)
        self._mark = upsert.on_conflict_do_update(
            index_elements=[message_reads.c.login_id, message_reads.c.sp_id],
            set_={"seq": upsert.excluded.seq},
            where=message_reads.c.seq < upsert.excluded.seq,
        )

    async def add(self, new: Message) -> Message:
        """Add a message or a note, and return it with its number. `new.seq` is ignored.

        The same one again (by its id) changes nothing. A message is added to the mail that waits for the other side.
        A message of operations answers all earlier ones of the partner.

        Raises:
            NotRecorded: the order is not in the records.
            NotWritten: the customer's data are erased, or another partner or none has the order.
            IdReused: the id was used for another message.
            InvalidCommand: there are too many.
        """

        def add(connection: Connection) -> Message:
            holder = lock_order(connection, new.sp_id)
            known = _by_id(connection, new.message_id)
            if known is not None:
                return _same(known, new)
            if is_recorded_as_erased(connection, new.sp_id):
                raise NotWritten("erased")
            if not new.internal:
                if holder is None:
                    raise NotWritten("no_partner")
                if holder != new.partner_id:
                    raise NotWritten("other_partner")
            check_limits(*_written(connection, new))
            last = select(func.max(order_messages.c.seq)).where(_of(new.sp_id))
            seq = (connection.execute(last).scalar_one() or 0) + 1
            message = new._replace(seq=seq)
            mail_key = None if new.internal else add_to_mail(connection, message)
            if new.side == "operations" and not new.internal:
                _answer(connection, message, seq)
            row = message._asdict()
            connection.execute(insert(order_messages).values(**row, mail_key=mail_key))
            return message

        return await self._database.write(add)

    async def close(self, sp_id: str, message_id: str, at: datetime) -> bool:
        """Record that a partner's message, and its earlier ones, need no answer. False if there is no such message."""

        def close(connection: Connection) -> bool:
            known = _by_id(connection, message_id)
            if known is None or known.sp_id != sp_id or known.side != "partner":
                return False
            _answer(connection, known._replace(at=at), known.seq + 1)
            return True

        return storable(message_id) and await self._database.write(close)

    async def thread(self, sp_id: str, login_id: str, partner_id: str | None) -> Thread:
        """The messages of an order that a login may see: those of `partner_id`, or (None) all messages and notes."""
        found = select(*_COLUMNS).where(_of(sp_id)).order_by(order_messages.c.seq)
        if partner_id is not None:
            found = found.where(with_partner(partner_id))
        read = select(message_reads.c.seq).where(
            message_reads.c.login_id == login_id, message_reads.c.sp_id == sp_id
        )

        def thread(connection: Connection) -> Thread:
            rows = connection.execute(found).all()
            shown = connection.execute(read).scalar_one_or_none() or 0
            return Thread(tuple(_message(row) for row in rows), shown)

        return await self._database.read(thread)

    async def all(self, sp_id: str) -> tuple[Message, ...]:
        """All messages and notes of an order, in their order."""
        found = select(*_COLUMNS).where(_of(sp_id)).order_by(order_messages.c.seq)
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(_message(row) for row in rows)

    async def mark_read(self, login_id: str, sp_id: str, seq: int) -> None:
        """Record the last number that a login was shown, unless a later one was."""
        row = {"login_id": login_id, "sp_id": sp_id, "seq": seq}
        await self._database.write(lambda connection: connection.execute(self._mark, row))

    async def unread(
        self,
        side: Side,
        login_id: str,
        partner_id: str | None,
        now: datetime,
        sp_ids: Collection[str],
    ) -> dict[str, int]:
        """How many messages of these orders a login has yet to read; orders without any are left out."""
        counted, values = UNREAD_OF[side], read_by(login_id, partner_id, now)

        def unread(connection: Connection) -> dict[str, int]:
            rows = [
                row
                for some in chunks(sp_ids)
                for row in connection.execute(counted, values | {"sp_ids": some})
            ]
            return {row.sp_id: row.number for row in rows}

        return await self._database.read(unread)

    async def unread_orders(
        self,
        login_id: str,
        partner_id: str,
        now: datetime,
        limit: int,
        person_id: str | None = None,
    ) -> tuple[UnreadOrder, ...]:
        """The orders of a partner with messages that its login has yet to read, the latest message first.

        `person_id`: only orders that are assigned to this person.
        """
        if not storable(partner_id):
            return ()
        counted = unread_by_order("partner").subquery()
        found = (
            select(documents.c.document, counted.c.number, counted.c.last_at)
            .join(counted, counted.c.sp_id == documents.c.sp_id)
            .order_by(counted.c.last_at.desc(), documents.c.sp_id)
            .limit(limit)
        )
        if person_id is not None:
            found = found.join(orders, orders.c.sp_id == documents.c.sp_id)
            found = found.where(is_assigned_to(person_id))
        values = read_by(login_id, partner_id, now)
        rows = await self._database.read(lambda connection: connection.execute(found, values).all())
        return tuple(UnreadOrder(placement_in(each.document), *each[1:]) for each in rows)

    async def waiting(self, limit: int) -> WaitingOrders:
        """The orders whose partner waits for an answer from operations. Messages of a former partner do not count."""
        first = awaited_answers().subquery()
        found = (
            select(
                documents.c.document,
                partners.c.name,
                first.c.first_due,
                first.c.number,
                *_COLUMNS,
            )
            .join(
                order_messages,
                (order_messages.c.sp_id == first.c.sp_id) & (order_messages.c.seq == first.c.seq),
            )
            .join(documents, documents.c.sp_id == first.c.sp_id)
            .join(partners, partners.c.partner_id == order_messages.c.partner_id)
            .order_by(first.c.first_due.is_(None), first.c.first_due, first.c.sp_id)
            .limit(limit)
        )
        total = select(func.count()).select_from(first)

        def waiting(connection: Connection) -> WaitingOrders:
            rows = connection.execute(found).all()
            items = tuple(
                WaitingOrder(
                    placement_in(row.document), row.name, _message(row), row.first_due, row.number
                )
                for row in rows
            )
            return WaitingOrders(items, connection.execute(total).scalar_one())

        return await self._database.read(waiting, at_one_moment=True)

    async def overdue_answers(self, sp_ids: Collection[str], now: datetime) -> frozenset[str]:
        """Those of these orders in which an answer of operations to the partner is overdue."""
        late = awaited_answers().having(func.min(order_messages.c.due) <= now)

        def overdue(connection: Connection) -> frozenset[str]:
            return frozenset(
                row.sp_id
                for some in chunks(sp_ids)
                for row in connection.execute(late.where(order_messages.c.sp_id.in_(some)))
            )

        return await self._database.read(overdue)


def _of(sp_id: str) -> ColumnElement[bool]:
    return order_messages.c.sp_id == sp_id


def _by_id(connection: Connection, message_id: str) -> Message | None:
    found = select(*_COLUMNS).where(order_messages.c.message_id == message_id)
    row = connection.execute(found).one_or_none()
    return _message(row) if row is not None else None


def _same(known: Message, new: Message) -> Message:
    same = ("sp_id", "login_id", "internal", "text")
    if any(getattr(known, name) != getattr(new, name) for name in same):
        raise IdReused(new.message_id)
    return known


def _written(connection: Connection, new: Message) -> tuple[int, int]:
    """How many messages the thread has (for a note: how many notes), and how many its side wrote in the last hour."""
    mine = order_messages.c.internal if new.internal else with_partner(new.partner_id)
    recent = and_(order_messages.c.side == new.side, order_messages.c.at > new.at - _HOUR)
    counted = select(func.count(), func.count().filter(recent)).where(_of(new.sp_id), mine)
    written, within_an_hour = connection.execute(counted).one()
    return written, within_an_hour


def _answer(connection: Connection, answer: Message, before: int) -> None:
    """Record that the partner's messages before a number are answered."""
    connection.execute(
        update(order_messages)
        .where(
            _of(answer.sp_id),
            with_partner(answer.partner_id),
            order_messages.c.seq < before,
            waits_for_answer,
        )
        .values(answered_at=answer.at)
    )


def _message(row: Any) -> Message:
    values = row._mapping
    return Message(*(values[name] for name in Message._fields))
