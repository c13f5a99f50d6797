"""Sends the notices of changed passwords, factors, addresses and of ended tokens, and retries until each is sent."""

import logging
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from mail.account_texts import notice_text
from mail.outbox import FIVE_DAYS, Outbox, OutgoingMail
from mail.smtp import NotSent
from mail.texts import MailTexts, Reader
from records.account_notices import AccountNotices, Notice
from use_cases.leases import AGAIN, send_leased

logger = logging.getLogger("cmi.desk")


class NoticeMails:
    """The mails with notices. Several processes may share the work. `clock` gives the instant."""

    def __init__(
        self,
        notices: AccountNotices,
        outbox: Outbox,
        texts: MailTexts,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
    ) -> None:
        self._notices = notices
        self._outbox = outbox
        self._texts = texts
        self._zone = zone
        self._clock = clock

    async def send_due(self) -> int:
        """Make one attempt at each mail that is due. Returns how many were sent."""
        queue = self._notices
        return await send_leased(queue.due, queue.try_next, self._send, self._clock)

    async def _send(self, notice: Notice) -> bool:
        """Send a leased mail. If that fails, it is tried again after `AGAIN`, or after the lease."""
        audience, address, name, language, staff = notice.recipient
        reader = Reader(name, language, staff)
        outgoing = OutgoingMail(
            notice.key,
            notice.about,
            notice.kind,
            audience,
            address,
            reader,
            lambda: notice_text(
                self._texts, notice.kind, reader, notice.facts, notice.asked_at, self._zone
            ),
            in_thread=False,
            give_up_refused=FIVE_DAYS,
            give_up_put_off=FIVE_DAYS,
        )
        try:
            row = await self._outbox.send(outgoing, self._clock(), since=notice.asked_at)
        except NotSent as error:
            logger.warning("notice not mailed yet", extra={"kind": notice.kind, "why": str(error)})
            await self._notices.try_next(notice, self._clock() + AGAIN)
            return False
        await self._notices.done(notice)
        return row.state == "sent"
