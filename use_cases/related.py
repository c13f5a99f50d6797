"""The orders shown with an order: those of its sales order, and those whose appointment is at the same time."""

from datetime import datetime

from domain.orders.order import Order, Status
from records.assignments import NOBODY, Assignments
from records.order_relations import Clash, OrderRelations
from use_cases import access
from use_cases.principal import Principal


class RelatedOrders:
    """Finds the orders that are related to one, as far as the caller may see them."""

    def __init__(self, relations: OrderRelations, assignments: Assignments) -> None:
        self._relations = relations
        self._assignments = assignments

    async def siblings(self, principal: Principal, order: Order) -> tuple[Order, ...]:
        """The other orders of the same sales order that this caller sees. Raises `Forbidden`."""
        access.check(principal, "read")
        partner_id, person_id = access.own_partner(principal), principal.only_assigned_to
        return await self._relations.siblings(order, partner_id, person_id)

    async def clashes(self, principal: Principal, order: Order) -> tuple[Clash, ...]:
        """The partner's other orders whose appointment is at the same time as the order's. Raises `Forbidden`.

        If the order is assigned to a person, those of other people are no clash.
        """
        access.check(principal, "read")
        if order.appointment is None or order.status is not Status.CONFIRM_EXECUTION:
            return ()
        people = await self._people(principal, order)
        appointment = order.appointment
        return await self._relations.clashes(order, appointment.start, appointment.end, people)

    async def agenda(
        self, principal: Principal, order: Order, start: datetime, end: datetime
    ) -> tuple[Order, ...]:
        """The partner's other orders with an appointment in this time, the earliest first. Raises `Forbidden`.

        If the order is assigned to a person, without those of other people.
        """
        access.check(principal, "read")
        people = await self._people(principal, order)
        return await self._relations.agenda(order, start, end, people)

    async def appointments(
        self, principal: Principal, start: datetime, end: datetime
    ) -> tuple[Order, ...]:
        """A partner's own orders with an appointment in this time, the earliest first. Raises `Forbidden`.

        A technician sees those that are assigned to it.
        """
        access.check(principal, "read")
        partner_id, person_id = access.own_partner(principal), principal.only_assigned_to
        if partner_id is None:
            raise access.Forbidden
        people = () if person_id is None else (person_id,)
        return await self._relations.appointments(partner_id, start, end, people)

    async def _people(self, principal: Principal, order: Order) -> tuple[str, ...]:
        """Whose orders stand beside this one: those of its person and of nobody; a technician sees its own only."""
        if principal.only_assigned_to is not None:
            return (principal.only_assigned_to,)
        person_id = await self._assignments.person_of(order.sp_id)
        return () if person_id is None else (person_id, NOBODY)
