"""The mails about accounts, which the web process sends: links, changed IBANs, notices."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from records.account_notices import AccountNotices
from records.database import Database
from records.iban_changes import IbanChanges
from records.partners import Partners
from use_cases.iban_mails import IbanMails
from use_cases.leases import send_quietly
from use_cases.link_mails import LinkMails
from use_cases.notice_mails import NoticeMails


class AccountMails:
    """Sends the mails that are due. Each was stored with its cause. `tell` starts to send those that are not links."""

    def __init__(
        self,
        database: Database,
        partners: Partners,
        iban_changes: IbanChanges,
        links: LinkMails,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
    ) -> None:
        self._links = links
        self._ibans = IbanMails(iban_changes, partners, links.outbox, links.texts, clock)
        self._notices = NoticeMails(
            AccountNotices(database), links.outbox, links.texts, zone, clock
        )

    async def send_due(self) -> int:
        """Make one attempt at each mail that is due. Returns how many were sent."""
        return await self._links.send_due() + await self._send_told()

    def tell(self) -> None:
        """Start to send the mails about a change that was just stored. `send_due` repeats what fails."""
        self._links.spawn(send_quietly(self._send_told, "mails of accounts"))

    async def _send_told(self) -> int:
        return await self._ibans.send_due() + await self._notices.send_due()
