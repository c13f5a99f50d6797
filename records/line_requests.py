"""Shipping requests of goods that orders of one sales order line share (docs/contract.md, "Shipping requests")."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.orders.order import Status
from records.database import Database
from records.tables import line_requests, line_withdrawals, orders

_NEEDS_NOTHING = tuple(str(s) for s in Status if s.is_final or s is Status.COMPLETED)


class GoodsOfLine(NamedTuple):
    """The goods of one attempt for a line of a sales order."""

    sales_order_id: str
    line: str
    attempt: int


class Claim(NamedTuple):
    """A request for goods. `round` is 1, and one more after each stop. `is_sent`: the warehouse has it."""

    round: int
    is_sent: bool


class Request(NamedTuple):
    """The request of an attempt's goods, in a round."""

    attempt: int
    round: int


_REQUEST = (line_requests.c.attempt, line_requests.c.round)


class LineRequests:
    """Which goods of lines were requested, and stopped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._withdraw = upsert(line_withdrawals).on_conflict_do_nothing()
        self._add = upsert(line_requests).on_conflict_do_nothing()

    async def claim(self, goods: GoodsOfLine, sp_id: str, now: datetime) -> Claim:
        """The request for these goods, which is new if nobody has asked for them since the last stop. Idempotent."""

        newest = (
            select(line_requests.c.round, line_requests.c.sent_at, line_requests.c.stop_key)
            .where(_of(goods))
            .order_by(line_requests.c.round.desc())
            .limit(1)
        )

        def claim(connection: Connection) -> Claim:
            last = connection.execute(newest).one_or_none()
            if last is not None and last.stop_key is None:
                return Claim(last.round, last.sent_at is not None)
            round = 1 if last is None else last.round + 1
            row = {**goods._asdict(), "round": round, "sp_id": sp_id, "claimed_at": now}
            # If another process adds it at the same time, both send it under the same key.
            connection.execute(self._add, row)
            return Claim(round, is_sent=False)

        return await self._database.write(claim)

    async def mark_sent(self, goods: GoodsOfLine, round: int, now: datetime) -> None:
        """Note that the warehouse has the request."""
        sent = (
            update(line_requests)
            .where(_of(goods), line_requests.c.round == round, line_requests.c.sent_at.is_(None))
            .values(sent_at=now)
        )
        await self._database.write(lambda connection: connection.execute(sent))

    async def withdraw(
        self, sales_order_id: str, line: str, sp_id: str, stop_key: str
    ) -> Request | None:
        """Note that an order no longer needs the goods of its line. Returns the request that this stop has to stop.

        None if nothing was requested, another order of the line still needs the goods, or another stop has stopped the
        request. The same stop again returns the same request.
        """
        of_line = and_(
            line_requests.c.sales_order_id == sales_order_id, line_requests.c.line == line
        )
        last = (
            select(*_REQUEST, line_requests.c.stop_key)
            .where(of_line)
            .order_by(line_requests.c.attempt.desc(), line_requests.c.round.desc())
            .limit(1)
            .with_for_update()
        )
        by_this_stop = select(*_REQUEST).where(of_line, line_requests.c.stop_key == stop_key)
        withdrawn = exists().where(
            line_withdrawals.c.sales_order_id == sales_order_id,
            line_withdrawals.c.line == line,
            line_withdrawals.c.sp_id == orders.c.sp_id,
        )
        other_needs_them = select(
            exists().where(
                orders.c.sales_order_id == sales_order_id,
                orders.c.sales_order_line == line,
                orders.c.sp_id != sp_id,
                orders.c.status.not_in(_NEEDS_NOTHING),
                ~withdrawn,
            )
        )
        row = {"sales_order_id": sales_order_id, "line": line, "sp_id": sp_id}

        def withdraw(connection: Connection) -> Request | None:
            # The lock makes two stops of a line wait for each other, so that the second one sees the first one's note.
            requested = connection.execute(last).one_or_none()
            connection.execute(self._withdraw, row)
            stopped = connection.execute(by_this_stop).one_or_none()
            if stopped is not None:
                return Request(*stopped)
            if requested is None or requested.stop_key is not None:
                return None
            if connection.execute(other_needs_them).scalar_one():
                return None
            request = Request(requested.attempt, requested.round)
            connection.execute(
                update(line_requests)
                .where(
                    of_line,
                    line_requests.c.attempt == request.attempt,
                    line_requests.c.round == request.round,
                )
                .values(stop_key=stop_key)
            )
            return request

        return await self._database.write(withdraw)


def _of(goods: GoodsOfLine) -> ColumnElement[bool]:
    return and_(*(line_requests.c[name] == value for name, value in goods._asdict().items()))
