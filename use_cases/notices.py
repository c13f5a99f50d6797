"""Passes on reports of shop and warehouse: to the order, to other orders of its line, or to the records if it ended."""

import logging
from collections.abc import Callable
from datetime import datetime

from domain.actors import Actor
from domain.orders.commands import PaymentReceived
from domain.orders.order import Order
from domain.orders.request import Request
from domain.orders.shipment import GoodsReceived, GoodsShipped
from records.order_relations import OrderRelations
from records.orders import Orders
from temporal.calls import Closed, NoAnswer, TemporalAway
from use_cases.late_goods import LateGoods
from use_cases.order_gateway import OrderGateway

logger = logging.getLogger("cmi.desk")

Notice = PaymentReceived | GoodsShipped | GoodsReceived

_TRIES = 3


class Notices:
    """Leaves notices with the workflows of orders. `clock` gives the instant."""

    def __init__(
        self,
        gateway: OrderGateway,
        orders: Orders,
        relations: OrderRelations,
        late_goods: LateGoods,
        clock: Callable[[], datetime],
    ) -> None:
        self._gateway = gateway
        self._orders = orders
        self._relations = relations
        self._late_goods = late_goods
        self._clock = clock

    async def leave(self, order: Order, notice: Notice, actor: Actor, request_id: str) -> None:
        """Leave a notice with an order, and one about goods with the other open orders of its line. Idempotent.

        Raises:
            TemporalAway: it is unknown whether all orders received it. The notice may be repeated.
        """
        await self._leave(order, notice, actor, request_id)
        if isinstance(notice, PaymentReceived):
            return
        for sp_id in await self._relations.open_of_line(order):
            same = Request(command=notice, actor=actor, request_id=f"{request_id}/{sp_id}")
            try:
                await self._gateway.leave(sp_id, same)
            except Closed:
                logger.info("an order of the line has just ended", extra={"sp_id": sp_id})

    async def _leave(self, order: Order, notice: Notice, actor: Actor, request_id: str) -> None:
        request = Request(command=notice, actor=actor, request_id=request_id)
        for _ in range(_TRIES):
            try:
                await self._gateway.leave(order.sp_id, request)
                return
            except Closed:
                if not (await self._gateway.after_end(order)).status.is_final:
                    logger.error("an open order has no workflow", extra={"sp_id": order.sp_id})
                    raise TemporalAway("the order's workflow is not running") from None
            if await self._note_late(order.sp_id, notice, actor):
                return
        raise TemporalAway("the order's workflow was started meanwhile")

    async def _note_late(self, sp_id: str, notice: Notice, actor: Actor) -> bool:
        """Record goods that came after the order's end. False if its workflow may be running again."""
        stored = await self._orders.get(sp_id)
        if stored is None or isinstance(notice, PaymentReceived):
            return True
        try:
            return await self._late_goods.record(stored, notice, actor, self._clock())
        except NoAnswer as error:
            raise TemporalAway("no answer") from error
