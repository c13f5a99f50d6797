"""Placing orders: the use case behind `POST /orders` and `starter.py order`."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.names import Snapshot
from domain.cantons import pin_calendar
from domain.errors import InvalidCommand
from domain.order import Intake, Placement
from domain.policy import Policy
from domain.values import Value
from records.orders import Orders
from records.partners import Partners
from workflows import client as workflow_client
from workflows.messages import Desk

logger = logging.getLogger("cmi.desk")


class AlreadyPlaced(Exception):
    """An order of this SP-ID exists, and it is another one."""

    def __init__(self, sp_id: str) -> None:
        self.sp_id = sp_id
        super().__init__(f"{sp_id} is placed already, with other content")


class Placed(Value):
    """The outcome of placing an order: how it stands, and whether it is new or was there already."""

    snapshot: Snapshot
    is_new: bool


class OrderDesk:
    """Where orders are placed."""

    def __init__(
        self,
        client: Client,
        orders: Orders,
        partners: Partners,
        policy: Policy,
        desk: Desk,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._orders = orders
        self._partners = partners
        self._policy = policy
        self._desk = desk
        self._clock = clock

    async def place(self, placement: Placement) -> Placed:
        """Place an order. The same order again is the order that is there.

        Starting its workflow is the one thing that counts; that the records know it at once is for the caller's next
        look, and if it fails here the workflow does it.

        Raises:
            InvalidCommand: the partner is not known.
            AlreadyPlaced: the SP-ID is taken by another order.
            RPCError: Temporal is away; nothing was placed, or the same call finds it placed.
        """
        known = await self._orders.get(placement.sp_id)
        if known is not None:
            return _same(placement, Snapshot(order=known.order, events=known.events))
        partner = await self._partners.get(placement.partner_id)
        if partner is None:
            raise InvalidCommand("partner_id", "unknown_partner")
        now = self._clock()
        # The local day may already be tomorrow's; the calendar begins well before it.
        calendar = pin_calendar(partner.canton, self._policy, now.date())
        intake = Intake(
            placement=placement,
            partner=self._partners.assignee(partner),
            policy=self._policy,
            calendar=calendar,
        )
        try:
            begun = await workflow_client.start_order(self._client, intake, self._desk, now)
        except WorkflowAlreadyStartedError:
            return _same(placement, await workflow_client.snapshot(self._client, placement.sp_id))
        try:
            await self._orders.save(begun)
        except SQLAlchemyError as error:
            logger.warning("the order's workflow has to record it", extra={"cause": repr(error)})
        return Placed(snapshot=begun, is_new=True)


def _same(placement: Placement, existing: Snapshot) -> Placed:
    if existing.order.intake.placement != placement:
        raise AlreadyPlaced(placement.sp_id)
    return Placed(snapshot=existing, is_new=False)
