"""The use cases of sessions: log in, in one or two steps, and log out."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from records.accounts import AccountRecords, Credentials, User
from records.links import Links, NewLink
from records.session_lists import SessionRow, session_id
from use_cases.account_errors import (
    BadLogin,
    Busy,
    Fault,
    LinkUnusable,
    LoginEnded,
    NotFound,
    SecondFactorNeeded,
    WrongFields,
)
from use_cases.addresses import shortened
from use_cases.browsers import browser_name
from use_cases.callers import has_ended, lifetime, principal_of
from use_cases.link_mails import hash_of, new_secret
from use_cases.passwords import Passwords
from use_cases.principal import Principal
from use_cases.second_factor import SecondFactor
from use_cases.security_events import note, throttling_noted
from use_cases.throttle import Throttle

logger = logging.getLogger("cmi.desk")

TICKET_VALID = timedelta(minutes=5)


class Session(NamedTuple):
    """A new session. The secret is for the cookie. The session ends at the latest at `expires_at`, after `lasts`.

    `device` is the secret for the cookie by which this browser is known from now on (`Throttle`).
    """

    secret: str
    principal: Principal
    expires_at: datetime
    device: str
    lasts: timedelta


def id_of(secret: str) -> str:
    """The id of the session with this secret, as lists have it."""
    return session_id(hash_of(secret))


class SessionUseCases:
    """Begins and ends sessions. `clock` gives the instant."""

    def __init__(
        self,
        records: AccountRecords,
        links: Links,
        second_factor: SecondFactor,
        throttle: Throttle,
        passwords: Passwords,
        clock: Callable[[], datetime],
    ) -> None:
        self._records = records
        self._links = links
        self._second_factor = second_factor
        self._throttle = throttle
        self._passwords = passwords
        self._clock = clock

    async def log_in(
        self,
        email: str,
        password: str,
        address: str,
        code: str | None = None,
        device: str | None = None,
        user_agent: str = "",
    ) -> Session:
        """Begin a session of the user with this e-mail and password.

        `address` is where the call comes from, `device` the secret of the browser if it has logged in before,
        `user_agent` what the browser calls itself.

        Raises:
            Throttled: too many attempts at this account or from this address.
            Busy: too many passwords are being checked; this attempt is not counted.
            BadLogin: the e-mail, the password or the code is wrong.
            LoginEnded: they are right, but the user's partner has ended.
            SecondFactorNeeded: the password is right, and the code is missing.
        """
        with throttling_noted("log_in", email):
            await self._throttle.guess(email, address, device)
        now = self._clock()
        known = await self._records.by_email(email, now)
        try:
            right, better = await self._passwords.check(
                password, known.password_hash if known else None
            )
        except Busy:
            await self._throttle.take_back(email, address, device)
            raise
        if known is None or known.password_hash is None or not right:
            note("log_in", "failed", known.user.user_id if known else email)
            raise BadLogin("e-mail or password is wrong")
        if known.partner_ended:
            note("log_in", "refused", known.user.user_id)
            raise LoginEnded("the partner has ended")
        if better is not None:
            await self._records.passwords.rehash(known.user.user_id, known.password_hash, better)
        if known.totp_confirmed:
            if not code:
                await self._throttle.take_back(email, address, device)
                raise SecondFactorNeeded(await self._new_ticket(known.user))
            if not await self._second_factor.takes(known, code):
                raise BadLogin("the code is wrong, or was used before")
        checked = known._replace(password_hash=better or known.password_hash)
        return await self._begin(checked, address, device, user_agent)

    async def finish_log_in(
        self,
        ticket: str,
        code: str,
        address: str,
        device: str | None = None,
        user_agent: str = "",
    ) -> Session:
        """Begin a session with a code, after the password was right.

        Raises:
            LinkUnusable: the ticket has expired or was used; the user has to log in from the start.
            Throttled, BadLogin: as in `log_in`.
        """
        now = self._clock()
        link = await self._links.find(hash_of(ticket), now)
        if link is None or link.purpose != "second_factor":
            raise LinkUnusable()
        known = await self._records.by_id(link.user_id, now)
        if known is None:
            raise LinkUnusable()
        with throttling_noted("second_factor", known.user.user_id):
            await self._throttle.guess(known.user.email, address, device)
        if known.totp_confirmed and not await self._second_factor.takes(known, code):
            raise BadLogin("the code is wrong, or was used before")
        return await self._begin(known, address, device, user_agent)

    async def confirm(self, secret: str, password: str, code: str) -> None:
        """Confirm a session: its person has just given the password and, if there is a second factor, a code.

        For a while it may make sensitive changes (`use_cases.callers.CONFIRMED_FOR`).

        Raises:
            NotFound: the session has ended.
            Throttled: too many attempts.
            Busy: too many passwords are being checked.
            WrongFields: `current_password` or `code` is wrong.
        """
        session = await self._records.session(hash_of(secret), self._clock())
        if session is None:
            raise NotFound("session")
        user_id = session.user.user_id
        with_code = await self._check_again(user_id, password, code)
        if not await self._records.confirmations.add(
            hash_of(secret), user_id, self._clock(), with_code=with_code
        ):
            raise WrongFields(Fault("code", "missing", "is missing"))

    async def end(self, secret: str) -> None:
        """Log out: end the session."""
        await self._records.end_session(hash_of(secret))

    async def of(self, user_id: str) -> tuple[SessionRow, ...]:
        """The sessions of a user, the last used first. Raises `NotFound`: no such user."""
        now = self._clock()
        known = await self._records.by_id(user_id, now)
        if known is None:
            raise NotFound("user")
        return tuple(
            each
            for each in await self._records.session_lists.of(user_id, now)
            if not has_ended(known.user, each.began_at, each.last_used_at, now)
        )

    async def end_one(self, user_id: str, session_id: str) -> None:
        """End a session of a user, if it has not ended."""
        if await self._records.session_lists.end(user_id, session_id):
            note("log_in", "ended", about=user_id)

    async def end_others(self, user_id: str, secret: str) -> None:
        """End all sessions of a user but the one with this secret."""
        if await self._records.session_lists.end_others(user_id, id_of(secret)):
            note("log_in", "ended", about=user_id)

    async def end_all(self, user_id: str) -> None:
        """Log a user out everywhere."""
        await self._records.end_sessions(user_id)
        note("log_in", "ended", about=user_id)

    async def _check_again(self, user_id: str, password: str, code: str) -> bool:
        """Check the password and, if there is a second factor, a code. Returns whether there is one."""
        known = await self._records.by_id(user_id, self._clock())
        if known is None:
            raise NotFound("user")
        with throttling_noted("password", user_id):
            await self._throttle.guess(known.user.email)
        right, _ = await self._passwords.check(password, known.password_hash)
        if not right:
            note("password", "failed", user_id)
            raise WrongFields(Fault("current_password", "wrong", "is not the password"))
        if known.totp_confirmed:
            if not code:
                raise WrongFields(Fault("code", "missing", "is missing"))
            if not await self._second_factor.takes(known, code):
                raise WrongFields(Fault("code", "wrong", "is wrong, or was used before"))
        # Not after the password alone: whoever knows it could then guess codes without a wait.
        await self._throttle.was_right(known.user.email)
        note("password", "confirmed", user_id)
        return known.totp_confirmed

    async def _new_ticket(self, user: User) -> str:
        ticket, now = new_secret(), self._clock()
        await self._links.put(
            NewLink(user.user_id, "second_factor", hash_of(ticket), now + TICKET_VALID)
        )
        return ticket

    async def _begin(
        self, known: Credentials, address: str, device: str | None, user_agent: str
    ) -> Session:
        """Begin a session after these credentials were checked, with a code if they have a second factor."""
        user = known.user
        secret, now = new_secret(), self._clock()
        lasts = lifetime(user).whole
        browser, network = browser_name(user_agent), shortened(address)
        if not await self._records.begin_session(
            user.user_id,
            hash_of(secret),
            now,
            now + lasts,
            browser,
            network,
            password_hash=known.password_hash,
            with_code=known.totp_confirmed,
        ):
            raise BadLogin("e-mail or password is wrong")  # removed or changed a moment ago
        await self._throttle.was_right(user.email, address, device)
        device = await self._throttle.remember(user.user_id, device)
        note("log_in", "succeeded", user.user_id)
        logger.info("logged in", extra={"user": user.user_id})
        return Session(secret, principal_of(user), now + lasts, device, lasts)
