"""The settlements of one month: who opened one, and whether another can follow a voided one."""

from datetime import timedelta

from temporalio.client import Client

from contracts.activities import SettlementOf
from domain.settlements.access import allowed
from domain.settlements.settlement import Settlement, SettlementStatus
from records.settlements import Settlements, StoredSettlement
from temporal import settlements
from temporal.calls import Closed, NoAnswer, TemporalAway, temporal_call
from use_cases.principal import Principal
from use_cases.settlement_gateway import SettlementGateway
from use_cases.waiting import wait_until


class AlreadySettled(Exception):
    """The partner has a settlement of the month already."""

    def __init__(self, number: str, status: SettlementStatus | None, may: tuple[str, ...]) -> None:
        self.settlement_id = number
        self.status = status
        self.allowed = may
        super().__init__(f"{number} is the partner's settlement of this month")


class MonthsSettlements:
    """Looks at the settlements of a partner and month. `patience` is how long to wait."""

    def __init__(
        self,
        client: Client,
        settlements: Settlements,
        gateway: SettlementGateway,
        patience: timedelta,
    ) -> None:
        self._client = client
        self._settlements = settlements
        self._gateway = gateway
        self._patience = patience

    async def opened_before(
        self, principal: Principal, that: SettlementOf, request_id: str
    ) -> StoredSettlement:
        """The month's settlement, if this request has opened it before (and the answer was lost).

        Raises:
            AlreadySettled: another request has opened it.
            TemporalAway: it is unknown which request opened it.
        """
        this = that.settlement_id
        opened_by = await self.opened_by(that)
        stored = await self._settlements.get(this) or await self._gateway.fetch(that)
        if stored is not None and opened_by == request_id:
            return stored
        if stored is None:
            raise AlreadySettled(this, None, ())
        settlement = stored.settlement
        raise AlreadySettled(this, settlement.status, allowed(settlement, principal.role))

    async def opened_by(self, that: SettlementOf) -> str | None:
        """The id of the request that opened a settlement; None if the server has deleted its workflow.

        Raises:
            TemporalAway: it is unknown which request opened it.
        """
        try:
            async with temporal_call(self._patience):
                return await settlements.opening_request(self._client, that)
        except Closed:
            return None
        except NoAnswer as error:
            raise TemporalAway("no answer") from error

    async def wait_until_released(self, void: Settlement) -> None:
        """Wait until a void settlement has released its orders, so that they can be billed by the next.

        Raises:
            TemporalAway: it has not done so in time.
        """
        opening = void.opening

        async def is_released() -> bool:
            latest = await self._settlements.latest_of_month(
                opening.partner.partner_id, opening.month
            )
            return latest is None or latest.released or latest.opening.number > opening.number

        if not await wait_until(is_released, self._patience.total_seconds()):
            raise TemporalAway("the voided settlement has not released its orders yet")
