"""The values that the page of an order shows about the person it is assigned to."""

from typing import Any

from fastapi import Request

from domain.orders.order import Order
from use_cases.principal import Principal
from web.portal.orders.common import assignment_use_cases


async def assignment_values(request: Request, principal: Principal, order: Order) -> dict[str, Any]:
    """The person that has the order (`assigned`, or None), and those it can be assigned to; none for other callers."""
    use_cases = assignment_use_cases(request)
    assigned = await use_cases.of(principal, (order.sp_id,))
    choices = () if order.status.is_final else await use_cases.choices(principal)
    return {
        "assigned": assigned[order.sp_id],
        "assignment_choices": [(each.user_id, each.name) for each in choices],
    }
