"""The details of reports: deadlines with what partners did meanwhile, milestones of orders, reports by reason."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from domain.orders.cycle_times import Milestone
from domain.orders.deadline import Deadline
from domain.orders.miss_reasons import DeadlineOfOrder, Deed
from records.database import Database, storable
from records.limits import LONG_SECONDS
from records.punctuality import due_between, is_missed
from records.tables import deadlines, is_report, orders, timeline

_MILESTONES: dict[str, Milestone] = {
    "placed": "placed",
    "accepted": "accepted",
    "requirements_confirmed": "requirements_confirmed",
    "goods_received": "goods_received",
    "appointment_set": "appointment_set",
    "execution_confirmed": "executed",
}


class ReportDetails:
    """Reads the details of reports. A month is from `first` to before `after`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_partner(
        self, partner_id: str, first: datetime, after: datetime
    ) -> tuple[DeadlineOfOrder, ...]:
        """All deadlines of a partner that were due in this time, each with what the partner did while it ran."""
        if not storable(partner_id):
            return ()
        return await self._deadlines(
            *due_between(first, after), deadlines.c.partner_id == partner_id
        )

    async def missed(
        self,
        first: datetime,
        after: datetime,
        now: datetime,
        sp_ids: Sequence[str] | None = None,
    ) -> tuple[DeadlineOfOrder, ...]:
        """The deadlines of all partners that were due in this time and missed, with what the partner did meanwhile.

        `sp_ids`: only those of these orders.
        """
        where = [*due_between(first, after), is_missed(now)]
        if sp_ids is not None:
            where.append(deadlines.c.sp_id.in_(sp_ids))
        return await self._deadlines(*where)

    async def _deadlines(self, *where: ColumnElement[bool]) -> tuple[DeadlineOfOrder, ...]:
        columns = (
            "sp_id", "seq", "kind", "partner_id", "started", "due", "ended", "outcome", "missed",
            "excused_until",
        )  # fmt: skip
        listed = select(*(deadlines.c[name] for name in columns)).where(*where)
        # Only what happened while a deadline ran, so that an order's later life is not read.
        ran = (
            select(deadlines.c.sp_id, deadlines.c.seq, timeline.c.at, timeline.c.type, timeline.c.data)
            .join(timeline, timeline.c.sp_id == deadlines.c.sp_id)
            .where(
                *where,
                timeline.c.at > deadlines.c.started,
                timeline.c.at < deadlines.c.due,
                or_(timeline.c.by.like("partner:%"), timeline.c.on_behalf_of.is_not(None)),
            )
        )  # fmt: skip

        def read(connection: Connection) -> tuple[DeadlineOfOrder, ...]:
            rows = connection.execute(listed).all()
            deeds: defaultdict[tuple[str, int], list[Deed]] = defaultdict(list)
            for sp_id, seq, at, kind, data in connection.execute(ran):
                deeds[sp_id, seq].append(Deed(at, _reached(kind, data)))
            return tuple(
                DeadlineOfOrder(row.sp_id, _deadline(row), tuple(deeds[row.sp_id, row.seq]))
                for row in rows
            )

        return await self._database.read(read, at_one_moment=True, limit=LONG_SECONDS)

    async def visible(self, partner_id: str, sp_ids: Sequence[str]) -> frozenset[str]:
        """The orders among these that the partner has now and sees."""
        found = select(orders.c.sp_id).where(
            orders.c.partner_id == partner_id, orders.c.visible, orders.c.sp_id.in_(sp_ids)
        )
        return await self._database.read(
            lambda connection: frozenset(connection.execute(found).scalars())
        )

    async def milestones(self, first: date, after: date) -> tuple[dict[Milestone, datetime], ...]:
        """The milestones of each order that was executed from `first` to before `after`."""
        executed = and_(orders.c.executed_on >= first, orders.c.executed_on < after)
        at: ColumnElement[datetime] = timeline.c.at
        found: Select[str, str, datetime, datetime] = (
            select(timeline.c.sp_id, timeline.c.type, func.min(at), func.max(at))
            .join(orders, orders.c.sp_id == timeline.c.sp_id)
            .where(executed, timeline.c.type.in_(_MILESTONES))
            .group_by(timeline.c.sp_id, timeline.c.type)
        )
        rows = await self._database.read(
            lambda connection: connection.execute(found).all(), limit=LONG_SECONDS
        )
        return _by_order(rows)

    async def reports(self, first: datetime, after: datetime) -> Counter[tuple[str, str]]:
        """How often partners reported in this time that something is not possible, by type of event and reason."""
        found = select(timeline.c.type, timeline.c.data).where(
            is_report, timeline.c.at >= first, timeline.c.at < after
        )
        rows = await self._database.read(
            lambda connection: connection.execute(found).all(), limit=LONG_SECONDS
        )
        return Counter((kind, str(json.loads(data).get("reason", ""))) for kind, data in rows)


def _by_order(rows: Iterable[Any]) -> tuple[dict[Milestone, datetime], ...]:
    found: defaultdict[str, dict[Milestone, datetime]] = defaultdict(dict)
    for sp_id, kind, earliest, latest in rows:
        milestone = _MILESTONES[kind]
        found[sp_id][milestone] = latest if milestone == "executed" else earliest
    return tuple(found.values())


def _reached(kind: str, data: str) -> bool | None:
    if kind != "contact_logged":
        return None
    return bool(json.loads(data).get("outcome") == "reached")


def _deadline(row: Any) -> Deadline:
    values = {name: value for name, value in row._asdict().items() if name in Deadline.model_fields}
    return Deadline.model_validate(values)
