"""The orders shown with an order: those of its sales order, and those whose appointment is at the same time."""

from domain.orders.order import Order
from records.order_lists import OrderFilter
from records.orders import Orders
from use_cases import access
from use_cases.principal import Principal

MOST_SIBLINGS = 50


class RelatedOrders:
    """Finds the orders that are related to one, as far as the caller may see them."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def siblings(self, principal: Principal, order: Order) -> tuple[Order, ...]:
        """The other orders of the same sales order that this caller sees. Raises `Forbidden`."""
        access.check(principal, "read")
        sales_order = order.intake.placement.sales_order_id
        which = OrderFilter(partner_id=access.own_partner(principal), q=sales_order)
        page = await self._orders.page(which, MOST_SIBLINGS, None, "newest")
        return tuple(
            each
            for each in page.items
            if each.sp_id != order.sp_id
            if each.intake.placement.sales_order_id == sales_order
        )

    async def clashes(self, principal: Principal, order: Order) -> tuple[Order, ...]:
        """The partner's other orders whose appointment is at the same time. Raises `Forbidden`."""
        access.check(principal, "read")
        return ()
