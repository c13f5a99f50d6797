"""Slows down guessing at passwords and codes, by account and by address, for all processes together."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from records.accounts import email_key
from records.database import Database
from records.devices import Devices
from records.login_attempts import Limit, LoginAttempts
from use_cases.account_errors import Throttled
from use_cases.addresses import ip_of, network_of
from use_cases.link_mails import hash_of, new_secret

_SECOND, _MINUTE, _HOUR, _DAY = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)
# The limit of an account also affects its own user, so it is at most a quarter of an hour. A whole office may share one
# address, so an address has more free attempts.
_BY_ACCOUNT = Limit(free=5, first=_SECOND, longest=15 * _MINUTE, forgotten=_DAY)
_BY_ADDRESS = Limit(free=20, first=_SECOND, longest=15 * _MINUTE, forgotten=_HOUR)
_BY_SITE = Limit(free=100, first=_SECOND, longest=15 * _MINUTE, forgotten=_HOUR)
_RESETS = Limit(free=3, first=_MINUTE, longest=_HOUR, forgotten=_DAY)
_RESETS_BY_ADDRESS = Limit(free=20, first=_MINUTE, longest=_HOUR, forgotten=_DAY)
_INVITATIONS = Limit(free=100, first=_MINUTE, longest=_HOUR, forgotten=_DAY)

DEVICE_REMEMBERED = timedelta(days=180)
"""How long a browser is known after its last log-in."""


class Throttle:
    """Counts log-in attempts. An account is an e-mail address, whether or not a user has it.

    A browser that has logged in to an account before has a count of its own, so that wrong guesses of strangers never
    make the account's owner wait there (OWASP's device cookies). `device` is the secret of its cookie.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._login_attempts = LoginAttempts(database)
        self._devices = Devices(database)
        self._clock = clock

    async def guess(
        self, email: str, address: str | None = None, device: str | None = None
    ) -> None:
        """Count an attempt before it is checked. `address` is the caller's network address, if it is not logged in.

        Raises:
            Throttled: the attempt must wait; it is not counted.
        """
        if address is None:  # guesses of strangers do not count for a person who is logged in
            await self._charge({_own(email): _BY_ACCOUNT})
        elif (known := await self._known_device(email, device)) is not None:
            await self._charge({known: _BY_ACCOUNT})
        else:
            await self._charge({_account(email): _BY_ACCOUNT} | _networks(address))

    async def was_right(
        self, email: str, address: str | None = None, device: str | None = None
    ) -> None:
        """Reset the count of the account, because the attempt was right.

        The count of the address is only reduced by one. Otherwise a user with one login could guess at all others.
        A log-in by a known browser resets the count of this browser only.
        """
        if address is not None and (known := await self._known_device(email, device)) is not None:
            await self._login_attempts.clear(known)
            return
        await self._login_attempts.clear(_account(email))
        await self._login_attempts.clear(_own(email))
        if address is not None:
            await self._login_attempts.refund(_networks(address), self._clock())

    async def take_back(self, email: str, address: str, device: str | None = None) -> None:
        """Do not count an attempt that was not checked, or that had the right password and no code."""
        known = await self._known_device(email, device)
        names = [_account(email), *_networks(address)] if known is None else [known]
        await self._login_attempts.refund(names, self._clock())

    async def remember(self, user_id: str, device: str | None) -> str:
        """Note a browser that has logged in. Returns the secret for its cookie: the one it has, or a new one."""
        now = self._clock()
        if device is None or not await self._devices.is_ours(
            hash_of(device), now - DEVICE_REMEMBERED
        ):
            device = new_secret()
        await self._devices.remember(hash_of(device), user_id, now)
        return device

    async def reset(self, email: str, address: str, device: str | None = None) -> None:
        """Count a request for a password reset, apart from log-ins. Raises `Throttled`.

        A browser that the account knows has a count of its own here, too.
        """
        known = await self._known_device(email, device)
        if known is not None:
            await self._charge({f"reset:{known}": _RESETS})
            return
        networks = {f"reset:{name}": _RESETS_BY_ADDRESS for name in _networks(address)}
        await self._charge({f"reset:{email_key(email)}": _RESETS} | networks)

    async def invite(self, firm: str, email: str) -> None:
        """Count a mail that a partner's office sends to an address of its choice. Raises `Throttled`.

        An address gets few, from all firms together. A firm can send enough to invite all of its people in a day, and
        cannot try many addresses to learn which of them have a login.
        """
        await self._charge({f"invite:{email_key(email)}": _RESETS, f"invites:{firm}": _INVITATIONS})

    async def tidy(self) -> None:
        """Delete old counts, and forget browsers that were not used for long."""
        await self._login_attempts.forget(self._clock() - _DAY)
        await self._devices.tidy(self._clock() - DEVICE_REMEMBERED)

    async def _charge(self, limits: Mapping[str, Limit]) -> None:
        wait = await self._login_attempts.charge(limits, self._clock())
        if wait is not None:
            raise Throttled(math.ceil(wait.total_seconds()))

    async def _known_device(self, email: str, device: str | None) -> str | None:
        """The name under which this browser is counted, if it has logged in to this account before; None otherwise."""
        if not device:
            return None
        since, key = self._clock() - DEVICE_REMEMBERED, email_key(email)
        if not await self._devices.knows(hash_of(device), key, since):
            return None
        return f"device:{hash_of(device)}:{key}"


def _account(email: str) -> str:
    return f"account:{email_key(email)}"


def _own(email: str) -> str:
    return f"own:{email_key(email)}"


def _networks(address: str) -> dict[str, Limit]:
    """The names under which an address is counted, with their limits.

    One host can use a /64 network of IPv6 freely, and one customer of a provider often a /48.
    """
    if (ip := ip_of(address)) is None:
        return {f"address:{address}": _BY_ADDRESS}
    if ip.version == 4:
        return {f"address:{ip}": _BY_ADDRESS}
    return {
        f"address:{network_of(ip, length)}": limit
        for length, limit in ((64, _BY_ADDRESS), (48, _BY_SITE))
    }
