"""The sample settlements of `dev.py`, in two months: one open for selection, one issued, one invoiced."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client

from development.api_client import PATIENCE, Api
from development.sample_data import ZURICH, SampleOrder, read_orders
from domain.months import Month
from domain.orders.order import Status
from domain.orders.placement import Placement
from domain.policies import Policies
from domain.settlements.settlement import SettlementStatus
from records.database import Database
from records.orders import Orders
from records.partners import Partners
from records.settlements import Settlements
from settings import Settings
from use_cases.opening import open_month
from use_cases.orders import OrderUseCases


@dataclass(frozen=True)
class Bill:
    """A settlement of an earlier month, with orders made from a file of `examples/orders`, and its final state."""

    place: str
    months_ago: int
    sp_ids: tuple[str, ...]
    goal: SettlementStatus


# One tuple for each partner, sorted by month, because an earlier month must be billed before a later one is opened.
BILLS = (
    (
        Bill("zuerich", 2, ("SP-1047201", "SP-1047202"), SettlementStatus.INVOICED),
        Bill(
            "zuerich",
            1,
            ("SP-1047301", "SP-1047302", "SP-1047303", "SP-1047304"),
            SettlementStatus.ISSUED,
        ),
    ),
    (Bill("luzern", 1, ("SP-1047401", "SP-1047402", "SP-1047403"), SettlementStatus.OPEN),),
)


async def make_settlements(
    settings: Settings, api: Api, temporal: Client, *, documents: bool = True
) -> None:
    """Bring the settlements of `BILLS` to their final states, and continue those that an earlier start left unfinished.

    Without `documents` (on a machine that cannot make them) each partner's first settlement stays open.
    """
    database = Database(settings.database_url)
    try:
        sample = _Sample(settings, api, temporal, database, documents=documents)
        await asyncio.gather(*(sample.settle_in_turn(bills) for bills in BILLS))
    finally:
        await database.close()


class _Sample:
    """Settles past months. Only the clock with which orders are placed is in the past; the rest happens now."""

    def __init__(
        self,
        settings: Settings,
        api: Api,
        temporal: Client,
        database: Database,
        *,
        documents: bool,
    ) -> None:
        self._api = api
        self._temporal = temporal
        self._database = database
        self._documents = documents
        self._policy = settings.load_policy()
        self._vat_rates = settings.vat_percentages
        self._display = settings.display

    async def settle_in_turn(self, bills: tuple[Bill, ...]) -> None:
        """Complete all orders of one partner, then make its settlements one after the other."""
        await asyncio.gather(
            *(self._complete(bill, number) for bill in bills for number in range(len(bill.sp_ids)))
        )
        for bill in bills if self._documents else bills[:1]:
            await self._settle(bill)

    async def _complete(self, bill: Bill, number: int) -> None:
        # Prepaid, so that its deadlines begin with the payment (now) and none is missed.
        order = self._order(bill, number) | {"prepaid": True}
        placed_at = datetime(*_month(bill).first_day.timetuple()[:3], 9 + number, tzinfo=UTC)
        past = OrderUseCases(
            self._temporal,
            Orders(self._database),
            Partners(self._database),
            Policies(self._policy),
            self._display,
            clock=lambda: placed_at,
        )
        if (await past.place(Placement.model_validate(order))).is_new:
            executed_on = placed_at.astimezone(ZURICH).date() + timedelta(days=8 + number)
            sample = SampleOrder(self._api, self._temporal, self._policy, order, executed_on)
            await sample.bring_to(Status.COMPLETED)

    @staticmethod
    def _order(bill: Bill, number: int) -> dict[str, Any]:
        like = read_orders(bill.place)
        sales_order_id = f"4{bill.sp_ids[number].removeprefix('SP-')}"
        return like[number % len(like)] | {
            "sp_id": bill.sp_ids[number],
            "sales_order_id": sales_order_id,
        }

    async def _settle(self, bill: Bill) -> None:
        partner_id, month = self._order(bill, 0)["partner_id"], _month(bill)
        partner = await Partners(self._database).get(partner_id)
        assert partner is not None, "it was just made"
        settlements = Settlements(self._database)
        await open_month(
            self._temporal,
            settlements,
            partner,
            month,
            datetime.now(UTC),
            policies=Policies(self._policy),
            vat_rates=self._vat_rates,
            display=self._display,
        )
        latest = await settlements.latest_of_month(partner_id, month)
        if latest is None:
            return  # an earlier start billed these orders in an earlier month
        goal = bill.goal if self._documents else SettlementStatus.OPEN
        path = f"/settlements/{latest.settlement_id}"
        seen = await self._api.get(partner_id, path)
        if seen["status"] == SettlementStatus.OPEN and goal is not SettlementStatus.OPEN:
            await self._api.post(partner_id, f"{path}/close", {})
        if goal is not SettlementStatus.OPEN:
            seen = await self._closed(partner_id, path)
        if seen["status"] == SettlementStatus.ISSUED and goal is SettlementStatus.INVOICED:
            invoice = {
                "invoice_number": f"R-{month}",
                "invoice_date": f"{datetime.now(ZURICH):%Y-%m-%d}",
            }
            await self._api.post(partner_id, f"{path}/make-invoice", invoice)

    async def _closed(self, partner_id: str, path: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                seen: dict[str, Any] = await self._api.get(partner_id, path)
                if seen["status"] not in (SettlementStatus.OPEN, SettlementStatus.CLOSING):
                    return seen
                await asyncio.sleep(0.1)


def _month(bill: Bill) -> Month:
    month = Month.of(datetime.now(ZURICH).date())
    for _ in range(bill.months_ago):
        month = month.previous
    return month
