"""Marks mails that lost their sense before they were sent: their workflows drop them without a word to the records."""

from contextlib import suppress
from datetime import datetime, timedelta

from domain.errors import NotUnderstood
from domain.orders.effects import obsolete_mails
from domain.settlements.mails import obsolete_settlement_mails
from records.mails import MailLog, MailRow
from records.orders import Orders
from records.settlements import Settlements

_TRIED_FOR = timedelta(minutes=1)
_AT_ONCE = 500


class ObsoleteMails:
    """The mails of `mails`, judged by the orders and settlements that they are about."""

    def __init__(self, mails: MailLog, orders: Orders, settlements: Settlements) -> None:
        self._mails = mails
        self._orders = orders
        self._settlements = settlements

    async def mark(self, now: datetime) -> int:
        """Mark what is unsent and has lost its sense; how many. One that is needed after all still goes out."""
        marked = 0
        last: MailRow | None = None
        while rows := await self._mails.tried(now - _TRIED_FOR, last, _AT_ONCE):
            for about in {row.about for row in rows}:
                keys = await self._obsolete(about)
                lost = [row.key for row in rows if row.about == about and row.key in keys]
                if lost:
                    marked += await self._mails.obsolete(lost)
            last = rows[-1]
        return marked

    async def _obsolete(self, about: str) -> frozenset[str]:
        """Of an order or a settlement. What the records do not hold (yet), or a newer release wrote, is not judged."""
        with suppress(NotUnderstood):
            order = await self._orders.get(about)
            if order is not None:
                return obsolete_mails(order.order, order.events)
            settlement = await self._settlements.get(about)
            if settlement is not None:
                return obsolete_settlement_mails(settlement.settling, settlement.events)
        return frozenset()
