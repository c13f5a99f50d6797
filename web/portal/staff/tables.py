"""The lists of operations as CSV: the same queries as their pages, from beginning to end."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from domain.orders.order import Order
from domain.spreadsheet import MEDIA_TYPE, csv_head, csv_rows
from records.findings import Finding
from records.mails import MailRow
from records.partners import STATUSES, Partner
from use_cases.operations import LateOrder, Operations, Review, UnassignedOrder
from use_cases.principal import Principal
from web.downloads import streamed
from web.portal.accounts import accounts_of
from web.portal.formats import local
from web.portal.pages import error_page
from web.portal.staff.common import require_operations

router = APIRouter(include_in_schema=False)

_AT_ONCE = 200
_NUMBERS = ("others", "attempts")
Row = Mapping[str, str]


class ListTable(NamedTuple):
    """A list as a table: its columns, and its rows page by page."""

    columns: Sequence[str]
    pages: Callable[[Request, Principal], AsyncIterator[Iterable[Row]]]


@router.get("/staff/{name}.csv")
async def table(request: Request, name: str) -> Response:
    """One whole list. `partner_id` filters late orders, `q` and `status` the partners, as on their pages."""
    principal = await require_operations(request)
    wanted = TABLES.get(name)
    if wanted is None:
        return error_page(request, 404)
    return await streamed(_parts(wanted, request, principal), f"{name}.csv", MEDIA_TYPE)


async def _parts(wanted: ListTable, request: Request, principal: Principal) -> AsyncIterator[bytes]:
    yield csv_head(wanted.columns)
    async for rows in wanted.pages(request, principal):
        yield csv_rows(wanted.columns, rows, _NUMBERS)


def _operations(request: Request) -> Operations:
    operations: Operations = request.app.state.operations
    return operations


async def _pages(
    read: Callable[[str | None], Awaitable[Any]], row: Callable[[Any], Row]
) -> AsyncIterator[Iterable[Row]]:
    cursor: str | None = None
    while True:
        listed = await read(cursor)
        yield [row(item) for item in listed.items]
        cursor = listed.next_cursor
        if cursor is None:
            return


def _late(request: Request, principal: Principal) -> AsyncIterator[Iterable[Row]]:
    operations = _operations(request)
    partner_id = request.query_params.get("partner_id", "")[:64] or None
    return _pages(lambda c: operations.late(principal, partner_id, _AT_ONCE, c), _late_row)


def _transmissions(request: Request, principal: Principal) -> AsyncIterator[Iterable[Row]]:
    operations = _operations(request)
    return _pages(lambda c: operations.untransmitted(principal, _AT_ONCE, c), _late_row)


def _unassigned(request: Request, principal: Principal) -> AsyncIterator[Iterable[Row]]:
    operations = _operations(request)
    return _pages(lambda c: operations.unassigned(principal, _AT_ONCE, c), _unassigned_row)


def _reviews(request: Request, principal: Principal) -> AsyncIterator[Iterable[Row]]:
    operations = _operations(request)
    return _pages(lambda c: operations.reviews(principal, _AT_ONCE, c), _review_row)


def _mails(request: Request, principal: Principal) -> AsyncIterator[Iterable[Row]]:
    operations = _operations(request)
    return _pages(lambda c: operations.stuck_mails(principal, _AT_ONCE, c), _mail_row)


async def _findings(request: Request, principal: Principal) -> AsyncIterator[Iterable[Row]]:
    yield [_finding_row(each) for each in await _operations(request).findings(principal)]


async def _partners(request: Request, principal: Principal) -> AsyncIterator[Iterable[Row]]:
    q = request.query_params.get("q", "").replace("\0", "")[:100]
    status = next((each for each in STATUSES if each == request.query_params.get("status")), None)
    after: str | None = None
    while True:
        found, _ = await accounts_of(request).partners.search(q, _AT_ONCE, after, status)
        yield [_partner_row(each) for each in found]
        if len(found) < _AT_ONCE:
            return
        after = found[-1].partner_id


def _where(order: Order) -> Row:
    customer = order.intake.placement.customer
    return {
        "customer": customer.name,
        "postal_code": customer.postal_code,
        "city": customer.city,
    }


def _late_row(late: LateOrder) -> Row:
    order = late.order
    return {
        "sp_id": order.sp_id,
        "partner_id": order.partner.partner_id,
        "partner_name": order.partner.name,
        "status": order.status.value,
        "deadline": late.deadline.kind,
        "due": _written(late.deadline.due),
        "level": str(late.deadline.level),
        "others": str(late.others),
        "ball": late.ball or "",
        **_where(order),
    }


def _unassigned_row(each: UnassignedOrder) -> Row:
    order, why = each.order, each.why
    return {
        "sp_id": order.sp_id,
        "partner_id": order.partner.partner_id,
        "partner_name": order.partner.name,
        "reason": why.reason if why else "",
        "since": _written(each.since),
        "due": _written(each.due),
        **_where(order),
    }


def _review_row(review: Review) -> Row:
    order, report = review.order, review.report
    return {
        "sp_id": order.sp_id,
        "partner_id": order.partner.partner_id,
        "partner_name": order.partner.name,
        "reason": report.reason if report else "",
        "note": report.note if report else "",
        "due": _written(review.due),
        **_where(order),
    }


def _mail_row(mail: MailRow) -> Row:
    return {
        "about": mail.about,
        "kind": mail.kind,
        "audience": mail.audience,
        "recipient": mail.recipient,
        "state": mail.state,
        "attempts": str(mail.attempts),
        "first_tried_at": _written(mail.first_tried_at),
        "last_error": mail.last_error or "",
    }


def _finding_row(finding: Finding) -> Row:
    found_at = _written(finding.found_at)
    return {"about": finding.about, "kind": finding.kind, "found_at": found_at}


_PARTNER = (
    "partner_id", "name", "street", "postal_code", "city", "canton", "email", "phone", "language",
    "status",
)  # fmt: skip


def _partner_row(partner: Partner) -> Row:
    return {name: str(getattr(partner, name)) for name in _PARTNER}


def _written(at: datetime | None) -> str:
    return "" if at is None else local(at).isoformat(timespec="minutes")


_WHERE = ("customer", "postal_code", "city")
_LATE = (
    "sp_id", "partner_id", "partner_name", "status", "deadline", "due", "level", "others", "ball",
    *_WHERE,
)  # fmt: skip
TABLES: Mapping[str, ListTable] = {
    "late": ListTable(_LATE, _late),
    "transmissions": ListTable(_LATE, _transmissions),
    "unassigned": ListTable(
        ("sp_id", "partner_id", "partner_name", "reason", "since", "due", *_WHERE), _unassigned
    ),
    "reviews": ListTable(
        ("sp_id", "partner_id", "partner_name", "reason", "note", "due", *_WHERE), _reviews
    ),
    "mails": ListTable(
        (
            "about", "kind", "audience", "recipient", "state", "attempts", "first_tried_at",
            "last_error",
        ),
        _mails,
    ),
    "findings": ListTable(("about", "kind", "found_at"), _findings),
    "partners": ListTable(_PARTNER, _partners),
}  # fmt: skip
"""The lists by their names, with their columns (docs/contract.md)."""
