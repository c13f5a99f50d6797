"""The use cases of the second factor, an authenticator app with recovery codes: set up, check, remove, reset."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from records.accounts import AccountRecords, Credentials, User
from settings import Settings
from use_cases import totp
from use_cases.account_errors import (
    Conflict,
    Fault,
    NotFound,
    OwnFactor,
    SecondFactorUnavailable,
    WrongFields,
)
from use_cases.link_mails import hash_of
from use_cases.principal import Principal
from use_cases.security_events import note, throttling_noted
from use_cases.throttle import Throttle

logger = logging.getLogger("cmi.desk")


class Enrolment(NamedTuple):
    """The secret for an authenticator app, and its `otpauth://` address. Both are shown once."""

    secret: str
    uri: str


class SecondFactorStatus(NamedTuple):
    """Whether a user has a second factor, whether it can have one, and the `enrolment` of one that is being set up."""

    on: bool
    enrolment: Enrolment | None
    possible: bool


class SecondFactor:
    """The second factor of users. A user who has set one up needs it to log in. `FactorDuty` says who must have one.

    `tell` starts to send the mails about changes.
    """

    def __init__(
        self,
        settings: Settings,
        records: AccountRecords,
        throttle: Throttle,
        clock: Callable[[], datetime],
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._tell = tell
        key = settings.secret_key
        self._box = totp.SecretBox(key.get_secret_value()) if key else None
        self._records = records
        self._factors = records.second_factors
        self._throttle = throttle
        self._clock = clock

    async def enrol(self, user_id: str, session: str) -> Enrolment:
        """Begin to set up a second factor; an unconfirmed one is replaced. It is required after `confirm`.

        `session` is the secret of the user's session in which this happens. No other session is shown the enrolment
        or can confirm it: who knows only the password must not get a copy of the secret that its owner sets up.

        Raises:
            SecondFactorUnavailable: this installation has no `CMI_SECRET_KEY`.
            Conflict: there is one already.
        """
        if self._box is None:
            raise SecondFactorUnavailable(
                "A second factor cannot be set up here: CMI_SECRET_KEY is not set."
            )
        user = (await self._credentials(user_id)).user
        secret = totp.new_secret()
        if not await self._factors.enrol(
            user_id, self._box.close(secret, _owner(user_id, session))
        ):
            raise Conflict("There is a second factor already; remove it first.")
        return Enrolment(secret, totp.provisioning_uri(secret, user.email))

    async def status(self, user_id: str, session: str = "") -> SecondFactorStatus:
        """The status of a user's second factor, for this session. Raises `NotFound`: no such user."""
        known = await self._credentials(user_id)
        secret = self._enrolled(known, session)
        enrolment = secret and Enrolment(secret, totp.provisioning_uri(secret, known.user.email))
        return SecondFactorStatus(known.totp_confirmed, enrolment or None, self._box is not None)

    async def confirm(self, user_id: str, code: str, session: str) -> tuple[str, ...]:
        """Confirm the second factor with a code of the app. From now on a login needs a code.

        `session` is that of `enrol`. Each other session of the user has to give password and code before its next
        sensitive change: only a password has opened it. Returns the recovery codes, which cannot be shown again.

        Raises:
            WrongFields: the code is wrong.
            Conflict: no second factor is being set up in this session.
        """
        known = await self._credentials(user_id)
        enrolled, secret = known.totp_secret, self._enrolled(known, session)
        if self._box is None or enrolled is None or secret is None:
            raise Conflict("No second factor is being set up.")
        step = totp.step_of(secret, code, self._clock())
        if step is None:
            raise WrongFields(Fault("code", "wrong", "is not the app's code of this moment"))
        codes = totp.new_recovery_codes()
        hashes = [hash_of(totp.plain_recovery_code(each)) for each in codes]
        kept, now = self._box.close(secret, user_id), self._clock()
        if not await self._factors.confirm(
            user_id, enrolled, kept, step, hashes, now, hash_of(session)
        ):
            raise Conflict("No second factor is being set up.")
        self._tell()
        note("second_factor", "set", user_id)
        logger.info("second factor set up", extra={"user": user_id})
        return tuple(codes)

    async def remove(self, user_id: str, code: str) -> None:
        """Remove the user's second factor, given a code.

        Raises:
            Throttled: too many attempts.
            WrongFields: the code is wrong.
        """
        known = await self._credentials(user_id)
        with throttling_noted("second_factor", user_id):
            await self._throttle.guess(known.user.email)
        if known.totp_confirmed and not await self.takes(known, code):
            raise WrongFields(Fault("code", "wrong", "is wrong, or was used before"))
        await self._throttle.was_right(known.user.email)
        await self.remove_checked(user_id)

    async def remove_checked(self, user_id: str) -> None:
        """Remove the second factor of a user whose code was checked a moment ago."""
        await self._factors.remove(user_id, self._clock())
        self._tell()
        note("second_factor", "removed", user_id)
        logger.info("second factor removed", extra={"user": user_id})

    async def reset(self, partner_id: str | None, user_id: str, by: Principal) -> User:
        """Remove the second factor of a user who lost phone and recovery codes, and end the user's sessions.

        The user is told by mail. `partner_id` is the user's partner; None for staff. Returns the user.

        Raises:
            NotFound: no such user there.
            Conflict: it is the caller's own login, or it has no second factor.
        """
        user = (await self._credentials(user_id)).user
        if user.partner_id != partner_id:
            raise NotFound("user")
        if by.login_person == user_id:
            raise OwnFactor()
        if not await self._factors.reset(user_id, self._clock()):
            raise Conflict("This login has no second factor.")
        self._tell()
        note("second_factor", "reset", about=user_id)
        logger.info("second factor reset", extra={"user": user_id})
        return (await self._credentials(user_id)).user

    async def takes(self, known: Credentials, code: str) -> bool:
        """Whether a code is right. A right code is used up."""
        user_id = known.user.user_id
        recovery = totp.plain_recovery_code(code)
        if await self._factors.take_recovery_code(user_id, hash_of(recovery)):
            note("second_factor", "succeeded", user_id)
            logger.warning("recovery code used", extra={"user": user_id})
            return True
        step = self._step(known, code)
        taken = step is not None and await self._factors.take_step(user_id, step)
        note("second_factor", "succeeded" if taken else "failed", user_id)
        return taken

    def _enrolled(self, known: Credentials, session: str) -> str | None:
        """The secret of a second factor that is being set up in this session."""
        if known.totp_secret is None or known.totp_confirmed or self._box is None:
            return None
        return self._box.open(known.totp_secret, _owner(known.user.user_id, session))

    def _step(self, known: Credentials, code: str) -> int | None:
        user_id, stored = known.user.user_id, known.totp_secret
        secret = self._box.open(stored, user_id) if self._box and stored else None
        if secret is None:
            logger.error(
                "CMI_SECRET_KEY is not that of this second factor", extra={"user": user_id}
            )
            return None
        return totp.step_of(secret, code, self._clock())

    async def _credentials(self, user_id: str) -> Credentials:
        known = await self._records.by_id(user_id, self._clock())
        if known is None:
            raise NotFound("user")
        return known


def _owner(user_id: str, session: str) -> str:
    """For whom the secret of a second factor that is being set up is encrypted."""
    return f"{user_id} {hash_of(session)}"
