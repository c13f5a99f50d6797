"""Takes the open orders from partners that have ended, so that operations give them to others."""

import asyncio
import logging
from datetime import timedelta

from domain.actors import SYSTEM
from domain.orders.commands import Unassign
from domain.orders.order import Order
from domain.orders.request import Request
from records.order_relations import OrderRelations
from records.partners import Partners
from temporal.calls import Closed
from use_cases.order_gateway import OrderGateway

logger = logging.getLogger("cmi.desk")

EVERY = timedelta(minutes=10)
"""How often a process looks for orders that ended partners still have, if nobody ends a partner meanwhile."""
RETRY = timedelta(seconds=30)
"""How long to wait after a round that failed, such as while Temporal is away."""


class EndedPartners:
    """Takes open orders from partners that have ended, by a command to each order.

    The status in the records says which partners have ended. Rounds repeat until no such order is left, because a
    process may die in between, Temporal may be away, and an order may be placed or reopened at the same moment.
    Completed orders stay and are settled. Orders under version 1 of the rules stay until operations reassign them.
    """

    def __init__(
        self,
        gateway: OrderGateway,
        relations: OrderRelations,
        partners: Partners,
        page_size: int = 500,
    ) -> None:
        self._gateway = gateway
        self._relations = relations
        self._partners = partners
        self._page_size = page_size
        self._ended = asyncio.Event()

    async def release_soon(self, partner_id: str) -> None:
        """A partner has ended: begin a round now. Returns at once."""
        logger.info("a partner's orders are released", extra={"partner": partner_id})
        self._ended.set()

    async def keep_releasing(self) -> None:
        """Do a round after each end of a partner, and from time to time. Runs until it is cancelled."""
        while True:
            self._ended.clear()
            pause = EVERY
            try:
                await self.release_all()
            except Exception as error:  # retried; its text may contain personal data
                logger.warning(
                    "orders of ended partners were not released, trying again later",
                    extra={"cause": type(error).__name__},
                )
                pause = RETRY
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await self._ended.wait()
            except TimeoutError:
                continue

    async def release_all(self) -> int:
        """Send the command to all open orders of ended partners. Returns how many it was sent to.

        It can be repeated: an order drops a request that it knows, and does nothing if it has another partner.

        Raises:
            TemporalAway: some orders may not have received it.
        """
        sent = 0
        for partner in await self._partners.list("ended"):
            after: str | None = None
            while page := await self._relations.open_of_partner(
                partner.partner_id, after, self._page_size
            ):
                for order in page:
                    sent += await self._release(order)
                after = page[-1].sp_id
        return sent

    async def _release(self, order: Order) -> bool:
        if order.rules < 2:
            return False
        partner_id = order.partner.partner_id
        request = Request(
            command=Unassign(partner_id=partner_id),
            actor=SYSTEM,
            request_id=f"ended/{partner_id}/{order.version}",
        )
        try:
            await self._gateway.leave(order.sp_id, request)
        except Closed:  # the order has just ended, or the reconciler reports it
            logger.warning("an open order has no workflow", extra={"sp_id": order.sp_id})
            return False
        return True
