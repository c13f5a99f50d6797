"""The open work of a partner, the most urgent first: narrow rows for its overview page."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel
from sqlalchemy import func, select, union_all

from domain.orders.deadline import Deadline, DeadlineKind
from domain.orders.deadline_rules import owner_of
from domain.orders.order import Appointment, Status
from domain.orders.placement import Placement
from records.assignments import is_assigned_to
from records.database import Database, storable
from records.tables import documents, orders


class Job(NamedTuple):
    """An order in a worklist. `due` and `kind` are those of the partner's most urgent open deadline, if any."""

    placement: Placement
    status: Status
    due: datetime | None
    kind: DeadlineKind | None
    appointment: Appointment | None
    held_until: datetime | None


class Section(NamedTuple):
    """The orders of one state: the most urgent ones, and how many there are in all."""

    jobs: tuple[Job, ...]
    total: int


class _Intake(BaseModel):
    placement: Placement


class _Document(BaseModel):
    """The part of an order's document (`records.order_rows.document_row`) that a worklist reads."""

    intake: _Intake
    appointment: Appointment | None = None
    held_until: datetime | None = None
    deadlines: tuple[Deadline, ...] = ()


class Worklists:
    """The open work of partners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self,
        partner_id: str,
        states: Sequence[Status],
        limit: int,
        person_id: str | None = None,
    ) -> dict[Status, Section]:
        """A section for each of these states, with at most `limit` of the partner's current, transmitted orders.

        Sorted by the partner's own deadline; orders without one come last. `person_id`: only orders that are assigned
        to this person.
        """
        if not storable(partner_id):
            return {state: Section((), 0) for state in states}
        own = [orders.c.partner_id == partner_id, orders.c.visible]
        if person_id is not None:
            own.append(is_assigned_to(person_id))
        due = orders.c.partner_due
        pieces = []
        for state in states:
            keys = (
                select(orders.c.sp_id, orders.c.status, due)
                .where(*own, orders.c.status == str(state))
                .order_by(due.nulls_last(), orders.c.sp_id)  # as in ix_orders_partner_work
                .limit(limit)
                .subquery()
            )
            # SQLite allows a LIMIT inside a union only in a subquery.
            pieces.append(select(keys.c.sp_id, keys.c.status, keys.c.partner_due))
        listed = union_all(*pieces).subquery()
        found = (
            select(listed.c.status, listed.c.partner_due, documents.c.document)
            .join(documents, documents.c.sp_id == listed.c.sp_id)
            .order_by(listed.c.partner_due.nulls_last(), listed.c.sp_id)
        )
        counted = (
            select(orders.c.status, func.count())
            .where(*own, orders.c.status.in_([str(state) for state in states]))
            .group_by(orders.c.status)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
            counts: dict[str, int] = dict((await connection.execute(counted)).all())
        jobs: dict[str, list[Job]] = {state: [] for state in states}
        for status, at, document in rows:
            jobs[status].append(job_of(Status(status), at, document))
        return {state: Section(tuple(jobs[state]), counts.get(state, 0)) for state in states}


def job_of(status: Status, due: datetime | None, document: str) -> Job:
    """A job, from the order's row and document. `due` is the partner's most urgent open deadline."""
    read = _Document.model_validate_json(document)
    # The row and the document have the same version, so the document contains the deadline of the row's `partner_due`.
    kinds = (
        d.kind
        for d in read.deadlines
        if d.is_open and d.due == due and owner_of(d.kind) == "partner"
    )
    kind = next(kinds, None)
    return Job(read.intake.placement, status, due, kind, read.appointment, read.held_until)
