"""The orders shown with an order: those of its sales order, and those whose appointment is at the same time."""

from datetime import datetime

from domain.orders.order import Order, Status
from records.order_relations import Clash, OrderRelations
from use_cases import access
from use_cases.principal import Principal


class RelatedOrders:
    """Finds the orders that are related to one, as far as the caller may see them."""

    def __init__(self, relations: OrderRelations) -> None:
        self._relations = relations

    async def siblings(self, principal: Principal, order: Order) -> tuple[Order, ...]:
        """The other orders of the same sales order that this caller sees. Raises `Forbidden`."""
        access.check(principal, "read")
        return await self._relations.siblings(order, access.own_partner(principal))

    async def clashes(self, principal: Principal, order: Order) -> tuple[Clash, ...]:
        """The partner's other orders whose appointment is at the same time as the order's. Raises `Forbidden`."""
        access.check(principal, "read")
        if order.appointment is None or order.status is not Status.CONFIRM_EXECUTION:
            return ()
        return await self._relations.clashes(order, order.appointment.start, order.appointment.end)

    async def agenda(
        self, principal: Principal, order: Order, start: datetime, end: datetime
    ) -> tuple[Order, ...]:
        """The partner's other orders with an appointment in this time, the earliest first. Raises `Forbidden`."""
        access.check(principal, "read")
        return await self._relations.agenda(order, start, end)

    async def appointments(
        self, principal: Principal, start: datetime, end: datetime
    ) -> tuple[Order, ...]:
        """A partner's own orders with an appointment in this time, the earliest first. Raises `Forbidden`."""
        access.check(principal, "read")
        partner_id = access.own_partner(principal)
        if partner_id is None:
            raise access.Forbidden
        return await self._relations.appointments(partner_id, start, end)
