"""Finds the principal of a token or session, and stores when each was last used."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from records.accounts import AccountRecords, User
from records.tokens import Tokens
from settings import Settings
from use_cases.factor_duty import FactorDuty
from use_cases.link_mails import hash_of
from use_cases.principal import Principal
from use_cases.security_events import note
from use_cases.tokens import TOKEN_PREFIX

logger = logging.getLogger("cmi.desk")

_LONGEST_SECRET = 200  # characters; ours are shorter
_USE_NOTED = timedelta(minutes=1)
CONFIRMED_FOR = timedelta(minutes=10)
"""How long after password and code were right a session may make sensitive changes."""


class _Lifetime(NamedTuple):
    idle: timedelta
    whole: timedelta


# ASVS 3.3.2, level 1: the phone of a fitter on site, who sees the orders of one partner (docs/security.md).
_PARTNERS_SESSION = _Lifetime(timedelta(days=14), timedelta(days=30))
_STAFF_SESSION = _Lifetime(timedelta(minutes=30), timedelta(hours=12))  # ASVS 3.3.2, level 2


class Callers:
    """Finds the caller of a request. `clock` gives the instant."""

    def __init__(
        self,
        tokens: Tokens,
        records: AccountRecords,
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self._tokens = tokens
        self._records = records
        self._duty = FactorDuty(settings)
        self._clock = clock
        self._used: dict[str, datetime] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def of_token(self, token: str) -> Principal | None:
        """The principal of a token; None if it is unknown, expired or revoked."""
        if not token.startswith(TOKEN_PREFIX) or len(token) > _LONGEST_SECRET:
            return None
        now = self._clock()
        known = await self._tokens.find(hash_of(token), now)
        if known is None:
            return None
        if self._note_use(known.token_id, known.last_used_at, now):
            self._store_in_background(self._tokens.use(known.token_id, now))
            if known.last_used_at is None:
                note("token", "first_used", known.token_id)
        return Principal(
            role=known.role,
            login_id=known.token_id,
            name=known.name,
            partner_id=known.partner_id,
            made_by=known.made_by,
            partner_role=known.maker_role,
            person_name=known.maker if known.maker_role else None,
        )

    async def of_session(self, secret: str) -> Principal | None:
        """The principal of a session; None if it is unknown, ended, expired, or was unused for too long."""
        if len(secret) > _LONGEST_SECRET:
            return None
        now = self._clock()
        session = await self._records.session(hash_of(secret), now)
        if session is None or has_ended(session.user, session.began_at, session.last_used_at, now):
            return None
        if self._note_use(hash_of(secret), session.last_used_at, now):
            self._store_in_background(self._records.use_session(hash_of(secret), now))
        due_at, confirmed_at = self._duty.due_at(session.user), session.confirmed_at
        return principal_of(
            session.user,
            factor_due_at=due_at,
            is_factor_due=due_at is not None and due_at <= now,
            needs_confirmation=confirmed_at is None or now - confirmed_at > CONFIRMED_FOR,
        )

    def _note_use(self, login: str, noted: datetime | None, now: datetime) -> bool:
        """Whether to store a use of a login: at most once a minute, and by only one of several concurrent calls."""
        noted = max(filter(None, (noted, self._used.get(login))), default=None)
        if noted is not None and now - noted < _USE_NOTED:
            return False
        self._used[login] = now
        return True

    def _store_in_background(self, noting: Coroutine[Any, Any, None]) -> None:
        """Store a use in the background, so that a call that only reads does not wait for other writers."""
        task = asyncio.create_task(_store_use(noting))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def noted(self) -> None:
        """Wait for pending writes of uses."""
        if self._notes:
            await asyncio.wait(self._notes)

    def tidy(self) -> None:
        """Drop uses from memory that are older than a minute. They are stored."""
        now = self._clock()
        self._used = {login: at for login, at in self._used.items() if now - at < _USE_NOTED}


async def _store_use(noting: Coroutine[Any, Any, None]) -> None:
    """Store a use. A failure is only logged, because the call itself does not depend on it."""
    try:
        await noting
    except (SQLAlchemyError, OSError) as error:
        logger.warning(
            "the last use of a login was not stored", extra={"why": type(error).__name__}
        )


def principal_of(
    user: User,
    *,
    factor_due_at: datetime | None = None,
    is_factor_due: bool = False,
    needs_confirmation: bool = False,
) -> Principal:
    """The principal of a user in a session."""
    return Principal(
        role=user.role,
        login_id=user.user_id,
        name=user.name,
        partner_id=user.partner_id,
        email=user.email,
        language=user.language,
        factor_due_at=factor_due_at,
        is_factor_due=is_factor_due,
        needs_confirmation=needs_confirmation,
        partner_role=user.partner_role,
        person_name=user.name if user.partner_role else None,
    )


def has_ended(user: User, began_at: datetime, last_used_at: datetime, now: datetime) -> bool:
    """Whether a session of this user is over: too old, or unused for too long."""
    idle, whole = lifetime(user)
    return now - began_at >= whole or now - last_used_at > idle


def lifetime(user: User) -> _Lifetime:
    """How long a session of this user lasts."""
    return _PARTNERS_SESSION if user.role == "partner" else _STAFF_SESSION
