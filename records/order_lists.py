"""Lists of orders: the filter of a list, and the queries that read it part by part."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from domain.orders.deadline import DeadlineKind
from domain.orders.order import Status
from domain.values import Value
from records.assignments import is_assigned_to
from records.cursors import Position
from records.database import storable
from records.search import Wanted
from records.search import wanted as search_for
from records.tables import Instant, deadlines, documents, ended_before, orders

Sort = Literal["newest", "oldest", "urgent", "best"]

Part = Literal["newest", "oldest", "due", "rest", "equal", "begins", "contains"]
PARTS: dict[Sort, tuple[Part, ...]] = {
    "newest": ("newest",),
    "oldest": ("oldest",),
    "urgent": ("due", "rest"),
    "best": ("equal", "begins", "contains"),
}


class OrderFilter(Value):
    """Which orders a list shows. All given conditions must hold.

    Attributes:
        partner_id: a partner's own view: its current orders that were transmitted to it, with only its own deadlines.
        assigned_to: staff's view of the orders of a partner, transmitted or not.
        person_id: orders that are assigned to this person of a partner; `records.assignments.NOBODY`: to none.
        status: orders in this state.
        overdue_at: orders with an open deadline that is due at this instant or earlier.
        overdue_with: with `overdue_at`: only a deadline of this kind counts.
        q: words that must all be contained in what `records.search.searchable` gives. No character has a special
            meaning.
        in_contact: whether `q` may be found in the customer's street, telephone and e-mail address as well.
        contact_since: with `in_contact`, the contact of orders that ended at this instant or earlier is not searched.
        numbers_only: whether `q` is searched in SP-ID, sales order and settlement only.
    """

    partner_id: str | None = None
    assigned_to: str | None = None
    person_id: str | None = None
    status: Status | None = None
    overdue_at: AwareDatetime | None = None
    overdue_with: DeadlineKind | None = None
    q: str | None = None
    in_contact: bool = False
    contact_since: AwareDatetime | None = None
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
    """The conditions that a row of `orders` must meet to be in a list."""
    wanted: list[ColumnElement[bool]] = []
    if not all(
        storable(given)
        for given in (which.partner_id, which.assigned_to, which.person_id, which.q)
        if given
    ):
        return [false()]
    if which.partner_id is not None:
        wanted += [orders.c.partner_id == which.partner_id, orders.c.visible]
    if which.assigned_to is not None:
        wanted.append(orders.c.partner_id == which.assigned_to)
    if which.person_id is not None:
        wanted.append(is_assigned_to(which.person_id))
    if which.status is not None:
        wanted.append(orders.c.status == str(which.status))
    if which.overdue_at is not None:
        wanted.append(_due_column(which) <= which.overdue_at)
        if which.overdue_with is not None:
            wanted.append(is_overdue_with(which.overdue_with, which.overdue_at))
    if which.q is not None and (searched := search_for(which.q)) is not None:
        wanted.append(_matches(searched, which))
        if which.numbers_only:
            numbers = (orders.c.sp_id, orders.c.sales_order_id, orders.c.settlement_id)
            wanted += [
                or_(*(func.lower(number).contains(word, autoescape=True) for number in numbers))
                for word in searched.words
            ]
    return wanted


def _matches(searched: Wanted, which: OrderFilter) -> ColumnElement[bool]:
    """Whether an order has all the searched words, or the searched number."""
    is_visible: ColumnElement[bool] = true()
    if which.contact_since is not None:
        is_visible = ~ended_before(which.contact_since)

    def has(text: str) -> ColumnElement[bool]:
        found = orders.c.search.contains(text, autoescape=True)
        if which.in_contact:
            in_contact = orders.c.search_contact.contains(text, autoescape=True)
            found = found | (in_contact & is_visible)
        return found

    matching = and_(*(has(pattern) for pattern in searched.patterns))
    return matching if searched.number is None else matching | has(searched.number)


def _fits(which: OrderFilter, part: Part) -> ColumnElement[bool]:
    """The condition for a part of the list: a line equals the searched text, a word begins with it, or neither."""
    searched = search_for(which.q or "")
    if searched is None:
        return true() if part == "contains" else false()
    columns = (orders.c.search, orders.c.search_contact)[: 2 if which.in_contact else 1]

    def has(*texts: str) -> ColumnElement[bool]:
        return or_(
            *(column.contains(text, autoescape=True) for column in columns for text in texts)
        )

    whole = searched.whole
    equal = has(f"\n{whole}\n", *([f"\n{searched.number}\n"] if searched.number else []))
    begins = has(f"\n{whole}", f" {whole}")
    return {"equal": equal, "begins": ~equal & begins, "contains": ~equal & ~begins}[part]


def part_query(
    which: OrderFilter, part: Part, after: Position[Part] | None, limit: int
) -> Select[datetime, str, str, str]:
    """The query for a part of a list from a position on: sort key, SP-ID and documents of each order."""
    due = _due_column(which)
    at = due if part == "due" else orders.c.placed_at
    ascends = part in ("due", "oldest")
    key = tuple_(at, orders.c.sp_id)
    keys = select(at.label("at"), orders.c.sp_id).where(*conditions(which)).limit(limit)
    if part == "rest":
        keys = keys.where(due.is_(None))
    if part in PARTS["best"]:
        keys = keys.where(_fits(which, part))
    if part == "due":
        keys = keys.where(due.is_not(None))
    order = (at, orders.c.sp_id)
    keys = keys.order_by(*(order if ascends else (column.desc() for column in order)))
    if after is not None:
        place = tuple_(literal(after.at, Instant), literal(after.key))
        keys = keys.where(key > place if ascends else key < place)
    # Read only the documents of these rows. The result of a join is not sorted, so it is sorted again.
    listed = keys.subquery()
    again = (listed.c.at, listed.c.sp_id)
    return (
        select(listed.c.at, listed.c.sp_id, documents.c.document, documents.c.pinned)
        .join(documents, documents.c.sp_id == listed.c.sp_id)
        .order_by(*(again if ascends else (column.desc() for column in again)))
    )


def first_query(which: OrderFilter, limit: int) -> Select[int, str, str]:
    """The query for the beginning of a list, the most urgent orders first: total, and documents of each order."""
    due = _due_column(which)
    sort = (due.is_(None), due, orders.c.placed_at.desc(), orders.c.sp_id)
    keys = (
        select(
            func.count().over().label("total"),
            func.row_number().over(order_by=sort).label("place"),
            orders.c.sp_id,
        )
        .where(*conditions(which))
        .order_by(*sort)
        .limit(limit)
    )
    listed = keys.subquery()
    return (
        select(listed.c.total, documents.c.document, documents.c.pinned)
        .join(documents, documents.c.sp_id == listed.c.sp_id)
        .order_by(listed.c.place)
    )
