"""Marks mails that need not be sent any more. Their workflows drop them, but do not tell the records."""

from contextlib import suppress
from datetime import datetime, timedelta

from domain.errors import NotUnderstood
from domain.orders.effects import obsolete_mails
from domain.settlements.mails import obsolete_settlement_mails
from records.mails import MailLog, MailRow
from records.orders import Orders
from records.settlements import Settlements

_MIN_AGE = timedelta(minutes=1)
_BATCH = 500


class ObsoleteMails:
    """Finds the unsent mails of orders and settlements that no longer call for them."""

    def __init__(self, mails: MailLog, orders: Orders, settlements: Settlements) -> None:
        self._mails = mails
        self._orders = orders
        self._settlements = settlements

    async def mark(self, now: datetime) -> int:
        """Mark the unsent mails that are no longer needed; how many. One that is needed again later is still sent."""
        marked = 0
        last: MailRow | None = None
        while rows := await self._mails.tried(now - _MIN_AGE, last, _BATCH):
            for about in {row.about for row in rows}:
                keys = await self._obsolete(about)
                obsolete = [row.key for row in rows if row.about == about and row.key in keys]
                if obsolete:
                    marked += await self._mails.obsolete(obsolete)
            last = rows[-1]
        return marked

    async def _obsolete(self, about: str) -> frozenset[str]:
        """The keys of obsolete mails of an order or settlement; none if the records lack it or cannot read it."""
        with suppress(NotUnderstood):
            order = await self._orders.get(about)
            if order is not None:
                return obsolete_mails(order.order, order.events)
            settlement = await self._settlements.get(about)
            if settlement is not None:
                return obsolete_settlement_mails(settlement.settlement, settlement.events)
        return frozenset()
