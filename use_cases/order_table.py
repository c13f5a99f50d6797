"""The filter of the list of orders, and the list as a table for spreadsheets, in parts."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from domain.orders.deadline_rules import Owner
from domain.orders.deadlines import highest_level, next_due
from domain.orders.order import Order, Status
from domain.spreadsheet import csv_head, csv_rows
from records.order_lists import OrderFilter
from records.orders import Orders, StoredOrder
from use_cases import access
from use_cases.principal import Principal
from use_cases.security_events import looked_at, note
from words.order_view import customer_view, zoned

ORDERS = (
    "sp_id",
    "sales_order_id",
    "status",
    "placed_at",
    "age_days",
    "customer",
    "postal_code",
    "city",
    "partner_id",
    "partner_name",
    "service",
    "product",
    "quantity",
    "due",
    "level",
    "appointment_start",
    "appointment_end",
    "executed_on",
    "fee",
    "settlement_id",
)
"""The columns of the table (docs/contract.md)."""
_NUMBERS = ("age_days", "quantity", "level", "fee")
_AT_ONCE = 200


def order_filter(
    principal: Principal,
    now: datetime,
    status: Status | None,
    overdue: bool,
    q: str | None,
    partner_id: str | None,
    person_id: str | None,
    contact: timedelta,
) -> OrderFilter:
    """The filter of this caller's list of orders. Raises `Forbidden` if this role sees no orders.

    `person_id`: of a partner's person, or `NOBODY`; only partners filter by it, and a technician sees its own only.
    `contact`: how long after its end a partner may search an order by its contact.
    """
    access.check(principal, "read")
    return OrderFilter(
        partner_id=access.own_partner(principal),
        assigned_to=partner_id,
        person_id=principal.only_assigned_to
        or (person_id if principal.role == "partner" else None),
        status=status,
        overdue_at=now if overdue else None,
        q=q,
        in_contact=principal.role in ("operations", "partner"),
        contact_since=now - contact if principal.role == "partner" else None,
        numbers_only=principal.role == "accounting",
    )


async def order_table(
    orders: Orders, which: OrderFilter, principal: Principal, now: datetime, contact: timedelta
) -> AsyncIterator[bytes]:
    """The orders of a list as CSV, the newest first. Only a part of them is in memory at a time.

    Of a customer it has what the caller sees (`access.shown_to`), without telephone, street and e-mail address. A
    partner sees its own deadlines only.
    """
    note("export", "succeeded", principal.login_id, "orders")
    head, cursor = csv_head(ORDERS), None
    while True:
        page = await orders.page(which, _AT_ONCE, cursor, "newest")
        looked_at(principal, (each.sp_id for each in page.items))
        rows = (
            _row(
                access.shown_to(principal, StoredOrder(each, ()), now, contact).order,
                principal,
                now,
            )
            for each in page.items
        )
        yield head + csv_rows(ORDERS, rows, numbers=_NUMBERS)
        head, cursor = b"", page.next_cursor
        if cursor is None:
            return


def _row(order: Order, principal: Principal, now: datetime) -> dict[str, str]:
    placement, calendar = order.intake.placement, order.calendar
    owner: Owner | None = "partner" if principal.role == "partner" else None
    has_partner = order.status is not Status.UNASSIGNED

    def written(instant: datetime | None) -> str:
        return "" if instant is None else zoned(calendar, instant).isoformat(timespec="minutes")

    appointment = order.appointment
    age, customer = order.age(now), customer_view(placement.customer)
    fee = placement.service.fee
    return {
        "sp_id": order.sp_id,
        "sales_order_id": placement.sales_order_id,
        "status": order.status.value,
        "placed_at": written(order.placed_at),
        "age_days": "" if age is None else str(age),
        "customer": customer.name or "",
        "postal_code": customer.postal_code or "",
        "city": customer.city or "",
        "partner_id": order.partner.partner_id if has_partner else "",
        "partner_name": order.partner.name if has_partner else "",
        "service": placement.service.name,
        "product": placement.product.name,
        "quantity": str(placement.product.quantity),
        "due": written(next_due(order, owner)),
        "level": str(highest_level(order, owner)),
        "appointment_start": written(appointment.start if appointment else None),
        "appointment_end": written(appointment.end if appointment else None),
        "executed_on": order.executed_on.isoformat() if order.executed_on else "",
        "fee": "" if fee is None or principal.only_assigned_to is not None else str(fee),
        "settlement_id": order.settlement_id or "",
    }
