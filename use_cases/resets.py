"""Asks for a link to set a new password, without telling the caller whether the login exists."""

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from records.accounts import AccountRecords
from use_cases.link_mails import LinkMails
from use_cases.security_events import note, throttling_noted
from use_cases.throttle import Throttle

logger = logging.getLogger("cmi.desk")


class Resets:
    """Mails links for new passwords. `clock` gives the instant."""

    def __init__(
        self,
        records: AccountRecords,
        throttle: Throttle,
        link_mails: LinkMails,
        clock: Callable[[], datetime],
    ) -> None:
        self._records = records
        self._throttle = throttle
        self._link_mails = link_mails
        self._clock = clock

    async def request(self, email: str, address: str, device: str | None = None) -> None:
        """Mail a link for a new password if the login exists. The caller cannot tell whether it exists.

        Everything that depends on the login happens in the background. Raises `Throttled` in both cases.
        """
        with throttling_noted("password", email):
            await self._throttle.reset(email, address, device)
        note("password", "asked", email)
        self._link_mails.spawn(self._mail(email))

    async def _mail(self, email: str) -> bool:
        try:
            known = await self._records.by_email(email, self._clock())
            if known is not None and not known.partner_ended:
                await self._link_mails.issue(known.user, "reset")
        except (SQLAlchemyError, OSError) as error:
            logger.warning("reset not mailed", extra={"why": type(error).__name__})
            return False
        return known is not None
