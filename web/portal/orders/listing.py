"""The list of orders for partners and staff, in pages, with search and filters."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from domain import spreadsheet
from domain.orders.access import allowed
from domain.orders.deadlines import highest_level, next_due
from domain.orders.order import Order, Status
from records.assignments import NOBODY
from records.list_views import ListViews
from records.order_lists import Sort
from records.search import is_named
from use_cases.access import Forbidden
from use_cases.principal import Principal
from use_cases.worklist import WAITING
from web.downloads import streamed
from web.portal.device import kept_on_device
from web.portal.orders.common import (
    URGENT_STATES,
    assignment_use_cases,
    contact_links,
    order_use_cases,
)
from web.portal.orders.messages import message_use_cases
from web.portal.pages import error_page, page, redirect, require_login

router = APIRouter(include_in_schema=False)

PER_PAGE = 25
LONGEST_SEARCH = 200
_SORTS: dict[str, Sort] = {"urgent": "urgent", "newest": "newest", "oldest": "oldest"}
_NOBODY = "nobody"
_AT_ONCE = frozenset({"reassign", "cancel"})
"""The actions that operations can take on several orders at once, beside reminding their partners."""
_STEPS = frozenset(URGENT_STATES) - {Status.UNASSIGNED}
_NOT_THE_PARTNERS = (Status.AWAITING_PAYMENT, Status.IN_TRANSMISSION, Status.UNASSIGNED)


class Row(NamedTuple):
    """An order in the list. `due` is the next open deadline that concerns the reader.

    `can_tick`: the reader can do something with several such orders at once. `days`: since it was placed. `level`:
    its highest escalation. `has_step`: the partner has something to do. `is_open`: it may call the customer.
    """

    order: Order
    due: datetime | None
    can_tick: bool
    days: int | None
    level: int
    has_step: bool = False
    is_open: bool = False


class Wanted(NamedTuple):
    """The filters in the query of the list. Invalid values are ignored."""

    q: str
    status: Status | None
    overdue: bool
    partner_id: str
    person: str
    by: Sort | None
    cursor: str | None

    @classmethod
    def of(cls, request: Request, principal: Principal) -> "Wanted":
        """The filters of a request. Only staff can choose a partner, and only a partner's office a person."""
        return cls.read(request.query_params, principal)

    @classmethod
    def read(cls, given: Mapping[str, str], principal: Principal) -> "Wanted":
        """The filters of a query."""
        status = given.get("status", "")
        staff = principal.role != "partner"
        return cls(
            q=given.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH],
            status=Status(status) if status in set(Status) else None,
            overdue=given.get("overdue", "") in ("true", "1", "on"),
            partner_id=given.get("partner_id", "")[:64] if staff else "",
            person="" if staff else given.get("person", "")[:64],
            by=_SORTS.get(given.get("sort", "")),
            cursor=given.get("cursor") or None,
        )

    @property
    def sort(self) -> Sort:
        """The chosen order; by default the best fit for a search, the most urgent if there is work, or the newest."""
        if self.by is not None:
            return self.by
        if self.q:
            return "best"
        return "urgent" if self.overdue or self.status in URGENT_STATES else "newest"

    def address(self, **changes: object) -> str:
        """The address of the list with these changes; from its beginning, unless `cursor` is among them."""
        wanted = self._replace(cursor=None)._replace(**changes)  # type: ignore[arg-type]
        query = {
            "q": wanted.q,
            "status": wanted.status or "",
            "overdue": "true" if wanted.overdue else "",
            "partner_id": wanted.partner_id,
            "person": wanted.person,
            "sort": wanted.by or "",
            "cursor": wanted.cursor or "",
        }
        return "/orders?" + urlencode({name: value for name, value in query.items() if value})

    @property
    def person_id(self) -> str | None:
        """The person whose orders are wanted; `NOBODY`: unassigned ones; None: all."""
        return NOBODY if self.person == _NOBODY else self.person or None

    @property
    def kept(self) -> str:
        """The filters that a view keeps, as a query. The searched text is not kept: it may be a customer's name."""
        return self._replace(q="").address().removeprefix("/orders?")

    @property
    def table_address(self) -> str:
        """The address of the whole list as CSV."""
        return "/orders.csv" + self.address(by=None).removeprefix("/orders")


