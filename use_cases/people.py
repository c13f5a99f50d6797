"""The use cases of a partner's people: its office invites and removes them, and sets their roles and notifications."""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from domain.people import NOTIFICATIONS, PARTNER_ROLES, Notification, PartnerRole, possible, wanted
from domain.values import Language
from records.accounts import User
from records.database import Database
from records.people import MOST_PEOPLE, LastOffice, PeopleRecords
from use_cases import access
from use_cases.account_errors import Conflict, Fault, NotFound, WrongFields
from use_cases.account_ids import new_user
from use_cases.accounts import Accounts
from use_cases.principal import Principal
from use_cases.security_events import note, throttling_noted
from use_cases.throttle import Throttle

logger = logging.getLogger("cmi.desk")


class OwnLogin(Conflict):
    """Nobody can remove their own login: another person of the office has to."""

    def __init__(self) -> None:
        super().__init__("Another person of the office has to remove your login.")


class LastOfOffice(Conflict):
    """The firm keeps at least one person of the office who can log in."""

    def __init__(self) -> None:
        super().__init__("This is the last person of the office who can log in.")


class TooMany(Conflict):
    """The firm has as many people as it can have."""

    def __init__(self) -> None:
        super().__init__(f"A firm has at most {MOST_PEOPLE} people.")


class Person(NamedTuple):
    """A person of a partner. `open_orders`: how many open orders are assigned to it."""

    user: User
    role: PartnerRole
    notifications: tuple[Notification, ...]
    open_orders: int = 0


class PeopleUseCases:
    """The people of the caller's own firm; what belongs to another firm does not exist. `clock` gives the instant."""

    def __init__(
        self,
        accounts: Accounts,
        database: Database,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._accounts = accounts
        self._people = PeopleRecords(database)
        self._throttle = Throttle(database, clock)

    async def list(self, principal: Principal) -> tuple[Person, ...]:
        """The people of the caller's firm, in the order in which they were invited. Raises `Forbidden`."""
        access.check(principal, "read_people")
        firm = _firm(principal)
        open_orders = await self._people.open_orders(firm)
        users = await self._accounts.users(firm)
        return tuple(_person(each, open_orders.get(each.user_id, 0)) for each in users)

    async def get(self, principal: Principal, user_id: str) -> Person:
        """A person of the caller's firm. Raises `Forbidden`; `NotFound`."""
        access.check(principal, "read_people")
        return _person(await self._accounts.user(_firm(principal), user_id))

    async def invite(
        self,
        principal: Principal,
        role: str,
        email: str,
        name: str,
        language: Language | None = None,
        request_id: str | None = None,
    ) -> Person:
        """Make a login of the caller's firm and mail its invitation (`Accounts.invite`).

        Raises:
            Forbidden: not for this caller.
            WrongFields: with each field that is invalid.
            Conflict: another login has the address, the firm has ended, or (`TooMany`) has too many people.
            Throttled: the firm, or all firms to this address, have sent too many invitations.
        """
        access.check(principal, "manage_people")
        firm, known = _firm(principal), _role(role)
        new = new_user(email, name, language or "de")  # what is invalid is not counted
        if await self._people.count(firm) >= MOST_PEOPLE:
            raise TooMany()
        await self._count_invitation(firm, new.email)
        made = await self._accounts.invite(
            firm, "partner", email, name, language, request_id, partner_role=known
        )
        return _person(made)

    async def invite_again(self, principal: Principal, user_id: str) -> Person:
        """Mail a new invitation (`Accounts.invite_again`). Raises `Forbidden`; `NotFound`; `Conflict`; `Throttled`."""
        access.check(principal, "manage_people")
        firm = _firm(principal)
        user = await self._accounts.user(firm, user_id)
        if user.invitation != "accepted":
            await self._count_invitation(firm, user.email)
        return _person(await self._accounts.invite_again(firm, user_id))

    async def _count_invitation(self, firm: str, email: str) -> None:
        with throttling_noted("login", email):
            await self._throttle.invite(firm, email)

    async def change(
        self,
        principal: Principal,
        user_id: str,
        role: str | None = None,
        notifications: Iterable[str] | None = None,
    ) -> Person:
        """Set a person's role, the notifications that it gets, or both.

        Raises:
            Forbidden: not for this caller.
            NotFound: the firm has no such person.
            WrongFields: a value is invalid.
            LastOfOffice: it is the last person of the office.
        """
        access.check(principal, "manage_people")
        before = await self.get(principal, user_id)
        known = None if role is None else _role(role)
        chosen = None
        if notifications is not None:
            chosen = _notifications(known or before.role, notifications)
        await self._change(_firm(principal), user_id, known, chosen)
        if known is not None and known != before.role:
            note("login", "changed", about=user_id)
            logger.info("role changed", extra={"user": user_id, "role": known})
        return await self.get(principal, user_id)

    async def choose_own(self, principal: Principal, notifications: Iterable[str]) -> None:
        """Set the notifications that the caller itself gets. Raises `NotFound` if it is no person of a firm."""
        if principal.partner_role is None or principal.email is None:
            raise NotFound("user")
        chosen = _notifications(principal.partner_role, notifications)
        await self._change(_firm(principal), principal.login_id, None, chosen)

    async def own(self, principal: Principal) -> tuple[Notification, ...]:
        """The notifications that the caller itself gets; none if it is no person of a firm."""
        if principal.partner_role is None or principal.email is None:
            return ()
        user = await self._accounts.user(principal.partner_id, principal.login_id)
        return _person(user).notifications

    async def _change(
        self,
        firm: str,
        user_id: str,
        role: PartnerRole | None,
        chosen: tuple[Notification, ...] | None,
    ) -> None:
        try:
            if not await self._people.change(firm, user_id, role, chosen):
                raise NotFound("user")
        except LastOffice:
            raise LastOfOffice() from None

    async def remove(self, principal: Principal, user_id: str) -> None:
        """Remove a person's login. Its sessions, tokens and links end, and nobody has its orders any more.

        Raises:
            Forbidden: not for this caller.
            NotFound: the firm has no such person.
            OwnLogin: it is the caller itself.
            LastOfOffice: it is the last person of the office.
        """
        access.check(principal, "manage_people")
        if user_id == principal.login_person:
            raise OwnLogin()
        firm = _firm(principal)
        try:
            await self._accounts.remove_user(firm, user_id, office_of=firm)
        except LastOffice:
            raise LastOfOffice() from None


def _firm(principal: Principal) -> str:
    partner_id = access.own_partner(principal)
    if partner_id is None:
        raise access.Forbidden("people are a partner's")
    return partner_id


def _person(user: User, open_orders: int = 0) -> Person:
    role = user.partner_role or "office"
    return Person(user, role, wanted(role, user.notifications), open_orders)


def _role(role: str) -> PartnerRole:
    known = next((each for each in PARTNER_ROLES if each == role), None)
    if known is None:
        message = f"must be one of {', '.join(PARTNER_ROLES)}"
        raise WrongFields(Fault("role", "missing", message))
    return known


def _notifications(role: PartnerRole, chosen: Iterable[str]) -> tuple[Notification, ...]:
    given = set(chosen)
    if unknown := sorted(given - set(NOTIFICATIONS)):
        message = f"{unknown[0]} must be one of {', '.join(NOTIFICATIONS)}"
        raise WrongFields(Fault("notifications", "unknown", message))
    if beyond := sorted(given - set(possible(role))):
        raise WrongFields(Fault("notifications", "not_of_role", f"{beyond[0]} is not for a {role}"))
    return tuple(each for each in NOTIFICATIONS if each in given)
