"""Guessing at logins becomes slow: by account and by where it comes from, for all processes together."""

import ipaddress
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from records.accounts import email_key
from records.database import Database
from records.guesses import Guesses, Limit
from use_cases.account_errors import Throttled

_SECOND, _MINUTE, _HOUR, _DAY = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)
# An account waits for whoever guesses at it, so its own user is never kept out for longer than a quarter of an hour. An
# address may be a whole office's.
_BY_ACCOUNT = Limit(free=5, first=_SECOND, longest=15 * _MINUTE, forgotten=_DAY)
_BY_ADDRESS = Limit(free=20, first=_SECOND, longest=15 * _MINUTE, forgotten=_HOUR)
_RESETS = Limit(free=3, first=_MINUTE, longest=_HOUR, forgotten=_DAY)
_RESETS_BY_ADDRESS = Limit(free=20, first=_MINUTE, longest=_HOUR, forgotten=_DAY)


class Throttle:
    """Who may guess now. Accounts are named by their e-mail, whether there is such a one or not."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._guesses = Guesses(database)
        self._clock = clock

    async def guess(self, email: str, address: str | None = None) -> None:
        """Count a guess before it is looked at. `address` is where it comes from, if that is not known anyway.

        Raises:
            Throttled: it must wait, and does not count.
        """
        limits = {_account(email): _BY_ACCOUNT}
        if address is not None:
            limits[_place(address)] = _BY_ADDRESS
        await self._charge(limits)

    async def was_right(self, email: str, address: str | None = None) -> None:
        """The guess was right, and lets its user in: the account's count begins anew.

        That of the address only goes back: somebody with one good login could guess at all others from there.
        """
        await self._guesses.clear(_account(email))
        if address is not None:
            await self._guesses.refund([_place(address)], self._clock())

    async def was_none(self, email: str, address: str) -> None:
        """It was no guess: nothing wrong was said, and nobody let in."""
        await self._guesses.refund([_account(email), _place(address)], self._clock())

    async def reset(self, email: str, address: str) -> None:
        """Count a request to mail a reset. Raises `Throttled`."""
        await self._charge(
            {f"reset:{email_key(email)}": _RESETS, f"reset:{_place(address)}": _RESETS_BY_ADDRESS}
        )

    async def tidy(self) -> None:
        """Forget guesses of long ago."""
        await self._guesses.forget(self._clock() - _DAY)

    async def _charge(self, limits: Mapping[str, Limit]) -> None:
        wait = await self._guesses.charge(limits, self._clock())
        if wait is not None:
            raise Throttled(math.ceil(wait.total_seconds()))


def _account(email: str) -> str:
    return f"account:{email_key(email)}"


def _place(address: str) -> str:
    """Where guesses come from: an address, or of IPv6 the network, of which everybody has plenty of addresses."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"address:{address}"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return f"address:{ipaddress.ip_network((ip, 64), strict=False)}"
        ip = ip.ipv4_mapped
    return f"address:{ip}"
