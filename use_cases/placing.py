"""Places orders: what is pinned into an order, and the start of its workflow."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts import names
from contracts.activities import Snapshot
from contracts.messages import DisplaySettings
from domain import rules
from domain.cantons import pin_calendar, public_holidays
from domain.errors import InvalidCommand
from domain.orders.placement import Intake, Placement
from domain.policies import Policies
from domain.postal_codes import canton_of_postal_code
from domain.values import Value
from records.failures import is_away
from records.heads import Diverged
from records.orders import Orders, StoredOrder
from records.partners import Partners
from temporal import orders as workflow_client
from temporal.calls import Closed, NoAnswer, TemporalAway, temporal_call
from use_cases.order_errors import AlreadyPlaced
from use_cases.order_gateway import OrderGateway
from use_cases.partners import check_gets_orders

logger = logging.getLogger("cmi.desk")


class Placed(Value):
    """The result of placing an order: its snapshot, and whether it is new."""

    snapshot: Snapshot
    is_new: bool


class Placing:
    """Places orders. `clock` gives the instant, `patience` is how long to wait for Temporal."""

    def __init__(
        self,
        client: Client,
        gateway: OrderGateway,
        orders: Orders,
        partners: Partners,
        policies: Policies,
        display: DisplaySettings,
        clock: Callable[[], datetime],
        patience: timedelta,
    ) -> None:
        self._client = client
        self._gateway = gateway
        self._orders = orders
        self._partners = partners
        self._policies = policies
        self._display = display
        self._clock = clock
        self._patience = patience

    async def place(self, placement: Placement) -> Placed:
        """Place an order. Placing the same order again returns the existing one.

        The order is placed once its workflow is started. It is also stored in the records here, so that the caller
        finds it at once. If that fails, the workflow stores it.

        Raises:
            InvalidCommand: the partner does not exist or gets no orders, or the SP-ID is reserved.
            UnknownPolicy: the partner's policy is missing. Nothing was placed.
            AlreadyPlaced: another order has the SP-ID.
            TemporalAway: it is unknown whether the order was placed. The same call may be repeated.
        """
        known = await self._orders.get(placement.sp_id)
        if known is not None:
            return _same(placement, known)
        if names.is_taken(placement.sp_id):
            raise InvalidCommand("sp_id", "reserved_name")
        partner = check_gets_orders(await self._partners.get(placement.partner_id))
        policy = self._policies.of(partner.policy)
        now = self._clock()
        # The local day may be one later; the calendar begins well before it.
        calendar = pin_calendar(partner.canton, policy, now.date())
        canton = canton_of_postal_code(placement.customer.postal_code)
        intake = Intake(
            placement=placement,
            partner=self._partners.assignee(partner),
            policy=policy,
            calendar=calendar,
            rules=rules.CURRENT,
            customer_canton=canton,
            customer_holidays=public_holidays(canton, policy, now.date()) if canton else (),
        )
        try:
            async with temporal_call(self._patience):
                begun = await workflow_client.start_order(self._client, intake, self._display, now)
        except (NoAnswer, Closed) as error:
            raise TemporalAway("no answer") from error
        except WorkflowAlreadyStartedError:
            return _same(placement, await self._gateway.placed_meanwhile(placement.sp_id))
        try:
            await self._orders.save(begun)
        except Exception as error:
            if not is_away(error) and not isinstance(error, Diverged):
                raise
            logger.warning(
                "the order was not recorded here, its workflow will record it",
                extra={"cause": type(error).__name__},
            )
        return Placed(snapshot=begun, is_new=True)


def _same(placement: Placement, existing: StoredOrder) -> Placed:
    if existing.order.intake.placement != placement:
        raise AlreadyPlaced(existing.order)
    return Placed(snapshot=Snapshot(order=existing.order, events=existing.events), is_new=False)
