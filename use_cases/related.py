"""The orders shown with an order: those of its sales order, and those whose appointment is at the same time."""

from datetime import datetime
from typing import NamedTuple

from domain.orders.order import Order, Status
from records.assignments import NOBODY, Assignments
from records.calendar_entries import CalendarEntries
from records.database import Database
from records.order_relations import OrderRelations
from use_cases import access
from use_cases.principal import Principal

MOST_CLASHES = 20


class Clash(NamedTuple):
    """Another order of the same partner with an appointment at the same time."""

    sp_id: str
    start: datetime
    end: datetime


class RelatedOrders:
    """Finds the orders that are related to one, as far as the caller may see them."""

    def __init__(self, database: Database) -> None:
        self._relations = OrderRelations(database)
        self._entries = CalendarEntries(database)
        self._assignments = Assignments(database)

    async def siblings(self, principal: Principal, order: Order) -> tuple[Order, ...]:
        """The other orders of the same sales order that this caller sees. Raises `Forbidden`."""
        access.check(principal, "read")
        partner_id, person_id = access.own_partner(principal), principal.only_assigned_to
        return await self._relations.siblings(order, partner_id, person_id)

    async def clashes(self, principal: Principal, order: Order) -> tuple[Clash, ...]:
        """The partner's other orders whose appointment is at the same time as the order's. Raises `Forbidden`.

        If the order is assigned to a person, orders of other people do not count. At most `MOST_CLASHES`.
        """
        access.check(principal, "read")
        if order.appointment is None or order.status is not Status.CONFIRM_EXECUTION:
            return ()
        start, end = order.appointment.start, order.appointment.end
        found = await self.agenda(principal, order, start, end)
        return tuple(
            Clash(each.sp_id, each.appointment.start, each.appointment.end)
            for each in found
            if each.appointment is not None
        )[:MOST_CLASHES]

    async def agenda(
        self, principal: Principal, order: Order, start: datetime, end: datetime
    ) -> tuple[Order, ...]:
        """The partner's other orders with an appointment in this time, the earliest first. Raises `Forbidden`.

        If the order is assigned to a person, orders of other people are left out.
        """
        access.check(principal, "read")
        people = await self._people(principal, order)
        found = await self._entries.agreed(
            order.partner.partner_id, start, end, people, without=order.sp_id
        )
        return tuple(each.order for each in found)

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
        found = await self._entries.agreed(partner_id, start, end, people)
        return tuple(each.order for each in found)

    async def _people(self, principal: Principal, order: Order) -> tuple[str, ...]:
        """The people whose orders can clash with this one: its person and nobody. For a technician only itself."""
        if principal.only_assigned_to is not None:
            return (principal.only_assigned_to,)
        person_id = await self._assignments.person_of(order.sp_id)
        return () if person_id is None else (person_id, NOBODY)
