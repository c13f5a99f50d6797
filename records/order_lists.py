"""Lists of orders: the filter of a list, and the queries that read it part by part."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, Select, exists, false, func, literal, or_, select, tuple_

from domain.orders.deadline import DeadlineKind
from domain.orders.order import Status
from domain.values import Value
from records.cursors import Position
from records.database import storable
from records.search import normalized
from records.tables import Instant, deadlines, documents, orders

Sort = Literal["newest", "urgent"]

Part = Literal["newest", "due", "rest"]
PARTS: dict[Sort, tuple[Part, ...]] = {"newest": ("newest",), "urgent": ("due", "rest")}


class OrderFilter(Value):
    """Which orders a list shows. All given conditions must hold.

    Attributes:
        partner_id: a partner's own view: its current orders that were transmitted to it, with only its own deadlines.
        assigned_to: staff's view of the orders of a partner, transmitted or not.
        status: orders in this state.
        overdue_at: orders with an open deadline that is due at this instant or earlier.
        overdue_with: with `overdue_at`: only a deadline of this kind counts.
        q: text that SP-ID, sales order, customer's name or place (postal code and town) contains, in upper or lower
            case. No character has a special meaning.
        numbers_only: whether `q` is searched in SP-ID and sales order only.
    """

    partner_id: str | None = None
    assigned_to: str | None = None
    status: Status | None = None
    overdue_at: AwareDatetime | None = None
    overdue_with: DeadlineKind | None = None
    q: str | None = None
    numbers_only: bool = False


def _due_column(which: OrderFilter) -> ColumnElement[datetime | None]:
    return orders.c.next_due if which.partner_id is None else orders.c.partner_due


def is_overdue_with(kind: DeadlineKind, at: datetime) -> ColumnElement[bool]:
    """Whether an order has an open deadline of a kind that is due at an instant or earlier."""
    return exists().where(
        deadlines.c.sp_id == orders.c.sp_id,
        deadlines.c.kind == kind,
        deadlines.c.ended.is_(None),
        deadlines.c.due <= at,
    )


def conditions(which: OrderFilter) -> list[ColumnElement[bool]]:
    """What a row of `orders` must meet to be in a list."""
    wanted: list[ColumnElement[bool]] = []
    if not all(
        storable(given) for given in (which.partner_id, which.assigned_to, which.q) if given
    ):
        return [false()]
    if which.partner_id is not None:
        wanted += [orders.c.partner_id == which.partner_id, orders.c.visible]
    if which.assigned_to is not None:
        wanted.append(orders.c.partner_id == which.assigned_to)
    if which.status is not None:
        wanted.append(orders.c.status == str(which.status))
    if which.overdue_at is not None:
        wanted.append(_due_column(which) <= which.overdue_at)
        if which.overdue_with is not None:
            wanted.append(is_overdue_with(which.overdue_with, which.overdue_at))
    if which.q is not None and (text := normalized(which.q).strip()):
        wanted.append(orders.c.search.contains(text, autoescape=True))
        if which.numbers_only:
            numbers = (orders.c.sp_id, orders.c.sales_order_id)
            wanted.append(or_(*(func.lower(n).contains(text, autoescape=True) for n in numbers)))
    return wanted


def part_query(
    which: OrderFilter, part: Part, after: Position[Part] | None, limit: int
) -> Select[datetime, str, str, str]:
    """A part of a list from a position on: what it is sorted by, SP-ID and documents of each order."""
    due = _due_column(which)
    at = due if part == "due" else orders.c.placed_at
    key = tuple_(at, orders.c.sp_id)
    keys = select(at.label("at"), orders.c.sp_id).where(*conditions(which)).limit(limit)
    if part == "rest":
        keys = keys.where(due.is_(None))
    if part == "due":
        keys = keys.where(due.is_not(None)).order_by(at, orders.c.sp_id)
    else:
        keys = keys.order_by(at.desc(), orders.c.sp_id.desc())
    if after is not None:
        place = tuple_(literal(after.at, Instant), literal(after.key))
        keys = keys.where(key > place if part == "due" else key < place)
    # Read only the documents of these rows. The result of a join is not sorted, so it is sorted again.
    listed = keys.subquery()
    again = (listed.c.at, listed.c.sp_id)
    return (
        select(listed.c.at, listed.c.sp_id, documents.c.document, documents.c.pinned)
        .join(documents, documents.c.sp_id == listed.c.sp_id)
        .order_by(*(again if part == "due" else (column.desc() for column in again)))
    )
