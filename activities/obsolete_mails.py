"""Marks unsent mails as obsolete that are no longer needed: workflows drop them without telling the records."""

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
    """Finds the unsent mails that their orders and settlements no longer need."""

    def __init__(self, mails: MailLog, orders: Orders, settlements: Settlements) -> None:
        self._mails = mails
        self._orders = orders
        self._settlements = settlements

    async def mark(self, now: datetime) -> int:
        """Mark the unsent mails that are no longer needed. Returns how many. A marked mail can still be sent later."""
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
        """The keys of obsolete mails of an order or settlement; empty if it is not recorded or cannot be read."""
        with suppress(NotUnderstood):
            order = await self._orders.get(about)
            if order is not None:
                return obsolete_mails(order.order, order.events)
            settlement = await self._settlements.get(about)
            if settlement is not None:
                return obsolete_settlement_mails(settlement.settlement, settlement.events)
        return frozenset()
