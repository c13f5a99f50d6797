"""Shows traces to operations: security events, and who looked at the customer's data of an order."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from records.accounts import email_key
from records.database import Database, storable
from records.lookups import Look, Lookups, Times
from records.security_events import EventFilter, LoginName, SecurityEvent, SecurityEvents
from use_cases import access
from use_cases.principal import Principal
from use_cases.pseudonyms import Pseudonyms

MOST_LOOKS = 1000
"""The most looks that are shown at once."""


class NamedEvent(NamedTuple):
    """A security event, and the name of the login or token that acted; None if there is none (any more)."""

    event: SecurityEvent
    name: str | None


class NamedLook(NamedTuple):
    """Who looked at an order on a day; `name` is None if the login was removed."""

    look: Look
    times: Times
    name: str | None


class Traces:
    """Reads traces."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._events = SecurityEvents(database)
        self._lookups = Lookups(database)
        self._pseudonyms = pseudonyms

    async def events(
        self,
        principal: Principal,
        *,
        kind: str | None = None,
        account: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[tuple[NamedEvent, ...], str | None]:
        """A page of security events, the newest first, and the cursor of the next page.

        `account` is an e-mail address, the name or id of a login or token, or a pseudonym.

        Raises:
            Forbidden: not for this role.
            ValueError: it is not a cursor of this list.
        """
        access.check(principal, "trace")
        logins = await self._events.names()
        accounts = None if account is None else self._accounts(account, logins)
        page = await self._events.page(EventFilter(kind, accounts, since, until), limit, cursor)
        names = {
            self._pseudonyms.account(known): each.name
            for each in logins
            for known in (each.login_id, each.email)
            if known
        }
        return tuple(NamedEvent(each, names.get(each.account)) for each in page.items), (
            page.next_cursor
        )

    async def looks(self, principal: Principal, sp_id: str) -> tuple[NamedLook, ...]:
        """Who looked at the customer's data of an order, the latest first. Raises `Forbidden`."""
        access.check(principal, "trace")
        found = await self._lookups.of(sp_id)
        names = {each.login_id: each.name for each in await self._events.names()} if found else {}
        return tuple(NamedLook(look, times, names.get(look.login_id)) for look, times in found)

    async def looks_by(
        self,
        principal: Principal,
        account: str,
        first: date | None = None,
        last: date | None = None,
        limit: int = MOST_LOOKS,
    ) -> tuple[tuple[NamedLook, ...], bool]:
        """At which orders an account looked from a day to another, the latest day first; and whether there are more.

        `account` is an e-mail address, or the name, id or pseudonym of a login or token; the id if that was removed.
        Raises `Forbidden`.
        """
        access.check(principal, "trace")
        logins, wanted = await self._events.names(), email_key(account)
        names = {
            each.login_id: each.name
            for each in logins
            if wanted in map(email_key, filter(None, each))
            or account == self._pseudonyms.account(each.login_id)
        }
        found = await self._lookups.by({*names, account}, first, last, limit + 1)
        shown = (NamedLook(look, times, names.get(look.login_id)) for look, times in found[:limit])
        return tuple(shown), len(found) > limit

    def _accounts(self, typed: str, logins: Sequence[LoginName]) -> set[str]:
        wanted = email_key(typed)
        found = {self._pseudonyms.account(typed)} | ({wanted} if storable(wanted) else set())
        for each in logins:
            known = [name for name in (each.login_id, each.email, each.name) if name]
            if wanted in map(email_key, known):
                found |= {
                    self._pseudonyms.account(name) for name in (each.login_id, each.email or "")
                }
        return found - {""}
