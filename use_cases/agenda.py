"""The agenda of a partner: its visits in a period, of everybody, of one person, or not assigned yet."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domain.agenda import Period, clashes
from domain.orders.calendar_entry import CalendarEntry
from domain.orders.erasure import is_erased
from domain.orders.order import Order, Status
from records.accounts import AccountRecords
from records.assignments import NOBODY, Assigned, Assignments
from records.calendar_entries import MOST, CalendarEntries
from records.database import Database
from records.orders import StoredOrder
from use_cases import access
from use_cases.access import Forbidden
from use_cases.principal import Principal
from use_cases.security_events import looked_at

DONE = (Status.COMPLETED, Status.BILLED)
"""The states of a visit that was carried out."""


class UnknownPerson(Exception):
    """There is no such person in the caller's firm."""


class Person(NamedTuple):
    """Somebody of the partner."""

    user_id: str
    name: str


class AgendaEntry(NamedTuple):
    """A visit with its order as the caller sees it, and the person who goes there."""

    order: Order
    entry: CalendarEntry
    assigned: Assigned | None

    @property
    def sp_id(self) -> str:
        """The order."""
        return self.order.sp_id

    @property
    def start(self) -> datetime:
        """When it begins."""
        return self.entry.start

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.entry.end

    @property
    def whole_day(self) -> bool:
        """Whether the hour is unknown."""
        return self.entry.whole_day

    @property
    def person(self) -> str | None:
        """The id of the person who goes there."""
        return self.assigned.user_id if self.assigned else None

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""
        return self.order.status in DONE


class Agenda(NamedTuple):
    """The visits of a period.

    `people`: the people whose visits the caller can ask for; empty if it sees only its own. `clashes`: visits to come
    that overlap (`domain.agenda.clashes`). `is_cut`: there are more than are listed.
    """

    period: Period
    entries: tuple[AgendaEntry, ...]
    people: tuple[Person, ...]
    clashes: Mapping[str, tuple[str, ...]]
    is_cut: bool


class AgendaUseCases:
    """Shows agendas.

    `contact`: how long after its end a partner sees how to reach the customer of an order. `clock` gives the instant.
    """

    def __init__(
        self,
        database: Database,
        contact: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._entries = CalendarEntries(database)
        self._assignments = Assignments(database)
        self._accounts = AccountRecords(database)
        self._contact = contact
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The instant for which pages are shown."""
        return self._clock()

    async def agenda(
        self, principal: Principal, period: Period, person: str | None = None
    ) -> Agenda:
        """The visits of the caller's firm in a period, by time. A technician always gets its own.

        `person`: only those that are assigned to this person (`assignments.NOBODY`: to none); None: all.

        Raises:
            Forbidden: the caller is not a partner.
            UnknownPerson: the firm has nobody with this id.
        """
        access.check(principal, "read_agenda")
        partner_id = access.own_partner(principal)
        if partner_id is None:
            raise Forbidden("an agenda is a partner's")
        now, own = self._clock(), principal.only_assigned_to
        users = () if own is not None else await self._accounts.users(partner_id, now)
        if own is None and person not in (None, NOBODY, *(each.user_id for each in users)):
            raise UnknownPerson
        only = () if own is None else (own,)
        found = await self._entries.between(partner_id, period.begin, period.end, only, MOST + 1)
        people = await self._assignments.of([each.order.sp_id for each in found])
        entries = tuple(
            AgendaEntry(
                access.shown_to(principal, StoredOrder(order, ()), now, self._contact).order,
                entry,
                people.get(order.sp_id),
            )
            for order, entry in found[:MOST]
        )
        to_come = [each for each in entries if not each.is_done and each.end > now]
        if own is None and person is not None:
            entries = tuple(each for each in entries if (each.person or NOBODY) == person)
        looked_at(principal, (each.sp_id for each in entries if not is_erased(each.order)))
        return Agenda(
            period,
            entries,
            tuple(Person(each.user_id, each.name) for each in users),
            clashes(to_come),
            len(found) > MOST,
        )