@router.get("/orders")
async def orders(request: Request) -> Response:
    """A page of the list. A search for an exact SP-ID redirects to that order."""
    principal = await require_login(request, "partner", "operations", "accounting")
    wanted = Wanted.of(request, principal)
    use_cases = order_use_cases(request)
    try:
        found = await use_cases.list(
            principal,
            status=wanted.status,
            overdue=wanted.overdue,
            q=wanted.q or None,
            partner_id=wanted.partner_id or None,
            person_id=wanted.person_id,
            limit=PER_PAGE,
            cursor=wanted.cursor,
            sort=wanted.sort,
        )
    except Forbidden:
        return error_page(request, 403)
    except ValueError:  # a cursor of another list
        return redirect(request, wanted.address())
    items = found.page.items
    if len(items) == 1 and is_named(items[0].sp_id, wanted.q):
        return redirect(request, f"/orders/{items[0].sp_id}")
    partner = principal.role == "partner"
    partners = () if partner else await request.app.state.accounts.partners.list()
    in_bulk = principal.role == "operations"
    now = use_cases.now
    assignments = assignment_use_cases(request)
    people = await assignments.choices(principal)
    rows = [
        Row(
            order,
            next_due(order, "partner" if partner else None),
            bool(people and not order.status.is_final)
            or (in_bulk and not _AT_ONCE.isdisjoint(allowed(order, "operations", now))),
            order.age(now),
            highest_level(order, "partner" if partner else None),
            order.status in _STEPS,
            order.status in URGENT_STATES or order.status in WAITING,
        )
        for order in items
    ]
    views: ListViews = request.app.state.list_views
    return page(
        request,
        "orders/list",
        principal=principal,
        headers=None if wanted.q else kept_on_device(principal),
        wanted=wanted,
        rows=rows,
        ticked=_ticked(request, rows),
        views=await views.of(principal.login_id) if in_bulk else (),
        in_bulk=in_bulk,
        address=wanted.address(cursor=wanted.cursor),
        next_page=wanted.address(cursor=found.page.next_cursor) if found.page.next_cursor else None,
        counts=found.counts,
        unread=await message_use_cases(request).unread(principal, [each.sp_id for each in items]),
        late_answers=await message_use_cases(request).overdue_answers(
            principal, [each.sp_id for each in items]
        ),
        people=people,
        assigned=await assignments.of(principal, [each.sp_id for each in items]),
        states=[s for s in Status if not partner or s not in _NOT_THE_PARTNERS],
        partners=partners,
        now=now,
        contact_links=contact_links,
    )


def _ticked(request: Request, rows: list[Row]) -> frozenset[str]:
    """The orders of these rows that are ticked from the start: `tick` in the query names each, or is `all`."""
    wanted = request.query_params.getlist("tick")
    return frozenset(
        row.order.sp_id for row in rows if "all" in wanted or row.order.sp_id in wanted
    )


@router.get("/orders.csv")
async def orders_table(request: Request) -> Response:
    """The whole list with the filters of the query as CSV, the newest first."""
    principal = await require_login(request, "partner", "operations", "accounting")
    wanted = Wanted.of(request, principal)
    try:
        parts = order_use_cases(request).table(
            principal,
            status=wanted.status,
            overdue=wanted.overdue,
            q=wanted.q or None,
            partner_id=wanted.partner_id or None,
            person_id=wanted.person_id,
        )
    except Forbidden:
        return error_page(request, 403)
    return await streamed(parts, "orders.csv", spreadsheet.MEDIA_TYPE)
