"""Records security events (`note`) and looks at customers' data (`looked_at`), in the background."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError

from records.database import Database
from records.lookups import Look, Lookups, Times
from records.security_events import SecurityEvent, SecurityEvents
from settings import Settings
from telemetry.metrics import SECURITY_EVENTS
from use_cases.account_errors import Throttled
from use_cases.principal import Principal
from use_cases.pseudonyms import Pseudonyms

logger = logging.getLogger("cmi.security")

Kind = Literal[
    "log_in",
    "second_factor",
    "token",
    "calendar",
    "login",
    "password",
    "access_refused",
    "export",
    "erasure",
    "partner",
    "iban_change",
]
Outcome = Literal[
    "succeeded",
    "failed",
    "throttled",
    "refused",
    "made",
    "first_used",
    "set",
    "changed",
    "asked",
    "confirmed",
    "reset",
    "removed",
    "ended",
]
How = Literal["page", "api", "export", "pdf"]

_MOST_WAITING = 2000
_REPEATED = timedelta(minutes=1)
"""The same event is stored once in this time if it is one that an attacker can repeat at will."""
_REPEATABLE: tuple[Outcome, ...] = ("throttled", "refused")
_MOST_REMEMBERED = 10_000


class Recorder:
    """Stores traces of this process in the background, several at once. `clock` gives the instant.

    A trace that cannot be stored is only in the log.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
    ) -> None:
        self.pseudonyms = Pseudonyms(settings)
        self._event_records = SecurityEvents(database)
        self._lookup_records = Lookups(database)
        self._zone = zone
        self._clock = clock
        self._events: list[SecurityEvent] = []
        self._looks: dict[Look, Times] = {}
        self._recent: dict[tuple[str, ...], datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    def event(self, event: SecurityEvent, outcome: Outcome) -> None:
        """Store an event, unless it is repeated or too many wait."""
        if outcome in _REPEATABLE and self._is_repeated(event):
            return
        if len(self._events) >= _MOST_WAITING:
            logger.warning("a security event was not stored: too many wait")
            return
        self._events.append(event)
        self._start()

    def looks(self, login_id: str, sp_ids: Iterable[str], how: How) -> None:
        """Count a look at each of these orders."""
        now = self._clock()
        day = now.astimezone(self._zone).date()
        for sp_id in sp_ids:
            look = Look(sp_id, day, login_id, how)
            if look not in self._looks and len(self._looks) >= _MOST_WAITING:
                logger.warning("a look at an order was not stored: too many wait")
                break
            before = self._looks.get(look, Times(now, now, 0))
            self._looks[look] = Times(before.first_at, now, before.times + 1)
        self._start()

    @property
    def now(self) -> datetime:
        """The instant."""
        return self._clock()

    async def written(self) -> None:
        """Wait until all is stored."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing})

    def _start(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._events or self._looks:
            events, self._events = self._events, []
            looks, self._looks = self._looks, {}
            try:
                if events:
                    await self._event_records.add(events)
                if looks:
                    await self._lookup_records.add(looks)
            except (SQLAlchemyError, OSError) as error:
                lost = {"why": type(error).__name__, "events": len(events), "looks": len(looks)}
                logger.warning("traces were not stored", extra=lost)

    def _is_repeated(self, event: SecurityEvent) -> bool:
        key = (event.kind, event.outcome, event.account, event.address, event.about)
        before = self._recent.get(key)
        if before is not None and event.at - before < _REPEATED:
            return True
        if len(self._recent) >= _MOST_REMEMBERED:
            self._recent.clear()
        self._recent[key] = event.at
        return False


class Visit(NamedTuple):
    """The call that is being handled: its origin, its id, its caller (once that is known), its answer."""

    recorder: Recorder
    address: str
    request_id: str
    login: Callable[[], str]
    how: How


_visit: ContextVar[Visit | None] = ContextVar("visit", default=None)


@contextmanager
def visiting(visit: Visit) -> Iterator[None]:
    """Within this context `note` and `looked_at` store what they are told."""
    token = _visit.set(visit)
    try:
        yield
    finally:
        _visit.reset(token)


def note(kind: Kind, outcome: Outcome, account: str | None = None, about: str = "") -> None:
    """Record a security event, in the log and in the table. Never fails.

    `account` is the e-mail address, or the id of the login or token, that acts; by default the caller. `about` is an
    id, never a name or an address. Outside of a call, on the command line, only the log has the event.
    """
    try:
        visit = _visit.get()
        SECURITY_EVENTS.labels(kind, outcome).inc()
        facts = {"kind": kind, "outcome": outcome, "about": about[:64]}
        if visit is None:
            logger.info("security event", extra=facts)
            return
        names = visit.recorder.pseudonyms
        event = SecurityEvent(
            event_id=secrets.token_hex(12),
            at=visit.recorder.now,
            account=names.account(visit.login() if account is None else account),
            address=names.address(visit.address),
            network=names.network(visit.address),
            request_id=visit.request_id,
            **facts,
        )
        known = {"account": event.account, "address": event.address, "network": event.network}
        logger.info("security event", extra=facts | known)
        visit.recorder.event(event, outcome)
    except Exception as error:
        logger.warning("a security event was not stored", extra={"why": type(error).__name__})


def looked_at(principal: Principal, sp_ids: Iterable[str]) -> None:
    """Record that somebody was shown the names of these orders' customers. Never fails.

    Each use case that gives out a customer's name calls this. Those that show only places do not
    (docs/data-protection.md, "Who looked"), nor do those of accounting, which sees no names.
    """
    try:
        visit = _visit.get()
        if visit is not None and principal.role != "accounting":
            visit.recorder.looks(principal.login_id, sp_ids, visit.how)
    except Exception as error:
        logger.warning("a look was not stored", extra={"why": type(error).__name__})


@contextmanager
def throttling_noted(kind: Kind, email: str) -> Iterator[None]:
    """Note a security event if an attempt at this account has to wait."""
    try:
        yield
    except Throttled:
        note(kind, "throttled", email)
        raise
