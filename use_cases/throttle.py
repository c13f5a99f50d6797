"""Slows down guessing at passwords and codes, by account and by address, for all processes together."""

import ipaddress
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from records.accounts import email_key
from records.database import Database
from records.login_attempts import Limit, LoginAttempts
from use_cases.account_errors import Throttled

_SECOND, _MINUTE, _HOUR, _DAY = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)
# The limit of an account also affects its own user, so it is at most a quarter of an hour. A whole office may share one
# address, so an address has more free attempts.
_BY_ACCOUNT = Limit(free=5, first=_SECOND, longest=15 * _MINUTE, forgotten=_DAY)
_BY_ADDRESS = Limit(free=20, first=_SECOND, longest=15 * _MINUTE, forgotten=_HOUR)
_RESETS = Limit(free=3, first=_MINUTE, longest=_HOUR, forgotten=_DAY)
_RESETS_BY_ADDRESS = Limit(free=20, first=_MINUTE, longest=_HOUR, forgotten=_DAY)


class Throttle:
    """Counts log-in attempts. An account is an e-mail address, whether or not a user has it."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._login_attempts = LoginAttempts(database)
        self._clock = clock

    async def guess(self, email: str, address: str | None = None) -> None:
        """Count an attempt before it is checked. `address` is the caller's network address, if it is not logged in.

        Raises:
            Throttled: the attempt must wait; it is not counted.
        """
        limits = {_account(email): _BY_ACCOUNT}
        if address is not None:
            limits[_network(address)] = _BY_ADDRESS
        await self._charge(limits)

    async def was_right(self, email: str, address: str | None = None) -> None:
        """Reset the count of the account, because the attempt was right.

        The count of the address is only reduced by one. Otherwise a user with one login could guess at all others.
        """
        await self._login_attempts.clear(_account(email))
        if address is not None:
            await self._login_attempts.refund([_network(address)], self._clock())

    async def take_back(self, email: str, address: str) -> None:
        """Do not count an attempt whose password was right and whose code is missing. It does not log in yet."""
        await self._login_attempts.refund([_account(email), _network(address)], self._clock())

    async def reset(self, email: str, address: str) -> None:
        """Count a request for a password reset. Raises `Throttled`."""
        await self._charge(
            {f"reset:{email_key(email)}": _RESETS, f"reset:{_network(address)}": _RESETS_BY_ADDRESS}
        )

    async def tidy(self) -> None:
        """Delete old counts."""
        await self._login_attempts.forget(self._clock() - _DAY)

    async def _charge(self, limits: Mapping[str, Limit]) -> None:
        wait = await self._login_attempts.charge(limits, self._clock())
        if wait is not None:
            raise Throttled(math.ceil(wait.total_seconds()))


def _account(email: str) -> str:
    return f"account:{email_key(email)}"


def _network(address: str) -> str:
    """The name under which an address is counted. For IPv6 it is the /64 network, which one host can use freely."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"address:{address}"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return f"address:{ipaddress.ip_network((ip, 64), strict=False)}"
        ip = ip.ipv4_mapped
    return f"address:{ip}"
