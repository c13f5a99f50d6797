"""The use cases of assignments: a partner's office assigns its orders to its people."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from domain.errors import InvalidCommand
from domain.orders.order import Order
from records.accounts import AccountRecords
from records.assignments import Assignment, Assignments
from records.database import Database
from use_cases import access
from use_cases.order_errors import UnknownOrder
from use_cases.orders import OrderUseCases
from use_cases.principal import Principal
from words.order_view import PersonView

_SHOWN_TO = ("partner", "operations")


class Choice(NamedTuple):
    """A person that orders can be assigned to."""

    user_id: str
    name: str


class AssignmentUseCases:
    """Assigns orders to people of the partner that has them. `clock` gives the instant."""

    def __init__(
        self,
        database: Database,
        orders: OrderUseCases,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._assignments = Assignments(database)
        self._accounts = AccountRecords(database)
        self._orders = orders
        self._clock = clock

    async def choices(self, principal: Principal) -> tuple[Choice, ...]:
        """The people of the caller's firm by name; none for a caller that assigns nothing."""
        partner_id = access.own_partner(principal)
        if partner_id is None or not access.is_allowed(principal, "assign"):
            return ()
        users = await self._accounts.users(partner_id, self._clock())
        found = (Choice(each.user_id, each.name) for each in users)
        return tuple(sorted(found, key=lambda each: each.name.casefold()))

    async def of(
        self, principal: Principal, sp_ids: Collection[str]
    ) -> Mapping[str, PersonView | None]:
        """The person of each of these orders, which the caller may see. None: nobody, or hidden from the caller."""
        shown: dict[str, PersonView | None] = dict.fromkeys(sp_ids)
        if principal.role in _SHOWN_TO:
            for sp_id, person in (await self._assignments.of(sp_ids)).items():
                shown[sp_id] = PersonView(user_id=person.user_id, name=person.name)
        return shown

    async def assign(self, principal: Principal, sp_id: str, user_id: str) -> None:
        """Assign an order to a person of the caller's firm, instead of another one. Repeating it changes nothing.

        Raises:
            Forbidden: not for this caller.
            UnknownOrder: the caller's firm does not have it (any more).
            InvalidCommand: the firm has no such person (any more).
        """
        order = await self._own(principal, sp_id)
        wanted = Assignment(
            order.sp_id,
            order.partner.partner_id,
            user_id,
            _login(principal),
            self._clock(),
        )
        match await self._assignments.assign(wanted):
            case "lost":
                raise UnknownOrder(sp_id)
            case "unknown_user":
                raise InvalidCommand("user_id", "unknown_user")
            case "assigned" | "unchanged":
                return

    async def clear(self, principal: Principal, sp_id: str) -> None:
        """End the assignment of an order of the caller's firm. Raises `Forbidden`; `UnknownOrder`."""
        order = await self._own(principal, sp_id)
        await self._assignments.clear(
            order.sp_id, order.partner.partner_id, _login(principal), self._clock()
        )

    async def _own(self, principal: Principal, sp_id: str) -> Order:
        access.check(principal, "assign")
        return (await self._orders.find(principal, sp_id)).order


def _login(principal: Principal) -> str:
    return principal.login_person or principal.login_id
